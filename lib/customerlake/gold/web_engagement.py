"""gold.web_engagement: how each customer uses the web shop."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table

WEB_ENGAGEMENT = Table(
    name="gold.web_engagement",
    grain="one row per customer_id with a web event by as_of, and as_of",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("first_web_visit_on", T.DateType(), "first day with an event"),
        Field("last_web_visit_on", T.DateType(), "last day with an event"),
        Field("days_since_last_web_visit", T.IntegerType(), "last_web_visit_on to as_of", unit="days"),
        Field("count_web_visits", T.LongType(), "days with an event, each taken for one visit"),
        Field("count_web_visits_last_30_days", T.LongType(), "of these, in the 30 days that end with as_of"),
        Field("count_web_visits_last_90_days", T.LongType(), "of these, in the 90 days that end with as_of"),
        Field("count_product_views", T.LongType(), "times that a product was looked at"),
        Field("count_product_views_last_30_days", T.LongType(), "of these, in the 30 days that end with as_of"),
        Field("count_product_views_last_90_days", T.LongType(), "of these, in the 90 days that end with as_of"),
        Field("count_web_carts", T.LongType(), "visits on which something was put into the cart"),
        Field("count_web_carts_last_30_days", T.LongType(), "of these, in the 30 days that end with as_of"),
        Field("count_web_carts_last_90_days", T.LongType(), "of these, in the 90 days that end with as_of"),
        Field("count_abandoned_carts", T.LongType(), "of count_web_carts, without an order on the web that day"),
        Field("count_abandoned_carts_last_30_days", T.LongType(), "of these, in the 30 days that end with as_of"),
        Field("count_abandoned_carts_last_90_days", T.LongType(), "of these, in the 90 days that end with as_of"),
        Field("last_cart_abandoned_on", T.DateType(), "last day of an abandoned cart; null without one"),
    ),
)

COUNTED = ("web_visits", "product_views", "web_carts", "abandoned_carts")


def web_engagement(web_events: DataFrame, *, as_of: date) -> DataFrame:
    """Count each known customer's visits to the web shop up to and including `as_of`, in UTC days.

    Events of visitors whose customer is not known are left out. A feed that names the customer on some kinds of events
    only counts what it names.
    """
    visited_on = F.col("visited_on")
    return (
        web_events.where(F.col("customer_id").isNotNull())
        .withColumn("visited_on", F.to_date("happened_at"))
        .where(visited_on <= F.lit(as_of))
        .transform(web_visits)
        .groupBy("customer_id")
        .agg(
            F.min(visited_on).alias("first_web_visit_on"),
            F.max(visited_on).alias("last_web_visit_on"),
            F.datediff(F.lit(as_of), F.max(visited_on)).alias("days_since_last_web_visit"),
            F.max(F.when(F.col("abandoned_carts") > 0, visited_on)).alias("last_cart_abandoned_on"),
            *[F.sum(name).alias(f"count_{name}") for name in COUNTED],
            *[in_last_days(name, days, as_of) for name in COUNTED for days in (30, 90)],
        )
        .withColumn("as_of", F.lit(as_of))
        .transform(WEB_ENGAGEMENT.conform)
    )


def web_visits(dated: DataFrame) -> DataFrame:
    """One row per customer and day with an event: what was done on it, as numbers to be summed."""
    event_type = F.col("event_type")
    has_cart, has_order = (F.max((event_type == kind).cast("int")) for kind in ("add_to_cart", "order"))
    return dated.groupBy("customer_id", "visited_on").agg(
        F.lit(1).alias("web_visits"),
        F.count_if(event_type == "product_view").alias("product_views"),
        has_cart.alias("web_carts"),
        (has_cart * (1 - has_order)).alias("abandoned_carts"),
    )


def in_last_days(name: str, days: int, as_of: date) -> Column:
    is_recent = F.datediff(F.lit(as_of), "visited_on") < days
    return F.sum(F.when(is_recent, F.col(name)).otherwise(0)).alias(f"count_{name}_last_{days}_days")
