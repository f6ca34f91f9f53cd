"""The days that the demo covers, and arithmetic on instants."""

from datetime import date, datetime

from pyspark.sql import Column
from pyspark.sql import functions as F

FIRST_DAY = date(2010, 12, 1)
LAST_DAY = date(2011, 12, 9)
FIRST_PROFILE = datetime(2009, 1, 1, 9)
MINUTE, HOUR, DAY = 60, 3600, 86400


def instant(at: datetime) -> Column:
    return F.lit(at.strftime("%Y-%m-%d %H:%M:%S")).cast("timestamp")


def end() -> Column:
    """The last instant that anything may carry."""
    return instant(datetime(2011, 12, 9, 23, 59, 59))


def start() -> Column:
    return instant(datetime(2010, 12, 1))


def later(at: Column | str, seconds: Column | float) -> Column:
    """The instant that many seconds after `at`, to the second."""
    begun = F.unix_timestamp(F.col(at) if isinstance(at, str) else at)
    return F.timestamp_seconds(begun + (seconds if isinstance(seconds, Column) else F.lit(seconds)).cast("long"))


def days_between(later_at: Column | str, earlier_at: Column | str) -> Column:
    """Days, with fractions."""

    def seconds(at: Column | str) -> Column:
        return F.unix_timestamp(F.col(at) if isinstance(at, str) else at)

    return (seconds(later_at) - seconds(earlier_at)) / F.lit(float(DAY))


def at_hour(day: Column, hour: Column) -> Column:
    """The instant of a day at an hour, which may hold a fraction."""
    return later(day.cast("date").cast("timestamp"), hour * HOUR)


def as_text(at: Column | str, pattern: str = "yyyy-MM-dd HH:mm:ss") -> Column:
    return F.date_format(F.col(at) if isinstance(at, str) else at, pattern)
