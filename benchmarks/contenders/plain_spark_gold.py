"""The gold tables of a lake of sales as one hand-written PySpark script, on JVM Spark or, by --engine sail, on sail.

They are of the last day with an order, which no silver row is after.

One function a table, written one after another; what a later table is made of is read back from Delta. What sales do
not tell (income, interests, where people live) is left null or out.
"""

from time import perf_counter

STARTED = perf_counter()

import argparse
from datetime import date
from pathlib import Path

from plain_spark import MONEY, customer_value, is_purchase, session, write
from plain_spark import rfm as rfm_in_fifths
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from stages import timed, told

MEAN_MONEY = "decimal(18, 2)"
THRESHOLDS = {
    "r_score_fixed": ("days_since_last_order", (30, 90, 180, 365)),
    "f_score_fixed": ("count_orders", (1, 2, 4, 8)),
    "m_score_fixed": ("total_spend", (100, 300, 1000, 3000)),
}
DIMENSIONS = ("country", "region", "age_band", "sex", "segment", "income_band", "city_tier", "value_tier")
NUMBERS = (
    "total_spend", "count_orders", "days_since_last_order", "frequency", "recency", "T", "monetary_value",
    "net_spend", "average_order_value", "spend_last_365_days", "count_returns", "returned_share",
    "count_purchase_days", "mean_days_between", "mean_basket_lines", "mean_basket_units", "mean_basket_amount",
    "count_distinct_products", "weekend_share", "main_channel_share", "returned_orders_share",
    "low_price_units_share", "discounted_spend_share",
)  # fmt: skip
NAMES = (
    "country", "sex", "age_band", "rfm_segment", "main_channel", "is_migrated", "favourite_weekday",
    "income_band", "city_tier", "value_tier", "purchase_pattern", "is_discount_seeker", "is_returner",
    "channel_preference", "daypart_preference", "week_preference", "first_interest",
)  # fmt: skip
HISTORY = (
    "count_orders", "count_purchase_days", "days_since_last_order", "usual_days", "at_risk_after_days",
    "lapsed_after_days",
)  # fmt: skip
OWN = (
    "age_band", "sex", "country", "region", "city", "purchase_pattern", "discounted_spend_share", "is_discount_seeker",
    "is_returner", "channel_preference", "daypart_preference", "week_preference",
)  # fmt: skip
QUANTILES = {"p5": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95}


class Lake:
    """The silver tables that are read, and the gold tables that are written."""

    def __init__(self, spark: SparkSession, silver: Path, gold: Path) -> None:
        self.spark, self.silver, self.gold = spark, silver, gold

    def read(self, path: Path) -> DataFrame:
        return self.spark.read.format("delta").load(str(path))

    def of_silver(self, name: str) -> DataFrame:
        return self.read(self.silver / name)

    def of_gold(self, name: str) -> DataFrame:
        return self.read(self.gold / name)

    def order_lines(self) -> DataFrame:
        """Lines under the customers that their numbers are of."""
        known = self.of_silver("identities").where("source = 'shop'")
        known = known.select(F.col("source_record_id").alias("customer_id"), F.col("customer_id").alias("known"))
        lines = self.of_silver("order_lines").join(F.broadcast(known), on="customer_id", how="left")
        return lines.withColumn("customer_id", F.coalesce("known", "customer_id")).drop("known")


def per(amount: str | Column, count: str | Column) -> Column:
    """Null where there is nothing to divide by. Not try_divide, which sail has for whole numbers alone."""
    return (F.col(amount) if isinstance(amount, str) else amount) / F.nullif(count, F.lit(0))


def sum_if(condition: Column, amount: str | Column) -> Column:
    return F.sum(F.when(condition, F.col(amount) if isinstance(amount, str) else amount).otherwise(0)).cast(MONEY)


def purchases(orders: DataFrame) -> DataFrame:
    return orders.where(is_purchase() & F.col("customer_id").isNotNull())


def bought_or_returned(orders: DataFrame) -> DataFrame:
    return orders.where(F.col("customer_id").isNotNull() & (is_purchase() | F.col("is_return")))


def rfm(orders: DataFrame, *, as_of: date) -> DataFrame:
    fixed = {
        score: 1 + sum((F.col(name) > border).cast("int") for border in borders)
        for score, (name, borders) in THRESHOLDS.items()
    }
    fixed["r_score_fixed"] = 6 - fixed["r_score_fixed"]
    return rfm_in_fifths(orders, as_of=as_of).withColumns(fixed)


def with_shares(parts: DataFrame) -> DataFrame:
    customer = Window.partitionBy("customer_id")

    def share(name: str) -> Column:
        whole = F.sum(name).over(customer).cast("double")
        return F.when(F.min(name).over(customer) >= 0, per(F.col(name).cast("double"), whole))

    return parts.withColumn("net_spend", (F.col("gross_spend") - F.col("returned_amount")).cast(MONEY)).withColumns(
        {"gross_spend_share": share("gross_spend"), "net_spend_share": share("net_spend")}
    )


