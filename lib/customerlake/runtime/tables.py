"""The only door to the lake: every Delta table is read and written here.

Tables are folders `<root>/<layer>/<table>` (`Lake`), or names of a catalog (`runtime/named_tables.py`). Each write is
one Delta commit, so a process that is killed leaves either the table before or the table after, never a part. What the
Delta log itself knows (versions, row counts, largest values) and the small ledgers of the suite are read by delta-rs,
without an engine.
"""

import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from customerlake.contracts.table import Table
from customerlake.errors import StorageError
from customerlake.runtime.changes import Changes, changes_since
from customerlake.runtime.session import is_sail

MOST_LEDGER_FILES = 50
COMPUTED = ".computed-"  # folders under the root that hold what is read several times
A_DAY = 24 * 3600.0
OF_LEDGERS: dict[str, str | None] = {"delta.checkpointInterval": "10"}  # their logs are long, and opened all the time


@dataclass(frozen=True)
class Written:
    """What a write did. `rows` are the rows that it added or changed; `version` is the table's version after it."""

    table: str
    rows: int
    version: int


class Lake:
    """The tables under one root."""

    def __init__(self, root: str, spark: Callable[[], SparkSession]) -> None:
        self.root = root.rstrip("/")
        self._spark = spark
        self._ledgers: dict[str, tuple[int, list[dict[str, Any]]]] = {}  # version and rows of those that were read

    def path(self, table: Table | str) -> str:
        name = table if isinstance(table, str) else table.name
        return f"{self.root}/{name.replace('.', '/')}"

    def exists(self, table: Table | str) -> bool:
        return DeltaTable.is_deltatable(self.path(table))

    def version(self, table: Table | str) -> int:
        """The newest version; -1 where the table does not exist yet."""
        return self._log(table).version() if self.exists(table) else -1

    def count(self, table: Table | str) -> int:
        """Rows, as the Delta log has counted them, else counted now; 0 where the table does not exist yet."""
        counts = self._of_files(table, "num_records")
        return sum(counts) if None not in counts else self._log(table).to_pyarrow_dataset().count_rows()

    def largest(self, table: Table | str, column: str) -> Any:
        """The largest value of a column, by the Delta log's statistics where each file has them; None without a row."""
        values = self._of_files(table, f"max.{column}")
        return max(values if None not in values else self._of_rows(table, column, pc.max), default=None)

    def smallest(self, table: Table | str, column: str) -> Any:
        """The smallest value of a column, as `largest` finds it."""
        values = self._of_files(table, f"min.{column}")
        return min(values if None not in values else self._of_rows(table, column, pc.min), default=None)

    def read(self, table: Table) -> DataFrame:
        """The table's newest version; no rows where the table does not exist yet."""
        if not self.exists(table):
            return self._spark().createDataFrame([], table.schema)
        return self._rows(table).select(*table.column_names)  # sail puts the columns of a partition last

    def changes_since(self, version: int, table: Table) -> Changes | None:
        """The rows that came and went since a version; None where that cannot be told, and all is to be read."""
        return changes_since(version, table, self.path(table), self._spark()) if self.exists(table) else Changes()

    def append(self, table: Table, df: DataFrame, *, once: tuple[str, int] | None = None) -> Written:
        """Add rows in one commit.

        With `once`, a writer's name and the growing number of its write, nothing is added when the table already
        holds that write or a later one of this writer. JVM Spark alone keeps such numbers.
        """
        writer = df.write.mode("append")
        if once:
            name, number = once
            writer = writer.option("txnAppId", name).option("txnVersion", number)
        return self._write(table, writer)

    def overwrite(self, table: Table, df: DataFrame) -> Written:
        """Replace the whole table in one commit."""
        writer = df.write.mode("overwrite").option("overwriteSchema", "true")
        return self._write(table, writer.partitionBy(*table.partitioned_by) if table.partitioned_by else writer)

    def replace(self, table: Table, df: DataFrame, *, where: str) -> Written:
        """Replace the rows for which the SQL condition `where` holds, in one commit."""
        if not self.exists(table):
            return self.append(table, df)
        if is_sail(self._spark()) and any(isinstance(field.dataType, T.ArrayType) for field in table.schema):
            return self._replace_by_delta_rs(table, df, where)
        return self._write(table, df.write.mode("overwrite").option("replaceWhere", where))

    def _replace_by_delta_rs(self, table: Table, df: DataFrame, where: str) -> Written:
        """As `replace`, where sail cannot: lists that JVM Spark wrote name their element as it does not expect.

        The rows go through this process. Such tables are lists of reasons: scores and warnings.
        """
        rows: pa.Table = df.toArrow().cast(to_arrow_schema(table.schema))
        write_deltalake(self.path(table), rows, mode="overwrite", predicate=where)
        return Written(table.name, rows.num_rows, self.version(table))

    def merge(
        self,
        table: Table,
        arrived: DataFrame,
        *,
        when_matched: str | None = None,
        update: Mapping[str, str] | None = None,
    ) -> Written:
        """Add the rows whose key is new and update the known ones, in one commit.

        In the SQL texts the table's rows are `known` and the frame's `arrived`. `update` gives the columns to set
        (all, when it is None) where `when_matched` holds (by default: where a business column differs). Of a
        partitioned table, whose key determines the partition, only the partitions that rows arrive for are read.
        """
        if not self.exists(table):
            return self.append(table, arrived)
        if not is_sail(self._spark()):  # its MERGE reads the rows once; sail's reads them five times and more
            return self._merge(table, arrived, when_matched, update)
        with self.computed_once(arrived) as rows:
            return self._merge(table, rows, when_matched, update)

    def remove(self, table: Table, column: str, values: Sequence[str]) -> Written:
        """Delete the rows that have one of the values in `column`, in one commit; `rows` says how many."""
        before, count = self.version(table), self.count(table)
        if values:
            listed = ", ".join("'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'" for value in values)
            self._spark().sql(f"DELETE FROM {self._target(table)} WHERE {column} IN ({listed})").collect()
        return Written(table.name, count - self.count(table), max(before, self.version(table)))

    def _merge(
        self, table: Table, arrived: DataFrame, when_matched: str | None, update: Mapping[str, str] | None
    ) -> Written:
        before = self.version(table)
        view = f"arrived_{table.name.replace('.', '_')}"
        arrived.createOrReplaceTempView(view)
        same_key = [f"known.{name} = arrived.{name}" for name in table.key]
        changed = " OR ".join(
            f"NOT (known.{name} <=> arrived.{name})" for name in table.business_columns if name not in table.key
        )
        settings = ", ".join(f"{name} = {value}" for name, value in update.items()) if update else "*"
        self._spark().sql(
            f"MERGE INTO {self._target(table)} AS known USING {view} AS arrived "
            f"ON {' AND '.join([*same_key, *self._partitions_of(arrived, table)])} "
            f"WHEN MATCHED AND ({when_matched or changed}) THEN UPDATE SET {settings} "
            "WHEN NOT MATCHED THEN INSERT *"
        ).collect()
        self._spark().catalog.dropTempView(view)
        return self._last_write(table, before)

    @contextmanager
    def computed_once(self, df: DataFrame) -> Iterator[DataFrame]:
        """The same rows for what reads them several times."""
        if not is_sail(self._spark()):
            try:
                yield df.cache()
            finally:
                df.unpersist()
            return
        folder = f"{self.root}/{COMPUTED}{uuid.uuid4().hex[:8]}"  # under the root, whose owner alone may read it
        for left in Path(self.root).glob(f"{COMPUTED}*"):  # by a run that was killed
            if left.stat().st_mtime < time.time() - A_DAY:
                shutil.rmtree(left, ignore_errors=True)
        try:
            df.write.parquet(folder)
            yield self._spark().read.schema(df.schema).parquet(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _partitions_of(self, arrived: DataFrame, table: Table) -> list[str]:
        """Conditions that the known rows of the arrived rows' partitions fulfil, one for each partition column."""
        conditions = []
        for name in table.partitioned_by:
            values = sorted(str(row[0]) for row in arrived.select(name).distinct().collect())
            listed = ", ".join(f"CAST('{value}' AS {table.schema[name].dataType.simpleString()})" for value in values)
            conditions.append(f"known.{name} IN ({listed})" if values else "false")
        return conditions

    def records(self, table: Table) -> list[dict[str, Any]]:
        """All rows of a small ledger, without an engine; none where it does not exist yet."""
        if not self.exists(table):
            return []
        log = self._log(table)
        version, rows = self._ledgers.get(table.name, (-1, []))
        if version != log.version():
            rows = log.to_pyarrow_table().to_pylist()
            self._ledgers[table.name] = log.version(), rows
        return list(rows)

    def head(self, table: Table, rows: int) -> pa.Table:
        """Some rows of a table, without an engine. Raises: StorageError when it does not exist yet."""
        if not self.exists(table):
            raise StorageError(f"{table.name} is not in the lake {self.root} yet. Run `customerlake run` first.")
        return self._log(table).to_pyarrow_dataset().head(rows)

    def find(self, table: Table, column: str, values: Sequence[Any]) -> list[dict[str, Any]]:
        """The rows that have one of the values in `column`, without an engine; none where the table does not exist."""
        if not self.exists(table):
            return []
        from pyarrow import dataset

        found = self._log(table).to_pyarrow_dataset().to_table(filter=dataset.field(column).isin(list(values)))
        rows: list[dict[str, Any]] = found.to_pylist()
        return rows

    def batches(self, table: Table, *, as_of: date) -> Iterator[pa.RecordBatch]:
        """The rows of one `as_of`, batch by batch, without an engine."""
        from pyarrow import dataset

        scanned = self._log(table).to_pyarrow_dataset().scanner(filter=dataset.field("as_of") == as_of)
        batches: Iterator[pa.RecordBatch] = scanned.to_batches()
        return batches

    def record(self, table: Table, rows: list[dict[str, Any]]) -> Written:
        """Append rows to a small ledger in one commit, without an engine.

        Each commit is a file, and each reader opens them all: now and then they are put together into one.
        """
        known = self.records(table)
        before, _ = self._ledgers.get(table.name, (-1, []))
        added = pa.Table.from_pylist(rows, schema=to_arrow_schema(table.schema))
        write_deltalake(self.path(table), added, mode="append", configuration=OF_LEDGERS)
        log = self._log(table)
        written = log.version()
        if written == before + 1:  # else another process wrote too: the next reader finds what
            self._ledgers[table.name] = written, [*known, *added.to_pylist()]
        if len(log.file_uris()) > MOST_LEDGER_FILES:
            with suppress(CommitFailedError):  # a step that runs beside this one puts them together too
                log.optimize.compact()
        return Written(table.name, len(rows), written)

    def prepare_root(self) -> None:
        """Make the root folder. Raises: StorageError when it cannot be written."""
        if "%" in self.root:
            raise StorageError(
                f"The lake's root {self.root} holds a % sign, which Delta's writers read differently. "
                "Choose a folder without one with --root."
            )
        if "://" in self.root:
            return
        try:
            folder = Path(self.root)
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".customerlake-can-write"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise StorageError(
                f"The lake's root {self.root} cannot be written: {error.strerror}. "
                "Choose another folder with --root, or give yourself the right to write there."
            ) from error

    def _write(self, table: Table, writer: DataFrameWriter) -> Written:
        before = self.version(table)
        writer = writer.format("delta")
        if table.partitioned_by and before < 0:
            writer = writer.partitionBy(*table.partitioned_by)
        if table.statistics_on and before < 0:
            writer = writer.option("delta.dataSkippingStatsColumns", ",".join(table.statistics_on))
        self._save(table, writer)
        return self._last_write(table, before)

    def _save(self, table: Table, writer: DataFrameWriter) -> None:
        writer.save(self.path(table))

    def _target(self, table: Table) -> str:
        """The table in SQL."""
        return f"delta.`{self.path(table)}`"

    def _last_write(self, table: Table, before: int) -> Written:
        """What the newest commit of the table added, by its own metrics; nothing when the version is still `before`."""
        version, metrics = self._last_commit(table)
        if version == before:
            return Written(table.name, 0, before)
        if "numTargetRowsInserted" in metrics:
            rows = int(metrics["numTargetRowsInserted"]) + int(metrics["numTargetRowsUpdated"])
        else:
            rows = int(metrics.get("numOutputRows", 0))
        return Written(table.name, rows, version)

    def _last_commit(self, table: Table) -> tuple[int, Mapping[str, Any]]:
        """The newest version, and what its commit says of itself."""
        log = self._log(table)
        return log.version(), log.history(1)[0].get("operationMetrics", {})

    def _log(self, table: Table | str) -> DeltaTable:
        try:
            return DeltaTable(self.path(table))
        except TableNotFoundError as error:
            raise StorageError(f"{self.path(table)} is no table yet.") from error

    def _of_files(self, table: Table | str, statistic: str) -> list[Any]:
        """A statistic of each file by the log; None where its writer left it out, or the file has no such value."""
        if not self.exists(table):
            return []
        actions = pa.table(self._log(table).get_add_actions(flatten=True))
        return actions[statistic].to_pylist() if statistic in actions.column_names else [None] * actions.num_rows

    def _of_rows(self, table: Table | str, column: str, extreme: Callable[[pa.Array], pa.Scalar]) -> list[Any]:
        """An extreme value of each batch of rows, those without any left out: one column is read, without an engine."""
        batches = self._log(table).to_pyarrow_dataset().scanner(columns=[column]).to_batches()
        values = [extreme(batch.column(0)).as_py() for batch in batches if batch.num_rows]
        return [value for value in values if value is not None]

    def _rows(self, table: Table | str) -> DataFrame:
        return self._spark().read.format("delta").load(self.path(table))


def without_engine(root: str) -> Lake:
    """The tables under a root, for what needs no engine: to look at them, and to add to small ledgers."""

    def none() -> SparkSession:
        raise RuntimeError("this was to need no engine")

    return Lake(root if "://" in root else str(Path(root).resolve()), none)
