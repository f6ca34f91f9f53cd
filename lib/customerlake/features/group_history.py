"""What was known on a date of each customer and each group of products: the rows that foretell what is bought next."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.features.dates import first_known, known_by
from customerlake.features.feature import Feature
from customerlake.gold.favourites import categories
from customerlake.gold.purchase_behaviour import products_bought
from customerlake.silver.order_lines import ORDER_LINES

_feature = partial(Feature, source=ORDER_LINES.name)

FEATURES = (
    _feature("group_purchase_days", "days with a purchase of the group", "bought it on {value} days", "days",
             is_skewed=True),
    _feature("group_spend_share", "spend on the group, of all spend on groups that are known",
             "{value} of spend is on it", "share"),
    _feature("days_since_group", "last purchase of the group to as_of; null without one",
             "bought it {value} days ago (typical {typical})", "days", is_skewed=True),
    _feature("group_popularity", "customers who have bought the group, of those who have bought any",
             "{value} of customers buy it", "share"),
)  # fmt: skip
"""Of one customer and one group of products."""

Step = Callable[[DataFrame], DataFrame]


def group_history(product_list: DataFrame, dates: Sequence[date]) -> Step:
    """Lines under their customers -> one row per customer, date and group of products bought by then.

    Columns: customer_id, as_of, product_group, group_purchase_days, group_spend, last_on.
    """
    listed = F.broadcast(product_list.transform(categories))
    return lambda order_lines: (
        order_lines.transform(products_bought(max(dates)))
        .join(listed, on="product_id", how="inner")
        .groupBy("customer_id", "category", "ordered_on")
        .agg(F.sum("amount").alias("spend"))
        .withColumn("known_on", first_known(dates))
        .transform(known_by(dates, "known_on"))
        .groupBy("customer_id", "as_of", F.col("category").alias("product_group"))
        .agg(
            F.count("*").alias("group_purchase_days"),
            F.sum("spend").alias("group_spend"),
            F.max("ordered_on").alias("last_on"),
        )
    )


def largest_groups(history: DataFrame, most: int) -> list[str]:
    """The groups that most customers have bought on the newest date, largest first."""
    newest = history.where(F.col("as_of") == history.agg(F.max("as_of")).collect()[0][0])
    counted = newest.groupBy("product_group").count().orderBy(F.desc("count"), "product_group")
    return [row["product_group"] for row in counted.limit(most).collect()]


def of_groups(known: DataFrame, history: DataFrame, groups: Sequence[str]) -> DataFrame:
    """Each row of features.snapshot once for each of `groups`, with FEATURES and product_group."""
    by_customer = history.groupBy("customer_id", "as_of").agg(F.sum("group_spend").alias("spend"))
    buyers = by_customer.groupBy("as_of").agg(F.count("*").alias("buyers"))
    popularity = (
        history.groupBy("as_of", "product_group")
        .agg(F.count("*").alias("of_group"))
        .join(buyers, on="as_of", how="inner")
        .select("as_of", "product_group", (F.col("of_group") / F.col("buyers")).alias("group_popularity"))
    )
    share = F.col("group_spend").cast("double") / F.nullif(F.col("spend").cast("double"), F.lit(0.0))
    every = F.array(*[F.lit(group) for group in groups])
    return (
        known.withColumn("product_group", F.explode(every))
        .join(history, on=["customer_id", "as_of", "product_group"], how="left")
        .join(by_customer, on=["customer_id", "as_of"], how="left")
        .join(F.broadcast(popularity), on=["as_of", "product_group"], how="left")
        .withColumns(
            {
                "group_purchase_days": F.coalesce("group_purchase_days", F.lit(0)).cast("double"),
                "group_spend_share": F.coalesce(share, F.lit(0.0)),
                "days_since_group": F.datediff("as_of", "last_on").cast("double"),
                "group_popularity": F.coalesce("group_popularity", F.lit(0.0)),
            }
        )
        .drop("group_spend", "spend", "last_on")
    )
