"""Which rows of a table came and went since a version, told by the files that its log has added and taken away.

So no change feed is needed, which sail does not read, and it costs what the changed files hold.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Table


@dataclass(frozen=True)
class Changes:
    """Rows that a table holds and did not, and rows that it held and no longer does; a row that changed is in both.

    They have the table's columns but those of its partitions. None where nothing changed.
    """

    came: DataFrame | None = None
    went: DataFrame | None = None

    def rows(self) -> DataFrame | None:
        """All that came or went."""
        if self.came is None or self.went is None:
            return self.came if self.went is None else self.went
        return self.came.unionByName(self.went)


def changes_since(version: int, table: Table, path: str, spark: SparkSession) -> Changes | None:
    """What became of the rows of the table at `path` since `version`; -1: since before there was one.

    None where it cannot be told: files were vacuumed, or may have been, on a remote store; or rows are marked as
    deleted within files.
    """
    now = DeltaTable(path)
    if now.version() == version:
        return Changes()
    if "deletionVectors" in (now.protocol().reader_features or ()):
        return None
    try:
        then = _files(DeltaTable(path, version=version)) if version >= 0 else set()
    except DeltaError:  # its log was cleaned up
        return None
    held = _files(now)
    if not all("://" not in file and Path(file).exists() for file in then - held):  # elsewhere it is not looked up
        return None
    came, went = (_rows(files, table, path, spark) for files in (held - then, then - held))
    if came is None or went is None:
        return Changes(came, went)
    return Changes(_without(came, went, table), _without(went, came, table))


def _without(rows: DataFrame, others: DataFrame, table: Table) -> DataFrame:
    """The rows that are not among `others`: one that was only written again is no change.

    By the table's key and a digest of the whole row: thirty times faster than EXCEPT ALL on sail.
    """
    key = [name for name in table.key if name in rows.columns]
    same = rows.withColumn(DIGEST, _digest(rows)).join(
        others.select(*key, _digest(others).alias(DIGEST)), on=[*key, DIGEST], how="left_anti"
    )
    return same.select(*rows.columns)


DIGEST = "_digest_of_row"


def _digest(rows: DataFrame) -> Column:
    """Of all values and of which are missing, as xxhash64 passes over nulls."""
    values = [
        F.to_json(field.name) if isinstance(field.dataType, T.MapType) else F.col(field.name) for field in rows.schema
    ]
    return F.xxhash64(*values, *[F.isnull(field.name) for field in rows.schema])


def _files(log: DeltaTable) -> set[str]:
    """The files of a version; delta-rs writes the spaces and accents of a local path as an address has them."""
    return {file if "://" in file else unquote(file) for file in log.file_uris()}


def _rows(files: set[str], table: Table, path: str, spark: SparkSession) -> DataFrame | None:
    if not files:
        return None
    columns = [name for name in table.column_names if name not in table.partitioned_by]
    return spark.read.schema(table.schema).option("basePath", path).parquet(*sorted(files)).select(*columns)