def customer_value_by_channel(orders: DataFrame) -> DataFrame:
    return (
        orders.transform(bought_or_returned)
        .groupBy("customer_id", F.coalesce("channel", F.lit("unknown")).alias("channel"))
        .agg(
            sum_if(is_purchase(), "amount").alias("gross_spend"),
            sum_if(F.col("is_return"), -F.col("amount")).alias("returned_amount"),
            F.count_if(is_purchase()).alias("count_orders"),
        )
        .transform(with_shares)
    )


def customer_value_by_product_group(lines: DataFrame, orders: DataFrame) -> DataFrame:
    group = F.when(F.col("is_product"), "unknown").otherwise(F.col("line_kind"))
    of_orders = orders.transform(bought_or_returned).select(
        "order_id", "customer_id", F.col("is_return").alias("is_order_return")
    )
    is_return = F.col("is_order_return")
    return (
        lines.where(F.col("is_sale") | F.col("is_return"))
        .groupBy("order_id", group.alias("product_group"))
        .agg(F.sum("amount").alias("amount"))
        .join(of_orders, on="order_id", how="inner")
        .groupBy("customer_id", "product_group")
        .agg(
            sum_if(~is_return, "amount").alias("gross_spend"),
            sum_if(is_return, -F.col("amount")).alias("returned_amount"),
            F.count_if(~is_return).alias("count_orders"),
        )
        .transform(with_shares)
    )


def cohorts(orders: DataFrame, *, as_of: date) -> DataFrame:
    months = (
        orders.transform(bought_or_returned)
        .groupBy("customer_id", F.trunc("ordered_on", "month").alias("month"))
        .agg(
            F.count_if(is_purchase()).alias("count_orders"),
            sum_if(is_purchase(), "amount").alias("revenue"),
            sum_if(F.col("is_return"), -F.col("amount")).alias("returned_amount"),
        )
    )
    people = months.where("count_orders > 0").groupBy("customer_id").agg(F.min("month").alias("cohort_month"))
    happened = (
        months.join(people, on="customer_id", how="inner")
        .groupBy("cohort_month", F.greatest("month", "cohort_month").alias("month"))
        .agg(
            F.count_if(F.col("count_orders") > 0).alias("active_customers"),
            *[F.sum(name).alias(name) for name in ("count_orders", "revenue", "returned_amount")],
        )
    )
    age = 12 * (as_of.year - F.year("cohort_month")) + as_of.month - F.month("cohort_month")
    month = F.add_months("cohort_month", F.col("months_since"))
    so_far = Window.partitionBy("cohort_month").orderBy("months_since")
    count = F.col("count_customers")
    return (
        people.groupBy("cohort_month")
        .agg(F.count("*").alias("count_customers"))
        .withColumn("months_since", F.explode(F.sequence(F.lit(0), age)))
        .withColumn("month", month)
        .join(happened, on=["cohort_month", "month"], how="left")
        .fillna(0)
        .withColumn("net_revenue", F.col("revenue") - F.col("returned_amount"))
        .withColumn("cumulative_net_revenue", F.sum("net_revenue").over(so_far))
        .withColumns(
            {
                "is_whole_month": F.last_day("month") <= F.lit(as_of),
                "retention_share": F.col("active_customers") / count,
                "cumulative_net_revenue_per_customer": (F.col("cumulative_net_revenue") / count).cast(MEAN_MONEY),
                **{
                    name: F.col(name).cast(MONEY)
                    for name in ("revenue", "returned_amount", "net_revenue", "cumulative_net_revenue")
                },
            }
        )
    )


def iso_weekday() -> Column:
    return (F.dayofweek("ordered_on") + 5) % 7 + 1


def most_frequent(orders: DataFrame, name: str, value: Column) -> DataFrame:
    """One row per customer: its most frequent value, the smallest on a tie."""
    first = Window.partitionBy("customer_id").orderBy(F.desc("times"), name)
    return (
        orders.groupBy("customer_id", value.alias(name))
        .agg(F.count("*").alias("times"))
        .withColumn("place", F.row_number().over(first))
        .where("place = 1")
        .select("customer_id", name)
    )


def usual_prices(lines: DataFrame) -> DataFrame:
    """The median price of a product in the last month in which it was sold before."""
    return (
        lines.where("is_sale AND is_product")
        .groupBy("product_id", F.trunc("ordered_on", "month").alias("month"))
        .agg(F.median(price_paid()).alias("median_price"))
        .withColumn("usual_price", F.lag("median_price").over(Window.partitionBy("product_id").orderBy("month")))
        .select("product_id", "month", "usual_price")
    )


def price_paid() -> Column:
    return (F.col("amount") / F.col("quantity")).cast(MONEY).cast("double")


def products_bought(lines: DataFrame) -> DataFrame:
    """The product lines of known customers, with the price that was paid and the usual one."""
    return (
        lines.where("is_sale AND is_product AND customer_id IS NOT NULL")
        .withColumns({"month": F.trunc("ordered_on", "month"), "price": price_paid()})
        .join(usual_prices(lines), on=["product_id", "month"], how="left")
    )


