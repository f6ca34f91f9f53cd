"""gold.loyalty_state: each customer's loyalty cards, points and tier."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table

LOYALTY_STATE = Table(
    name="gold.loyalty_state",
    grain="one row per customer_id with an event of a loyalty card by as_of, and as_of",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("is_loyalty_member", T.BooleanType(), "has an open card: not closed, or enrolled again since"),
        Field("count_loyalty_cards", T.LongType(), "open cards"),
        Field("loyalty_member_since_on", T.DateType(), "day of the first event of any card"),
        Field("loyalty_left_on", T.DateType(), "day on which the last card was closed; null with an open one"),
        Field("loyalty_tier", T.StringType(), "tier of the newest event of an open card that names one"),
        Field(
            "loyalty_points_balance", T.LongType(), "points of open cards: those of closed ones lapse", unit="points"
        ),
        Field("loyalty_points_earned", T.LongType(), "points of all cards but redemptions, ever", unit="points"),
        Field("loyalty_points_redeemed", T.LongType(), "points redeemed of all cards, ever", unit="points"),
        Field("last_points_earned_on", T.DateType(), "last day on which points were earned; null without one"),
        Field("last_points_redeemed_on", T.DateType(), "last day on which points were redeemed; null without one"),
    ),
)


def loyalty_state(loyalty_events: DataFrame, *, as_of: date) -> DataFrame:
    """Sum the events of each known customer's loyalty cards up to and including `as_of`, in UTC days.

    Points are taken as the feed sends them: redeemed ones as negative numbers. They do not expire here.
    """
    is_open = F.col("is_open")
    return (
        loyalty_events.where(F.col("customer_id").isNotNull() & (F.to_date("happened_at") <= F.lit(as_of)))
        .transform(cards)
        .groupBy("customer_id")
        .agg(
            F.max("is_open").alias("is_loyalty_member"),
            F.count_if(is_open).alias("count_loyalty_cards"),
            F.to_date(F.min("since_at")).alias("loyalty_member_since_on"),
            F.when(~F.max("is_open"), F.to_date(F.max("closed_at"))).alias("loyalty_left_on"),
            F.max(F.when(is_open, F.col("newest_tier")))["tier"].alias("loyalty_tier"),
            F.sum(F.when(is_open, F.col("balance")).otherwise(0)).alias("loyalty_points_balance"),
            F.sum(F.col("balance") + F.col("redeemed")).alias("loyalty_points_earned"),
            F.sum("redeemed").alias("loyalty_points_redeemed"),
            F.to_date(F.max("earned_at")).alias("last_points_earned_on"),
            F.to_date(F.max("redeemed_at")).alias("last_points_redeemed_on"),
        )
        .withColumn("as_of", F.lit(as_of))
        .transform(LOYALTY_STATE.conform)
    )


def cards(events: DataFrame) -> DataFrame:
    """One row per customer and card: whether it is open, since when, its points, and its newest tier."""
    points = F.coalesce(F.col("points").cast("long"), F.lit(0))
    dated_tier = F.struct("happened_at", "event_id", "tier")  # the event's number decides between two of one instant

    def last(kind: str) -> Column:
        return F.max(F.when(F.col("event_type") == kind, F.col("happened_at")))

    reopened = F.coalesce(last("enrolled") > last("closed"), F.lit(False))
    return events.groupBy("customer_id", "card_id").agg(
        (last("closed").isNull() | reopened).alias("is_open"),
        F.min("happened_at").alias("since_at"),
        last("closed").alias("closed_at"),
        last("earned").alias("earned_at"),
        last("redeemed").alias("redeemed_at"),
        F.sum(points).alias("balance"),
        F.sum(F.when(F.col("event_type") == "redeemed", -points).otherwise(0)).alias("redeemed"),
        F.max(F.when(F.col("tier").isNotNull(), dated_tier)).alias("newest_tier"),
    )
