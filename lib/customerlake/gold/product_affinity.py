"""gold.product_affinity: which products are bought together, in counts, support, confidence and lift."""

from collections.abc import Callable
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table

PRODUCT_AFFINITY = Table(
    name="gold.product_affinity",
    grain="one row per product_id, other_product_id and as_of, of pairs bought together often enough; each pair twice",
    key=("product_id", "other_product_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("product_id", T.StringType(), "product in the basket"),
        Field("other_product_id", T.StringType(), "product in the same basket"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("count_baskets", T.LongType(), "baskets with both"),
        Field("count_product_baskets", T.LongType(), "baskets with product_id"),
        Field("count_other_baskets", T.LongType(), "baskets with other_product_id"),
        Field("support", T.DoubleType(), "baskets with both, of all baskets", unit="share"),
        Field("confidence", T.DoubleType(), "baskets with both, of those with product_id", unit="share"),
        Field("lift", T.DoubleType(), "confidence against the share of other_product_id in all baskets; 1: by chance"),
    ),
)


def product_affinity(
    order_lines: DataFrame,
    *,
    as_of: date,
    most_products: int = 100,
    least_product_baskets: int = 50,
    least_baskets: int = 20,
) -> DataFrame:
    """Count the pairs of products in the orders up to and including `as_of`, of known and anonymous customers.

    A basket is the different products that an order sells. Baskets of more than `most_products` are left out of every
    count: they are resellers' and warehouses' restocking, and the pairs of a basket grow with its square; so
    no more than most_products / 2 pairs per line are ever counted. Products in fewer than `least_product_baskets`, and
    pairs in fewer than `least_baskets`, have no rows: lift over few baskets is chance.
    Source:  Agrawal, Imielinski & Swami (1993), "Mining association rules between sets of items in large databases",
             SIGMOD; lift: Brin, Motwani, Ullman & Tsur (1997), "Dynamic itemset counting and implication rules for
             market basket data", SIGMOD.
    """
    baskets = order_lines.transform(basket_products(as_of, most_products))
    frequent = baskets.transform(products_by_baskets(least_product_baskets))
    total = baskets.agg(F.countDistinct("order_id").alias("all_baskets"))
    both, product, other = (F.col(f"count_{of}baskets") for of in ("", "product_", "other_"))
    return (
        baskets.join(frequent.select("product_id"), on="product_id", how="left_semi")
        .transform(pairs(least_baskets))
        .join(frequent.withColumnsRenamed({"count_baskets": "count_product_baskets"}), on="product_id", how="inner")
        .join(
            frequent.withColumnsRenamed({"product_id": "other_product_id", "count_baskets": "count_other_baskets"}),
            on="other_product_id",
            how="inner",
        )
        .join(F.broadcast(total), how="cross")
        .withColumns(
            {
                "as_of": F.lit(as_of),
                "support": both / F.col("all_baskets"),
                "confidence": both / product,
                "lift": both.cast("double") * F.col("all_baskets") / (product.cast("double") * other),
            }
        )
        .transform(PRODUCT_AFFINITY.conform)
    )


def basket_products(as_of: date, most_products: int) -> Callable[[DataFrame], DataFrame]:
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


def products_by_baskets(least: int) -> Callable[[DataFrame], DataFrame]:
    """One row per product_id in `least` baskets or more: count_baskets."""
    return lambda baskets: (
        baskets.groupBy("product_id").agg(F.count("*").alias("count_baskets")).where(F.col("count_baskets") >= least)
    )


def pairs(least: int) -> Callable[[DataFrame], DataFrame]:
    """Two rows per pair of products in `least` baskets or more: each as product_id once. Counted once, then turned."""

    def counted(baskets: DataFrame) -> DataFrame:
        other = baskets.select("order_id", F.col("product_id").alias("other_product_id"))
        once = (
            baskets.join(other, on="order_id", how="inner")
            .where(F.col("product_id") < F.col("other_product_id"))
            .groupBy("product_id", "other_product_id")
            .agg(F.count("*").alias("count_baskets"))
            .where(F.col("count_baskets") >= least)
        )
        one, two = F.col("product_id"), F.col("other_product_id")
        both_ways = F.array(
            F.struct(one.alias("product_id"), two.alias("other_product_id")),
            F.struct(two.alias("product_id"), one.alias("other_product_id")),
        )
        return once.select(F.explode(both_ways).alias("way"), "count_baskets").select(
            "way.product_id", "way.other_product_id", "count_baskets"
        )

    return counted
