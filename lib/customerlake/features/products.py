"""Features of the products that a customer buys: how many, again or once, and at lower prices than usual."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from customerlake.features.dates import first_known, known_by
from customerlake.features.feature import Feature
from customerlake.gold.purchase_behaviour import products_bought
from customerlake.gold.segment_thresholds import THRESHOLDS
from customerlake.gold.usual_prices import price_paid, usual_prices, with_usual_prices
from customerlake.silver.order_lines import ORDER_LINES

_feature = partial(Feature, source=ORDER_LINES.name)

FEATURES = (
    _feature(
        "count_distinct_products",
        "different products ever bought",
        "bought {value} different products (typical {typical})",
        is_count=True,
        is_skewed=True,
    ),
    _feature(
        "repeated_products_share",
        "of these products, those bought on several days",
        "{value} of products bought again (typical {typical})",
        "share",
    ),
    _feature(
        "discounted_lines_share",
        "lines bought at least 5% below the usual price, of those whose product had one",
        "{value} of lines below the usual price (typical {typical})",
        "share",
    ),
)


def product_features(dates: Sequence[date]) -> Callable[[DataFrame], DataFrame]:
    """Lines of all, under the customers that they are of -> one row per customer and date with a product by then.

    The usual price of a line is of the months before it (gold.usual_prices), so that it is the same on each later date.
    """

    def features(order_lines: DataFrame) -> DataFrame:
        last = max(dates)
        return (
            order_lines.transform(products_bought(last))
            .transform(with_usual_prices(usual_prices(order_lines, as_of=last)))
            .transform(product_days)
            .transform(mix(dates))
        )

    return features


def product_days(priced: DataFrame) -> DataFrame:
    """One row per customer, product and day on which it bought it: its lines, and which of these days it is."""
    in_time = Window.partitionBy("customer_id", "product_id").orderBy("ordered_on")
    usual = F.col("usual_price")
    is_cheap = price_paid().cast("double") <= usual * (1 - THRESHOLDS.discount_depth)
    return (
        priced.groupBy("customer_id", "product_id", "ordered_on")
        .agg(F.count(usual).alias("judged_lines"), F.count_if(is_cheap).alias("cheap_lines"))
        .withColumn("place", F.row_number().over(in_time))
    )


def mix(dates: Sequence[date]) -> Callable[[DataFrame], DataFrame]:
    """A product is new on its first day and repeated from its second on: so sums over days count both for any date."""
    counts = {
        "count_distinct_products": F.count_if(F.col("place") == 1),
        "repeated": F.count_if(F.col("place") == 2),
        "judged_lines": F.sum("judged_lines"),
        "cheap_lines": F.sum("cheap_lines"),
    }
    return lambda days: (
        days.groupBy("customer_id", first_known(dates).alias("known_on"))
        .agg(*[count.alias(name) for name, count in counts.items()])
        .transform(known_by(dates, "known_on"))
        .groupBy("customer_id", "as_of")
        .agg(*[F.sum(name).alias(name) for name in counts])
        .withColumns(
            {
                "repeated_products_share": F.col("repeated") / F.col("count_distinct_products"),
                "discounted_lines_share": F.col("cheap_lines") / F.nullif("judged_lines", F.lit(0)),
            }
        )
    )
