"""Instants and days out of text. What cannot be read is null; a check then says so."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.runtime.feeds import EPOCHS

OLDEST = 120  # years of age; a birth date that makes a person older is none (the longest life documented: 122)
DAY_IN_DIGITS = r"^\s*([0-9]{1,2})[./ -]([0-9]{1,2})[./ -]([0-9]{4}|[0-9]{2})(?:[^0-9].*)?$"


@dataclass(frozen=True)
class DayMonthOrder:
    """In which order a feed writes day and month, and what that was seen by, in words."""

    order: Literal["day first", "month first", "undecided", "mixed"]
    evidence: str


def instant(text: Column, *, pattern: str, time_zone: str) -> Column:
    """The instant, in UTC, that a text in a feed's pattern and time zone means.

    `pattern` is Spark's, or epoch_seconds or epoch_millis, which need no time zone. Text as databases and typed files
    write it (yyyy-MM-dd HH:mm:ss, with a fraction or without) is read as well, whatever the pattern.
    """
    if pattern in EPOCHS:
        count = text.try_cast("decimal(20,3)") / (1 if pattern == "epoch_seconds" else 1000)
        return F.timestamp_micros((count * 1_000_000).try_cast("long"))
    return F.to_utc_timestamp(local_time(text, pattern=pattern), time_zone)


def local_time(text: Column, *, pattern: str) -> Column:
    """The time of day on the spot that a text says, as a timestamp without its zone taken into account."""
    return F.coalesce(F.try_to_timestamp(text, F.lit(pattern)), _by_machine(text))


def day(text: Column, *, pattern: str) -> Column:
    """The day that a text says, in a pattern of Spark's or as yyyy-MM-dd."""
    return F.to_date(local_time(text, pattern=pattern))


def day_within(text: Column, *, patterns: Sequence[str], earliest: date, latest: date) -> Column:
    """The day that a text says in the first of a feed's patterns that reads it, or as yyyy-MM-dd.

    Null before `earliest` or after `latest`, which takes out the 0001-01-01 and 9999-12-31 that systems send for no
    day. A year of two digits (yy) is the newest whose day is not after `latest`: with 2024-06-30, 30.06.24 is in 2024
    and 01.07.24 in 1924.
    """
    read = F.to_date(F.coalesce(*[_in_pattern(text, pattern, latest) for pattern in patterns], _by_machine(text)))
    return F.when(read.between(F.lit(earliest), F.lit(latest)), read)


def birth_day(text: Column, *, patterns: Sequence[str], as_of: date) -> Column:
    """`day_within` the years that a person alive can be born in: never after `as_of`."""
    return day_within(text, patterns=patterns, earliest=date(as_of.year - OLDEST, 1, 1), latest=as_of)


def instant_within(text: Column, *, patterns: Sequence[str], time_zone: str, earliest: date, latest: date) -> Column:
    """`instant`, with patterns and years as in `day_within`; null where its day on the spot is out of range.

    Of epoch_seconds and epoch_millis the first that gives a day in the range is meant.
    """

    def kept(read: Column) -> Column:
        local_day = F.to_date(F.from_utc_timestamp(read, time_zone))
        return F.when(local_day.between(F.lit(earliest), F.lit(latest)), read)

    reads = [
        kept(instant(text, pattern=pattern, time_zone=time_zone))
        if pattern in EPOCHS
        else F.to_utc_timestamp(_in_pattern(text, pattern, latest), time_zone)
        for pattern in patterns
    ]
    return kept(F.coalesce(*reads, F.to_utc_timestamp(_by_machine(text), time_zone)))


def day_month_order(days: DataFrame, column: str, *, by: Sequence[str] = ()) -> DataFrame:
    """How many texts of digits are a day in one order of day and month alone: 31.12.2020 only with the day first.

    Grain:   one row per `by`; without it, one row.
    Adds:    only_day_first, only_month_first, both, neither [texts]. Years come last, of four digits or two; a text
             that is none of these, or an impossible day, is neither. Null is not counted.
    """
    text = F.col(column)
    first, second = (F.lpad(F.regexp_extract(text, DAY_IN_DIGITS, group), 2, "0") for group in (1, 2))
    year = F.right(F.concat(F.lit("20"), F.regexp_extract(text, DAY_IN_DIGITS, 3)), F.lit(4))
    return (
        days.where(text.isNotNull())
        .select(
            *by, _is_day(year, second, first).alias("_day_first"), _is_day(year, first, second).alias("_month_first")
        )
        .groupBy(*by)
        .agg(
            F.count_if(F.expr("_day_first AND NOT _month_first")).alias("only_day_first"),
            F.count_if(F.expr("_month_first AND NOT _day_first")).alias("only_month_first"),
            F.count_if(F.expr("_day_first AND _month_first")).alias("both"),
            F.count_if(F.expr("NOT _day_first AND NOT _month_first")).alias("neither"),
        )
    )


def decided_order(
    only_day_first: int, only_month_first: int, both: int, neither: int, *, tolerated_share: float = 0.0
) -> DayMonthOrder:
    """Decide by what `day_month_order` counted.

    Texts of the rarer order count as mistakes up to `tolerated_share` of those that one order alone can read.
    """
    decisive, rarer = only_day_first + only_month_first, min(only_day_first, only_month_first)
    evidence = (
        f"of {decisive + both + neither} texts, {only_day_first} are a day only with the day first, {only_month_first} "
        f"only with the month first, {both} with either first, {neither} with neither"
    )
    if not decisive:
        return DayMonthOrder("undecided", evidence)
    if rarer > tolerated_share * decisive:
        return DayMonthOrder("mixed", evidence)
    return DayMonthOrder("day first" if only_day_first > only_month_first else "month first", evidence)


def _in_pattern(text: Column, pattern: str, latest: date) -> Column:
    read = F.try_to_timestamp(text, F.lit(pattern))
    return _of_newest_century(read, latest) if re.search("(?<!y)yy(?!y)", pattern) else read


def _of_newest_century(read: Column, latest: date) -> Column:
    """The same moment of the same year of a century, the newest that is not after `latest`; null on no such 29 Feb."""
    century = latest.year // 100 * 100
    newest, older = (
        F.concat((first + F.year(read) % 100).cast("string"), F.substring(read.cast("string"), 5, 40)).try_cast(
            "timestamp"
        )
        for first in (F.lit(century), F.lit(century - 100))
    )
    return F.when(F.to_date(newest) <= F.lit(latest), newest).otherwise(older)


def _is_day(year: Column, month: Column, day: Column) -> Column:
    return F.concat_ws("-", year, month, day).try_cast("date").isNotNull()


def _by_machine(text: Column) -> Column:
    return F.when(text.rlike(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9:.]+)?$"), text.try_cast("timestamp"))