def purchase_behaviour(orders: DataFrame, lines: DataFrame, cancellations: DataFrame) -> DataFrame:
    bought, products = purchases(orders), products_bought(lines)
    hour, weekday = F.hour("ordered_at"), iso_weekday()
    rhythm = (
        bought.select("customer_id", "ordered_on")
        .distinct()
        .withColumn(
            "days",
            F.datediff("ordered_on", F.lag("ordered_on").over(Window.partitionBy("customer_id").orderBy("ordered_on"))),
        )
        .groupBy("customer_id")
        .agg(
            F.count("*").alias("count_purchase_days"),
            F.mean("days").alias("mean_days_between"),
            F.median("days").alias("median_days_between"),
            F.stddev_samp("days").alias("sd_days_between"),
            F.date_add(F.max("ordered_on"), F.round(F.median("days")).cast("int")).alias("expected_next_on"),
        )
    )
    taken_back = cancellations.select(
        F.col("cancelled_order_id").alias("order_id"), F.lit(True).alias("is_back")
    ).distinct()
    baskets = (
        bought.join(taken_back, on="order_id", how="left")
        .groupBy("customer_id")
        .agg(
            F.mean("count_lines").alias("mean_basket_lines"),
            F.mean("count_units").alias("mean_basket_units"),
            (F.sum("amount") / F.count("*")).cast(MEAN_MONEY).alias("mean_basket_amount"),
            F.mean((weekday >= 6).cast("double")).alias("weekend_share"),
            F.mean(F.coalesce("is_back", F.lit(False)).cast("double")).alias("returned_orders_share"),
        )
    )
    peaks = most_frequent(bought, "peak", (weekday - 1) * 24 + hour).select(
        "customer_id",
        (F.floor(F.col("peak") / 24) + 1).cast("int").alias("peak_weekday"),
        (F.col("peak") % 24).alias("peak_hour"),
    )
    in_order = F.sort_array(F.collect_list(F.when(F.col("place") <= 3, F.struct("place", "product_id"))))
    favourites = (
        placed_products(lines)
        .groupBy("customer_id")
        .agg(
            F.count("*").alias("count_distinct_products"),
            F.max(F.when(F.col("place") == 1, F.col("product_id"))).alias("favourite_product_id"),
            F.concat_ws(", ", F.transform(in_order, lambda one: one["product_id"])).alias("top_products"),
        )
    )
    usual, quantity = F.col("usual_price"), F.col("quantity")
    habits = products.groupBy("customer_id").agg(
        per(
            F.sum(F.when(F.col("price") < usual, quantity).otherwise(0)), F.sum(F.when(usual.isNotNull(), quantity))
        ).alias("low_price_units_share")
    )
    return (
        rhythm.join(baskets, on="customer_id", how="inner")
        .join(most_frequent(bought, "favourite_hour", hour), on="customer_id", how="inner")
        .join(most_frequent(bought, "favourite_weekday", weekday), on="customer_id", how="inner")
        .join(peaks, on="customer_id", how="inner")
        .join(channels(bought), on="customer_id", how="inner")
        .join(favourites, on="customer_id", how="left")
        .join(habits, on="customer_id", how="left")
        .fillna(0, subset=["count_distinct_products"])
    )


def placed_products(lines: DataFrame) -> DataFrame:
    """One row per customer and product bought: its place, 1 for the product of most orders."""
    best = Window.partitionBy("customer_id").orderBy(F.desc("orders"), F.desc("spend"), "product_id")
    return (
        lines.where("is_sale AND is_product AND customer_id IS NOT NULL")
        .groupBy("customer_id", "product_id")
        .agg(F.countDistinct("order_id").alias("orders"), F.sum("amount").alias("spend"))
        .withColumn("place", F.row_number().over(best))
    )


def channels(bought: DataFrame) -> DataFrame:
    """One row per customer: main, first and last channel, and whether it moved from one to another."""
    customer = Window.partitionBy("customer_id")
    in_time = customer.orderBy("ordered_at", "order_id")
    half = F.floor(F.col("orders") / 2)
    channel = F.col("channel")
    by_channel = (
        bought.withColumns(
            {
                "channel": F.coalesce(channel, F.lit("unknown")),
                "place": F.row_number().over(in_time),
                "orders": F.count("*").over(customer),
            }
        )
        .groupBy("customer_id", "orders", "channel")
        .agg(
            F.count("*").alias("times"),
            F.min("place").alias("first"),
            F.max("place").alias("last"),
            F.count_if(F.col("place") <= half).alias("early"),
            F.count_if(F.col("place") > F.col("orders") - half).alias("late"),
        )
    )
    early = F.max(F.when(F.col("early") * 2 > half, channel))
    late = F.max(F.when(F.col("late") * 2 > half, channel))
    most = F.min(F.struct((-F.col("times")).alias("fewer"), channel))
    return (
        by_channel.groupBy("customer_id", "orders")
        .agg(
            F.count("*").alias("count_channels"),
            most["channel"].alias("main_channel"),
            F.max("times").alias("times"),
            F.min_by("channel", "first").alias("first_channel"),
            F.max_by("channel", "last").alias("last_channel"),
            F.coalesce(early != late, F.lit(False)).alias("is_moved"),
        )
        .withColumns(
            {
                "main_channel_share": F.col("times") / F.col("orders"),
                "is_migrated": F.when(F.col("orders") >= 4, F.col("is_moved")),
            }
        )
        .drop("orders", "times", "is_moved")
    )


