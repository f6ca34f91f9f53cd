"""gold.attribution: which channels and campaigns the orders of the web shop are owed to, by six models."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta

import numpy as np
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY, Field, Table
from customerlake.silver.orders import is_purchase

CONVERSIONS = T.DecimalType(18, 6)
WEIGHT = T.DecimalType(13, 12)

ATTRIBUTION = Table(
    name="gold.attribution",
    grain="one row per as_of, model, dimension and value; none in a period without a web order",
    key=("as_of", "model", "dimension", "value"),
    partitioned_by=("as_of",),
    columns=(
        Field("as_of", T.DateType(), "last day of the period"),
        Field("period_started_on", T.DateType(), "first day of the period, whose web orders are attributed"),
        Field("model", T.StringType(), "first, last, linear, time_decay, position or markov"),
        Field("dimension", T.StringType(), "channel or campaign"),
        Field("value", T.StringType(), "channel, unknown where none is known; campaign_id, none without one"),
        Field("attributed_conversions", CONVERSIONS, "orders owed to it; over all values: all web orders"),
        Field("attributed_revenue", MONEY, "their amount; over all values: that of all", unit="currency"),
        Field("conversions_share", T.DoubleType(), "of all conversions", unit="share"),
        Field("revenue_share", T.DoubleType(), "of the amount of all conversions", unit="share"),
        Field(
            "removal_effect",
            T.DoubleType(),
            "conversions that would be lost without it, by the Markov chain; null in other models",
            unit="share",
        ),
    ),
)

RULES = ("first", "last", "linear", "time_decay", "position")
MEASURES = {"conversions": CONVERSIONS, "revenue": MONEY}
DIMENSIONS = {"channel": "unknown", "campaign": "none"}
"""What conversions are attributed to, and the value that stands for no such thing."""

START, CONVERSION, NO_CONVERSION = "(start)", "(conversion)", "(null)"
DAY = 86_400_000_000  # microseconds

Step = Callable[[DataFrame], DataFrame]


def attribution(
    web_sessions: DataFrame,
    orders: DataFrame,
    effects: Mapping[str, Mapping[str, float]],
    *,
    as_of: date,
    period_days: int = 365,
    lookback_days: int = 30,
    half_life_days: float = 7.0,
) -> DataFrame:
    """Share each web order of the `period_days` up to `as_of`, and its amount, among the sessions that led to it.

    A conversion is a purchase of the channel web, or one that an order event names. Its touchpoints are the sessions
    begun in the `lookback_days` before it: of its customer, and of the visitor who ordered where they name nobody; the
    session that ordered is among them. A conversion without any is owed to channel unknown and campaign none.
    effects: `removal_effects` of the `transitions` for the same arguments.
    Models:  first, last: all to that touchpoint; linear: equal parts; time_decay: half for each `half_life_days`
             before the last; position: 0.4 first, 0.4 last, 0.2 among those between, halves for two; markov: all
             conversions that have touchpoints, by the removal effects. Parts are rounded, and what that leaves over
             is the last touchpoint's (markov: the value's of the greatest effect), so that each model sums to all.
    Source:  Anderl, Becker, von Wangenheim & Schumann (2016), "Mapping the customer journey: Lessons learned from
             graph-based online attribution modeling", International Journal of Research in Marketing 33(3).
    """
    return (
        touchpoints(web_sessions, orders, as_of, period_days, lookback_days)
        .transform(with_weights(half_life_days))
        .transform(with_credits)
        .transform(credits_by_value)
        .transform(with_effects(effects))
        .transform(spread_by_effect)
        .withColumns(
            {
                "as_of": F.lit(as_of),
                "period_started_on": F.lit(as_of - timedelta(days=period_days - 1)),
                "conversions_share": share_of_all("attributed_conversions"),
                "revenue_share": share_of_all("attributed_revenue"),
            }
        )
        .transform(ATTRIBUTION.conform)
    )


def transitions(
    web_sessions: DataFrame, orders: DataFrame, *, as_of: date, period_days: int = 365, lookback_days: int = 30
) -> DataFrame:
    """How often a session of one value follows one of another, on paths that end in an order and paths that do not.

    Each conversion is a path of its touchpoints. The other sessions of the period are paths without a conversion; one
    ends where the person orders or stays away for longer than `lookback_days`.
    Grain:   one row per dimension, from_state and to_state: count_transitions. It is small: values squared at most.
    """
    period = (as_of, period_days, lookback_days)
    paths = converted_paths(web_sessions, orders, *period).unionByName(other_paths(web_sessions, orders, *period))
    steps = [step for name in DIMENSIONS for step in (step_to(name), step_out_of(name))]
    return (
        paths.select(F.inline(F.array(*steps)))
        .where("from_state IS NOT NULL")
        .groupBy("dimension", "from_state", "to_state")
        .agg(F.count("*").alias("count_transitions"))
    )


def removal_effects(transitions: Iterable[tuple[str, str, str, int]]) -> dict[str, dict[str, float]]:
    """By dimension, the share of conversions that each value's absence would cost: who would come to it is lost.

    Takes the rows of `transitions`, collected. With N the expected visits of each state of the absorbing chain and x
    the probability to convert from it, N[start, v] / N[v, v] is the probability to ever come to v, so that one inverse
    answers for all: effect(v) = N[start, v] / N[v, v] * x[v] / x[start].
    """
    counts: dict[str, dict[tuple[str, str], int]] = {name: {} for name in DIMENSIONS}
    for dimension, from_state, to_state, count in transitions:
        counts[dimension][from_state, to_state] = count
    return {dimension: _effects(of) for dimension, of in counts.items()}


def _effects(counts: Mapping[tuple[str, str], int]) -> dict[str, float]:
    values = sorted({state for states in counts for state in states} - {START, CONVERSION, NO_CONVERSION})
    place = {state: number for number, state in enumerate([START, *values, CONVERSION, NO_CONVERSION])}
    matrix = np.zeros((len(values) + 1, len(place)))
    for (from_state, to_state), count in counts.items():
        matrix[place[from_state], place[to_state]] = count
    if not matrix[:, place[CONVERSION]].any():
        return dict.fromkeys(values, 0.0)
    probabilities = matrix / matrix.sum(axis=1, keepdims=True)
    visits = np.linalg.inv(np.eye(len(matrix)) - probabilities[:, : len(matrix)])
    converts = visits @ probabilities[:, place[CONVERSION]]
    effects = visits[0] / visits.diagonal() * converts / converts[0]
    return {value: float(effects[place[value]]) for value in values}


def touchpoints(
    web_sessions: DataFrame, orders: DataFrame, as_of: date, period_days: int, lookback_days: int
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
        conversions(sessions, orders, as_of, period_days)
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


def conversions(sessions: DataFrame, orders: DataFrame, as_of: date, period_days: int) -> DataFrame:
    """One row per web order of the period: order_id, amount, converted_micros, persons whose sessions lead to it."""
    ordered_in = (
        sessions.select(F.explode("order_ids").alias("order_id"), "micros", "session_id", "person", "visitor")
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
        .where((F.col("sold_by") == "web") | F.col("session").isNotNull())
        .select(
            "order_id",
            "amount",
            # an order may be recorded to the minute, and so before the session that completed it
            F.greatest(F.unix_micros("ordered_at"), F.col("session.micros")).alias("converted_micros"),
            F.array_distinct(F.array_compact(persons)).alias("persons"),
        )
    )


def with_weights(half_life_days: float) -> Step:
    """Adds weight_<rule>: the part of the touchpoint in its conversion."""
    place, count = F.col("place"), F.greatest("count_touchpoints", F.lit(1))
    is_end = (place == 1) | (place == count)
    decay = F.pow(F.lit(2.0), -F.coalesce("days_before_last", F.lit(0.0)) / half_life_days).cast(WEIGHT)
    weights = {
        "first": (place == 1).cast("int"),
        "last": (place == count).cast("int"),
        "linear": F.lit(1.0) / count,
        # by the exact sum of decimals, which no order of the rows changes
        "time_decay": decay.cast("double") / F.sum(decay).over(Window.partitionBy("order_id")).cast("double"),
        "position": F.when(count <= 2, F.lit(1.0) / count)
        .when(is_end, F.lit(0.4))
        .otherwise(F.lit(0.2) / F.greatest(count - 2, F.lit(1))),
    }
    return lambda touches: touches.withColumns({f"weight_{rule}": w.cast(WEIGHT) for rule, w in weights.items()})


def with_credits(touches: DataFrame) -> DataFrame:
    """Adds conversions_<rule> and revenue_<rule>: the weighted parts; the last touchpoint has what is left over."""
    of_order, is_last = Window.partitionBy("order_id"), F.col("place") >= F.col("count_touchpoints")
    totals = {"conversions": F.lit(1).cast(CONVERSIONS), "revenue": F.col("amount").cast(MONEY)}
    parts, settled = {}, {}
    for rule in RULES:
        for measure, total in totals.items():
            name = f"{measure}_{rule}"
            parts[name] = (total * F.col(f"weight_{rule}")).cast(MEASURES[measure])
            settled[name] = F.col(name) + F.when(is_last, total - F.sum(name).over(of_order)).otherwise(F.lit(0))
    return touches.withColumns(parts).withColumns(settled)


def credits_by_value(touches: DataFrame) -> DataFrame:
    """One row per model, dimension, value and is_touched: conversions, revenue. Markov's are yet those of last."""
    models = [
        F.struct(F.lit(model).alias("model"), *[F.col(f"{measure}_{rule}").alias(measure) for measure in MEASURES])
        for model, rule in {**{rule: rule for rule in RULES}, "markov": "last"}.items()
    ]
    values = [
        F.struct(F.lit(name).alias("dimension"), F.coalesce(name, F.lit(nothing)).alias("value"))
        for name, nothing in DIMENSIONS.items()
    ]
    sums = [F.sum(name).alias(name) for rule in RULES for name in (f"conversions_{rule}", f"revenue_{rule}")]
    return (
        touches.withColumn("is_touched", F.col("count_touchpoints") > 0)
        .groupBy("channel", "campaign", "is_touched")
        .agg(*sums)
        .select("is_touched", F.array(*models).alias("models"), F.inline(F.array(*values)))
        .select("is_touched", "dimension", "value", F.inline("models"))
        .groupBy("model", "dimension", "value", "is_touched")
        .agg(*[F.sum(measure).alias(measure) for measure in MEASURES])
    )


