"""Features of consent: by what the customer may be reached."""

from collections.abc import Callable, Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.features.dates import known_by
from customerlake.features.feature import Feature
from customerlake.gold.consent_state import newest_decision
from customerlake.silver.consents import CONSENTS

FEATURES = (
    Feature(
        "may_be_emailed",
        "1 when the newest decision on marketing by e-mail or any channel allows it; 0 without a decision",
        "may be e-mailed ({value}; typical {typical})",
        source=CONSENTS.name,
        is_count=True,
    ),
)


def consent_features(dates: Sequence[date]) -> Callable[[DataFrame], DataFrame]:
    """Decisions under their customers -> one row per customer and date with a decision by then. Days are of UTC."""
    allowed = newest_decision("marketing", F.col("channel").isin("email", "any"))
    return lambda consents: (
        consents.where(F.col("customer_id").isNotNull())
        .withColumn("decided_on", F.to_date("changed_at"))
        .transform(known_by(dates, "decided_on"))
        .groupBy("customer_id", "as_of")
        .agg(F.coalesce(allowed, F.lit(False)).cast("int").alias("may_be_emailed"))
    )
