"""Features of a customer's rhythm: since when and how regularly it buys, and how the present wait compares."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from customerlake.features.dates import days_since
from customerlake.features.feature import Feature
from customerlake.gold.purchase_behaviour import exact_sd

FEATURES = (
    Feature(
        "days_since_last_order", "last purchase day to as_of", "last order {value} days ago (typical {typical})", "days"
    ),
    Feature("recency", "first to last purchase day", "bought over {value} days (typical {typical})", "days"),
    Feature("T", "first purchase day to as_of", "customer for {value} days (typical {typical})", "days"),
    Feature(
        "frequency", "repeat purchase days", "{value} repeat purchase days (typical {typical})", "days", is_skewed=True
    ),
    Feature(
        "days_between",
        "mean time between purchase days; T with one only",
        "orders every {value} days (typical {typical})",
        "days",
        is_skewed=True,
    ),
    Feature(
        "overdue_ratio",
        "days_since_last_order per days_between",
        "{value} times the usual wait (typical {typical})",
        is_skewed=True,
    ),
    Feature(
        "sd_days_between",
        "sample standard deviation of the time between purchase days; null with fewer than three",
        "the wait between orders varies by {value} days (typical {typical})",
        "days",
    ),
    Feature(
        "last_days_between",
        "time between the last two purchase days; null with one only",
        "{value} days between the last two orders (typical {typical})",
        "days",
    ),
    Feature(
        "last_wait_ratio",
        "last_days_between per days_between; null with one purchase day",
        "the last wait was {value} times the usual one (typical {typical})",
    ),
)


def with_days_between(days: DataFrame) -> DataFrame:
    """Adds: days_between, from the purchase day before; null on the first, and on days with returns only.

    It looks back alone, so that it is the same on each later date.
    """
    before = Window.partitionBy("customer_id").orderBy("ordered_on").rowsBetween(Window.unboundedPreceding, -1)
    is_purchase_day = F.col("orders") > 0
    day_before = F.max(F.when(is_purchase_day, F.col("ordered_on"))).over(before)
    gap = F.when(is_purchase_day, F.datediff(F.col("ordered_on"), day_before)).cast("double")
    return days.withColumn("days_between", gap)


def sums() -> list[Column]:
    """Over a customer's days known on a date."""
    bought_on = F.when(F.col("orders") > 0, F.col("ordered_on"))
    return [
        F.min(bought_on).alias("first_on"),
        F.max(bought_on).alias("last_on"),
        (F.count(bought_on) - 1).alias("frequency"),
        exact_sd("days_between").alias("sd_days_between"),
        F.max_by("days_between", bought_on).alias("last_days_between"),
    ]


def intervals() -> dict[str, Column]:
    """What other features are made of."""
    recency, age = F.datediff(F.col("last_on"), F.col("first_on")), days_since(F.col("first_on"))
    return {
        "days_since_last_order": days_since(F.col("last_on")).cast("double"),
        "recency": recency,
        "T": age,
        "days_between": F.when(F.col("frequency") > 0, recency / F.col("frequency")).otherwise(age.cast("double")),
    }


def measures() -> dict[str, Column]:
    return {
        "overdue_ratio": F.col("days_since_last_order") / F.greatest("days_between", F.lit(1.0)),
        "last_wait_ratio": F.col("last_days_between") / F.nullif("days_between", F.lit(0.0)),
    }
