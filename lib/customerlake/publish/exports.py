"""Published tables as CSV files, for people and for systems that read no Delta."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from customerlake.contracts.table import Table
from customerlake.errors import StorageError
from customerlake.runtime.tables import Lake


def export_csv(lake: Lake, table: Table, *, as_of: date, sort_by: str) -> Path:
    """Write the rows of `as_of` as `<root>/exports/<table>-<as_of>.csv`: UTF-8, header, lists joined by "; ".

    The file appears whole or not at all. Raises: StorageError when it cannot be written.
    """
    folder = Path(lake.root) / "exports"
    target = folder / f"{table.name.split('.', 1)[1]}-{as_of}.csv"
    part = folder / f".{target.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rows = _rows(lake.batches(table, as_of=as_of), table).sort_by(sort_by)
        with pa.OSFile(str(part), "wb") as file:
            csv.write_csv(rows, file)
        part.replace(target)
    except OSError as error:
        raise StorageError(
            f"{target} cannot be written: {error}. Make room or give yourself the right to write."
        ) from error
    return target


def _rows(batches: Iterable[pa.RecordBatch], table: Table) -> pa.Table:
    from pyspark.sql.pandas.types import to_arrow_schema

    rows = pa.Table.from_batches(batches) if (batches := list(batches)) else to_arrow_schema(table.schema).empty_table()
    for i, column in enumerate(rows.schema):
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            joined = pa.array(["; ".join(value or []) for value in rows[column.name].to_pylist()], pa.string())
            rows = rows.set_column(i, column.name, joined)
    return rows.select(table.column_names)
