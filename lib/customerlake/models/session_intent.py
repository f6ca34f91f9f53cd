"""Intent of the visit at hand: whether it will end in an order, told some seconds after it began."""

from collections.abc import Mapping
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.features.session import FEATURES
from customerlake.models.classifiers.candidates import Candidate, LogisticOfMLlib
from customerlake.models.classifiers.classification import Classification
from customerlake.models.classifiers.competition import Task
from customerlake.models.classifiers.numbers import Classifier
from customerlake.runtime.config import SessionIntentConfig

MODEL = "session_intent"
LABEL, PROBABILITY = "is_ordering", "order_probability"

SESSION_INTENT = Table(
    name="scores.session_intent",
    grain="one row per visit of the day as_of that still went on, without an order, when it was looked at",
    key=("session_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("session_id", T.StringType(), "the visit in gold.web_sessions", personal="analyse"),
        Field("as_of", T.DateType(), "day of its start"),
        Field("visitor_id", T.StringType(), "cookie or device", personal="identify"),
        Field("customer_id", T.StringType(), "customer, where known", personal="identify"),
        Field("started_at", T.TimestampType(), "instant of its first event", unit="UTC"),
        Field("seconds_watched", T.IntegerType(), "from its start to when it was looked at", unit="seconds"),
        Field("order_probability", T.DoubleType(), "that it ends in an order", unit="share", personal="analyse"),
        Field("is_likely_order", T.BooleanType(), "the probability reaches the version's threshold"),
        Field("_model_version", T.StringType(), "registered version of the model"),
    ),
)

BASELINES: Mapping[str, Candidate] = {
    "cart rule": LogisticOfMLlib("logistic regression on has_cart alone", ("has_cart",)),
}
"""What a shop would do without a model."""


def session_task(config: SessionIntentConfig) -> Task:
    """What is trained. Rows are those of `sessions_at_hand`."""
    return Task(
        model=MODEL,
        title="Intent of the visit at hand",
        purpose=f"Tell {config.seconds} seconds after a visit to the web shop began how likely it ends in an order, so "
        "that help or an offer comes in time. Not for prices that a person is entitled to.",
        limits="Visits that ended before are not scored. What a visitor does in another browser is not known.",
        label=LABEL,
        probability=PROBABILITY,
        features=FEATURES,
        baselines=BASELINES,
    )


def session_model(config: SessionIntentConfig, candidate: str) -> Classification:
    """One candidate or baseline."""
    return session_task(config).contender(candidate, seed=config.seed)


def session_intent_scores(
    fitted: Classifier, visits: DataFrame, config: SessionIntentConfig, *, as_of: date, threshold: float,
    model_version: str,
) -> DataFrame:  # fmt: skip
    """scores.session_intent for the visits of one day."""
    of_day = visits.where(F.col("as_of") == F.lit(as_of))
    return (
        session_model(config, fitted.candidate)
        .score(of_day, fitted)
        .withColumnsRenamed({"customer_id": "session_id", "known_customer_id": "customer_id"})
        .withColumns(
            {
                "seconds_watched": F.lit(config.seconds),
                "is_likely_order": F.col(PROBABILITY) >= threshold,
                "_model_version": F.lit(model_version),
            }
        )
        .transform(SESSION_INTENT.conform)
    )
