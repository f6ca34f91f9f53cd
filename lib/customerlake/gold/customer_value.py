"""gold.customer_value: what each customer was worth up to a date, before and after returns. Observed, not predicted."""

from collections.abc import Callable
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MEAN_MONEY, MONEY, Field, Table
from customerlake.silver.orders import is_purchase

CUSTOMER_VALUE = Table(
    name="gold.customer_value",
    grain="one row per customer_id and as_of; customers with neither purchase nor return by then are absent",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("gross_spend", MONEY, "spend over all orders, before returns", unit="currency"),
        Field("returned_amount", MONEY, "money given back, zero or above", unit="currency"),
        Field(
            "net_spend",
            MONEY,
            "gross_spend - returned_amount; below zero when what was returned was bought before the data begins",
            unit="currency",
        ),
        Field("product_spend", MONEY, "the part of gross_spend that is products", unit="currency"),
        Field("count_orders", T.LongType(), "orders, returns left out"),
        Field("count_returns", T.LongType(), "returns"),
        Field("average_order_value", MEAN_MONEY, "gross_spend per order; null without one", unit="currency"),
        Field("returned_share", T.DoubleType(), "returned_amount per gross_spend; null without spend", unit="share"),
        Field("first_ordered_on", T.DateType(), "first purchase day; null without one"),
        Field("last_ordered_on", T.DateType(), "last purchase day; null without one"),
        Field("spend_last_365_days", MONEY, "gross spend in the 365 days up to as_of", unit="currency"),
        Field(
            "product_margin",
            MONEY,
            "amount less cost of the products bought, less that of those taken back, as far as their cost is known; "
            "before discounts that are lines of their own; null where no cost is known",
            unit="currency",
        ),
        Field(
            "margin_known_share",
            T.DoubleType(),
            "part of the spend on products whose cost is known; null without any, and without a list of products",
            unit="share",
        ),
    ),
)


RECENT_DAYS = 365


def customer_value(orders: DataFrame, margins: DataFrame | None = None, *, as_of: date) -> DataFrame:
    """Sum each known customer's purchases and returns up to and including `as_of`.

    Takes:   `margins` as `product_margins` gives them, of all these orders; without them what is told of the margin is
             null.
    """
    is_recent = F.col("ordered_on") > F.date_sub(F.lit(as_of), RECENT_DAYS)
    bought = F.when(is_purchase(), F.col("amount")).otherwise(0)
    gross, returned = F.sum(bought), F.sum(F.when(F.col("is_return"), -F.col("amount")).otherwise(0))
    count_orders = F.sum(is_purchase().cast("int"))
    costed, sold = (F.sum(F.when(is_purchase(), F.col(name))) for name in ("costed_amount", "sold_amount"))
    return (
        orders.where(F.col("customer_id").isNotNull() & (F.col("ordered_on") <= F.lit(as_of)))
        .where(is_purchase() | F.col("is_return"))
        .transform(with_margins(margins))
        .groupBy("customer_id")
        .agg(
            F.lit(as_of).alias("as_of"),
            gross.alias("gross_spend"),
            returned.alias("returned_amount"),
            (gross - returned).alias("net_spend"),
            F.sum(F.when(is_purchase(), F.col("product_amount")).otherwise(0)).alias("product_spend"),
            count_orders.alias("count_orders"),
            F.sum(F.col("is_return").cast("int")).alias("count_returns"),
            (gross / F.nullif(count_orders, F.lit(0))).alias("average_order_value"),
            (returned.cast("double") / F.nullif(gross.cast("double"), F.lit(0.0))).alias("returned_share"),
            F.min(F.when(is_purchase(), F.col("ordered_on"))).alias("first_ordered_on"),
            F.max(F.when(is_purchase(), F.col("ordered_on"))).alias("last_ordered_on"),
            F.sum(F.when(is_recent, bought).otherwise(0)).alias("spend_last_365_days"),
            F.sum("margin").alias("product_margin"),
            (costed.cast("double") / F.nullif(sold.cast("double"), F.lit(0.0))).alias("margin_known_share"),
        )
        .transform(CUSTOMER_VALUE.conform)
    )


def with_margins(margins: DataFrame | None) -> Callable[[DataFrame], DataFrame]:
    """Adds: margin, sold_amount, costed_amount; null where they are not given."""
    if margins is None:
        unknown = {name: F.lit(None).cast(MONEY) for name in ("margin", "sold_amount", "costed_amount")}
        return lambda orders: orders.withColumns(unknown)
    return lambda orders: orders.join(margins, on="order_id", how="left")
