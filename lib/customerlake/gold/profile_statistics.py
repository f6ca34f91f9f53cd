"""gold.profile_statistics: how customers of a country buy, in counts, means and quantiles."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MEAN_MONEY, MONEY, Field, Table

PROFILE_STATISTICS = Table(
    name="gold.profile_statistics",
    grain="one row per country and as_of, over the customers with a purchase by then",
    key=("country", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("country", T.StringType(), "country of the customers"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("count_customers", T.LongType(), "customers"),
        Field("customers_share", T.DoubleType(), "of all customers", unit="share"),
        Field("count_orders", T.LongType(), "their orders"),
        Field("total_spend", MONEY, "their spend before returns", unit="currency"),
        Field("spend_share", T.DoubleType(), "of all spend", unit="share"),
        Field("mean_spend", MEAN_MONEY, "per customer", unit="currency"),
        Field(
            "sd_spend", MEAN_MONEY, "sample standard deviation over customers; null with one customer", unit="currency"
        ),
        Field("p25_spend", MEAN_MONEY, "first quartile over customers", unit="currency"),
        Field("median_spend", MEAN_MONEY, "median over customers", unit="currency"),
        Field("p75_spend", MEAN_MONEY, "third quartile over customers", unit="currency"),
        Field("mean_orders", T.DoubleType(), "orders per customer"),
        Field("average_order_value", MEAN_MONEY, "spend per order", unit="currency"),
        Field("repeat_share", T.DoubleType(), "customers with more than one order", unit="share"),
        Field("median_days_since_last_order", T.DoubleType(), "median over customers", unit="days"),
    ),
)


def profile_statistics(rfm: DataFrame, customers: DataFrame, *, as_of: date) -> DataFrame:
    """Describe the customers of each country. Takes gold.rfm; a customer counts for the country on its newest line."""
    spend = F.col("total_spend").cast("double")
    quartiles = F.percentile(spend, F.array(F.lit(0.25), F.lit(0.5), F.lit(0.75)))
    by_country = (
        rfm.where(F.col("as_of") == F.lit(as_of))
        .join(customers.select("customer_id", "country"), on="customer_id", how="inner")
        .groupBy("country")
        .agg(
            F.count("*").alias("count_customers"),
            F.sum("count_orders").alias("count_orders"),
            F.sum("total_spend").alias("total_spend"),
            (F.sum("total_spend") / F.count("*")).alias("mean_spend"),
            meant(F.stddev_samp(spend)).alias("sd_spend"),
            quartiles.alias("quartiles"),
            F.mean("count_orders").alias("mean_orders"),
            (F.sum("total_spend") / F.sum("count_orders")).alias("average_order_value"),
            F.mean((F.col("count_orders") > 1).cast("double")).alias("repeat_share"),
            F.median(F.col("days_since_last_order").cast("double")).alias("median_days_since_last_order"),
        )
    )
    totals = by_country.agg(
        F.sum("count_customers").alias("all_customers"), F.sum("total_spend").cast("double").alias("all_spend")
    )
    return (
        by_country.join(F.broadcast(totals), how="cross")
        .withColumns(
            {
                "as_of": F.lit(as_of),
                "customers_share": F.col("count_customers") / F.col("all_customers"),
                "spend_share": F.col("total_spend").cast("double") / F.col("all_spend"),
                "p25_spend": meant(F.col("quartiles")[0]),
                "median_spend": meant(F.col("quartiles")[1]),
                "p75_spend": meant(F.col("quartiles")[2]),
            }
        )
        .transform(PROFILE_STATISTICS.conform)
    )


def meant(amount: Column) -> Column:
    """The decimal that a double stands for: as a double, 1.005 is below the half cent; some engines round it down."""
    return amount.cast(T.DecimalType(28, 8))
