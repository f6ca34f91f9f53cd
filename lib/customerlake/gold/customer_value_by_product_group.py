"""gold.customer_value_by_product_group: what each customer was worth up to a date, by what was bought."""

from collections.abc import Callable
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY, Field, Table
from customerlake.gold.customer_value_by_channel import PARTS, with_shares_of_customer
from customerlake.silver.orders import is_purchase

CUSTOMER_VALUE_BY_PRODUCT_GROUP = Table(
    name="gold.customer_value_by_product_group",
    grain="one row per customer_id, group of products that they bought or returned, and as_of",
    key=("customer_id", "product_group", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field(
            "product_group",
            T.StringType(),
            "category of the product, unknown without one; of what is no product its line_kind (postage, fee, ...)",
        ),
        Field("as_of", T.DateType(), "last day of the observation period"),
        *PARTS,
    ),
)


def customer_value_by_product_group(
    order_lines: DataFrame, orders: DataFrame, product_list: DataFrame | None = None, *, as_of: date
) -> DataFrame:
    """Sum each known customer's purchases and returns by group of products, up to and including `as_of`.

    A line counts as silver.orders counts it: when it is a sale or a return; gifts and stock corrections do not. It
    counts as spend when its order is a purchase, as returned when its order is a return, for the order's customer and
    day. So over the groups a customer's sums are those of gold.customer_value, postage and fees included; count_orders
    are not, as an order counts in each of its groups. Without `product_list` all products are unknown.
    Takes all lines of the orders.
    """
    bought = F.when(F.col("is_bought"), F.col("amount")).otherwise(0)
    returned = F.when(F.col("is_return"), -F.col("amount")).otherwise(0)
    counted = (
        orders.where(F.col("customer_id").isNotNull() & (F.col("ordered_on") <= F.lit(as_of)))
        .where(is_purchase() | F.col("is_return"))
        .select("order_id", "customer_id", "is_return", is_purchase().alias("is_bought"))
    )
    return (
        order_lines.transform(groups_of_orders(product_list))
        .join(counted, on="order_id", how="inner")
        .groupBy("customer_id", "product_group")
        .agg(
            F.sum(bought).cast(MONEY).alias("gross_spend"),
            F.sum(returned).cast(MONEY).alias("returned_amount"),
            F.sum(F.col("is_bought").cast("int")).alias("count_orders"),
        )
        .transform(with_shares_of_customer)
        .withColumn("as_of", F.lit(as_of))
        .transform(CUSTOMER_VALUE_BY_PRODUCT_GROUP.conform)
    )


def groups_of_orders(product_list: DataFrame | None) -> Callable[[DataFrame], DataFrame]:
    """One row per order and group of products: amount. Summed before orders are joined: a basket has few groups."""
    product_group = F.when(F.col("is_product"), F.coalesce("category", F.lit("unknown"))).otherwise(F.col("line_kind"))

    def summed(order_lines: DataFrame) -> DataFrame:
        return (
            order_lines.where(F.col("is_sale") | F.col("is_return"))
            .select("order_id", "product_id", "is_product", "line_kind", "amount")
            .transform(with_category(product_list))
            .groupBy("order_id", product_group.alias("product_group"))
            .agg(F.sum("amount").cast(MONEY).alias("amount"))
        )

    return summed


def with_category(product_list: DataFrame | None) -> Callable[[DataFrame], DataFrame]:
    """Adds: category. Lines hold product codes in capitals, the product feed as it likes: of two spellings of a code,
    the first category by the alphabet stands."""
    if product_list is None:
        return lambda lines: lines.withColumn("category", F.lit(None).cast("string"))
    categories = product_list.groupBy(F.upper("product_id").alias("product_id")).agg(
        F.min("category").alias("category")
    )
    return lambda lines: lines.join(F.broadcast(categories), on="product_id", how="left")
