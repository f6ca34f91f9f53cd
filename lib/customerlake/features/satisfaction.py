"""Features of satisfaction: what a customer says in surveys."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.features.dates import known_by
from customerlake.features.feature import Feature
from customerlake.silver.survey_answers import SURVEY_ANSWERS

_feature = partial(Feature, source=SURVEY_ANSWERS.name, personal="analyse")

FEATURES = (
    _feature(
        "last_nps_answer",
        "last answer to nps, 0 to 10; null without one",
        "would recommend the shop with {value} of 10 (typical {typical})",
        "points",
    ),
    _feature(
        "last_csat_answer",
        "last answer to csat, 1 to 5; null without one",
        "was last satisfied with {value} of 5 (typical {typical})",
        "points",
    ),
    _feature(
        "mean_csat_answer",
        "mean answer to csat; null without one",
        "is satisfied with {value} of 5 on average (typical {typical})",
        "points",
    ),
)


def satisfaction_features(dates: Sequence[date]) -> Callable[[DataFrame], DataFrame]:
    """Invitations under their customers -> one row per customer and date with an answer by then. Days are of UTC.

    An answer without its instant counts from the last change of its record, as in gold.satisfaction.
    """
    is_counted = F.col("customer_id").isNotNull() & F.col("score").isNotNull() & ~F.coalesce("is_deleted", F.lit(False))
    return lambda survey_answers: (
        survey_answers.where(is_counted)
        .withColumn("answered", F.coalesce("answered_at", "updated_at"))
        .withColumn("answered_on", F.greatest(F.to_date("answered"), F.to_date("invited_at")))
        .transform(known_by(dates, "answered_on"))
        .groupBy("customer_id", "as_of")
        .agg(
            _last("nps").alias("last_nps_answer"),
            _last("csat").alias("last_csat_answer"),
            F.mean(F.when(F.col("survey") == "csat", F.col("score"))).alias("mean_csat_answer"),
        )
    )


def _last(survey: str) -> Column:
    return F.max(F.when(F.col("survey") == survey, F.struct("answered", "invitation_id", "score")))["score"]
