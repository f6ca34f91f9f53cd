"""Features of loyalty cards: membership, points and tier."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.features.dates import first_known, known_by
from customerlake.features.feature import Feature
from customerlake.silver.loyalty_events import LOYALTY_EVENTS

_feature = partial(Feature, source=LOYALTY_EVENTS.name)

FEATURES = (
    _feature(
        "is_loyalty_member",
        "1 with an open card: not closed, or enrolled again since",
        "has a loyalty card ({value}; typical {typical})",
        is_count=True,
    ),
    _feature(
        "loyalty_points",
        "points of open cards: earned less redeemed",
        "{value} loyalty points (typical {typical})",
        "points",
        is_count=True,
        is_skewed=True,
    ),
    _feature(
        "loyalty_tier",
        "tier of the newest event of an open card that names one",
        "is in tier {value} (typical {typical})",
        is_category=True,
    ),
)


def loyalty_features(dates: Sequence[date]) -> Callable[[DataFrame], DataFrame]:
    """Events under their customers -> one row per customer and date with an event by then. Days are of UTC.

    Points are as in gold.loyalty_state: as the feed sends them, without an end.
    """
    is_open = F.col("closed_at").isNull() | F.coalesce(F.col("enrolled_at") > F.col("closed_at"), F.lit(False))
    is_counted = F.col("customer_id").isNotNull() & (F.to_date("happened_at") <= F.lit(max(dates)))
    return lambda loyalty_events: (
        loyalty_events.where(is_counted)
        .withColumn("happened_on", F.to_date("happened_at"))
        .transform(cards(dates))
        .groupBy("customer_id", "as_of")
        .agg(
            F.max(is_open.cast("int")).alias("is_loyalty_member"),
            F.sum(F.when(is_open, F.col("points")).otherwise(0)).alias("loyalty_points"),
            F.max_by("tier", F.when(is_open, F.struct("tier_at", "card_id"))).alias("loyalty_tier"),
        )
    )


def cards(dates: Sequence[date]) -> Callable[[DataFrame], DataFrame]:
    """One row per customer, card and date: when last enrolled and closed, points, the newest tier and its instant."""
    card = ("customer_id", "card_id")
    has_tier = F.col("tier").isNotNull()
    tier_last = F.when(has_tier, F.struct("happened_at", "event_id"))  # the number decides between two of one instant

    def last(kind: str) -> Column:
        return F.max(F.when(F.col("event_type") == kind, F.col("happened_at")))

    return lambda events: (
        events.groupBy(*card, first_known(dates, "happened_on").alias("known_on"))
        .agg(
            last("enrolled").alias("enrolled_at"),
            last("closed").alias("closed_at"),
            F.sum(F.coalesce("points", F.lit(0))).alias("points"),
            F.max_by("tier", tier_last).alias("tier"),
            F.max(F.when(has_tier, F.col("happened_at"))).alias("tier_at"),
        )
        .transform(known_by(dates, "known_on"))
        .groupBy(*card, "as_of")
        .agg(
            F.sum("points").alias("points"),
            F.max_by("tier", "tier_at").alias("tier"),
            *[F.max(name).alias(name) for name in ("enrolled_at", "closed_at", "tier_at")],
        )
    )