def purchase_hours(orders: DataFrame) -> DataFrame:
    whole = Window.partitionBy("channel")
    cells = (
        orders.where(is_purchase())
        .groupBy(
            F.coalesce("channel", F.lit("unknown")).alias("channel"),
            iso_weekday().alias("weekday"),
            F.hour("ordered_at").alias("hour"),
        )
        .agg(F.count("*").alias("count_orders"), F.sum("amount").cast(MONEY).alias("revenue"))
    )
    over_all = (
        cells.groupBy("weekday", "hour")
        .agg(F.sum("count_orders").alias("count_orders"), F.sum("revenue").cast(MONEY).alias("revenue"))
        .withColumn("channel", F.lit("all"))
    )
    revenue = F.col("revenue").cast("double")
    return cells.unionByName(over_all).withColumns(
        {
            "average_order_value": (F.col("revenue") / F.col("count_orders")).cast(MEAN_MONEY),
            "orders_share": F.col("count_orders") / F.sum("count_orders").over(whole),
            "revenue_share": revenue / F.sum("revenue").over(whole).cast("double"),
        }
    )


def product_affinity(lines: DataFrame) -> DataFrame:
    baskets = (
        lines.where("is_sale AND is_product")
        .select("order_id", "product_id")
        .distinct()
        .withColumn("products", F.count("*").over(Window.partitionBy("order_id")))
        .where("products <= 100")
        .drop("products")
    )
    frequent = baskets.groupBy("product_id").agg(F.count("*").alias("baskets")).where("baskets >= 50")
    total = baskets.agg(F.countDistinct("order_id")).first()[0]
    items = baskets.join(F.broadcast(frequent.select("product_id")), on="product_id", how="left_semi")
    one_way = (
        items.join(items.withColumnRenamed("product_id", "other_product_id"), on="order_id", how="inner")
        .where("product_id < other_product_id")
        .groupBy("product_id", "other_product_id")
        .agg(F.count("*").alias("count_baskets"))
        .where(F.col("count_baskets") >= max(20, 0.001 * total))
    )
    both_ways = F.array(F.array("product_id", "other_product_id"), F.array("other_product_id", "product_id"))
    of_product = frequent.withColumnRenamed("baskets", "count_product_baskets")
    of_other = frequent.select(
        F.col("product_id").alias("other_product_id"), F.col("baskets").alias("count_other_baskets")
    )
    both, other = F.col("count_baskets"), F.col("count_other_baskets")
    return (
        one_way.select(F.explode(both_ways).alias("pair"), "count_baskets")
        .select(F.col("pair")[0].alias("product_id"), F.col("pair")[1].alias("other_product_id"), "count_baskets")
        .join(F.broadcast(of_product), on="product_id", how="inner")
        .join(F.broadcast(of_other), on="other_product_id", how="inner")
        .withColumns(
            {
                "support": both / total,
                "confidence": both / F.col("count_product_baskets"),
                "lift": both.cast("double") * total / (F.col("count_product_baskets").cast("double") * other),
            }
        )
    )