def with_effects(effects: Mapping[str, Mapping[str, float]]) -> Step:
    """Each credit beside each value that has an effect in its dimension, and (effect null) beside its own value."""
    rows: list[dict[str, object]] = [{"value": None}]
    for dimension, of in effects.items():
        total = sum(of.values()) or 1.0
        rows += [
            {"in_dimension": dimension, "value": value, "effect": effect, "share": effect / total}
            for value, effect in of.items()
        ]
    schema = "array<struct<in_dimension: string, value: string, effect: double, share: double>>"
    beside = F.inline(F.from_json(F.lit(json.dumps(rows)), schema))
    is_spread = (F.col("model") == "markov") & F.col("is_touched")
    is_own = F.col("effect").isNull()
    return lambda credits: (
        credits.withColumnRenamed("value", "own_value")
        .withColumn("is_spread", is_spread)
        .select("*", beside)
        .where((is_own & ~F.col("is_spread")) | (F.col("in_dimension") == F.col("dimension")))
        .withColumn("value", F.coalesce("value", "own_value"))
    )


def spread_by_effect(credits: DataFrame) -> DataFrame:
    """One row per model, dimension and value: what is its own, and its part of what is spread among all."""
    is_own, is_spread = F.col("effect").isNull(), F.col("is_spread") & F.col("effect").isNotNull()
    in_all = Window.partitionBy("model", "dimension")
    greatest_first = in_all.orderBy(F.desc_nulls_last("share"), "value")
    own = {f"own_{m}": F.sum(F.when(is_own, F.col(m)).otherwise(0)).cast(t) for m, t in MEASURES.items()}
    spread = {f"spread_{m}": F.sum(F.when(is_spread, F.col(m)).otherwise(0)).cast(t) for m, t in MEASURES.items()}
    part = {f"part_{m}": (F.col(f"spread_{m}") * F.col("share").cast(WEIGHT)).cast(t) for m, t in MEASURES.items()}

    def attributed(measure: str) -> Column:
        part = F.coalesce(f"part_{measure}", F.lit(0))
        left_over = F.max(f"spread_{measure}").over(in_all) - F.sum(part).over(in_all)
        return F.col(f"own_{measure}") + part + F.when(F.col("place") == 1, left_over).otherwise(F.lit(0))

    return (
        credits.groupBy("model", "dimension", "value")
        .agg(
            *[column.alias(name) for name, column in {**own, **spread}.items()],
            F.max("share").alias("share"),
            F.max(F.when(F.col("model") == "markov", F.col("effect"))).alias("removal_effect"),
        )
        .withColumns({**part, "place": F.row_number().over(greatest_first)})
        .withColumns({f"attributed_{measure}": attributed(measure) for measure in MEASURES})
    )


