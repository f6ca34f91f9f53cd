"""What was known of a visit to the web shop while it went on: so many seconds after its start."""

from functools import partial

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from customerlake.features.feature import Feature
from customerlake.gold.purchase_behaviour import iso_weekday
from customerlake.gold.web_sessions import WEB_SESSIONS

_feature = partial(Feature, source=WEB_SESSIONS.name)
_word = partial(_feature, is_category=True)
_skewed = partial(_feature, is_skewed=True)

FEATURES = (
    _word("channel", "where the visitor came from", "came by {value}"),
    _word("device", "desktop, mobile or tablet", "is on {value}"),
    _word("country", "country of the visitor", "is in {value}"),
    _feature("is_of_campaign", "a campaign brought the visitor: 1 or 0", "a campaign brought them: {value}"),
    _feature("hour", "hour of the start, in the lake's time zone", "came at {value} o'clock (typical {typical})"),
    _feature("weekday", "1 Monday to 7 Sunday", "came on day {value} of the week"),
    _feature("has_viewed", "a product was viewed by then: 1 or 0", "has viewed a product: {value}"),
    _feature("seconds_to_view", "start to that view", "viewed after {value} seconds (typical {typical})", "seconds"),
    _feature("has_cart", "a product was in the cart by then: 1 or 0", "has put something into the cart: {value}"),
    _feature(
        "seconds_to_cart", "start to that", "filled the cart after {value} seconds (typical {typical})", "seconds"
    ),
    _feature("has_checkout", "the checkout was begun by then: 1 or 0", "has begun the checkout: {value}"),
    _skewed("earlier_visits", "earlier visits", "{value} earlier visits (typical {typical})"),
    _skewed("days_since_visit", "since the last visit began", "last here {value} days ago (typical {typical})", "days"),
    _skewed("earlier_orders", "earlier visits with an order", "ordered on {value} earlier visits (typical {typical})"),
    _skewed("earlier_carts", "earlier visits that left a cart", "left {value} carts before (typical {typical})"),
)
"""Every feature of a visit at hand, with its meaning."""


def sessions_at_hand(web_sessions: DataFrame, *, seconds: int, time_zone: str) -> DataFrame:
    """gold.web_sessions -> one row per visit that still goes on after `seconds`, without an order by then.

    Adds:   FEATURES, customer_id (the session_id, by which rows are told apart), visitor_id, known_customer_id,
            started_at, as_of (its day), is_ordering: it ends in an order. What comes after `seconds` is in no feature:
            whose customer the visitor is, is none, as often an order tells that first; and where the visitor comes
            from is unknown where a later event was needed to name it.
    """
    before = (
        Window.partitionBy("visitor_id").orderBy("started_at", "session_id").rowsBetween(Window.unboundedPreceding, -1)
    )
    local = F.from_utc_timestamp("started_at", time_zone)
    lasts = F.unix_micros("ended_at") - F.unix_micros("started_at") >= seconds * 1_000_000
    left_cart = F.col("has_cart") & ~F.col("has_order")
    is_named = by("seconds_to_named", seconds)
    return (
        web_sessions.withColumns(
            {
                "earlier_visits": F.count("*").over(before),
                "days_since_visit": F.datediff("started_on", F.max("started_on").over(before)),
                "earlier_orders": F.count(F.when(F.col("has_order"), 1)).over(before),
                "earlier_carts": F.count(F.when(left_cart, 1)).over(before),
            }
        )
        .where(lasts & ~F.coalesce(by("seconds_to_order", seconds), F.lit(False)))
        .select(
            F.col("session_id").alias("customer_id"), "visitor_id", F.col("customer_id").alias("known_customer_id"),
            "started_at", F.col("started_on").alias("as_of"), F.col("has_order").alias("is_ordering"),
            *[F.when(is_named, F.col(name)).alias(name) for name in ("channel", "device", "country")],
            flag(is_named & F.col("campaign_id").isNotNull()).alias("is_of_campaign"),
            F.hour(local).cast("double").alias("hour"),
            iso_weekday(local).cast("double").alias("weekday"),
            flag(by("seconds_to_view", seconds)).alias("has_viewed"),
            F.when(by("seconds_to_view", seconds), F.col("seconds_to_view")).alias("seconds_to_view"),
            flag(by("seconds_to_cart", seconds)).alias("has_cart"),
            F.when(by("seconds_to_cart", seconds), F.col("seconds_to_cart")).alias("seconds_to_cart"),
            flag(by("seconds_to_checkout", seconds)).alias("has_checkout"),
            *[F.col(name).cast("double").alias(name) for name in EARLIER],
        )
    )  # fmt: skip


EARLIER = ("earlier_visits", "days_since_visit", "earlier_orders", "earlier_carts")


def by(step: str, seconds: int) -> Column:
    """The step was taken within so many seconds of the start; null without the step."""
    return F.col(step) <= F.lit(float(seconds))


def flag(condition: Column) -> Column:
    return F.coalesce(condition, F.lit(False)).cast("double")
