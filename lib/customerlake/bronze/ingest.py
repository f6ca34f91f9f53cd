"""Landed files become bronze: their records as received, each with the file and the line that it came from.

One file is one task.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.bronze.formats import READERS
from customerlake.bronze.formats.records import schema_of
from customerlake.bronze.landing import CheckedFile, content
from customerlake.contracts.source import Source, bronze_table
from customerlake.errors import LandingError
from customerlake.runtime.feeds import Feed

ADDED_LATER = ("_is_deleted", "_batch", "_run_id", "_received_at")


def records(
    spark: SparkSession,
    files: Iterable[CheckedFile],
    source: Source,
    feed: Feed,
    folder: str,
    *,
    batch: int,
    run_id: str,
    received_at: datetime,
    tasks: int = 4,
) -> DataFrame:
    """The records of files, as the feed's bronze table keeps them. All values are text."""
    table = bronze_table(source)
    read = T.StructType([field for field in table.schema if field.name not in ADDED_LATER])
    named = [(checked.file.path, checked.file.name, checked.digest) for checked in files]
    return (
        spark.createDataFrame(named, "path string, name string, digest string")
        .repartition(min(tasks, max(1, len(named))))
        .mapInArrow(reader(source, feed, folder), read)
        .withColumns(
            {
                "_is_deleted": F.lit(None).cast("boolean"),
                "_batch": F.lit(batch),
                "_run_id": F.lit(run_id),
                "_received_at": F.lit(received_at).cast("timestamp"),
            }
        )
        .transform(table.conform)
    )


def reader(source: Source, feed: Feed, folder: str) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """The function that each task runs over its share of the files."""

    def read(shares: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for share in shares:
            for file in share.to_pylist():
                text, digest = content(folder, file["path"])
                if digest != file["digest"]:
                    raise LandingError(
                        f"{file['name']} was changed while it was taken, and nothing of this landing was. "
                        "Land files whole (write beside the folder, then move), and run again."
                    )
                for split in READERS[feed.format].split(text, source, feed):
                    yield _with_origin(split, source, file["name"], file["digest"])

    return read


def _with_origin(split: pa.RecordBatch, source: Source, name: str, digest: str) -> pa.RecordBatch:
    size, schema = split.num_rows, schema_of(source)
    columns = {column: split[column] for column in schema.names}
    numbers = columns.pop("_line_number")
    origin = {"_source_file": pa.repeat(name, size), "_line_number": numbers, "_file_digest": pa.repeat(digest, size)}
    return pa.record_batch(columns | origin)
