"""Rows that say the same: alike in every column, of one key, or one event sent twice within seconds."""

from collections.abc import Callable, Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.window import WindowSpec

Step = Callable[[DataFrame], DataFrame]


def distinct_rows(*, same: Sequence[str], first_by: Sequence[str]) -> Step:
    """Of rows that are alike in the columns `same`, the one that is least by `first_by`, which no two of them share.

    Grain:   one row per values of `same`; null is a value like another.
    Adds:    count_received [rows]. The columns that are not in `same` are those of the row that stays.
    """
    alike = Window.partitionBy(*same)
    return _first_of(alike, alike.orderBy(*first_by))


def newest_by_key(*, key: Sequence[str], at: str | None) -> Step:
    """Of the rows of one key the newest by `at`, then by where it came from.

    Needs:   _source_file and _line_number, which decide between rows of one instant.
    Adds:    count_received [rows].
    """
    of_key = Window.partitionBy(*key)
    instant = [F.desc_nulls_last(at)] if at else []
    newest_first = of_key.orderBy(*instant, F.desc("_source_file"), F.desc("_line_number"))
    return _first_of(of_key, newest_first)


def near_duplicates(events: DataFrame, *, id: str, same: Sequence[str], at: str, within_seconds: float) -> DataFrame:
    """Mark the events that repeat the event before: alike in `same`, and at most so many seconds after it.

    A chain of repeats is one event, however long it lasts; its first is the event that holds. Null in `same` is a value
    like another. An event without an instant repeats nothing.
    Needs:   `id`, unique among the events: it orders those of one instant.
    Adds:    is_near_duplicate, duplicate_of (the id of the chain's first; null for an event that repeats none).
    """
    before = Window.partitionBy(*same).orderBy(at, id)
    up_to_here = before.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    micros = F.unix_micros(at)
    gap = micros - F.lag(micros).over(before)
    repeats = F.coalesce(gap <= F.lit(round(within_seconds * 1_000_000)), F.lit(False))
    first = F.last(F.when(~F.col("is_near_duplicate"), F.col(id)), ignorenulls=True).over(up_to_here)
    return events.withColumn("is_near_duplicate", repeats).withColumn(
        "duplicate_of", F.when(F.col("is_near_duplicate"), first)
    )


def _first_of(alike: WindowSpec, in_order: WindowSpec) -> Step:
    place, count = F.row_number().over(in_order), F.count("*").over(alike)

    def first(rows: DataFrame) -> DataFrame:
        return rows.withColumns({"_place": place, "count_received": count}).where("_place = 1").drop("_place")

    return first
