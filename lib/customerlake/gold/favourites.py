"""What a customer buys most: its first products, and the category that it spends most on."""

from collections.abc import Callable

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field

MOST = 3
TOP = (
    Field(
        "top_products",
        T.StringType(),
        f"codes of up to {MOST} products in most orders, the first most; by spend, then code, on a tie",
    ),
    Field(
        "top_category",
        T.StringType(),
        "category of the highest spend on products, the first of the alphabet on a tie; null where none is known",
    ),
)


def favourites(product_list: DataFrame | None) -> Callable[[DataFrame], DataFrame]:
    """Lines by which customers bought products -> one row per customer: count_distinct_products and what it likes.

    Adds:    favourite_product_id, the first of top_products, and TOP. Without product_list there is no category. What
             was taken back counts as bought.
    """
    best_first = Window.partitionBy("customer_id").orderBy(F.desc("count_orders"), F.desc("spend"), F.asc("product_id"))
    first = F.when(F.col("place") <= MOST, F.struct("place", "product_id"))
    dearest = F.when(F.col("category").isNotNull(), F.struct((-F.col("spend")).alias("less"), "category"))
    in_order = F.array_sort(F.flatten(F.collect_list("first")))
    return lambda products: (
        products.groupBy("customer_id", "product_id")
        .agg(F.countDistinct("order_id").alias("count_orders"), F.sum("amount").alias("spend"))
        .withColumn("place", F.row_number().over(best_first))
        .transform(with_category(product_list))
        .groupBy("customer_id", "category")
        .agg(
            F.count("*").alias("products"),
            F.sum("spend").alias("spend"),
            F.collect_list(first).alias("first"),
        )
        .groupBy("customer_id")
        .agg(
            F.sum("products").alias("count_distinct_products"),
            F.transform(in_order, lambda one: one["product_id"]).alias("top"),
            F.min(dearest)["category"].alias("top_category"),
        )
        .withColumns({"favourite_product_id": F.col("top")[0], "top_products": F.concat_ws(", ", "top")})
        .drop("top")
    )


def with_category(product_list: DataFrame | None) -> Callable[[DataFrame], DataFrame]:
    if product_list is None:
        return lambda products: products.withColumn("category", F.lit(None).cast("string"))
    listed = product_list.transform(categories)
    return lambda products: products.join(F.broadcast(listed), on="product_id", how="left")


def categories(product_list: DataFrame) -> DataFrame:
    """One row per product_id, in capitals as lines have it: category; the least where spellings of the code differ."""
    return (
        product_list.where(F.col("category").isNotNull())
        .groupBy(F.upper("product_id").alias("product_id"))
        .agg(F.min("category").alias("category"))
    )
