"""gold.product_affinity: which products are bought together, in counts, support, confidence and lift."""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.gold.product_pairs import BASKET

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
    product_pairs: DataFrame,
    *,
    as_of: date,
    least_product_baskets: int = 50,
    least_baskets: int = 20,
    least_support: float = 0.001,
) -> DataFrame:
    """Say of the pairs counted up to `as_of` how often they are in one basket, beside what chance would bring together.

    Orders of known and anonymous customers count, but for baskets too large for gold.product_pairs. Products in fewer
    than `least_product_baskets`, and pairs in fewer than `least_baskets` or than `least_support` of all baskets, have
    no rows: lift over few is chance, and a large shop would have millions of pairs that matter to nobody.
    Source:  Agrawal, Imielinski & Swami (1993), "Mining association rules between sets of items in large databases",
             SIGMOD; lift: Brin, Motwani, Ullman & Tsur (1997), "Dynamic itemset counting and implication rules for
             market basket data", SIGMOD.
    """
    first, second, baskets = F.col("product_id"), F.col("other_product_id"), F.col("count_baskets")
    total = product_pairs.where((first == BASKET) & (second == BASKET)).select(baskets.alias("all_baskets"))
    of_products = product_pairs.where((first == BASKET) & (second != BASKET) & (baskets >= least_product_baskets))
    both, product, other = (F.col(f"count_{of}baskets") for of in ("", "product_", "other_"))
    return (
        product_pairs.where((first != BASKET) & (baskets >= least_baskets))
        .join(F.broadcast(total), how="cross")
        .where(baskets >= least_support * F.col("all_baskets"))
        .transform(both_ways)
        .join(of_products.select(second.alias("product_id"), baskets.alias("count_product_baskets")), on="product_id")
        .join(of_products.select("other_product_id", baskets.alias("count_other_baskets")), on="other_product_id")
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


def both_ways(pairs: DataFrame) -> DataFrame:
    """Each pair twice: either product as product_id."""
    turned = pairs.select(
        F.col("other_product_id").alias("product_id"),
        F.col("product_id").alias("other_product_id"),
        "count_baskets",
        "all_baskets",
    )
    return pairs.select(*turned.columns).unionByName(turned)
