"""gold.web_sessions: the visits to the web shop, cut out of the clickstream."""

from collections.abc import Callable
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.silver.cleaning.duplicates import near_duplicates

WEB_SESSIONS = Table(
    name="gold.web_sessions",
    grain="one row per session of a visitor",
    key=("session_id",),
    partitioned_by=("started_month",),
    columns=(
        Field("session_id", T.StringType(), "event_id of its first event", personal="analyse"),
        Field("visitor_id", T.StringType(), "cookie or device", personal="identify"),
        Field(
            "customer_id",
            T.StringType(),
            "customer last seen in the session; else the only one ever seen of the visitor, also later; else null",
            personal="identify",
        ),
        Field("started_at", T.TimestampType(), "instant of its first event", unit="UTC"),
        Field("ended_at", T.TimestampType(), "instant of its last event", unit="UTC"),
        Field("started_on", T.DateType(), "day of its first event in the lake's time zone"),
        Field("started_month", T.DateType(), "first day of that day's month, by which files lie apart"),
        Field("channel", T.StringType(), "where the visitor came from; null where no event says so"),
        Field("campaign_id", T.StringType(), "campaign that brought the visitor; null for none"),
        Field("device", T.StringType(), "desktop, mobile or tablet", personal="analyse"),
        Field("country", T.StringType(), "country of the visitor", personal="analyse"),
        Field("count_events", T.LongType(), "events, repeated ones once"),
        Field("count_page_views", T.LongType(), "events page_view"),
        Field("count_product_views", T.LongType(), "events product_view"),
        Field("count_products_viewed", T.LongType(), "different products viewed"),
        Field("count_orders", T.LongType(), "different orders; an order event without a number is one"),
        Field("order_ids", T.ArrayType(T.StringType()), "the orders' numbers, sorted"),
        Field("has_view", T.BooleanType(), "a product was viewed"),
        Field("has_cart", T.BooleanType(), "a product was put into the cart"),
        Field("has_checkout", T.BooleanType(), "the checkout was begun"),
        Field("has_order", T.BooleanType(), "an order was completed"),
        Field("seconds_to_view", T.DoubleType(), "start to the first product view; null without one", unit="seconds"),
        Field("seconds_to_cart", T.DoubleType(), "start to the first into the cart; null without one", unit="seconds"),
        Field("seconds_to_checkout", T.DoubleType(), "start to the first checkout; null without one", unit="seconds"),
        Field("seconds_to_order", T.DoubleType(), "start to the first order; null without one", unit="seconds"),
        Field(
            "seconds_to_named",
            T.DoubleType(),
            "start to the event by which all of channel, campaign_id, device and country that are named were named",
            unit="seconds",
        ),
    ),
)

IDLE_MINUTES = 30
REPEATED_WITHIN_SECONDS = 1
SAME_EVENT = ("visitor_id", "event_type", "product_id", "url", "order_id")  # two orders are never one
STEP_EVENTS = {"view": "product_view", "cart": "add_to_cart", "checkout": "checkout", "order": "order"}
"""The steps towards an order, and the event that takes each."""

NAMED = ("channel", "campaign_id", "device", "country")
"""What events say of where a visit comes from."""

SECOND = 1_000_000  # microseconds


def web_sessions(web_events: DataFrame, *, as_of: date | None = None, time_zone: str) -> DataFrame:
    """Cut each visitor's events into sessions: all, or those up to and including `as_of` (UTC).

    A session ends after more than 30 minutes without an event, at midnight in `time_zone`, and where another channel
    or campaign brings the visitor back. Of an event_id that stands twice (sent again with another month's time) the
    event of the later time holds. A session's source is the first that its events name; then a campaign_id that differs
    (also from none) starts a new session, and so does a channel that differs. Null names nothing, and `direct` after
    another channel does not either. Events alike in SAME_EVENT and within a second of each other are one.

    Rows of a visitor depend on that visitor's events alone: hand in all of them, and replace all its sessions, because
    a late event may join two sessions or move the start of one. Whose a visitor is, is known as of all events handed
    in: a login names the visitor's earlier sessions too. So what is built of this table for a past as_of tells no
    later visit, but may know by a later login whose a visit was, as silver.identities does.
    Source:  "How a web session is defined in Universal Analytics", Google Analytics Help.
    """
    return (
        web_events.transform(single_events(as_of))
        .transform(with_visits(time_zone))
        .transform(with_channel_changes)
        .transform(with_campaign_changes)
        .transform(summarise_sessions(time_zone))
        .transform(with_known_customer)
        .transform(WEB_SESSIONS.conform)
    )


def single_events(as_of: date | None) -> Callable[[DataFrame], DataFrame]:
    """The events (by `as_of`), of repeated ones the first, each with its place in its visitor's history."""

    def single(web_events: DataFrame) -> DataFrame:
        known = web_events
        if as_of is not None:
            known = web_events.where(F.col("happened_at") < F.lit(as_of + timedelta(days=1)).cast("timestamp"))
        events = known.repartition("visitor_id")  # one shuffle serves all the windows and sums that follow
        latest = F.max("happened_at").over(Window.partitionBy("visitor_id", "event_id"))
        events = events.withColumn("latest", latest).where(F.col("happened_at") == F.col("latest")).drop("latest")
        return (
            near_duplicates(
                events, id="event_id", same=SAME_EVENT, at="happened_at", within_seconds=REPEATED_WITHIN_SECONDS
            )
            .where(~F.col("is_near_duplicate"))
            .withColumns(
                {
                    "micros": F.unix_micros("happened_at"),
                    "place": F.row_number().over(Window.partitionBy("visitor_id").orderBy("happened_at", "event_id")),
                }
            )
        )

    return single