def share_of_all(name: str) -> Column:
    total = F.sum(name).over(Window.partitionBy("model", "dimension")).cast("double")
    return F.col(name).cast("double") / F.nullif(total, F.lit(0.0))


def converted_paths(
    web_sessions: DataFrame, orders: DataFrame, as_of: date, period_days: int, lookback_days: int
) -> DataFrame:
    """One row per touchpoint of each conversion: its values, those before it, and whether it ends the path."""
    in_time = Window.partitionBy("order_id").orderBy("place")
    return (
        touchpoints(web_sessions, orders, as_of, period_days, lookback_days)
        .where("count_touchpoints > 0")
        .withColumns({f"{name}_before": F.lag(name).over(in_time) for name in DIMENSIONS})
        .withColumn("is_end", F.col("place") == F.col("count_touchpoints"))
        .select(*PATH, F.lit(CONVERSION).alias("end_state"))
    )


def other_paths(
    web_sessions: DataFrame, orders: DataFrame, as_of: date, period_days: int, lookback_days: int
) -> DataFrame:
    """One row per session of the period that is no touchpoint, as `converted_paths` has them."""
    sessions = web_sessions.transform(sessions_between(as_of, period_days + lookback_days))
    converted = conversions(sessions, orders, as_of, period_days).select(
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


PATH = ("channel", "channel_before", "campaign", "campaign_before", "is_end")


def step_to(name: str) -> Column:
    before = F.coalesce(f"{name}_before", F.lit(START))
    return F.struct(F.lit(name).alias("dimension"), before.alias("from_state"), F.col(name).alias("to_state"))


def step_out_of(name: str) -> Column:
    last = F.when(F.col("is_end"), F.col(name))
    return F.struct(F.lit(name).alias("dimension"), last.alias("from_state"), F.col("end_state").alias("to_state"))