def lifecycle(
    orders: DataFrame,
    records: DataFrame,
    identities: DataFrame,
    behaviour: DataFrame,
    *,
    as_of: date,
    observed_from: date,
) -> DataFrame:
    of_mean = F.when(F.col("count_purchase_days") > 3, per("sd_days_between", "mean_days_between"))
    usual_days, variation = behaviour.agg(
        F.coalesce(F.round(F.median("mean_days_between").cast("decimal(28, 8)")), F.lit(90)).cast("double"),
        F.coalesce(F.round(F.median(of_mean).cast("decimal(28, 8)"), 1), F.lit(1)).cast("double"),
    ).first()
    bought = (
        purchases(orders)
        .groupBy("customer_id", "ordered_on")
        .agg(F.count("*").alias("orders"))
        .withColumn("is_bought", F.lit(True))
    )
    seen = (
        records.where(~F.col("is_deleted") & F.col("first_seen_on").isNotNull())
        .select("source", "source_record_id", "first_seen_on")
        .join(
            identities.select("source", "source_record_id", "customer_id"),
            on=["source", "source_record_id"],
            how="inner",
        )
        .groupBy("customer_id")
        .agg(F.greatest(F.min("first_seen_on"), F.lit(observed_from)).alias("ordered_on"))
        .where(F.col("ordered_on") <= F.lit(as_of))
        .join(bought.groupBy("customer_id").agg(F.min("ordered_on").alias("first_on")), on="customer_id", how="left")
        .where("first_on IS NULL OR ordered_on < first_on")
        .select("customer_id", "ordered_on", F.lit(0).alias("orders"), F.lit(False).alias("is_bought"))
    )
    in_time = Window.partitionBy("customer_id").orderBy("ordered_on")
    bought_before = F.lag(F.when(F.col("is_bought"), F.col("ordered_on"))).over(in_time)
    n, usual = F.col("n"), F.col("usual_days")
    squares = F.col("squares") - 2 * usual * F.col("total") + n * usual * usual
    sd = F.sqrt(F.greatest((2 * (variation * usual) * (variation * usual) + squares) / (2 + n), F.lit(0.0)))
    month_number = 12 * F.year("month") + F.month("month")
    after_last = F.lit(12 * as_of.year + as_of.month + 1)
    silent, days = F.col("days_since_last_order"), F.col("count_purchase_days")
    return (
        bought.unionByName(seen)
        .withColumn("silent", F.datediff("ordered_on", bought_before))
        .withColumns(
            {
                "count_orders": F.sum("orders").over(in_time),
                "count_purchase_days": F.sum(F.col("is_bought").cast("int")).over(in_time),
                "n": F.count("silent").over(in_time),
                "total": F.coalesce(F.sum("silent").over(in_time), F.lit(0)),
                "squares": F.coalesce(F.sum(F.col("silent") * F.col("silent")).over(in_time), F.lit(0)),
            }
        )
        .withColumn("usual_days", F.when(F.col("is_bought"), (2 * usual_days + F.col("total")) / (2 + n)))
        .withColumn("sd", sd)
        .withColumns(
            {
                "at_risk_after_days": F.floor(usual + F.col("sd") + 0.5).cast("int"),
                "lapsed_after_days": F.floor(usual + 2 * F.col("sd") + 0.5).cast("int"),
                "month": F.trunc("ordered_on", "month"),
            }
        )
        .withColumns(
            {
                "is_won_back": F.coalesce(F.col("silent") > F.lag("lapsed_after_days").over(in_time), F.lit(False)),
                "months": F.coalesce(F.lead(month_number).over(in_time), after_last) - month_number,
            }
        )
        .where("months > 0")
        .withColumn("later", F.explode(F.sequence(F.lit(0), F.col("months") - 1)))
        .withColumn("month", F.add_months("month", F.col("later")))
        .withColumn(
            "days_since_last_order",
            F.when(F.col("is_bought"), F.datediff(F.least(F.last_day("month"), F.lit(as_of)), "ordered_on")),
        )
        .withColumn(
            "stage",
            F.when(days == 0, "prospect")
            .when(silent > F.col("lapsed_after_days"), "lapsed")
            .when(silent > F.col("at_risk_after_days"), "at risk")
            .when(F.col("is_won_back"), "won back")
            .when(days == 1, "new")
            .when(days >= 5, "loyal")
            .otherwise("active"),
        )
        .withColumn("previous_stage", F.lag("stage").over(Window.partitionBy("customer_id").orderBy("month")))
        .select("customer_id", "month", "stage", "previous_stage", *HISTORY)
    )


def lifecycle_transitions(lifecycle: DataFrame, *, as_of: date) -> DataFrame:
    of_stage = F.sum("count_customers").over(Window.partitionBy("month", "from_stage"))
    return (
        lifecycle.groupBy(
            F.coalesce("previous_stage", F.lit("newcomer")).alias("from_stage"),
            F.col("stage").alias("to_stage"),
            "month",
        )
        .agg(F.count("*").alias("count_customers"))
        .withColumns(
            {
                "is_whole_month": F.last_day("month") <= F.lit(as_of),
                "share": F.col("count_customers") / of_stage,
            }
        )
    )


