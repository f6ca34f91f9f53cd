"""From visit to order: which sessions of the web shop led to each order, and the paths that led to none."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from customerlake.silver.orders import is_purchase

DIMENSIONS = {"channel": "unknown", "campaign": "none"}
"""What conversions are attributed to, and the value that stands for no such thing."""

START, CONVERSION, NO_CONVERSION = "(start)", "(conversion)", "(null)"
DAY = 86_400_000_000  # microseconds

PATH = ("channel", "channel_before", "campaign", "campaign_before", "is_end")

Step = Callable[[DataFrame], DataFrame]


@dataclass(frozen=True)
class WebShop:
    """By what the orders of the web shop are known."""

    channels: tuple[str, ...] = ("web", "online")  # values of silver.orders' channel
    order_prefixes: tuple[str, ...] = ("",)  # what silver put before the numbers that the clickstream knows orders by


WEB_SHOP = WebShop()


def transitions(
    web_sessions: DataFrame,
    orders: DataFrame,
    *,
    as_of: date,
    period_days: int = 365,
    lookback_days: int = 30,
    shop: WebShop = WEB_SHOP,
) -> DataFrame:
    """How often a session of one value follows one of another, on paths that end in an order and paths that do not.

    Each conversion is a path of its touchpoints. The other sessions of the period are paths without a conversion; one
    ends where the person orders or stays away for longer than `lookback_days`.
    Grain:   one row per dimension, from_state and to_state: count_transitions. It is small: values squared at most.
    """
    period = (as_of, period_days, lookback_days, shop)
    paths = converted_paths(web_sessions, orders, *period).unionByName(other_paths(web_sessions, orders, *period))
    steps = [step for name in DIMENSIONS for step in (step_to(name), step_out_of(name))]
    return (
        paths.select(F.inline(F.array(*steps)))
        .where("from_state IS NOT NULL")
        .groupBy("dimension", "from_state", "to_state")
        .agg(F.count("*").alias("count_transitions"))
    )


def touchpoints(
    web_sessions: DataFrame, orders: DataFrame, as_of: date, period_days: int, lookback_days: int, shop: WebShop
) -> DataFrame:
    """One row per conversion and touchpoint of it; a conversion without any has one row, of count_touchpoints 0.

    Adds:    place (1 for the first), count_touchpoints, days_before_last (to the start of the last touchpoint).
    """
    sessions = web_sessions.transform(sessions_between(as_of, period_days + lookback_days))
    age = F.col("converted_micros") - F.col("micros")
    is_touchpoint = (F.col("person") == F.col("session_person")) & age.between(0, lookback_days * DAY)
    of_order = Window.partitionBy("order_id")
    in_time = of_order.orderBy(F.asc_nulls_last("micros"), "session_id", "person")
    return (
        conversions(sessions, orders, as_of, period_days, shop)
        .withColumn("person", F.explode_outer("persons"))
        .join(sessions.withColumnRenamed("person", "session_person"), on=is_touchpoint, how="left")
        .withColumns(
            {
                "place": F.row_number().over(in_time),
                "count_touchpoints": F.count("session_id").over(of_order),
                "days_before_last": (F.max("micros").over(of_order) - F.col("micros")) / DAY,
            }
        )
        .where("session_id IS NOT NULL OR (count_touchpoints = 0 AND place = 1)")
    )


def sessions_between(as_of: date, days: int) -> Step:
    """Sessions begun in so many days up to `as_of` (UTC), with the person they are of and the values they stand for."""
    begin, end = (F.lit(as_of + timedelta(days=shift)).cast("timestamp") for shift in (1 - days, 1))
    customer, visitor = (F.concat(F.lit(f"{name} "), F.col(f"{name}_id")) for name in ("customer", "visitor"))
    return lambda web_sessions: web_sessions.where((F.col("started_at") >= begin) & (F.col("started_at") < end)).select(
        "session_id",
        visitor.alias("visitor"),
        F.coalesce(customer, visitor).alias("person"),
        "order_ids",
        F.unix_micros("started_at").alias("micros"),
        F.coalesce("channel", F.lit(DIMENSIONS["channel"])).alias("channel"),
        F.coalesce("campaign_id", F.lit(DIMENSIONS["campaign"])).alias("campaign"),
    )


def conversions(sessions: DataFrame, orders: DataFrame, as_of: date, period_days: int, shop: WebShop) -> DataFrame:
    """One row per web order of the period: order_id, amount, converted_micros, persons whose sessions lead to it."""
    ids = F.array(*[F.concat(F.lit(prefix), F.col("number")) for prefix in shop.order_prefixes])
    ordered_in = (
        sessions.select(F.explode("order_ids").alias("number"), "micros", "session_id", "person", "visitor")
        .withColumn("order_id", F.explode(ids))
        .groupBy("order_id")
        .agg(F.min(F.struct("micros", "session_id", "person", "visitor")).alias("session"))
    )
    first_day = as_of - timedelta(days=period_days - 1)
    customer = F.concat(F.lit("customer "), F.col("customer_id"))
    persons = F.array(customer, F.col("session.person"), F.col("session.visitor"))
    return (
        orders.where(is_purchase() & F.col("ordered_on").between(F.lit(first_day), F.lit(as_of)))
        .select("order_id", "customer_id", "ordered_at", F.col("channel").alias("sold_by"), "amount")
        .join(ordered_in, on="order_id", how="left")
        .where(F.col("sold_by").isin(*shop.channels) | F.col("session").isNotNull())
        .select(
            "order_id",
            "amount",
            # an order may be recorded to the minute, and so before the session that completed it
            F.greatest(F.unix_micros("ordered_at"), F.col("session.micros")).alias("converted_micros"),
            F.array_distinct(F.array_compact(persons)).alias("persons"),
        )
    )


def converted_paths(
    web_sessions: DataFrame, orders: DataFrame, as_of: date, period_days: int, lookback_days: int, shop: WebShop
) -> DataFrame:
    """One row per touchpoint of each conversion: its values, those before it, and whether it ends the path."""
    in_time = Window.partitionBy("order_id").orderBy("place")
    return (
        touchpoints(web_sessions, orders, as_of, period_days, lookback_days, shop)
        .where("count_touchpoints > 0")
        .withColumns({f"{name}_before": F.lag(name).over(in_time) for name in DIMENSIONS})
        .withColumn("is_end", F.col("place") == F.col("count_touchpoints"))
        .select(*PATH, F.lit(CONVERSION).alias("end_state"))
    )


def other_paths(
    web_sessions: DataFrame, orders: DataFrame, as_of: date, period_days: int, lookback_days: int, shop: WebShop
) -> DataFrame:
    """One row per session of the period that is no touchpoint, as `converted_paths` has them."""
    sessions = web_sessions.transform(sessions_between(as_of, period_days + lookback_days))
    converted = conversions(sessions, orders, as_of, period_days, shop).select(
        F.explode("persons").alias("person"), F.col("converted_micros").alias("micros"), F.lit(1).alias("conversion")
    )
    in_time = Window.partitionBy("person").orderBy("micros", F.asc_nulls_first("conversion"), "session_id")
    to_come = in_time.rowsBetween(Window.currentRow, Window.unboundedFollowing)
    next_micros = F.min(F.when(F.col("conversion") == 1, F.col("micros"))).over(to_come)
    orders_so_far = F.count("conversion").over(in_time.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    between_orders = Window.partitionBy("person", "orders_so_far").orderBy("micros", "session_id")
    is_far = lookback_days * DAY
    is_start = F.col("micros") - F.lag("micros").over(between_orders) > is_far
    is_end = F.lead("micros").over(between_orders) - F.col("micros") > is_far
    begin = F.unix_micros(F.lit(as_of - timedelta(days=period_days - 1)).cast("timestamp"))
    return (
        sessions.unionByName(converted, allowMissingColumns=True)
        .withColumns({"next_micros": next_micros, "orders_so_far": orders_so_far})
        .where(F.col("conversion").isNull() & F.coalesce(F.col("next_micros") - F.col("micros") > is_far, F.lit(True)))
        .where(F.col("micros") >= begin)
        .withColumns({"is_start": F.coalesce(is_start, F.lit(True)), "is_end": F.coalesce(is_end, F.lit(True))})
        .withColumns({f"{n}_before": F.when(~F.col("is_start"), F.lag(n).over(between_orders)) for n in DIMENSIONS})
        .select(*PATH, F.lit(NO_CONVERSION).alias("end_state"))
    )


def step_to(name: str) -> Column:
    before = F.coalesce(f"{name}_before", F.lit(START))
    return F.struct(F.lit(name).alias("dimension"), before.alias("from_state"), F.col(name).alias("to_state"))


def step_out_of(name: str) -> Column:
    last = F.when(F.col("is_end"), F.col(name))
    return F.struct(F.lit(name).alias("dimension"), last.alias("from_state"), F.col("end_state").alias("to_state"))
