"""Features of the groups of products that a customer buys from."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.features.dates import first_known, known_by
from customerlake.features.feature import Feature
from customerlake.gold.favourites import categories
from customerlake.gold.purchase_behaviour import products_bought
from customerlake.silver.product_list import PRODUCT_LIST

_feature = partial(Feature, source=PRODUCT_LIST.name)

FEATURES = (
    _feature(
        "count_product_groups",
        "groups of products ever bought from; null where the group of none is known",
        "bought from {value} groups of products (typical {typical})",
    ),
    _feature(
        "top_group_share",
        "spend on the group that most is spent on, of the spend on products whose group is known",
        "{value} of spend on one group of products (typical {typical})",
        "share",
    ),
)


def group_features(product_list: DataFrame, dates: Sequence[date]) -> Callable[[DataFrame], DataFrame]:
    """Lines under their customers -> one row per customer and date with a product of a known group by then.

    Groups are those that the product list names now: it does not say since when.
    """
    listed = F.broadcast(product_list.transform(categories))
    return lambda order_lines: (
        order_lines.transform(products_bought(max(dates)))
        .join(listed, on="product_id", how="inner")
        .groupBy("customer_id", "category", first_known(dates).alias("known_on"))
        .agg(F.sum("amount").alias("spend"))
        .transform(known_by(dates, "known_on"))
        .groupBy("customer_id", "category", "as_of")
        .agg(F.sum("spend").alias("spend"))
        .groupBy("customer_id", "as_of")
        .agg(
            F.count("*").alias("count_product_groups"),
            (F.max("spend").cast("double") / F.sum("spend").cast("double")).alias("top_group_share"),
        )
    )
