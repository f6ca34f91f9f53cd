"""silver.orders: one row per order, summed from its lines."""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY, Field, Table
from customerlake.silver.identities import of_number

ORDERS = Table(
    name="silver.orders",
    grain="one row per order_id",
    key=("order_id",),
    columns=(
        Field("order_id", T.StringType(), "order, or the return of one"),
        Field("customer_id", T.StringType(), "customer; null for an anonymous sale", personal="identify"),
        Field("shop_customer_id", T.StringType(), "the shop's number of the customer", personal="identify"),
        Field("ordered_at", T.TimestampType(), "instant of its first line", unit="UTC"),
        Field("ordered_on", T.DateType(), "day of its first line in the feed's time zone"),
        Field("channel", T.StringType(), "where it was sold"),
        Field("is_return", T.BooleanType(), "it takes an earlier order back"),
        Field("amount", MONEY, "sum of its sale lines; for a return, of its lines (below zero)", unit="currency"),
        Field(
            "product_amount",
            MONEY,
            "the part of amount that is products, without postage, fees and the like",
            unit="currency",
        ),
        Field(
            "amount_charged",
            MONEY,
            "amount in the currency of its lines; null where they differ",
            unit="currency charged",
        ),
        Field("currency", T.StringType(), "ISO 4217 code of what was charged"),
        Field("count_lines", T.LongType(), "distinct lines"),
        Field("count_products", T.LongType(), "distinct products"),
        Field("count_units", T.LongType(), "units of products", unit="units"),
        Field("country", T.StringType(), "country of the customer", personal="analyse"),
        Field("_batch", T.LongType(), "landing that last changed the order"),
    ),
)


def is_purchase() -> Column:
    """An order that was paid for: no return, and not of gifts alone."""
    return ~F.col("is_return") & (F.col("amount") > 0)


def orders(order_lines: DataFrame) -> DataFrame:
    """Sum lines to orders. Takes all lines of the orders concerned.

    Lines that are neither sold for money nor taken back (gifts, stock corrections) count as lines, without an amount.
    The lines of an order name one customer, country and channel; where some name none or they differ, the least stands.
    The customer is the shop's number until `with_customers` says whose it is.
    """
    counts = F.col("is_sale") | F.col("is_return")
    is_product = counts & F.col("is_product")
    charged = F.sum(F.when(counts, F.col("amount_charged")).otherwise(0))
    return (
        order_lines.groupBy("order_id")
        .agg(
            *[F.min(name).alias(name) for name in ("customer_id", "channel", "is_return", "currency", "country")],
            F.min("ordered_at").alias("ordered_at"),
            F.min("ordered_on").alias("ordered_on"),
            F.sum(F.when(counts, F.col("amount")).otherwise(0)).alias("amount"),
            F.sum(F.when(is_product, F.col("amount")).otherwise(0)).alias("product_amount"),
            F.when(F.min("currency") == F.max("currency"), charged).alias("amount_charged"),
            F.count("*").alias("count_lines"),
            F.sum(F.when(is_product, F.col("quantity")).otherwise(0)).alias("count_units"),
            F.max("_batch").alias("_batch"),
        )
        .join(order_lines.transform(products_by_order), on="order_id", how="left")
        .withColumns(
            {"count_products": F.coalesce("count_products", F.lit(0)), "shop_customer_id": F.col("customer_id")}
        )
        .transform(ORDERS.conform)
    )


def with_customers(identities: DataFrame) -> Callable[[DataFrame], DataFrame]:
    """Orders under the customers that their numbers are of; a number that no record resolves stands for itself."""
    return of_number(identities, "shop_customer_id")


def products_by_order(order_lines: DataFrame) -> DataFrame:
    """One row per order with a product: count_products. Apart, as distinct counts cost ten times what the sums do."""
    return (
        order_lines.where("is_product")
        .select("order_id", "product_id")
        .distinct()
        .groupBy("order_id")
        .agg(F.count("*").alias("count_products"))
    )
