"""A feed's records in silver: typed, held against the contract, and of each key the newest that was received."""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.checks import POSSIBLE, Check, InRange, NotNull, OneOf, Reads, WellFormed
from customerlake.contracts.quarantine import kept_as_received, quarantine
from customerlake.contracts.source import Received, Source
from customerlake.contracts.table import Field, Table
from customerlake.runtime.feeds import Feed
from customerlake.silver.cleaning.dates import day, instant
from customerlake.silver.cleaning.duplicates import newest_by_key
from customerlake.silver.cleaning.money import currency_code
from customerlake.silver.cleaning.numbers import number, whole_number, without_zero_decimals, yes_or_no
from customerlake.silver.cleaning.texts import trimmed

MONTH = "happened_month"
Typed = Callable[[DataFrame], DataFrame]


def silver_table(
    source: Source,
    name: str,
    *,
    checks: tuple[Check, ...] = (),
    measured: tuple[Check, ...] = (),
    more: tuple[Field, ...] = (),
) -> Table:
    """The table of a feed's typed records. Events are kept apart by month, states carry whether they were deleted.

    The contract gives its checks; `checks` are those that it says in words alone. `more` are columns that
    are made of the record's own.
    """
    technical = [
        Field(
            "count_received", T.LongType(), "records received of this key: repeated ones and older states among them"
        ),
        Field("_source_file", T.StringType(), "where the record that holds came from"),
        Field("_line_number", T.LongType(), "its line there"),
        Field("_batch", T.LongType(), "landing that last brought a record of the key"),
    ]
    if source.is_event:
        technical.insert(0, Field(MONTH, T.DateType(), "first day of the month of the event, by which files lie apart"))
    else:
        technical.insert(0, Field("is_deleted", T.BooleanType(), "the source no longer has it"))
    return Table(
        name=name,
        grain=f"one row per {', '.join(source.key)}, as last received",
        key=source.key,
        partitioned_by=(MONTH,) if source.is_event else (),
        columns=(*[Field(c.name, c.type, c.doc, c.unit, c.personal) for c in source.columns], *more, *technical),
        checks=(*_checks(source), *checks),
        measured=measured,
    )


def typed_by(source: Source, feed: Feed, *, time_zone: str, currency: str) -> Typed:
    """Records as received -> the typed columns of silver beside `received_<column>` of each that is no text.

    Constants of the lake file stand in for columns that the source lacks; a currency that is not said is the lake's.
    """
    zone = feed.time_zone or time_zone

    def typed(received: DataFrame) -> DataFrame:
        texts = {c.name: _text(c, source, feed, currency) for c in source.columns}
        kept = {f"received_{c.name}": F.col(c.name) for c in source.columns if not isinstance(c.type, T.StringType)}
        return (
            received.withColumns(texts)
            .withColumns(kept)
            .withColumns({c.name: _typed(c, feed, zone) for c in source.columns})
        )

    return typed


def accepted_records(received: DataFrame, source: Source, table: Table, typed: Typed) -> DataFrame:
    """The newest sound record of each key among those received, with count_received; deletions pass unchecked."""
    if source.is_event:  # which is never taken back
        sound, _ = quarantine(received.transform(typed), table)
    else:
        is_deleted = F.coalesce("_is_deleted", F.lit(False))
        checked, _ = quarantine(received.where(~is_deleted).transform(typed), table)
        sound = checked.unionByName(received.where(is_deleted).transform(typed))
    return (
        sound.transform(newest_by_key(key=source.key, at=source.at))
        .withColumns(_technical(source))
        .transform(table.conform)
    )


def rejected_records(received: DataFrame, source: Source, table: Table, typed: Typed) -> DataFrame:
    """The records that break a rule, each as received, as the quarantine keeps them."""
    whole = received.where(~F.coalesce("_is_deleted", F.lit(False))).withColumn(
        "received", F.struct(*source.column_names, "_extra")
    )
    _, rejected = quarantine(whole.transform(typed), table)
    return kept_as_received(rejected, table)


