"""Features of visits to the web shop: how often and when last, what is looked at, and carts left behind."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.features.dates import days_since, in_last, known_by
from customerlake.features.feature import Feature
from customerlake.silver.web_events import WEB_EVENTS

_feature = partial(Feature, source=WEB_EVENTS.name)

FEATURES = (
    _feature(
        "web_visits_last_30_days",
        "days with an event on the web in the 30 days up to as_of, each taken for one visit",
        "{value} web visits in 30 days (typical {typical})",
        is_count=True,
    ),
    _feature(
        "web_visits_last_90_days",
        "days with an event on the web in the 90 days up to as_of",
        "{value} web visits in 90 days (typical {typical})",
        is_count=True,
        is_skewed=True,
    ),
    _feature(
        "product_views_last_30_days",
        "times that a product was looked at in the 30 days up to as_of",
        "looked at {value} products in 30 days (typical {typical})",
        is_count=True,
        is_skewed=True,
    ),
    _feature(
        "carts_last_30_days",
        "visits in the 30 days up to as_of on which something was put into the cart",
        "{value} carts in 30 days (typical {typical})",
        is_count=True,
    ),
    _feature(
        "abandoned_carts_last_30_days",
        "of these visits, those without an order on the web that day",
        "{value} abandoned carts in 30 days (typical {typical})",
        is_count=True,
    ),
    _feature(
        "abandoned_carts_last_90_days",
        "as abandoned_carts_last_30_days, in the 90 days up to as_of",
        "{value} abandoned carts in 90 days (typical {typical})",
        is_count=True,
    ),
    _feature(
        "days_since_last_web_visit",
        "last day with an event on the web to as_of; null without one",
        "last web visit {value} days ago (typical {typical})",
        "days",
        is_skewed=True,
    ),
)


def web_features(dates: Sequence[date]) -> Callable[[DataFrame], DataFrame]:
    """Events, under the customers that they themselves name -> one row per customer and date with a visit by then.

    Days are of UTC. An event that names nobody is of the customer of its device, from the day on which that customer
    was first named there, and until another one is: who logs in after a date had not been recognised by then.
    """
    return lambda web_events: (
        web_events.withColumn("visited_on", F.to_date("happened_at"))
        .where(F.col("visited_on") <= F.lit(max(dates)))
        .transform(device_days)
        .transform(with_customers_of_devices)
        .transform(known_by(dates, "known_on"))
        .where(F.coalesce(F.col("as_of") < F.col("shared_on"), F.lit(True)))
        .groupBy("customer_id", "as_of", "visited_on")
        .agg(F.sum("product_views").alias("product_views"), F.max("cart").alias("cart"), F.max("order").alias("order"))
        .transform(visits_by_date)
    )


def device_days(dated: DataFrame) -> DataFrame:
    """One row per device, day and customer named there (null: none): what was done, as numbers."""
    event_type = F.col("event_type")
    return dated.groupBy("visitor_id", "visited_on", "customer_id").agg(
        F.count_if(event_type == "product_view").alias("product_views"),
        F.max((event_type == "add_to_cart").cast("int")).alias("cart"),
        F.max((event_type == "order").cast("int")).alias("order"),
    )


def with_customers_of_devices(days: DataFrame) -> DataFrame:
    """Days whose customer was named, then or later. Adds: known_on, from which day on; shared_on, until which day."""
    named = F.array_sort(F.collect_list(F.struct("named_on", F.col("customer_id").alias("owner"))))
    owners = (
        days.where(F.col("customer_id").isNotNull())
        .groupBy("visitor_id", "customer_id")
        .agg(F.min("visited_on").alias("named_on"))
        .groupBy("visitor_id")
        .agg(named.alias("named"))
        .select(
            "visitor_id",
            F.get("named", F.lit(0)).alias("first"),
            F.get("named", F.lit(1))["named_on"].alias("other_on"),
        )
    )
    is_own = F.col("customer_id").isNotNull()
    return (
        days.join(owners, on="visitor_id", how="left")
        .withColumns(
            {
                "known_on": F.when(is_own, F.col("visited_on")).otherwise(F.greatest("visited_on", "first.named_on")),
                "shared_on": F.when(~is_own, F.col("other_on")),
                "customer_id": F.coalesce("customer_id", "first.owner"),
            }
        )
        .where(F.col("customer_id").isNotNull())
    )


def visits_by_date(visits: DataFrame) -> DataFrame:
    day, visit = "visited_on", F.lit(1)
    abandoned = F.col("cart") * (1 - F.col("order"))
    return visits.groupBy("customer_id", "as_of").agg(
        in_last(30, visit, day).alias("web_visits_last_30_days"),
        in_last(90, visit, day).alias("web_visits_last_90_days"),
        in_last(30, "product_views", day).alias("product_views_last_30_days"),
        in_last(30, "cart", day).alias("carts_last_30_days"),
        in_last(30, abandoned, day).alias("abandoned_carts_last_30_days"),
        in_last(90, abandoned, day).alias("abandoned_carts_last_90_days"),
        F.min(days_since(F.col(day))).alias("days_since_last_web_visit"),
    )
