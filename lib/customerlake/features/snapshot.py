"""features.snapshot: what was known about each customer on a date. Training and scoring use these same rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.silver.orders import is_purchase


@dataclass(frozen=True)
class Feature:
    """A number that models learn from. `words` says its value to a reader; {value} and {typical} stand in it."""

    name: str
    doc: str
    words: str
    unit: str | None = None


FEATURES = (
    Feature(
        "days_since_last_order", "last purchase day to as_of", "last order {value} days ago (typical {typical})", "days"
    ),
    Feature("recency", "first to last purchase day", "bought over {value} days (typical {typical})", "days"),
    Feature("T", "first purchase day to as_of", "customer for {value} days (typical {typical})", "days"),
    Feature("frequency", "repeat purchase days", "{value} repeat purchase days (typical {typical})", "days"),
    Feature("count_orders", "orders", "{value} orders (typical {typical})"),
    Feature("total_spend", "spend before returns", "spent {value} in all (typical {typical})", "currency"),
    Feature("average_order_value", "spend per order", "spends {value} an order (typical {typical})", "currency"),
    Feature(
        "days_between",
        "mean time between purchase days; T with one only",
        "orders every {value} days (typical {typical})",
        "days",
    ),
    Feature(
        "overdue_ratio", "days_since_last_order per days_between", "{value} times the usual wait (typical {typical})"
    ),
    Feature(
        "orders_last_30_days", "orders in the 30 days up to as_of", "{value} orders in 30 days (typical {typical})"
    ),
    Feature(
        "orders_last_90_days", "orders in the 90 days up to as_of", "{value} orders in 90 days (typical {typical})"
    ),
    Feature(
        "spend_last_90_days",
        "spend in the 90 days up to as_of",
        "spent {value} in 90 days (typical {typical})",
        "currency",
    ),
    Feature(
        "spend_share_last_90_days",
        "the part of total_spend that is of the last 90 days",
        "{value} of all spend in 90 days (typical {typical})",
        "share",
    ),
    Feature("count_returns", "returns", "{value} returns (typical {typical})"),
    Feature(
        "returned_share", "money given back per spend", "{value} of the spend given back (typical {typical})", "share"
    ),
    Feature("mean_basket_lines", "distinct lines per order", "{value} lines an order (typical {typical})", "lines"),
    Feature("mean_basket_units", "units per order", "{value} units an order (typical {typical})", "units"),
)
"""Every feature there is, with its meaning. Models choose from it by name."""

SNAPSHOT = Table(
    name="features.snapshot",
    grain="one row per customer_id and as_of, over the customers with a purchase by then",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "the date; nothing after it is known here"),
        Field("country", T.StringType(), "country on the newest purchase by as_of", personal="analyse"),
        *[Field(feature.name, T.DoubleType(), feature.doc, feature.unit) for feature in FEATURES],
    ),
)


def snapshot(orders: DataFrame, *, as_of: Sequence[date]) -> DataFrame:
    """What was known of each customer on each date: orders and returns up to and including it, nothing else."""
    return (
        orders.where(F.col("customer_id").isNotNull())
        .transform(known_by(as_of))
        .transform(summarise_known)
        .transform(SNAPSHOT.conform)
    )


def known_by(dates: Sequence[date]) -> Callable[[DataFrame], DataFrame]:
    """Each order once per date on which it was known. Adds: as_of."""
    dates_array = F.array(*[F.lit(day) for day in sorted(dates)])
    return lambda orders: orders.withColumn(
        "as_of", F.explode(F.filter(dates_array, lambda day: day >= F.col("ordered_on")))
    )


def summarise_known(known: DataFrame) -> DataFrame:
    bought = F.when(is_purchase(), F.col("amount"))
    bought_on = F.when(is_purchase(), F.col("ordered_on"))
    one_if_bought = F.when(is_purchase(), 1)
    orders, spend = F.count(bought), exact_sum(bought)
    recency = F.datediff(F.max(bought_on), F.min(bought_on))
    frequency = F.countDistinct(bought_on) - 1
    age = F.datediff(F.col("as_of"), F.min(bought_on))
    since_last = F.datediff(F.col("as_of"), F.max(bought_on))
    days_between = F.when(frequency > 0, recency / frequency).otherwise(age.cast("double"))
    spend_last_90 = exact_sum(F.when(within(90), bought))
    returned = exact_sum(F.when(F.col("is_return"), -F.col("amount")))
    return (
        known.groupBy("customer_id", "as_of")
        .agg(
            F.max_by(
                F.when(is_purchase(), F.col("country")), F.when(is_purchase(), F.struct("ordered_at", "order_id"))
            ).alias("country"),
            since_last.alias("days_since_last_order"),
            recency.alias("recency"),
            age.alias("T"),
            frequency.alias("frequency"),
            orders.alias("count_orders"),
            spend.alias("total_spend"),
            (spend / F.nullif(orders.cast("double"), F.lit(0.0))).alias("average_order_value"),
            days_between.alias("days_between"),
            (since_last / F.greatest(days_between, F.lit(1.0))).alias("overdue_ratio"),
            F.count(F.when(within(30), one_if_bought)).alias("orders_last_30_days"),
            F.count(F.when(within(90), one_if_bought)).alias("orders_last_90_days"),
            spend_last_90.alias("spend_last_90_days"),
            (spend_last_90 / F.nullif(spend, F.lit(0.0))).alias("spend_share_last_90_days"),
            F.count_if(F.col("is_return")).alias("count_returns"),
            (returned / F.nullif(spend, F.lit(0.0))).alias("returned_share"),
            F.mean(F.when(is_purchase(), F.col("count_lines"))).alias("mean_basket_lines"),
            F.mean(F.when(is_purchase(), F.col("count_units"))).alias("mean_basket_units"),
        )
        .where(F.col("count_orders") > 0)
    )


def exact_sum(amount: Column) -> Column:
    """The sum as a double; summed as decimals, so that the order of the rows does not show in the last digits."""
    return F.coalesce(F.sum(amount), F.lit(0)).cast("double")


def within(days: int) -> Column:
    return F.col("ordered_on") > F.date_sub("as_of", days)