def own_segments(
    customers: DataFrame, orders: DataFrame, lines: DataFrame, value: DataFrame, behaviour: DataFrame, *, as_of: date
) -> DataFrame:
    hour, spend = F.hour("ordered_at"), F.col("amount")
    part = F.when(hour < 5, 4).when(hour < 12, 1).when(hour < 17, 2).when(hour < 22, 3).otherwise(4)
    is_cheap = F.col("price") <= F.col("usual_price") * (1 - 0.05)
    discounted = (
        products_bought(lines)
        .groupBy("customer_id")
        .agg(
            sum_if(is_cheap, spend).cast("double").alias("cheap"),
            sum_if(F.col("usual_price").isNotNull(), spend).cast("double").alias("judged"),
        )
        .select("customer_id", per("cheap", "judged").alias("discounted_spend_share"))
    )
    has_habit = F.col("count_orders") >= 2
    is_regular = (F.col("count_purchase_days") >= 4) & (F.col("mean_days_between") <= 90)
    main = F.when(F.col("main_channel_share") >= 0.7, F.col("main_channel")).otherwise("several")
    week = F.when(F.col("weekend_share") >= 0.5, "weekend").otherwise("weekday")
    of_value = value.select("customer_id", "returned_share", "count_orders", "gross_spend")
    dayparts = F.array(*map(F.lit, ("morning", "afternoon", "evening", "night")))
    return (
        customers.where(F.col("first_seen_on") <= F.lit(as_of))
        .select("customer_id", "birth_on", "sex", "country", "region", "city")
        .join(of_value, on="customer_id", how="left")
        .join(behaviour.drop("as_of"), on="customer_id", how="left")
        .join(most_frequent(purchases(orders), "part", part), on="customer_id", how="left")
        .join(discounted, on="customer_id", how="left")
        .withColumns(
            {
                "age_band": age_band(as_of),
                "purchase_pattern": F.when(is_regular, "regular").when(F.col("count_purchase_days") > 0, "occasional"),
                "is_discount_seeker": F.when(has_habit, F.col("discounted_spend_share") >= 0.5),
                "is_returner": F.col("returned_share") >= 0.1,
                "channel_preference": F.when(has_habit, main),
                "daypart_preference": F.when(has_habit, F.element_at(dayparts, F.col("part"))),
                "week_preference": F.when(has_habit, week),
                "gross_spend": F.when(F.col("count_orders") > 0, F.col("gross_spend")),
            }
        )
        .select("customer_id", *OWN, "gross_spend")
    )


def age_band(as_of: date) -> Column:
    has_birthday_to_come = F.date_format("birth_on", "MMdd") > f"{as_of:%m%d}"
    age = as_of.year - F.year("birth_on") - has_birthday_to_come.cast("int")
    band = F.when((age < 0) | (age >= 120), F.lit(None).cast("string")).when(age < 18, "under 18")
    for low, high in ((18, 25), (25, 35), (35, 45), (45, 55), (55, 65)):
        band = band.when(age < high, f"{low}-{high - 1}")
    return band.when(age >= 65, "65 and over")


def segment_rules(own: DataFrame) -> DataFrame:
    heavy, medium = own.agg(F.expr("percentile(double(gross_spend), array(0.8, 0.5))")).first()[0]
    spend = F.col("gross_spend")
    tier = (
        F.when(spend >= F.lit(heavy).cast(MONEY), "heavy")
        .when(spend >= F.lit(medium).cast(MONEY), "medium")
        .when(spend.isNotNull(), "light")
    )
    return own.withColumn("value_tier", tier).drop("gross_spend")


def kpis(orders: DataFrame, *, as_of: date) -> DataFrame:
    sales = (
        orders.groupBy("ordered_on")
        .agg(
            F.count_if(is_purchase()).alias("count_orders"),
            F.count_if(is_purchase() & F.col("customer_id").isNotNull()).alias("known_orders"),
            sum_if(is_purchase(), "amount").alias("revenue"),
            sum_if(is_purchase() & F.col("customer_id").isNotNull(), "amount").alias("known_revenue"),
            sum_if(F.col("is_return"), -F.col("amount")).alias("returned_amount"),
        )
        .where("count_orders > 0 OR returned_amount > 0")
    )
    days = purchases(orders).groupBy("customer_id", "ordered_on").agg(F.count("*").alias("orders"))
    day, week, month = (kpis_of(sales, days, period, as_of=as_of) for period in ("day", "week", "month"))
    return day.unionByName(week).unionByName(month)


