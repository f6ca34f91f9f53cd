"""Features of how a customer orders: from where, by which channel, and when in the week and the day."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from customerlake.features.feature import Feature
from customerlake.gold.purchase_behaviour import iso_weekday

FEATURES = (
    Feature(
        "country",
        "country on the newest purchase by as_of",
        "buys from {value} (typical {typical})",
        is_category=True,
        personal="analyse",
    ),
    Feature(
        "channel",
        "channel of the newest purchase by as_of",
        "last bought by {value} (typical {typical})",
        is_category=True,
    ),
    Feature(
        "online_orders_share", "orders in the web shop", "{value} of orders on the web (typical {typical})", "share"
    ),
    Feature(
        "weekend_orders_share",
        "orders on Saturday or Sunday",
        "{value} of orders at the weekend (typical {typical})",
        "share",
    ),
    Feature(
        "evening_orders_share",
        "orders from 17 to 22 o'clock in the lake's time zone",
        "{value} of orders in the evening (typical {typical})",
        "share",
    ),
)


def sums() -> list[Column]:
    """Over a customer's days known on a date."""
    bought_on = F.when(F.col("orders") > 0, F.col("ordered_on"))
    is_weekend = iso_weekday("ordered_on") >= 6
    return [
        F.max_by("country", bought_on).alias("country"),
        F.max_by("channel", bought_on).alias("channel"),
        F.sum("online").alias("online"),
        F.sum("in_evening").alias("in_evening"),
        F.sum(F.when(is_weekend, F.col("orders")).otherwise(0)).alias("at_weekend"),
    ]


def measures() -> dict[str, Column]:
    orders = F.col("count_orders")
    return {
        "online_orders_share": F.col("online") / orders,
        "weekend_orders_share": F.col("at_weekend") / orders,
        "evening_orders_share": F.col("in_evening") / orders,
    }
