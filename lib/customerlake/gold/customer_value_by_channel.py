"""gold.customer_value_by_channel: what each customer was worth up to a date, by where it was sold."""

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY, Field, Table
from customerlake.silver.orders import is_purchase

PARTS = (
    Field("gross_spend", MONEY, "spend over orders, before returns", unit="currency"),
    Field("returned_amount", MONEY, "money given back, zero or above", unit="currency"),
    Field("net_spend", MONEY, "gross_spend - returned_amount", unit="currency"),
    Field("count_orders", T.LongType(), "orders with it, returns left out"),
    Field("gross_spend_share", T.DoubleType(), "of the customer's gross_spend; null where a part is < 0", unit="share"),
    Field("net_spend_share", T.DoubleType(), "of the customer's net_spend; null where a part is < 0", unit="share"),
)
"""What is told of each part of a customer's value."""

CUSTOMER_VALUE_BY_CHANNEL = Table(
    name="gold.customer_value_by_channel",
    grain="one row per customer_id, channel in which they bought or returned, and as_of",
    key=("customer_id", "channel", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("channel", T.StringType(), "where it was sold; unknown where no line of the order says"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        *PARTS,
    ),
)


def customer_value_by_channel(orders: DataFrame, *, as_of: date) -> DataFrame:
    """Sum each known customer's purchases and returns by channel, up to and including `as_of`.

    Over the channels, a customer's sums are those of gold.customer_value. A return counts where it was brought back.
    """
    bought = F.when(is_purchase(), F.col("amount")).otherwise(0)
    return (
        orders.where(F.col("customer_id").isNotNull() & (F.col("ordered_on") <= F.lit(as_of)))
        .where(is_purchase() | F.col("is_return"))
        .groupBy("customer_id", F.coalesce("channel", F.lit("unknown")).alias("channel"))
        .agg(
            F.sum(bought).cast(MONEY).alias("gross_spend"),
            F.sum(F.when(F.col("is_return"), -F.col("amount")).otherwise(0)).cast(MONEY).alias("returned_amount"),
            F.sum(is_purchase().cast("int")).alias("count_orders"),
        )
        .transform(with_shares_of_customer)
        .withColumn("as_of", F.lit(as_of))
        .transform(CUSTOMER_VALUE_BY_CHANNEL.conform)
    )


def with_shares_of_customer(parts: DataFrame) -> DataFrame:
    """Adds: net_spend, gross_spend_share, net_spend_share. Takes all parts of the customers concerned.

    A share is null where the customer has no such spend, or a part of it is below zero: parts are then no shares.
    """
    customer = Window.partitionBy("customer_id")

    def share(name: str) -> Column:
        whole = F.sum(name).over(customer).cast("double")
        return F.when(F.min(name).over(customer) >= 0, F.col(name).cast("double") / F.nullif(whole, F.lit(0.0)))

    return parts.withColumn("net_spend", F.col("gross_spend") - F.col("returned_amount")).withColumns(
        {
            "gross_spend_share": share("gross_spend"),
            "net_spend_share": share("net_spend"),
        }
    )