def kpis_of(sales: DataFrame, days: DataFrame, period: str, *, as_of: date) -> DataFrame:
    """The figures of each day, week or month."""
    start = F.trunc("ordered_on", period) if period != "day" else F.col("ordered_on")
    starts = F.col("starts_on")
    before = {"day": F.date_sub(starts, 1), "week": F.date_sub(starts, 7), "month": F.add_months(starts, -1)}[period]
    year_before = {"day": F.date_sub(starts, 365), "week": F.date_sub(starts, 364), "month": F.add_months(starts, -12)}
    last_day = {"day": starts, "week": F.date_add(starts, 6), "month": F.last_day(starts)}[period]
    in_time = Window.partitionBy("customer_id").orderBy("starts_on")
    previous = F.lag("starts_on").over(in_time)
    customers = (
        days.groupBy("customer_id", start.alias("starts_on"))
        .agg(F.sum("orders").alias("orders"))
        .withColumns({"previous": previous, "so_far": F.sum("orders").over(in_time)})
        .groupBy("starts_on")
        .agg(
            F.count("*").alias("active_customers"),
            F.count_if(F.col("previous").isNull()).alias("new_customers"),
            F.count_if(F.col("previous") == before).alias("retained_customers"),
            F.count_if(F.col("so_far") > 1).alias("repeat_customers"),
        )
    )
    sums = ("count_orders", "known_orders", "revenue", "known_revenue", "returned_amount")
    figures = (
        sales.groupBy(start.alias("starts_on"))
        .agg(*[F.sum(name).alias(name) for name in sums])
        .join(customers, on="starts_on", how="left")
        .fillna(0)
    )
    earlier = [
        figures.select(
            F.col("starts_on").alias(f"{name}_on"),
            F.col("revenue").cast("double").alias(f"{name}_revenue"),
            F.col("active_customers").alias(f"{name}_customers"),
        )
        for name in ("last", "year")
    ]
    revenue, active = F.col("revenue"), F.col("active_customers")
    retained = F.col("retained_customers") if period != "day" else F.lit(None).cast("long")
    return (
        figures.join(earlier[0], on=before == F.col("last_on"), how="left")
        .join(earlier[1], on=year_before[period] == F.col("year_on"), how="left")
        .select(
            F.lit(period).alias("period"),
            "starts_on",
            (last_day <= F.lit(as_of)).alias("is_whole_period"),
            "count_orders",
            revenue.cast(MONEY).alias("revenue"),
            F.col("returned_amount").cast(MONEY).alias("returned_amount"),
            (revenue - F.col("returned_amount")).cast(MONEY).alias("net_revenue"),
            per("revenue", "count_orders").cast(MEAN_MONEY).alias("average_order_value"),
            (1 - per(F.col("known_revenue").cast("double"), revenue.cast("double"))).alias("anonymous_revenue_share"),
            (1 - per("known_orders", "count_orders")).alias("anonymous_orders_share"),
            "active_customers",
            "new_customers",
            (active - F.col("new_customers")).alias("returning_customers"),
            retained.alias("retained_customers"),
            per(retained, "last_customers").alias("retention_share"),
            (1 - per(retained, "last_customers")).alias("churn_share"),
            per("repeat_customers", "active_customers").alias("repeat_share"),
            per("known_revenue", "active_customers").cast(MEAN_MONEY).alias("revenue_per_customer"),
            (per(revenue.cast("double"), "last_revenue") - 1).alias("revenue_growth"),
            (per(revenue.cast("double"), "year_revenue") - 1).alias("revenue_growth_year_on_year"),
        )
    )


def profiles(rfm: DataFrame, customers: DataFrame, *parts: DataFrame, as_of: date) -> DataFrame:
    """One row per customer with a purchase: what its row in each table says."""
    region = F.when(F.col("region").isNotNull(), F.concat_ws(", ", "region", "country"))
    who = customers.select("customer_id", "country", "sex", region.alias("region"), age_band(as_of).alias("age_band"))
    joined = rfm.join(who, on="customer_id", how="inner").withColumn("segment", F.col("rfm_segment"))
    for part in parts:
        added = [name for name in part.columns if name not in joined.columns]
        joined = joined.join(part.select("customer_id", *added), on="customer_id", how="left")
    untold = {name: F.lit(None).cast("string") for name in ("income_band", "city_tier", "first_interest")}
    return joined.withColumns(untold)


def in_dimensions(profiles: DataFrame) -> DataFrame:
    """Each customer once in all, and once in each of its groups."""
    cuts = [F.struct(F.lit("all").alias("dimension"), F.lit("all").alias("value"))]
    for name in DIMENSIONS:
        cuts.append(F.struct(F.lit(name).alias("dimension"), F.coalesce(name, F.lit("unknown")).alias("value")))
    return profiles.withColumn("cut", F.explode(F.array(*cuts))).select("*", "cut.*").drop("cut")


def profile_statistics(profiles: DataFrame) -> DataFrame:
    of_all = F.max(F.when(F.col("dimension") == "all", F.col("count_customers"))).over(Window.partitionBy("attribute"))
    found = (
        in_dimensions(profiles)
        .groupBy("dimension", "value")
        .agg(*[statistics(name).alias(name) for name in NUMBERS])
        .select("dimension", "value", F.explode(F.array(*NUMBERS)).alias("said"))
        .select("dimension", "value", "said.*")
        .where("count_customers > 0")
        .withColumn("customers_share", F.col("count_customers") / of_all)
    )
    quantiles = {name: four_places(F.col("quantiles")[place]) for place, name in enumerate(QUANTILES)}
    return found.withColumns(quantiles).drop("quantiles")


def statistics(name: str) -> Column:
    exact = four_places(F.col(name))
    value = exact.cast("double")
    return F.struct(
        F.lit(name).alias("attribute"),
        F.count(exact).alias("count_customers"),
        F.sum(exact).cast(MONEY).alias("total"),
        per(F.sum(exact), F.count(exact)).cast(MONEY).alias("mean"),
        four_places(F.stddev_samp(value)).alias("sd"),
        F.min(exact).alias("min"),
        F.percentile(value, F.array(*map(F.lit, QUANTILES.values()))).alias("quantiles"),
        F.max(exact).alias("max"),
    )


def four_places(value: Column) -> Column:
    """By way of eight, so that a double just below a half is rounded as the number that it stands for."""
    return value.cast("decimal(28, 8)").cast(MONEY)


