"""gold.product_pairs: in how many baskets each two products were bought together."""

from collections.abc import Callable
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table

PRODUCT_PAIRS = Table(
    name="gold.product_pairs",
    grain="one row per two products bought together by the last run's as_of: from there the next one counts on",
    key=("product_id", "other_product_id"),
    columns=(
        Field("product_id", T.StringType(), "product in the basket; empty: the basket itself, whatever is in it"),
        Field("other_product_id", T.StringType(), "product in the same basket, of the higher code; empty likewise"),
        Field("count_baskets", T.LongType(), "baskets with both"),
    ),
)

BASKET = ""
"""Stands for a basket beside its products: its pair with a product says in how many baskets that is, with itself, how
many baskets there are."""

MOST_PRODUCTS = 100
"""Larger baskets are resellers' and warehouses' restocking, and the pairs of a basket grow with its square."""


def basket_products(as_of: date, most_products: int = MOST_PRODUCTS) -> Callable[[DataFrame], DataFrame]:
    """One row per order_id and product_id sold by `as_of`, in orders of no more than `most_products` products."""
    products = F.count("*").over(Window.partitionBy("order_id"))
    return lambda order_lines: (
        order_lines.where(F.col("is_sale") & F.col("is_product") & (F.col("ordered_on") <= F.lit(as_of)))
        .select("order_id", "product_id")
        .distinct()
        .withColumn("products", products)
        .where(F.col("products") <= most_products)
        .drop("products")
    )


def product_pairs(order_lines: DataFrame, *, as_of: date, most_products: int = MOST_PRODUCTS) -> DataFrame:
    """Count the pairs of different products in the orders up to and including `as_of`, each pair once.

    A basket is the different products that an order sells; baskets of more than `most_products` are left out, so that
    no more than most_products / 2 pairs per line are ever counted. Takes all lines of the orders.
    """
    products = F.sort_array(F.collect_list("product_id"))
    first_other = F.col("place") + F.when(F.col("place") == 0, 1).otherwise(2)  # the basket's place is 0
    return (
        order_lines.transform(basket_products(as_of, most_products))
        .groupBy("order_id")
        .agg(F.concat(F.array(F.lit(BASKET)), products).alias("products"))
        .select("products", F.posexplode("products").alias("place", "product_id"))
        .select("product_id", F.explode(F.slice("products", first_other, F.size("products"))).alias("other_product_id"))
        .groupBy("product_id", "other_product_id")
        .agg(F.count("*").alias("count_baskets"))
        .transform(PRODUCT_PAIRS.conform)
    )


def recounted_pairs(known: DataFrame, before: DataFrame, now: DataFrame) -> DataFrame:
    """The pairs counted so far, without those of the baskets as they were `before` and with those as they are `now`.

    `before` and `now` are pairs of the same orders.
    """
    less = before.withColumn("count_baskets", -F.col("count_baskets"))
    return (
        known.unionByName(less)
        .unionByName(now)
        .groupBy("product_id", "other_product_id")
        .agg(F.sum("count_baskets").alias("count_baskets"))
        .where(F.col("count_baskets") > 0)
        .transform(PRODUCT_PAIRS.conform)
    )
