"""gold.funnel: how far web sessions get on the way from the visit to the order, by month."""

from collections.abc import Callable
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.gold.dimensions import in_dimensions, with_segment

FUNNEL = Table(
    name="gold.funnel",
    grain="one row per as_of, month, dimension, value and step, over the months and values with a session",
    key=("as_of", "month", "dimension", "value", "step"),
    partitioned_by=("as_of",),
    columns=(
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("month", T.DateType(), "first day of the month in which the sessions began, in the lake's time zone"),
        Field("is_whole_month", T.BooleanType(), "as_of is not before the month's last day"),
        Field("dimension", T.StringType(), "all, channel, device, campaign or segment"),
        Field("value", T.StringType(), "value of the dimension; all for all, none without a campaign, else unknown"),
        Field("step", T.StringType(), "visit, view, cart, checkout or order"),
        Field("step_number", T.IntegerType(), "1 for visit to 5 for order"),
        Field("count_sessions", T.LongType(), "sessions that reached the step or a later one"),
        Field("reached_share", T.DoubleType(), "of all visits", unit="share"),
        Field(
            "continued_share",
            T.DoubleType(),
            "of the sessions that reached the step before; null for visit and where none did",
            unit="share",
        ),
        Field("count_dropped", T.LongType(), "sessions that reached the step before and not this one; null for visit"),
        Field("dropped_share", T.DoubleType(), "1 - continued_share", unit="share"),
        Field(
            "median_seconds_from_previous",
            T.DoubleType(),
            "median, over whole seconds, of the time from the first event of the step before to the first of this, "
            "in sessions that took both in this order; null without one",
            unit="seconds",
        ),
    ),
)

STEPS = ("visit", "view", "cart", "checkout", "order")


def funnel(web_sessions: DataFrame, segments: DataFrame | None = None, *, as_of: date) -> DataFrame:
    """Count the sessions of each month that reached each step. Takes gold.web_sessions up to and including `as_of`.

    segments: customer_id and segment, one row per customer as known on `as_of`; without it the dimension is left out.
    A step counts as reached when it or a later one was taken (who orders again from a list views no product), so that
    no step has more sessions than the step before.
    """
    return (
        web_sessions.transform(steps_taken(as_of))
        .transform(with_segment(segments))
        .transform(by_dimension(has_segments=segments is not None))
        .groupBy("month", "dimension", "value")
        .agg(F.array(*[step_figures(number) for number in range(len(STEPS))]).alias("steps"))
        .select("month", "dimension", "value", F.inline("steps"))
        .transform(compare_with_previous)
        .withColumns({"as_of": F.lit(as_of), "is_whole_month": F.last_day("month") <= F.lit(as_of)})
        .transform(FUNNEL.conform)
    )


def steps_taken(as_of: date) -> Callable[[DataFrame], DataFrame]:
    """Sessions begun by `as_of` (UTC), with seconds_to_<step> of the steps taken by then and reached_<step>."""

    def taken(web_sessions: DataFrame) -> DataFrame:
        until = F.unix_micros(F.lit(as_of + timedelta(days=1)).cast("timestamp"))
        seconds_left = (until - F.unix_micros("started_at")) / 1_000_000
        in_time = {s: F.when(F.col(f"seconds_to_{s}") < seconds_left, F.col(f"seconds_to_{s}")) for s in STEPS[1:]}
        return (
            web_sessions.where(seconds_left > 0)
            .withColumn("month", F.col("started_month"))
            .withColumns({"seconds_to_visit": F.lit(0.0), **{f"seconds_to_{s}": c for s, c in in_time.items()}})
            .withColumns({f"reached_{step}": is_reached(number) for number, step in enumerate(STEPS)})
        )

    return taken


def is_reached(number: int) -> Column:
    return F.coalesce(*[F.col(f"seconds_to_{step}") for step in STEPS[number:]]).isNotNull()


def by_dimension(*, has_segments: bool) -> Callable[[DataFrame], DataFrame]:
    """One row per session and dimension."""
    names = ("channel", "device", "campaign", *(["segment"] if has_segments else []))
    campaign = F.coalesce("campaign_id", F.lit("none"))
    return lambda sessions: sessions.withColumn("campaign", campaign).transform(in_dimensions(*names))


def step_figures(number: int) -> Column:
    step = STEPS[number]
    seconds = F.col(f"seconds_to_{step}") - F.col(f"seconds_to_{STEPS[number - 1]}") if number else F.lit(None)
    whole = F.floor(seconds.cast("double"))  # few different values, so that exact medians of many sessions stay small
    return F.struct(
        F.lit(step).alias("step"),
        F.lit(number + 1).alias("step_number"),
        F.count_if(F.col(f"reached_{step}")).alias("count_sessions"),
        F.median(F.when(whole >= 0, whole.cast("double"))).alias("median_seconds_from_previous"),
    )


def compare_with_previous(steps: DataFrame) -> DataFrame:
    """Adds each step's shares of the visits and of the step before."""
    in_order = Window.partitionBy("month", "dimension", "value").orderBy("step_number")
    before, sessions = F.col("count_before"), F.col("count_sessions")
    return steps.withColumns(
        {
            "count_before": F.lag("count_sessions").over(in_order),
            "count_visits": F.first("count_sessions").over(in_order),
        }
    ).withColumns(
        {
            "reached_share": sessions / F.col("count_visits"),
            "continued_share": sessions / F.nullif(before, F.lit(0)),
            "count_dropped": before - sessions,
            "dropped_share": (before - sessions) / F.nullif(before, F.lit(0)),
        }
    )
