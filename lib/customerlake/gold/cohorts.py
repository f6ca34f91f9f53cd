"""gold.cohorts: what became of the customers of each month, month by month: the triangles of retention and revenue."""

from collections.abc import Callable
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MEAN_MONEY, MONEY, Field, Table
from customerlake.silver.orders import is_purchase

COHORTS = Table(
    name="gold.cohorts",
    grain="one row per month in which customers first bought, months since then up to as_of, and as_of",
    key=("cohort_month", "months_since", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("cohort_month", T.DateType(), "first day of the month of the first purchase"),
        Field("months_since", T.IntegerType(), "calendar months since then; 0: that month", unit="months"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("month", T.DateType(), "first day of the month that is looked at"),
        Field("is_whole_month", T.BooleanType(), "as_of is not before that month's last day"),
        Field("count_customers", T.LongType(), "customers of the cohort"),
        Field("active_customers", T.LongType(), "of these, with an order in the month"),
        Field("retention_share", T.DoubleType(), "active_customers per customer of the cohort", unit="share"),
        Field("count_orders", T.LongType(), "their orders in the month, returns left out"),
        Field("revenue", MONEY, "amount of these, before returns", unit="currency"),
        Field("returned_amount", MONEY, "money given back in the month, zero or above", unit="currency"),
        Field("net_revenue", MONEY, "revenue - returned_amount", unit="currency"),
        Field("cumulative_net_revenue", MONEY, "net_revenue of the months so far", unit="currency"),
        Field(
            "cumulative_net_revenue_per_customer",
            MEAN_MONEY,
            "cumulative_net_revenue per customer of the cohort",
            unit="currency",
        ),
    ),
)


def cohorts(orders: DataFrame, *, as_of: date) -> DataFrame:
    """Follow the known customers of each month of first purchase up to and including `as_of`.

    A month in which nobody of the cohort bought has a row of zeros; a month in which nobody first bought is no cohort.
    What a customer returned in months before the first purchase, which the lake has not seen bought, counts in
    month 0: so net_revenue over all rows is gold.customer_value's net_spend of the customers who bought.
    Customers who only returned belong to no cohort.
    """
    cohort = Window.partitionBy("cohort_month")
    so_far = cohort.orderBy("months_since").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    month = F.add_months("cohort_month", F.col("months_since"))
    in_first_month = F.when(F.col("months_since") == 0, F.col("active_customers"))
    cumulative = F.sum(F.col("revenue") - F.col("returned_amount")).over(so_far)
    return (
        orders.where(F.col("customer_id").isNotNull() & (F.col("ordered_on") <= F.lit(as_of)))
        .where(is_purchase() | F.col("is_return"))
        .transform(months_of_customers)
        .transform(months_of_cohorts)
        .transform(with_idle_months(as_of))
        .withColumn("count_customers", F.max(in_first_month).over(cohort))
        .withColumns(
            {
                "as_of": F.lit(as_of),
                "month": month,
                "is_whole_month": F.last_day(month) <= F.lit(as_of),
                "retention_share": F.col("active_customers") / F.col("count_customers"),
                "net_revenue": F.col("revenue") - F.col("returned_amount"),
                "cumulative_net_revenue": cumulative,
                "cumulative_net_revenue_per_customer": cumulative / F.col("count_customers"),
            }
        )
        .transform(COHORTS.conform)
    )


def months_of_customers(dated: DataFrame) -> DataFrame:
    """One row per customer and month with an order or a return, with the customer's cohort_month."""
    bought = F.when(is_purchase(), F.col("amount")).otherwise(0)
    first_bought = F.min(F.when(F.col("count_orders") > 0, F.col("month"))).over(Window.partitionBy("customer_id"))
    return (
        dated.groupBy("customer_id", F.trunc("ordered_on", "month").alias("month"))
        .agg(
            F.sum(is_purchase().cast("int")).alias("count_orders"),
            F.sum(bought).alias("revenue"),
            F.sum(F.when(F.col("is_return"), -F.col("amount")).otherwise(0)).alias("returned_amount"),
        )
        .withColumn("cohort_month", first_bought)
        .where(F.col("cohort_month").isNotNull())
    )


def months_of_cohorts(months: DataFrame) -> DataFrame:
    """One row per cohort and month in which one of its customers ordered or returned."""
    apart = 12 * (F.year("month") - F.year("cohort_month")) + F.month("month") - F.month("cohort_month")
    return months.groupBy("cohort_month", F.greatest(apart, F.lit(0)).alias("months_since")).agg(
        F.count_if(F.col("count_orders") > 0).alias("active_customers"),
        *[F.sum(name).cast(MONEY).alias(name) for name in ("revenue", "returned_amount")],
        F.sum("count_orders").alias("count_orders"),
    )


def with_idle_months(as_of: date) -> Callable[[DataFrame], DataFrame]:
    """Add the months without a row up to as_of's, with zeros. Every cohort has its month 0."""
    next_row = F.lead("months_since").over(Window.partitionBy("cohort_month").orderBy("months_since"))
    until = 12 * (as_of.year - F.year("cohort_month")) + as_of.month - F.month("cohort_month") + 1
    sums = ("active_customers", "count_orders", "revenue", "returned_amount")
    return lambda months: (
        months.withColumn("until", F.coalesce(next_row, until))
        .withColumn("later", F.explode(F.sequence(F.lit(0), F.col("until") - F.col("months_since") - 1)))
        .withColumns({name: F.when(F.col("later") == 0, F.col(name)).otherwise(0) for name in sums})
        .withColumn("months_since", F.col("months_since") + F.col("later"))
    )
