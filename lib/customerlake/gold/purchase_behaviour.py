"""gold.purchase_behaviour: each customer's rhythm, baskets, channels, prices and favourites up to a date."""

from collections.abc import Callable
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MEAN_MONEY, Field, Table
from customerlake.gold.favourites import TOP, categories, favourites
from customerlake.gold.rfm import purchases_until
from customerlake.gold.usual_prices import price_paid, with_usual_prices

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
        *TOP,
        Field("favourite_hour", T.IntegerType(), "hour of day with most orders; the earliest on a tie", unit="hour"),
        Field(
            "favourite_weekday",
            T.IntegerType(),
            "weekday with most orders, 1 Monday to 7 Sunday; the earliest on a tie",
        ),
        Field("weekend_share", T.DoubleType(), "orders on Saturday or Sunday", unit="share"),
        Field("peak_weekday", T.IntegerType(), "weekday of the hour of the week with most orders; the first on a tie"),
        Field("peak_hour", T.IntegerType(), "hour of day of that hour of the week", unit="hour"),
        Field("count_channels", T.LongType(), "different channels ordered by; one that is not named is unknown"),
        Field("main_channel", T.StringType(), "channel of most orders; the first of the alphabet on a tie"),
        Field("main_channel_share", T.DoubleType(), "orders by it", unit="share"),
        Field("first_channel", T.StringType(), "channel of the first order"),
        Field("last_channel", T.StringType(), "channel of the last order"),
        Field(
            "is_migrated",
            T.BooleanType(),
            "most of the earlier half of the orders came by one channel, most of the later half by another; an odd "
            "order in the middle is of neither half; null with fewer than MIGRATION_ORDERS orders",
        ),
        Field("returned_orders_share", T.DoubleType(), "orders of which something was taken back", unit="share"),
        Field(
            "low_price_units_share",
            T.DoubleType(),
            "units bought below the usual price, of those of products that have one; null without such",
            unit="share",
        ),
        Field("count_categories", T.LongType(), "categories bought from; null where no product's category is known"),
        Field(
            "category_entropy",
            T.DoubleType(),
            "how evenly the lines bought are spread over categories: 0 for one, log2(n) for n in equal parts",
            unit="bits",
        ),
    ),
)

MIGRATION_ORDERS = 4
"""Fewer orders than these show no move from one channel to another."""


def purchase_behaviour(
    orders: DataFrame,
    order_lines: DataFrame,
    cancellations: DataFrame | None = None,
    product_list: DataFrame | None = None,
    usual_prices: DataFrame | None = None,
    *,
    as_of: date,
    time_zone: str = "UTC",
) -> DataFrame:
    """Describe how each known customer buys, from purchases and their lines up to and including `as_of`.

    Hours, and the weekdays of favourites and peak, are those of `time_zone`. Without cancellations, product_list or
    usual_prices (as the function below makes them) the columns that are made of them are null.
    Source:  usual price as a reference price that past prices make: Winer (1986), "A reference price model of brand
             choice for frequently purchased products", Journal of Consumer Research 13(2); entropy: Shannon (1948),
             "A mathematical theory of communication", Bell System Technical Journal 27.
    """
    purchases = orders.transform(purchases_until(as_of))
    products = order_lines.transform(products_bought(as_of))
    return (
        purchases.transform(purchase_rhythm(as_of))
        .join(purchases.transform(baskets), on="customer_id", how="inner")
        .join(purchases.transform(favourite_times(time_zone)), on="customer_id", how="inner")
        .join(purchases.transform(channels), on="customer_id", how="inner")
        .join(purchases.transform(return_habit(cancellations, as_of)), on="customer_id", how="left")
        .join(products.transform(favourites(product_list)), on="customer_id", how="left")
        .join(products.transform(price_habit(usual_prices)), on="customer_id", how="left")
        .join(products.transform(category_mix(product_list)), on="customer_id", how="left")
        .withColumns(
            {
                "as_of": F.lit(as_of),
                "count_distinct_products": F.coalesce("count_distinct_products", F.lit(0)),
            }
        )
        .transform(PURCHASE_BEHAVIOUR.conform)
    )


def products_bought(as_of: date) -> Callable[[DataFrame], DataFrame]:
    """The lines by which a known customer bought a product by `as_of`."""
    is_bought = F.col("is_sale") & F.col("is_product") & F.col("customer_id").isNotNull()
    return lambda order_lines: order_lines.where(is_bought & (F.col("ordered_on") <= F.lit(as_of)))


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


def favourite_times(time_zone: str) -> Callable[[DataFrame], DataFrame]:
    """One row per customer: the hour, the weekday and the hour of the week with most orders."""
    hour, weekday = local_hour(time_zone), local_weekday(time_zone)

    def favourites(purchases: DataFrame) -> DataFrame:
        hours = purchases.transform(most_frequent("favourite_hour", hour))
        weekdays = purchases.transform(most_frequent("favourite_weekday", weekday))
        peaks = purchases.transform(most_frequent("peak", (weekday - 1) * 24 + hour))
        return (
            hours.join(weekdays, on="customer_id", how="inner")
            .join(peaks, on="customer_id", how="inner")
            .withColumns({"peak_weekday": F.floor(F.col("peak") / 24) + 1, "peak_hour": F.col("peak") % 24})
        )

    return favourites


def local_hour(time_zone: str) -> Column:
    """Hour of the day of ordered_at where the clocks show `time_zone`."""
    return F.hour(F.from_utc_timestamp("ordered_at", time_zone))


