"""gold.purchase_behaviour: each customer's rhythm, baskets and favourites up to a date."""

from collections.abc import Callable
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MEAN_MONEY, Field, Table
from customerlake.gold.rfm import purchases_until

PURCHASE_BEHAVIOUR = Table(
    name="gold.purchase_behaviour",
    grain="one row per customer_id and as_of; customers without a purchase by then are absent",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("count_purchase_days", T.LongType(), "days with an order", unit="days"),
        Field("mean_days_between", T.DoubleType(), "mean time between purchase days; null with one only", unit="days"),
        Field("median_days_between", T.DoubleType(), "its median", unit="days"),
        Field(
            "sd_days_between",
            T.DoubleType(),
            "its sample standard deviation; null with fewer than three purchase days",
            unit="days",
        ),
        Field("expected_next_on", T.DateType(), "last purchase day plus the median time between; null with one only"),
        Field("mean_basket_lines", T.DoubleType(), "distinct lines per order", unit="lines"),
        Field("mean_basket_units", T.DoubleType(), "units per order", unit="units"),
        Field("mean_basket_amount", MEAN_MONEY, "amount per order", unit="currency"),
        Field("count_distinct_products", T.LongType(), "different products ever bought"),
        Field(
            "favourite_product_id",
            T.StringType(),
            "product in most orders; the one of the higher spend, then of the lower code, on a tie",
        ),
        Field(
            "favourite_hour", T.IntegerType(), "hour of day with most orders; the earliest on a tie", unit="hour, UTC"
        ),
        Field(
            "favourite_weekday",
            T.IntegerType(),
            "weekday with most orders, 1 Monday to 7 Sunday; the earliest on a tie",
        ),
        Field("weekend_share", T.DoubleType(), "orders on Saturday or Sunday", unit="share"),
    ),
)


def purchase_behaviour(orders: DataFrame, order_lines: DataFrame, *, as_of: date) -> DataFrame:
    """Describe how each known customer buys, from purchases and their lines up to and including `as_of`."""
    purchases = orders.transform(purchases_until(as_of))
    return (
        purchases.transform(purchase_rhythm(as_of))
        .join(purchases.transform(baskets), on="customer_id", how="inner")
        .join(purchases.transform(favourite_times), on="customer_id", how="inner")
        .join(order_lines.transform(favourite_products(as_of)), on="customer_id", how="left")
        .withColumns(
            {
                "as_of": F.lit(as_of),
                "count_distinct_products": F.coalesce("count_distinct_products", F.lit(0)),
            }
        )
        .transform(PURCHASE_BEHAVIOUR.conform)
    )


def purchase_rhythm(as_of: date) -> Callable[[DataFrame], DataFrame]:
    """One row per customer: statistics of the days between purchase days."""

    def rhythm(purchases: DataFrame) -> DataFrame:
        in_time = Window.partitionBy("customer_id").orderBy("ordered_on")
        return (
            purchases.select("customer_id", "ordered_on")
            .distinct()
            .withColumn("days_between", F.datediff("ordered_on", F.lag("ordered_on").over(in_time)).cast("double"))
            .groupBy("customer_id")
            .agg(
                F.count("*").alias("count_purchase_days"),
                F.mean("days_between").alias("mean_days_between"),
                F.median("days_between").alias("median_days_between"),
                exact_sd("days_between").alias("sd_days_between"),
                F.max("ordered_on").alias("last_ordered_on"),
            )
            .withColumn(
                "expected_next_on",
                F.date_add("last_ordered_on", F.round("median_days_between").cast("int")),
            )
        )

    return rhythm


def exact_sd(name: str) -> Column:
    """Sample standard deviation of whole numbers by their exact sums, so that the order of the rows does not show."""
    values, total, squares = F.count(name), F.sum(name), F.sum(F.col(name) * F.col(name))
    return F.when(values > 1, F.sqrt((squares - total * total / values) / (values - 1)))


def baskets(purchases: DataFrame) -> DataFrame:
    """One row per customer: the mean order."""
    is_weekend = iso_weekday("ordered_on") >= 6
    return purchases.groupBy("customer_id").agg(
        F.mean("count_lines").alias("mean_basket_lines"),
        F.mean("count_units").alias("mean_basket_units"),
        (F.sum("amount") / F.count("*")).alias("mean_basket_amount"),
        F.mean(is_weekend.cast("double")).alias("weekend_share"),
    )


def favourite_times(purchases: DataFrame) -> DataFrame:
    """One row per customer: the hour and the weekday with most orders."""
    hours = purchases.transform(most_frequent("favourite_hour", F.hour("ordered_at")))
    weekdays = purchases.transform(most_frequent("favourite_weekday", iso_weekday("ordered_on")))
    return hours.join(weekdays, on="customer_id", how="inner")


def iso_weekday(name: str) -> Column:
    """1 Monday to 7 Sunday. Made of dayofweek, because sail 0.7 says -1 for the weekday of a Sunday."""
    return (F.dayofweek(name) + 5) % 7 + 1


def most_frequent(name: str, value: Column) -> Callable[[DataFrame], DataFrame]:
    """One row per customer: its most frequent value, the smallest on a tie."""
    return lambda purchases: (
        purchases.groupBy("customer_id", value.alias("value"))
        .agg(F.count("*").alias("times"))
        .groupBy("customer_id")
        .agg(F.max_by("value", F.struct("times", -F.col("value"))).alias(name))
    )


def favourite_products(as_of: date) -> Callable[[DataFrame], DataFrame]:
    """One row per customer who bought a product: how many different ones, and the one in most orders."""

    def favourites(order_lines: DataFrame) -> DataFrame:
        best_first = Window.partitionBy("customer_id").orderBy(
            F.desc("count_orders"), F.desc("spend"), F.asc("product_id")
        )
        return (
            order_lines.where(F.col("is_sale") & F.col("is_product") & F.col("customer_id").isNotNull())
            .where(F.col("ordered_on") <= F.lit(as_of))
            .groupBy("customer_id", "product_id")
            .agg(F.countDistinct("order_id").alias("count_orders"), F.sum("amount").alias("spend"))
            .withColumn("place", F.row_number().over(best_first))
            .groupBy("customer_id")
            .agg(
                F.count("*").alias("count_distinct_products"),
                F.max(F.when(F.col("place") == 1, F.col("product_id"))).alias("favourite_product_id"),
            )
        )

    return favourites
