"""Take from a table of a database what bronze does not hold yet.

A landing reads the rows from a while before the last watermark on, so rows of the same watermark and rows committed
late are among them, and takes each version of a row that bronze does not hold: versions are told apart by the digest of
the row's text. So nothing hangs on where a landing was killed: bronze itself says what has been taken, and
bronze.watermarks only spares reading the table from its start. Without its rows of a feed the table is read once from
its start, and nothing is taken twice.

What is found, and when:
- A row whose watermark grew, or that was committed up to `late_minutes` after the instant that its watermark says. Of a
  watermark that is a number, the window reaches back to a landing that began as long before the last one.
- A row without a watermark: such rows are compared at every landing, and a landing says how many there are.
- A change that leaves the watermark as it is, and is older than the window: not found. Without a watermark the whole
  table is compared, and every change is.
- With `finds_deleted`: a key that is gone, one that came back, and one committed later than `late_minutes`.
A row that changed several times between two landings is taken as it then is.

A deletion is a row of bronze with `_is_deleted`: the key, and the instant of the run in the column that says when a
record last changed, or that record's own instant where it is later. It is written as the column's other values are: a
time with time zone in UTC, one without in the feed's time zone, text in the feed's pattern.

`_line_number` counts how often bronze took this version of a row: a table without a key may hold equal rows, and a row
may be changed back or come back.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.bronze.jdbc import OLD, DatabaseTable, explained, quoted_name
from customerlake.bronze.watermarks import WATERMARKS, landed
from customerlake.bronze.windows import Kind, first_landing_since, window_start, written
from customerlake.contracts.source import Source, bronze_table
from customerlake.errors import LandingError
from customerlake.runtime.feeds import EPOCHS, DatabaseReader, Feed
from customerlake.runtime.job import Run

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def take_rows(run: Run, source: Source, feed: Feed) -> None:
    """Append to bronze.<feed>, in one commit, the rows of `feed.database` that it does not hold yet.

    Raises: LandingError when the table cannot be read or lacks a column; nothing of it is then taken.
    """
    if feed.database is None:
        raise LandingError(
            f"{source.feed} is not read from a database. Give it one under feeds.{source.feed}.database."
        )
    with explained(source.feed, feed.database):
        table = DatabaseTable(run.spark, source.feed, feed.database)
        _check(table, source, feed, feed.database)
        _Landing(run, source, feed, feed.database, table).take()


@dataclass(frozen=True)
class _Differing:
    """The keys of which the table and bronze say different things."""

    keys: DataFrame  # beside the key: is_gone, is_known, held_at
    count_gone: int
    are_before_window: bool  # some would not be read with the rows since the last landing


class _Landing:
    """One landing of one table."""

    def __init__(self, run: Run, source: Source, feed: Feed, reader: DatabaseReader, table: DatabaseTable) -> None:
        self.run, self.source, self.feed, self.reader, self.table = run, source, feed, reader, table
        self.bronze = bronze_table(source)
        self.names = feed.names(source)
        self.kind: Kind | None = table.kind(reader.watermark) if reader.watermark else None
        self.zone = feed.time_zone or run.config.time_zone
        self.newest = run.newest_batch(self.bronze)

    def take(self) -> None:
        self._refuse_instants_of_another_zone()
        known = self._recorded()
        since = window_start(known, self.kind, late_minutes=self.reader.late_minutes, time_zone=self.zone)
        differing = self._differing(since) if self.reader.finds_deleted and self.newest else None
        try:
            self._take(known, None if differing and differing.are_before_window else since, differing)
        finally:
            if differing:
                differing.keys.unpersist()

    def _take(self, known: list[dict[str, Any]], since: str | None, differing: _Differing | None) -> None:
        extent = self.table.extent(since)
        if not extent.count_rows and not (differing and differing.count_gone):
            return
        rows = self._as_received(self.table.rows(since, extent))
        if self.newest:
            held = self._held_since(since, known) if since and not extent.count_unmarked else self._held()
            taken = self._append_new(self._not_held(rows, held, differing), differing)
        else:
            first = self._numbered(rows.withColumn("_line_number", self._count_of_equal()))
            taken = self.run.append(self.bronze, first).rows
        if taken:
            before = known[-1]["watermark"] if known else None
            self._record(self.newest + 1, extent.largest or before, taken)
            self._remark(taken, extent.count_unmarked, differing.count_gone if differing else 0)

    def _refuse_instants_of_another_zone(self) -> None:
        """Silver reads all times of a feed in one zone, and times with time zone are landed in UTC."""
        names = [there for there in self.names.values() if there in self.table.columns]
        found = [name for name in names if self.table.kind(name) == "instant"]
        if found and self.zone != "UTC":
            raise LandingError(
                f"{self.source.feed}: {', '.join(found)} of {self.reader.table} are times with time zone, which are "
                f"landed in UTC, and its times are read in {self.zone}. Set feeds.{self.source.feed}.time_zone: UTC in "
                "the lake file, and let the database give times without zone as UTC too."
            )

    def _recorded(self) -> list[dict[str, Any]]:
        """The feed's rows of bronze.watermarks in their order, with those of landings killed before theirs."""
        known = [row for row in self.run.records(WATERMARKS) if row["feed"] == self.source.feed]
        known.sort(key=lambda row: row["landing"])
        last = known[-1]["landing"] if known else 0
        return known + self._record_killed(last) if self.newest > last else known

    def _record_killed(self, last: int) -> list[dict[str, Any]]:
        mark = F.when(F.col("_is_deleted").isNull(), self._watermark())
        found = (
            self._held()
            .where((F.col("_batch") > last) & (F.col("_source_file") == self.reader.table))
            .groupBy("_batch", "_run_id")
            .agg(
                F.max_by(mark, self._order_of(mark)).alias("watermark"),
                F.count("*").alias("count_records"),
                F.unix_micros(F.min("_received_at")).alias("received_micros"),
            )
            .orderBy("_batch")
            .collect()
        )
        rows = [
            landed(
                self.source.feed,
                row["_batch"],
                row["watermark"],
                row["count_records"],
                run_id=row["_run_id"],
                received_at=EPOCH + timedelta(microseconds=row["received_micros"]),
            )
            for row in found
        ]
        self.run.record(WATERMARKS, rows)
        return rows

    def _record(self, landing: int, watermark: str | None, count_records: int) -> None:
        row = landed(
            self.source.feed,
            landing,
            watermark,
            count_records,
            run_id=self.run.run_id,
            received_at=self.run.started_at,
        )
        self.run.record(WATERMARKS, [row])

    def _held(self) -> DataFrame:
        """What bronze holds. Not by run.read: a step that wrote nothing would be skipped until bronze changes."""
        return self.run.lake.read(self.bronze)

    def _held_since(self, since: str, known: list[dict[str, Any]]) -> DataFrame:
        """What bronze holds of the rows with a watermark from one on; few of its files are opened."""
        order = self._order_of(self._watermark())
        is_late = order >= self._order_of(F.lit(since))
        is_recent = F.col("_batch") >= first_landing_since(known, since, self.kind)
        return self._held().where(is_recent & (is_late | order.isNull()))  # null: a number beyond what decimals hold

    def _order_of(self, mark: Column) -> Column:
        """By which watermarks that are text compare."""
        return mark.try_cast("decimal(38,9)") if self.kind == "number" else mark

    def _watermark(self) -> Column:
        """The watermark's text in bronze."""
        for name, there in self.names.items():
            if there == self.reader.watermark:
                return F.col(name)
        return F.try_element_at("_extra", F.lit(self.reader.watermark))

    def _as_received(self, rows: DataFrame) -> DataFrame:
        columns = {name: there for name, there in self.names.items() if there in self.table.columns}
        none = F.lit(None).cast("string")
        others = [pair for name in self._others() for pair in (F.lit(name), F.col(quoted_name(name)))]
        return rows.select(
            *[
                (F.col(quoted_name(columns[name])) if name in columns else none).alias(name)
                for name in self.source.column_names
            ],
            (F.create_map(*others) if others else F.lit(None).cast("map<string,string>")).alias("_extra"),
            none.alias("_raw"),
            none.alias("_problem"),
            F.lit(None).cast("boolean").alias("_is_deleted"),
            F.lit(self.reader.table).alias("_source_file"),
            digest(self.table.columns).alias("_file_digest"),
        )

    def _others(self) -> list[str]:
        """The table's columns that the contract does not name."""
        return [name for name in self.table.columns if name not in self.names.values()]

    def _count_of_equal(self) -> Column:
        """Tells equal rows of one read apart; those of a table with a key differ in it."""
        if self.source.key:
            return F.lit(1)
        return F.row_number().over(Window.partitionBy("_file_digest").orderBy("_file_digest"))

    def _not_held(self, rows: DataFrame, held: DataFrame, differing: _Differing | None) -> DataFrame:
        """The rows whose version is not among those held, or is no longer the newest of its key."""
        versions = held.where(F.col("_is_deleted").isNull()).groupBy("_file_digest")
        counts = versions.agg(F.count("*").alias("count_held"))
        found = rows.join(counts, "_file_digest", "left").withColumn("count_held", F.coalesce("count_held", F.lit(0)))
        if not self.source.key:
            return found.withColumn("_line_number", self._count_of_equal()).where("_line_number > count_held")
        is_new = F.col("count_held") == 0
        if differing:
            came_back = differing.keys.where("is_known AND NOT is_gone").withColumn("is_back", F.lit(True))
            found = self._with_keys(found, came_back, "left")
            is_new |= F.coalesce("is_back", F.lit(False))
        if self.reader.watermark is None:
            found = self._with_keys(found, self._newest_states(), "left").withColumn(
                "count_of_key", F.count("*").over(Window.partitionBy(*self.source.key))
            )
            is_new |= (F.col("count_of_key") == 1) & (F.col("held_digest") != F.col("_file_digest"))  # changed back
        return found.where(is_new).withColumn("_line_number", F.col("count_held") + 1)

    def _newest_states(self) -> DataFrame:
        """Of each key that bronze holds, whether it is deleted, and its newest version."""
        at = F.col(self.source.at) if self.source.at else F.lit(None).cast("string")
        newest = F.max(
            F.struct("_batch", F.col("_is_deleted").isNull().alias("is_there"), "_file_digest", at.alias("at"))
        )
        return (
            self._held()
            .groupBy(*self.source.key)
            .agg(newest.alias("newest"))
            .select(
                *self.source.key,
                F.col("newest.is_there").alias("is_there"),
                F.col("newest._file_digest").alias("held_digest"),
                F.col("newest.at").alias("held_at"),
            )
        )

    def _with_keys(self, left: DataFrame, right: DataFrame, how: str) -> DataFrame:
        """Join by the key, of which a part may be null; of two frames each with it, one remains."""
        key = self.source.key
        renamed = right.withColumnsRenamed({name: f"right_{name}" for name in key})
        same = [left[name].eqNullSafe(renamed[f"right_{name}"]) for name in key]
        joined = left.join(renamed, same, how)
        values = {name: F.coalesce(name, f"right_{name}") for name in key} if how == "full_outer" else {}
        return joined.withColumns(values).drop(*[f"right_{name}" for name in key])

    def _differing(self, since: str | None) -> _Differing:
        """Hold every key of the table against the newest state in bronze."""
        key = {name: self.names[name] for name in self.source.key}
        there = self.table.keys(key, since).groupBy(*key).agg(F.max(OLD).alias(OLD))
        both = self._with_keys(there, self._newest_states(), "full_outer")
        is_at_source, is_held = F.col(OLD).isNotNull(), F.coalesce("is_there", F.lit(False))
        keys = (
            both.where(is_at_source != is_held)
            .select(
                *key, (~is_at_source).alias("is_gone"), F.col("is_there").isNotNull().alias("is_known"), "held_at", OLD
            )
            .persist()  # the table is not asked again for what is counted here
        )
        found = keys.agg(F.count_if("is_gone"), F.max(OLD)).first()
        count_gone, oldest = (found[0], found[1]) if found else (0, None)
        if count_gone and self.table.is_empty():
            raise LandingError(
                f"{self.source.feed}: {self.reader.table} holds no row, and bronze knows {count_gone} that would be "
                "marked as deleted. None was: an empty table is mostly one that is being filled again. Run again when "
                f"it is; if all are meant to be gone, set feeds.{self.source.feed}.database.finds_deleted to false."
            )
        return _Differing(keys, count_gone, oldest == "1")

    def _deleted(self, differing: _Differing) -> DataFrame:
        """A row for each key that is gone: the key, and the instant of this run in the place of the last change."""
        at = {self.source.at: self._deleted_at()} if self.source.at and self.source.at not in self.source.key else {}
        marked = differing.keys.where("is_gone").withColumns(at)
        said = [*self.source.key, *at]
        return marked.select(
            *said,
            F.lit(True).alias("_is_deleted"),
            F.lit(self.reader.table).alias("_source_file"),
            F.lit(1).alias("_line_number"),
            F.sha2(F.concat_ws("\0", F.lit(f"deleted by {self.run.run_id}"), *said), 256).alias("_file_digest"),
        )

    def _deleted_at(self) -> Column:
        """This run's instant as the column has it: as text that silver reads, and not before the row's last change."""
        name = self.source.at or ""
        there = self.names.get(name)
        kind = self.table.kind(there) if there in self.table.columns else None
        if there is None or there not in self.table.columns:
            return F.lit(None).cast("string")
        if kind in ("instant", "local time", "day"):
            text = written(self.run.started_at, kind, self.zone)
            return F.greatest(F.lit(text), F.col("held_at"))
        pattern = self.feed.timestamp_format
        if isinstance(self.source.column(name).type, T.DateType):
            pattern = self.feed.date_format
        if pattern in EPOCHS:
            since_epoch = self.run.started_at - EPOCH
            unit = timedelta(seconds=1) if pattern == "epoch_seconds" else timedelta(milliseconds=1)
            return F.lit(str(since_epoch // unit))
        return F.date_format(F.lit(written(self.run.started_at, "local time", self.zone)).cast("timestamp"), pattern)

    def _append_new(self, rows: DataFrame, differing: _Differing | None) -> int:
        """Append rows of which there may be none; the table is not read twice to know."""
        if differing and differing.count_gone:
            rows = rows.unionByName(self._deleted(differing), allowMissingColumns=True)
        new = self._numbered(rows).persist()
        try:
            return self.run.append(self.bronze, new).rows if new.count() else 0
        finally:
            new.unpersist()

    def _numbered(self, rows: DataFrame) -> DataFrame:
        return rows.withColumns(
            {
                "_batch": F.lit(self.newest + 1),
                "_run_id": F.lit(self.run.run_id),
                "_received_at": F.lit(self.run.started_at).cast("timestamp"),
            }
        ).transform(self.bronze.conform)

    def _remark(self, taken: int, unmarked: int, gone: int) -> None:
        said = [f"{taken} rows of {self.reader.table}"]
        said += [f"{gone} of them marked as deleted"] if gone else []
        said += [f"{unmarked} have no {self.reader.watermark} and are compared at every landing"] if unmarked else []
        if added := self._added_columns():
            said.append(f"new columns, kept in _extra: {', '.join(added)}")
        self.run.remark(f"{self.source.feed}: {'; '.join(said)}")

    def _added_columns(self) -> list[str]:
        """The table's columns beyond the contract that no row of the landing before had."""
        others = self._others()
        if not others or not self.newest:
            return others
        earlier = self._held().where((F.col("_batch") == self.newest) & F.col("_is_deleted").isNull())
        row = earlier.select(F.map_keys("_extra")).first()
        return [name for name in others if row and name not in (row[0] or ())]


def digest(columns: Iterable[str]) -> Column:
    """SHA-256 of a row's text, by name and without nulls: a column that is added, empty, changes no row."""
    named = [(F.lit(name), F.col(quoted_name(name))) for name in sorted(columns)]
    said = [part for name, text in named for part in (F.when(text.isNotNull(), name), text)]
    return F.sha2(F.concat_ws("\0", *said), 256)


def _check(table: DatabaseTable, source: Source, feed: Feed, reader: DatabaseReader) -> None:
    """Raises: LandingError when the table lacks a column, or one cannot serve for what it is named."""
    where = f"feeds.{source.feed}"
    wanted = dict.fromkeys(feed.needed(source), f"{where}.columns")
    if reader.watermark:
        wanted[reader.watermark] = f"{where}.database.watermark"
    if reader.partition_column:
        wanted[reader.partition_column] = f"{where}.database.partition_column"
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        near = {name: difflib.get_close_matches(name, table.columns, n=2) for name in missing}
        said = [name + (f" (near it: {', '.join(near[name])})" if near[name] else "") for name in missing]
        keys = sorted({wanted[name] for name in missing})
        raise LandingError(
            f"{source.feed}: {reader.table} lacks {', '.join(said)}; it has {', '.join(table.columns)[:300]}. "
            f"None of its rows was taken. Correct the table, or {' and '.join(keys)} in the lake file."
        )
    for name, key in ((reader.watermark, "watermark"), (reader.partition_column, "partition_column")):
        if name and table.kind(name) is None:
            raise LandingError(
                f"{source.feed}: the {key} {name} of {reader.table} is neither a number nor a time, but "
                f"{table.types[name].dataType.simpleString()}. Name another column under {where}.database.{key}."
            )
    if reader.finds_deleted and not (source.key and all(name in feed.names(source) for name in source.key)):
        raise LandingError(
            f"{source.feed}: without its key ({', '.join(source.key) or 'it has none'}) in {reader.table}, rows that "
            f"are gone cannot be found. Set {where}.database.finds_deleted to false."
        )