def profile_shares(profiles: DataFrame) -> DataFrame:
    said = F.array(
        *[
            F.struct(
                F.lit(name).alias("attribute"), F.coalesce(F.col(name).cast("string"), F.lit("unknown")).alias("level")
            )
            for name in NAMES
        ]
    )
    of_group = F.sum("count_customers").over(Window.partitionBy("dimension", "value", "attribute"))
    return (
        in_dimensions(profiles)
        .select("dimension", "value", F.explode(said).alias("said"))
        .select("dimension", "value", "said.*")
        .groupBy("dimension", "value", "attribute", "level")
        .agg(F.count("*").alias("count_customers"))
        .withColumn("customers_share", F.col("count_customers") / of_group)
    )


def customer_360(
    customers: DataFrame,
    value: DataFrame,
    rfm: DataFrame,
    lifecycle: DataFrame,
    behaviour: DataFrame,
    rules: DataFrame,
    *,
    as_of: date,
) -> DataFrame:
    stages = lifecycle.where(F.col("month") == F.lit(as_of.replace(day=1))).withColumnsRenamed(
        {"stage": "lifecycle_stage", "previous_stage": "previous_lifecycle_stage"}
    )
    known = customers.where(F.col("first_seen_on") <= F.lit(as_of)).select(
        "customer_id",
        "country",
        "sex",
        "region",
        "city",
        "first_seen_on",
        F.col("email").isNotNull().alias("has_email"),
        F.col("phone").isNotNull().alias("has_phone"),
        F.col("street").isNotNull().alias("has_address"),
    )
    for part in (value, rfm, stages.drop("month"), behaviour, rules):
        added = [name for name in part.columns if name not in known.columns and name != "as_of"]
        known = known.join(part.select("customer_id", *added), on="customer_id", how="left")
    return known


def build(lake: Lake, seconds: dict[str, float]) -> None:
    """All tables, each read back where a later one is made of it."""
    silver, gold = lake.of_silver, lake.of_gold
    first, as_of = silver("order_lines").agg(F.min("ordered_on"), F.max("ordered_on")).first()

    def put(name: str, rows: DataFrame) -> None:
        write(rows.withColumn("as_of", F.lit(as_of)), lake.gold / name, partition_by="as_of")

    orders, lines, customers = silver("orders"), lake.order_lines(), silver("customers")
    with timed("rfm", seconds):
        put("rfm", rfm(orders, as_of=as_of))
    with timed("customer_value", seconds):
        put("customer_value", customer_value(orders, as_of=as_of))
    with timed("customer_value_by_channel", seconds):
        put("customer_value_by_channel", customer_value_by_channel(orders))
    with timed("customer_value_by_product_group", seconds):
        put("customer_value_by_product_group", customer_value_by_product_group(silver("order_lines"), orders))
    with timed("cohorts", seconds):
        put("cohorts", cohorts(orders, as_of=as_of))
    with timed("purchase_behaviour", seconds):
        put("purchase_behaviour", purchase_behaviour(orders, lines, silver("cancellations")))
    with timed("purchase_hours", seconds):
        put("purchase_hours", purchase_hours(orders))
    with timed("product_affinity", seconds):
        put("product_affinity", product_affinity(silver("order_lines")))
    value, behaviour = gold("customer_value"), gold("purchase_behaviour")
    with timed("lifecycle", seconds):
        who = (silver("customer_records"), silver("identities"), behaviour)
        put("lifecycle", lifecycle(orders, *who, as_of=as_of, observed_from=first))
    with timed("lifecycle_transitions", seconds):
        put("lifecycle_transitions", lifecycle_transitions(gold("lifecycle"), as_of=as_of))
    with timed("own_segments", seconds):
        put("own_segments", own_segments(customers, orders, lines, value, behaviour, as_of=as_of))
    with timed("segment_rules", seconds):
        put("segment_rules", segment_rules(gold("own_segments")))
    rules = gold("segment_rules")
    with timed("kpis", seconds):
        put("kpis", kpis(orders, as_of=as_of))
    with timed("profile_statistics", seconds):
        put(
            "profile_statistics",
            profile_statistics(profiles(gold("rfm"), customers, value, behaviour, rules, as_of=as_of)),
        )
    with timed("profile_shares", seconds):
        put("profile_shares", profile_shares(profiles(gold("rfm"), customers, value, behaviour, rules, as_of=as_of)))
    with timed("customer_360", seconds):
        put(
            "customer_360",
            customer_360(customers, value, gold("rfm"), gold("lifecycle"), behaviour, rules, as_of=as_of),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lake", type=Path, required=True, help="whose silver is read")
    parser.add_argument("--root", type=Path, required=True, help="under which gold is written")
    parser.add_argument("--engine", choices=("sail", "spark"), default="spark")
    values = parser.parse_args()
    if values.engine == "sail":
        from customerlake.runtime.session import start

        spark = start("sail")
    else:
        spark = session()
    spark.sql("SELECT 1").collect()
    cold_start = perf_counter() - STARTED
    stages: dict[str, float] = {}
    build(Lake(spark, values.lake / "silver", values.root / "gold"), stages)
    print(told(cold_start, stages))


if __name__ == "__main__":
    main()