def first_instant(received: DataFrame, source: Source, typed: Typed) -> DataFrame:
    """One row, first_micros: the earliest event in microseconds of Unix time; null without one."""
    at = F.col(source.at or "").cast("timestamp")
    return received.transform(typed).agg(F.unix_micros(F.min(at)).alias("first_micros"))


LATER_LANDING = "arrived._batch > known._batch"


def newer_survives(source: Source, table: Table) -> dict[str, str]:
    """How a known record takes in a later landing: its values are taken when they are not older.

    A landing that is taken twice changes nothing, and the order in which landings come does not show.
    """
    newer = f"arrived.{source.at} >= known.{source.at}" if source.at else "true"
    if not source.is_event and source.at:  # a record that comes back after it was deleted may be as old as it was
        newer = f"({newer} OR (known.is_deleted AND NOT arrived.is_deleted))"
    values = [
        name for name in table.column_names if name not in (*source.key, "count_received", "_batch", "is_deleted")
    ]
    keeps = f"{newer} AND NOT arrived.is_deleted" if "is_deleted" in table.column_names else newer
    update = {name: f"CASE WHEN {keeps} THEN arrived.{name} ELSE known.{name} END" for name in values}
    if "is_deleted" in table.column_names:
        update["is_deleted"] = f"CASE WHEN {newer} THEN arrived.is_deleted ELSE known.is_deleted END"
        if source.at:
            update[source.at] = f"greatest(arrived.{source.at}, known.{source.at})"
    return update | {"count_received": "known.count_received + arrived.count_received", "_batch": "arrived._batch"}


def _technical(source: Source) -> dict[str, Column]:
    if source.is_event:
        return {MONTH: F.trunc(F.col(source.at or "").cast("date"), "month")}
    return {"is_deleted": F.coalesce("_is_deleted", F.lit(False))}


def _text(column: Received, source: Source, feed: Feed, currency: str) -> Column:
    """What was received, trimmed; of a column that the source lacks, the lake file's constant."""
    if column.name in feed.constants:
        return F.lit(feed.constants[column.name])
    if column.name not in feed.names(source):
        return F.lit(currency if column.name == "currency" else None).cast("string")
    text = trimmed(column.name)
    if column.name == "currency":
        return F.coalesce(currency_code(text), F.upper(text), F.lit(currency))
    return F.lower(text) if column.one_of else text


def _typed(column: Received, feed: Feed, zone: str) -> Column:
    text, kind = F.col(column.name), column.type
    if isinstance(kind, T.TimestampType):
        return instant(text, pattern=feed.timestamp_format, time_zone=zone)
    if isinstance(kind, T.DateType):
        return F.coalesce(*[day(text, pattern=one) for one in (feed.date_format, *feed.other_date_formats)])
    if isinstance(kind, T.BooleanType):
        return yes_or_no(text)
    if isinstance(kind, T.IntegerType | T.LongType):
        return whole_number(text).try_cast(kind)
    if isinstance(kind, T.NumericType):
        return number(text, kind, decimal_comma=feed.decimal_comma)
    return without_zero_decimals(text) if column.name == "customer_id" else text


EXPECTED: dict[type[T.DataType], str] = {
    T.TimestampType: "a date and time that exists",
    T.DateType: "a day that exists",
    T.BooleanType: "yes or no",
    T.IntegerType: "a whole number",
    T.LongType: "a whole number",
    T.DecimalType: "a number",
    T.DoubleType: "a number",
}


def _checks(source: Source) -> list[Check]:
    checks: list[Check] = [WellFormed("_problem")]
    for column in source.columns:
        is_text = isinstance(column.type, T.StringType)
        if column.name in source.required:
            checks.append(NotNull(column.name if is_text else f"received_{column.name}", called=column.name))
        if not is_text:
            checks.append(Reads(column.name, f"received_{column.name}", EXPECTED[type(column.type)]))
        if column.name == source.at:
            checks.append(InRange(column.name, *POSSIBLE))
        if column.one_of:
            checks.append(OneOf(column.name, column.one_of))
    return checks