def with_visits(time_zone: str) -> Callable[[DataFrame], DataFrame]:
    """Adds visit: counts up at each pause and each midnight of a visitor."""

    def visits(events: DataFrame) -> DataFrame:
        in_time = Window.partitionBy("visitor_id").orderBy("place")
        is_idle = F.col("micros") - F.lag("micros").over(in_time) > IDLE_MINUTES * 60 * SECOND
        is_new_day = F.col("local_day") != F.lag("local_day").over(in_time)
        return (
            events.withColumn("local_day", local_day("happened_at", time_zone))
            .withColumn("is_start", is_idle | is_new_day)
            .withColumn("visit", starts_so_far("visitor_id"))
        )

    return visits


def with_channel_changes(events: DataFrame) -> DataFrame:
    """Adds channel_part: counts up within a visit where a channel other than the one before comes in."""
    before = Window.partitionBy("visitor_id", "visit").orderBy("place").rowsBetween(Window.unboundedPreceding, -1)
    source = F.when(F.col("channel") != "direct", F.col("channel"))
    channel_before = F.coalesce(F.last(source, ignorenulls=True).over(before), F.max("channel").over(before))
    return events.withColumn("is_start", source != channel_before).withColumn(
        "channel_part", starts_so_far("visitor_id", "visit")
    )


def with_campaign_changes(events: DataFrame) -> DataFrame:
    """Adds campaign_part: counts up within a part of one channel where another campaign comes in.

    A campaign is another one also where the part had none, unless nothing at all was said of its source before.
    """
    part = ("visitor_id", "visit", "channel_part")
    before = Window.partitionBy(*part).orderBy("place").rowsBetween(Window.unboundedPreceding, -1)
    campaign_before = F.last("campaign_id", ignorenulls=True).over(before)
    has_source_before = F.coalesce(campaign_before, F.max("channel").over(before)).isNotNull()
    is_other = ~F.col("campaign_id").eqNullSafe(campaign_before)
    return events.withColumn("is_start", F.col("campaign_id").isNotNull() & is_other & has_source_before).withColumn(
        "campaign_part", starts_so_far(*part)
    )


def summarise_sessions(time_zone: str) -> Callable[[DataFrame], DataFrame]:
    def summarise(events: DataFrame) -> DataFrame:
        start, is_view = F.min("micros"), F.col("event_type") == "product_view"
        is_order = F.col("event_type") == "order"
        order = F.coalesce("order_id", F.concat(F.lit("event "), F.col("event_id")))
        seconds = {step: (first_of(event) - start) / SECOND for step, event in STEP_EVENTS.items()}
        return (
            events.groupBy("visitor_id", "visit", "channel_part", "campaign_part")
            .agg(
                F.min_by("event_id", "place").alias("session_id"),
                *[first_named(name).alias(name) for name in NAMED],
                F.max(F.when(F.col("customer_id").isNotNull(), F.struct("place", "customer_id"))).alias("last_seen"),
                F.min("customer_id").alias("least_customer"),
                F.max("customer_id").alias("greatest_customer"),
                F.min("happened_at").alias("started_at"),
                F.max("happened_at").alias("ended_at"),
                F.count("*").alias("count_events"),
                F.count_if(F.col("event_type") == "page_view").alias("count_page_views"),
                F.count_if(is_view).alias("count_product_views"),
                F.size(F.collect_set(F.when(is_view, F.col("product_id")))).alias("count_products_viewed"),
                F.size(F.collect_set(F.when(is_order, order))).alias("count_orders"),
                F.sort_array(F.collect_set(F.when(is_order, F.col("order_id")))).alias("order_ids"),
                *[
                    F.count_if(F.col("event_type") == e).cast("boolean").alias(f"has_{s}")
                    for s, e in STEP_EVENTS.items()
                ],
                *[gap.alias(f"seconds_to_{step}") for step, gap in seconds.items()],
                ((F.greatest(*[named_at(name) for name in NAMED]) - start) / SECOND).alias("seconds_to_named"),
            )
            .withColumn("started_on", local_day("started_at", time_zone))
            .withColumn("started_month", F.trunc("started_on", "month"))
        )

    return summarise


def with_known_customer(sessions: DataFrame) -> DataFrame:
    """Adds customer_id. A visitor of several customers (a shared device) names none of its other sessions."""
    of_visitor = Window.partitionBy("visitor_id")
    least, greatest = F.min("least_customer").over(of_visitor), F.max("greatest_customer").over(of_visitor)
    return sessions.withColumn(
        "customer_id", F.coalesce(F.col("last_seen.customer_id"), F.when(least == greatest, least))
    )


def starts_so_far(*of: str) -> Column:
    """How many rows of the same `of` began something, up to this one; a start that is null is none."""
    up_to_here = Window.partitionBy(*of).orderBy("place").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return F.sum(F.coalesce(F.col("is_start"), F.lit(False)).cast("int")).over(up_to_here)


def first_of(event_type: str) -> Column:
    return F.min(F.when(F.col("event_type") == event_type, F.col("micros")))


def first_named(name: str) -> Column:
    """The first value of the session that is not null."""
    return F.min(F.when(F.col(name).isNotNull(), F.struct("place", name)))[name]


def named_at(name: str) -> Column:
    """When the session first said it, in microseconds; null where no event does."""
    return F.min(F.when(F.col(name).isNotNull(), F.col("micros")))


def local_day(instant: str, time_zone: str) -> Column:
    return F.to_date(F.from_utc_timestamp(instant, time_zone))
