"""gold.kpis: the figures of each month."""

from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MEAN_MONEY, MONEY, Field, Table
from customerlake.silver.orders import is_purchase

KPIS = Table(
    name="gold.kpis",
    grain="one row per calendar month with an order or a return, and as_of; the last month may be cut by as_of",
    key=("month", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("month", T.DateType(), "first day of the month"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("is_whole_month", T.BooleanType(), "as_of is not before the month's last day"),
        Field("count_orders", T.LongType(), "orders, returns left out, of known and anonymous customers"),
        Field("revenue", MONEY, "their amount, before returns", unit="currency"),
        Field("returned_amount", MONEY, "money given back in the month, zero or above", unit="currency"),
        Field("net_revenue", MONEY, "revenue - returned_amount", unit="currency"),
        Field("average_order_value", MEAN_MONEY, "revenue per order", unit="currency"),
        Field("anonymous_revenue_share", T.DoubleType(), "revenue without a known customer", unit="share"),
        Field("active_customers", T.LongType(), "known customers with an order"),
        Field("new_customers", T.LongType(), "of these, with their first order"),
        Field("returning_customers", T.LongType(), "of these, with an order in an earlier month"),
        Field("retained_customers", T.LongType(), "of these, with an order in the month before"),
        Field(
            "retention_share",
            T.DoubleType(),
            "retained_customers per active customer of the month before; null in the first",
            unit="share",
        ),
        Field("revenue_per_customer", MEAN_MONEY, "revenue of known customers per active customer", unit="currency"),
        Field(
            "revenue_growth",
            T.DoubleType(),
            "revenue against the month before, -1 upwards; null in the first",
            unit="share",
        ),
    ),
)


def kpis(orders: DataFrame, *, as_of: date) -> DataFrame:
    """Sum orders by month up to and including `as_of`."""
    dated = orders.where(F.col("ordered_on") <= F.lit(as_of)).withColumn("month", F.trunc("ordered_on", "month"))
    in_time = Window.orderBy("month")  # one row per month: a single small partition
    month_before = F.add_months("month", -1)
    return (
        dated.transform(revenue_by_month)
        .join(dated.transform(customers_by_month), on="month", how="left")
        .na.fill(0, ["active_customers", "new_customers", "returning_customers", "retained_customers"])
        .withColumns(
            {
                "previous_month": F.lag("month").over(in_time),
                "previous_revenue": F.lag("revenue").over(in_time),
                "previous_customers": F.lag("active_customers").over(in_time),
            }
        )
        .withColumns(
            {
                "as_of": F.lit(as_of),
                "is_whole_month": F.last_day("month") <= F.lit(as_of),
                "retention_share": F.when(
                    F.col("previous_month") == month_before,
                    F.col("retained_customers") / F.nullif("previous_customers", F.lit(0)),
                ),
                "revenue_growth": F.when(
                    F.col("previous_month") == month_before,
                    F.col("revenue").cast("double") / F.nullif(F.col("previous_revenue").cast("double"), F.lit(0.0))
                    - 1,
                ),
                "revenue_per_customer": F.col("known_revenue") / F.nullif("active_customers", F.lit(0)),
            }
        )
        .transform(KPIS.conform)
    )


def revenue_by_month(dated: DataFrame) -> DataFrame:
    bought = F.when(is_purchase(), F.col("amount")).otherwise(0)
    revenue = F.sum(bought)
    known = F.sum(F.when(F.col("customer_id").isNotNull(), bought).otherwise(0))
    returned = F.sum(F.when(F.col("is_return"), -F.col("amount")).otherwise(0))
    count_orders = F.sum(is_purchase().cast("int"))
    return (
        dated.groupBy("month")
        .agg(
            count_orders.alias("count_orders"),
            revenue.alias("revenue"),
            returned.alias("returned_amount"),
            (revenue - returned).alias("net_revenue"),
            (revenue / F.nullif(count_orders, F.lit(0))).alias("average_order_value"),
            known.cast(MONEY).alias("known_revenue"),
            (1 - known.cast("double") / F.nullif(revenue.cast("double"), F.lit(0.0))).alias("anonymous_revenue_share"),
        )
        .where((F.col("count_orders") > 0) | (F.col("returned_amount") > 0))
    )


def customers_by_month(dated: DataFrame) -> DataFrame:
    """One row per month: how many known customers bought, and how many of them had bought before."""
    history = Window.partitionBy("customer_id").orderBy("month")
    bought_before = F.lag("month").over(history)
    return (
        dated.where(is_purchase() & F.col("customer_id").isNotNull())
        .select("customer_id", "month")
        .distinct()
        .withColumn("bought_before", bought_before)
        .groupBy("month")
        .agg(
            F.count("*").alias("active_customers"),
            F.count_if(F.col("bought_before").isNull()).alias("new_customers"),
            F.count("bought_before").alias("returning_customers"),
            F.count_if(F.col("bought_before") == F.add_months("month", -1)).alias("retained_customers"),
        )
    )
