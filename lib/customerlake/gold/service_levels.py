"""gold.service_levels: what the service desk took in, solved and left open each month, and how fast."""

from collections.abc import Callable
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.gold.dimensions import in_dimensions, with_segment

COUNT, SHARE, HOURS = T.LongType(), T.DoubleType(), T.DoubleType()
SERVICE_LEVELS = Table(
    name="gold.service_levels",
    grain="one row per calendar month from a value's first ticket to as_of, value of a dimension, and as_of",
    key=("month", "dimension", "value", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("month", T.DateType(), "first day of the month"),
        Field("dimension", T.StringType(), "all, channel, category, priority or segment: the customer's as of as_of"),
        Field("value", T.StringType(), "value of the dimension; `unknown` where there is none"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("count_opened", COUNT, "tickets opened in the month"),
        Field("count_solved", COUNT, "tickets (last) solved in the month, whenever opened"),
        Field("count_open_at_end", COUNT, "tickets open at the end of the month, or of as_of when that is before"),
        Field("median_first_response_hours", HOURS, "of the tickets opened in the month and answered", unit="hours"),
        Field("p90_first_response_hours", HOURS, "its 90th percentile", unit="hours"),
        Field("median_resolution_hours", HOURS, "opening to last solution of tickets solved in it", unit="hours"),
        Field("p90_resolution_hours", HOURS, "its 90th percentile", unit="hours"),
        Field("reopened_share", SHARE, "tickets solved in the month that had been opened again", unit="share"),
        Field(
            "answered_in_time_share",
            SHARE,
            "tickets opened in the month that were first answered within target_hours; those that still can be are "
            "left out",
            unit="share",
        ),
        Field("target_hours", HOURS, "time within which a ticket is to be answered first", unit="hours"),
    ),
)
DIMENSIONS = ("channel", "category", "priority")
MICROS_PER_HOUR = 3_600_000_000


def service_levels(
    tickets: DataFrame, segments: DataFrame | None = None, *, as_of: date, target_hours: float = 24.0
) -> DataFrame:
    """Count tickets by month, in all and by several dimensions, as they stood at the end of `as_of`.

    Takes:   tickets with customer_id as resolved; `segments` (customer_id, segment), one row per customer, or None:
             then there are no rows of the dimension segment.
    Response is told by the month of opening and resolution by the month of solution: the latter so that tickets which
    are still open do not make the last months look fast. Percentiles are exact and interpolated. Times that run
    backwards are left out of them.
    """
    dimensions = DIMENSIONS if segments is None else (*DIMENSIONS, "segment")
    return (
        tickets.transform(tickets_until(as_of))
        .withColumn("is_in_time", is_answered_in_time(as_of, target_hours))
        .transform(with_segment(segments))
        .transform(in_dimensions(*dimensions))
        .transform(openings_and_solutions)
        .transform(figures_by_month)
        .transform(every_month_until(as_of))
        .transform(open_at_month_end)
        .withColumns({"as_of": F.lit(as_of), "target_hours": F.lit(target_hours)})
        .transform(SERVICE_LEVELS.conform)
    )


def tickets_until(as_of: date) -> Callable[[DataFrame], DataFrame]:
    """The tickets opened by `as_of`, as they stood at its end, as far as their last state tells.

    Adds:    opened_on, answered_at (first response) and ended_at (last solution), both null when not by then;
             response_hours and resolution_hours (null when they run backwards); times_reopened.
    A ticket whose last change is after as_of was, until its solution, open; that it had been solved and opened again
    before is not known from its last state. One that is solved without an instant is solved at its last change. What
    the source took back is left out.
    """
    end = F.lit(as_of)
    changed_later = F.col("updated_at").cast("date") > end
    is_over = F.col("status").isin("solved", "closed")
    solved_at = F.when(is_over, F.coalesce("solved_at", "updated_at")).when(changed_later, F.col("solved_at"))
    # how often a ticket was opened again is known when its last state, or the end of its last round, is of before
    reopened = F.when(~changed_later | (is_over & F.col("ended_at").isNotNull()), F.col("count_reopened"))

    def until(tickets: DataFrame) -> DataFrame:
        return (
            tickets.where(~F.coalesce("is_deleted", F.lit(False)))
            .withColumns({"opened_on": F.col("opened_at").cast("date"), "solved": solved_at})
            .where(F.col("opened_on") <= end)
            .withColumns(
                {
                    "answered_at": F.when(F.col("first_response_at").cast("date") <= end, F.col("first_response_at")),
                    "ended_at": F.when(F.col("solved").cast("date") <= end, F.col("solved")),
                }
            )
            .withColumns(
                {
                    "response_hours": _hours("opened_at", "answered_at"),
                    "resolution_hours": _hours("opened_at", "ended_at"),
                    "times_reopened": F.coalesce(reopened, F.lit(0)),
                }
            )
            .drop("solved")
        )

    return until


def is_answered_in_time(as_of: date, target_hours: float) -> Column:
    """Whether the first answer came within the target; null while it still can, or when its time runs backwards."""
    end = F.lit(as_of + timedelta(days=1)).cast("timestamp")
    waits = (F.unix_micros(end) - F.unix_micros("opened_at")) / MICROS_PER_HOUR
    return F.when(F.col("answered_at").isNotNull(), F.col("response_hours") <= target_hours).when(
        waits > target_hours, F.lit(False)
    )


def openings_and_solutions(tickets: DataFrame) -> DataFrame:
    """Each ticket once in the month of its opening and, when solved, once in that of its solution.

    Grain:   one row per ticket, value and event. Adds: month, is_opening.
    """
    opening = F.struct(F.trunc("opened_on", "month").alias("month"), F.lit(True).alias("is_opening"))
    solved_in = F.trunc(F.col("ended_at").cast("date"), "month")
    solution = F.struct(solved_in.alias("month"), F.lit(False).alias("is_opening"))
    figures = ("response_hours", "resolution_hours", "times_reopened", "is_in_time")
    return tickets.select("dimension", "value", *figures, F.inline(F.array(opening, solution))).where(
        F.col("month").isNotNull()
    )


def figures_by_month(events: DataFrame) -> DataFrame:
    opened, solved = F.col("is_opening"), ~F.col("is_opening")
    response, resolution = F.when(opened, F.col("response_hours")), F.when(solved, F.col("resolution_hours"))
    return events.groupBy("dimension", "value", "month").agg(
        F.count_if(opened).alias("count_opened"),
        F.count_if(solved).alias("count_solved"),
        F.percentile(response, F.lit(0.5)).alias("median_first_response_hours"),
        F.percentile(response, F.lit(0.9)).alias("p90_first_response_hours"),
        F.percentile(resolution, F.lit(0.5)).alias("median_resolution_hours"),
        F.percentile(resolution, F.lit(0.9)).alias("p90_resolution_hours"),
        F.mean(F.when(solved, (F.col("times_reopened") > 0).cast("double"))).alias("reopened_share"),
        F.mean(F.when(opened, F.col("is_in_time").cast("double"))).alias("answered_in_time_share"),
    )


def every_month_until(as_of: date) -> Callable[[DataFrame], DataFrame]:
    """Put a row on every month from a value's first to that of `as_of`: a backlog stays when nothing happens."""
    last = F.lit(as_of.replace(day=1))

    def filled(figures: DataFrame) -> DataFrame:
        months = (
            figures.groupBy("dimension", "value")
            .agg(F.min("month").alias("first"))
            .select(
                "dimension", "value", F.explode(F.sequence("first", last, F.expr("interval 1 month"))).alias("month")
            )
        )
        return months.join(figures, on=["dimension", "value", "month"], how="left").na.fill(
            0, ["count_opened", "count_solved"]
        )

    return filled


def open_at_month_end(figures: DataFrame) -> DataFrame:
    so_far = (
        Window.partitionBy("dimension", "value")
        .orderBy("month")
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    return figures.withColumn("count_open_at_end", F.sum(F.col("count_opened") - F.col("count_solved")).over(so_far))


def _hours(since: str, until: str) -> Column:
    hours = (F.unix_micros(until) - F.unix_micros(since)) / MICROS_PER_HOUR
    return F.when(hours >= 0, hours)