def local_weekday(time_zone: str) -> Column:
    """Weekday of ordered_at where the clocks show `time_zone`: of the day that `local_hour` is an hour of."""
    return iso_weekday(F.to_date(F.from_utc_timestamp("ordered_at", time_zone)))


def iso_weekday(day: str | Column) -> Column:
    """1 Monday to 7 Sunday. Made of dayofweek, because sail 0.7 says -1 for the weekday of a Sunday."""
    return (F.dayofweek(day) + 5) % 7 + 1


def most_frequent(name: str, value: Column) -> Callable[[DataFrame], DataFrame]:
    """One row per customer: its most frequent value, the smallest on a tie."""
    return lambda purchases: (
        purchases.groupBy("customer_id", value.alias("value"))
        .agg(F.count("*").alias("times"))
        .groupBy("customer_id")
        .agg(F.max_by("value", F.struct("times", -F.col("value"))).alias(name))
    )


def channels(purchases: DataFrame) -> DataFrame:
    """One row per customer: which channels it ordered by, and whether it moved from one to another."""
    customer = Window.partitionBy("customer_id")
    in_time = customer.orderBy("ordered_at", "order_id")
    at, half = F.struct("ordered_at", "order_id"), F.floor(F.col("orders") / 2)
    most_first = F.min(F.struct((-F.col("times")).alias("fewer"), "channel"))
    early = F.max(F.when(F.col("early") * 2 > half, F.col("channel")))
    late = F.max(F.when(F.col("late") * 2 > half, F.col("channel")))
    return (
        purchases.select(
            "customer_id", "ordered_at", "order_id", F.coalesce("channel", F.lit("unknown")).alias("channel")
        )
        .withColumns({"place": F.row_number().over(in_time), "orders": F.count("*").over(customer)})
        .groupBy("customer_id", "orders", "channel")
        .agg(
            F.count("*").alias("times"),
            F.min(at).alias("first"),
            F.max(at).alias("last"),
            F.count_if(F.col("place") <= half).alias("early"),
            F.count_if(F.col("place") > F.col("orders") - half).alias("late"),
        )
        .groupBy("customer_id", "orders")
        .agg(
            F.count("*").alias("count_channels"),
            most_first.alias("main"),
            F.min_by("channel", "first").alias("first_channel"),
            F.max_by("channel", "last").alias("last_channel"),
            F.coalesce(early != late, F.lit(False)).alias("is_moved"),
        )
        .select(
            "customer_id",
            "count_channels",
            F.col("main.channel").alias("main_channel"),
            (-F.col("main.fewer") / F.col("orders")).alias("main_channel_share"),
            "first_channel",
            "last_channel",
            F.when(F.col("orders") >= MIGRATION_ORDERS, F.col("is_moved")).alias("is_migrated"),
        )
    )


def return_habit(cancellations: DataFrame | None, as_of: date) -> Callable[[DataFrame], DataFrame]:
    """One row per customer: in how many of its orders something was taken back by `as_of`."""
    share = F.mean(F.coalesce("is_taken_back", F.lit(False)).cast("double"))

    def habit(purchases: DataFrame) -> DataFrame:
        if cancellations is None:
            return purchases.transform(unknown(returned_orders_share="double"))
        taken_back = (
            cancellations.where(F.col("cancelled_on") <= F.lit(as_of))
            .select(F.col("cancelled_order_id").alias("order_id"), F.lit(True).alias("is_taken_back"))
            .distinct()
        )
        return (
            purchases.join(taken_back, on="order_id", how="left")
            .groupBy("customer_id")
            .agg(share.alias("returned_orders_share"))
        )

    return habit


def price_habit(usual_prices: DataFrame | None) -> Callable[[DataFrame], DataFrame]:
    """One row per customer who bought a product: the share of units below the usual price."""
    units = F.when(F.col("usual_price").isNotNull(), F.col("quantity"))
    low = F.when(price_paid().cast("double") < F.col("usual_price"), F.col("quantity")).otherwise(0)

    def habit(products: DataFrame) -> DataFrame:
        if usual_prices is None:
            return products.transform(unknown(low_price_units_share="double"))
        return (
            products.transform(with_usual_prices(usual_prices))
            .groupBy("customer_id")
            .agg((F.sum(low) / F.nullif(F.sum(units), F.lit(0))).alias("low_price_units_share"))
        )

    return habit


def category_mix(product_list: DataFrame | None) -> Callable[[DataFrame], DataFrame]:
    """One row per customer who bought of a known category: how many, and how evenly."""
    lines = F.col("lines")
    evenness = F.log2(F.sum(lines)) - F.sum((lines * F.log2(lines)).cast("decimal(28,12)")).cast("double") / F.sum(
        lines
    )
    # as a decimal, which every engine rounds half up
    rounded = F.round(evenness.cast("decimal(28,12)"), 6).cast("double")

    def mix(products: DataFrame) -> DataFrame:
        if product_list is None:
            return products.transform(unknown(count_categories="long", category_entropy="double"))
        return (
            products.join(product_list.transform(categories), on="product_id", how="inner")
            .groupBy("customer_id", "category")
            .agg(F.count("*").alias("lines"))
            .groupBy("customer_id")
            .agg(
                F.count("*").alias("count_categories"),
                F.when(F.count("*") == 1, F.lit(0.0)).otherwise(rounded).alias("category_entropy"),
            )
        )

    return mix


def unknown(**types: str) -> Callable[[DataFrame], DataFrame]:
    """No rows, of customer_id and these columns: what cannot be said without its input."""
    nulls = [F.lit(None).cast(type_).alias(name) for name, type_ in types.items()]
    return lambda df: df.select("customer_id", *nulls).where(F.lit(False))
