"""Features of purchases and returns: how much, how often, whether more or less than before, and of what kind."""

from collections.abc import Callable, Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.contracts.table import MONEY
from customerlake.features import habits, rhythm, season
from customerlake.features.dates import in_last, known_by, within
from customerlake.features.feature import Feature
from customerlake.gold.purchase_behaviour import local_hour
from customerlake.gold.segment_thresholds import THRESHOLDS
from customerlake.silver.orders import is_purchase

FEATURES = (
    Feature("count_orders", "orders", "{value} orders (typical {typical})", is_skewed=True),
    Feature(
        "total_spend", "spend before returns", "spent {value} in all (typical {typical})", "currency", is_skewed=True
    ),
    Feature(
        "average_order_value",
        "spend per order",
        "spends {value} an order (typical {typical})",
        "currency",
        is_skewed=True,
    ),
    Feature(
        "orders_last_30_days", "orders in the 30 days up to as_of", "{value} orders in 30 days (typical {typical})"
    ),
    Feature(
        "orders_last_90_days", "orders in the 90 days up to as_of", "{value} orders in 90 days (typical {typical})"
    ),
    Feature(
        "orders_change_30_days",
        "orders in the 30 days up to as_of, less a third of those in the 90 days before",
        "{value} orders in 30 days beyond the usual of the 90 before (typical {typical})",
    ),
    Feature(
        "orders_change_90_days",
        "orders in the 90 days up to as_of, less those in the 90 days before",
        "{value} orders in 90 days beyond those of the 90 before (typical {typical})",
    ),
    Feature(
        "spend_last_90_days",
        "spend in the 90 days up to as_of",
        "spent {value} in 90 days (typical {typical})",
        "currency",
        is_skewed=True,
    ),
    Feature(
        "spend_share_last_90_days",
        "the part of total_spend that is of the last 90 days",
        "{value} of all spend in 90 days (typical {typical})",
        "share",
    ),
    Feature(
        "spend_change_90_days",
        "spend in the 90 days up to as_of, less that in the 90 days before",
        "spent {value} in 90 days beyond what the 90 before brought (typical {typical})",
        "currency",
    ),
    Feature(
        "spend_slope_180_days",
        "least-squares change of spend from one 30 days to the next, over the six up to as_of",
        "spend changes by {value} from month to month (typical {typical})",
        "currency",
    ),
    Feature("count_returns", "returns", "{value} returns (typical {typical})", is_skewed=True),
    Feature(
        "returned_share", "money given back per spend", "{value} of the spend given back (typical {typical})", "share"
    ),
    Feature(
        "mean_basket_lines",
        "distinct lines per order",
        "{value} lines an order (typical {typical})",
        "lines",
        is_skewed=True,
    ),
    Feature(
        "mean_basket_units", "units per order", "{value} units an order (typical {typical})", "units", is_skewed=True
    ),
)

PERIODS = 6  # of 30 days, over which the slope of spend is taken
HALF_OF_SQUARES = 35  # of their places, from 5 for the newest to -5, which are two apart where periods are one


def purchase_features(
    dates: Sequence[date], *, web_channels: Sequence[str], time_zone: str
) -> Callable[[DataFrame], DataFrame]:
    """One row per customer with a purchase by a date, and that date: every feature of orders.

    Orders are summed to days first, so that what is repeated for each date is a customer's days and not its orders.
    """
    return lambda orders: (
        orders.where(F.col("customer_id").isNotNull())
        .transform(order_days(web_channels, time_zone))
        .transform(rhythm.with_days_between)
        .transform(known_by(dates))
        .groupBy("customer_id", "as_of")
        .agg(*_sums(), *rhythm.sums(), *habits.sums(), *season.sums())
        .where(F.col("count_orders") > 0)
        .withColumns(rhythm.intervals())
        .withColumns(_measures() | rhythm.measures() | habits.measures() | season.measures())
    )


def order_days(web_channels: Sequence[str], time_zone: str) -> Callable[[DataFrame], DataFrame]:
    """One row per customer and day with a purchase or a return: what was bought and given back, to be summed."""
    bought, hour = is_purchase(), local_hour(time_zone)
    _, _, evening, night = THRESHOLDS.dayparts
    at = F.when(bought, F.struct("ordered_at", "order_id"))
    return lambda orders: (
        orders.where(bought | F.col("is_return"))
        .groupBy("customer_id", "ordered_on")
        .agg(
            F.count_if(bought).alias("orders"),
            F.sum(F.when(bought, F.col("amount"))).cast(MONEY).alias("spend"),
            F.sum(F.when(bought, F.col("count_lines"))).alias("lines"),
            F.sum(F.when(bought, F.col("count_units"))).alias("units"),
            F.count_if(F.col("is_return")).alias("returns"),
            F.sum(F.when(F.col("is_return"), -F.col("amount"))).cast(MONEY).alias("returned"),
            F.count_if(bought & F.col("channel").isin(list(web_channels))).alias("online"),
            F.count_if(bought & (hour >= evening) & (hour < night)).alias("in_evening"),
            F.max_by("country", at).alias("country"),
            F.max_by("channel", at).alias("channel"),
        )
    )


def _sums() -> list[Column]:
    spend = F.col("spend")
    change = F.when(within(90), spend).when(within(90, after=90), -spend)
    period = F.floor(F.datediff(F.col("as_of"), "ordered_on") / 30)
    place = (PERIODS - 1 - 2 * period).cast("decimal(6,0)")
    return [
        F.sum("orders").alias("count_orders"),
        exact_sum(spend).alias("total_spend"),
        in_last(30, "orders").alias("orders_last_30_days"),
        in_last(90, "orders", after=30).alias("orders_before_30_days"),
        in_last(90, "orders").alias("orders_last_90_days"),
        in_last(90, "orders", after=90).alias("orders_before_90_days"),
        exact_sum(F.when(within(90), spend)).alias("spend_last_90_days"),
        exact_sum(change).alias("spend_change_90_days"),
        exact_sum(F.when(within(30 * PERIODS), spend * place)).alias("spend_by_place"),
        F.sum("returns").alias("count_returns"),
        exact_sum(F.col("returned")).alias("returned"),
        F.sum("lines").alias("lines"),
        F.sum("units").alias("units"),
    ]


def _measures() -> dict[str, Column]:
    orders = F.col("count_orders").cast("double")
    return {
        "average_order_value": F.col("total_spend") / orders,
        "orders_change_30_days": F.col("orders_last_30_days") - F.col("orders_before_30_days") / 3,
        "orders_change_90_days": F.col("orders_last_90_days") - F.col("orders_before_90_days"),
        "spend_share_last_90_days": F.col("spend_last_90_days") / F.col("total_spend"),
        "spend_slope_180_days": F.col("spend_by_place") / HALF_OF_SQUARES,
        "returned_share": F.col("returned") / F.col("total_spend"),
        "mean_basket_lines": F.col("lines") / orders,
        "mean_basket_units": F.col("units") / orders,
    }


def exact_sum(amount: Column) -> Column:
    """The sum as a double; summed as decimals, so that the order of the rows does not show in the last digits."""
    return F.coalesce(F.sum(amount), F.lit(0)).cast("double")
