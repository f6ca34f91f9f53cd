"""The lake as names of a catalog: `<catalog>.<layer>.<table>`, wherever the catalog keeps their files.

All goes through the engine, which alone has the right to the files; nothing is read past it, as `Lake` does by
delta-rs. What lies beside the tables (landed files, exports, logs, models) stays under the root.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.errors import StorageError
from customerlake.runtime.changes import Changes
from customerlake.runtime.tables import Lake, Written


class NamedLake(Lake):
    """The tables of one catalog, which the engine's session knows by that name."""

    def __init__(self, root: str, catalog: str, spark: Callable[[], SparkSession]) -> None:
        super().__init__(root, spark)
        self.catalog = catalog

    def path(self, table: Table | str) -> str:
        """The table's full name."""
        return f"{self.catalog}.{table if isinstance(table, str) else table.name}"

    def exists(self, table: Table | str) -> bool:
        return self._spark().catalog.tableExists(self.path(table))

    def version(self, table: Table | str) -> int:
        return self._history(table)[0] if self.exists(table) else -1

    def count(self, table: Table | str) -> int:
        return self._rows(table).count() if self.exists(table) else 0

    def changes_since(self, version: int, table: Table) -> Changes | None:
        """The files are the catalog's: only whether anything changed can be told."""
        return Changes() if self.version(table) == version else None

    def largest(self, table: Table | str, column: str) -> Any:
        return self._extreme(table, F.max(column))

    def smallest(self, table: Table | str, column: str) -> Any:
        return self._extreme(table, F.min(column))

    def records(self, table: Table) -> list[dict[str, Any]]:
        rows: pa.Table = self.read(table).toArrow()
        return [dict(row) for row in rows.to_pylist()]

    def head(self, table: Table, rows: int) -> pa.Table:
        if not self.exists(table):
            raise StorageError(f"{self.path(table)} is not there yet. Run the pipeline with --catalog {self.catalog}.")
        return self.read(table).limit(rows).toArrow()

    def find(self, table: Table, column: str, values: Sequence[Any]) -> list[dict[str, Any]]:
        if not self.exists(table):
            return []
        rows: pa.Table = self.read(table).where(F.col(column).isin(list(values))).toArrow()
        return [dict(row) for row in rows.to_pylist()]

    def batches(self, table: Table, *, as_of: date) -> Iterator[pa.RecordBatch]:
        of_day: pa.Table = self.read(table).where(F.col("as_of") == F.lit(as_of)).toArrow()
        yield from of_day.to_batches()

    def record(self, table: Table, rows: list[dict[str, Any]]) -> Written:
        return self.append(table, self._spark().createDataFrame(_whole(rows, table), table.schema))

    def _extreme(self, table: Table | str, value: Column) -> Any:
        row = self._rows(table).agg(value).first() if self.exists(table) else None
        return row[0] if row else None

    def _rows(self, table: Table | str) -> DataFrame:
        return self._spark().table(self.path(table))

    def _save(self, table: Table, writer: DataFrameWriter) -> None:
        self._spark().sql(f"CREATE SCHEMA IF NOT EXISTS {self.catalog}.{table.layer}")
        writer.saveAsTable(self.path(table))

    def _target(self, table: Table) -> str:
        return self.path(table)

    def _last_commit(self, table: Table) -> tuple[int, Mapping[str, Any]]:
        return self._history(table)

    def _history(self, table: Table | str) -> tuple[int, Mapping[str, Any]]:
        newest = self._spark().sql(f"DESCRIBE HISTORY {self.path(table)} LIMIT 1").first()
        if newest is None:
            raise StorageError(
                f"{self.path(table)} has no history; it is no Delta table. Drop it, or choose a catalog."
            )
        return newest["version"], newest["operationMetrics"] or {}


def _whole(rows: list[dict[str, Any]], table: Table) -> list[tuple[Any, ...]]:
    """Rows in the table's order; the pairs that a ledger's row holds for a map become one."""
    return [tuple(_value(row.get(column.name), column) for column in table.columns) for row in rows]


def _value(value: Any, column: Field) -> Any:
    return dict(value) if isinstance(column.type, T.MapType) and value is not None else value
