"""Instants and days out of text. What cannot be read is null; a check then says so."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from customerlake.runtime.feeds import EPOCHS


def instant(text: Column, *, pattern: str, time_zone: str) -> Column:
    """The instant, in UTC, that a text in a feed's pattern and time zone means.

    `pattern` is Spark's, or epoch_seconds or epoch_millis, which need no time zone. Text as databases and typed files
    write it (yyyy-MM-dd HH:mm:ss, with a fraction or without) is read as well, whatever the pattern.
    """
    if pattern in EPOCHS:
        count = text.try_cast("decimal(20,3)") / (1 if pattern == "epoch_seconds" else 1000)
        return F.timestamp_micros((count * 1_000_000).cast("long"))
    return F.to_utc_timestamp(local_time(text, pattern=pattern), time_zone)


def local_time(text: Column, *, pattern: str) -> Column:
    """The time of day on the spot that a text says, as a timestamp without its zone taken into account."""
    return F.coalesce(F.try_to_timestamp(text, F.lit(pattern)), _as_written_by_machines(text))


def day(text: Column, *, pattern: str) -> Column:
    """The day that a text says, in a pattern of Spark's or as yyyy-MM-dd."""
    return F.to_date(local_time(text, pattern=pattern))


def _as_written_by_machines(text: Column) -> Column:
    return F.when(text.rlike(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9:.]+)?$"), text.try_cast("timestamp"))
