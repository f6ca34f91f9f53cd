"""gold.attribution: which channels and campaigns the orders of the web shop are owed to, by six models."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta

import numpy as np
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY, Field, Table
from customerlake.gold.journeys import (
    CONVERSION,
    DIMENSIONS,
    NO_CONVERSION,
    START,
    WEB_SHOP,
    WebShop,
    touchpoints,
)

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

Step = Callable[[DataFrame], DataFrame]

RULES = ("first", "last", "linear", "time_decay", "position")
MEASURES = {"conversions": CONVERSIONS, "revenue": MONEY}


def attribution(
    web_sessions: DataFrame,
    orders: DataFrame,
    effects: Mapping[str, Mapping[str, float]],
    *,
    as_of: date,
    period_days: int = 365,
    lookback_days: int = 30,
    half_life_days: float = 7.0,
    shop: WebShop = WEB_SHOP,
) -> DataFrame:
    """Share each web order of the `period_days` up to `as_of`, and its amount, among the sessions that led to it.

    A conversion is a purchase by a channel of the web `shop`, or one that an order event names. Its touchpoints are the
    sessions begun in the `lookback_days` before it: of its customer, and of the visitor who ordered where they name
    nobody; the session that ordered is among them. A conversion without any is owed to channel unknown and campaign
    none.
    effects: `removal_effects` of the `transitions` for the same arguments.
    Models:  first, last: all to that touchpoint; linear: equal parts; time_decay: half for each `half_life_days`
             before the last; position: 0.4 first, 0.4 last, 0.2 among those between, halves for two; markov: all
             conversions that have touchpoints, by the removal effects. Parts are rounded, and what that leaves over
             is the last touchpoint's (markov: the value's of the greatest effect), so that each model sums to all.
    Source:  Anderl, Becker, von Wangenheim & Schumann (2016), "Mapping the customer journey: Lessons learned from
             graph-based online attribution modeling", International Journal of Research in Marketing 33(3).
    """
    return (
        touchpoints(web_sessions, orders, as_of, period_days, lookback_days, shop)
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
