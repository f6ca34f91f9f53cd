"""The dates of a snapshot: on which of them an event was known, and how long before it happened."""

from collections.abc import Callable, Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def known_by(dates: Sequence[date], day: str = "ordered_on") -> Callable[[DataFrame], DataFrame]:
    """Each row once per date on which it was known, those of days after all dates not at all. Adds: as_of."""
    was_known = F.filter(array_of(dates), lambda one: one >= F.col(day))
    return lambda events: events.withColumn("as_of", F.explode(was_known))


def first_known(dates: Sequence[date], day: str = "ordered_on") -> Column:
    """The first date on which an event of that day was known; null when it is after all dates.

    What is summed up to each date needs no finer days, so that a customer has at most one row per date.
    """
    return F.array_min(F.filter(array_of(dates), lambda one: one >= F.col(day)))


def within(days: int, day: str = "ordered_on", *, after: int = 0) -> Column:
    """In the `days` up to as_of; or in those that end `after` days before it."""
    ago = F.datediff(F.col("as_of"), F.col(day))
    return (ago >= after) & (ago < after + days)


def in_last(days: int, counts: str | Column, day: str = "ordered_on", *, after: int = 0) -> Column:
    """The sum of whole numbers over the days that `within` names; 0 without any."""
    value = F.col(counts) if isinstance(counts, str) else counts
    return F.sum(F.when(within(days, day, after=after), value).otherwise(0))


def days_since(day: Column) -> Column:
    return F.datediff(F.col("as_of"), day)


def array_of(dates: Sequence[date]) -> Column:
    """The dates, each once, in order."""
    return F.array(*[F.lit(day) for day in sorted(set(dates))])
