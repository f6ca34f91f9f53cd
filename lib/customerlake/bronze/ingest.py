"""Landed files become bronze: their records as received, each with the file and the line that it came from.

One file is one task.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.bronze.formats import READERS
from customerlake.bronze.formats.records import schema_of
from customerlake.bronze.landing import CheckedFile, content
from customerlake.contracts.source import Source, bronze_table
from customerlake.errors import LandingError
from customerlake.runtime.feeds import Feed

ADDED_LATER = ("_is_deleted", "_source_file", "_file_digest", "_batch", "_run_id", "_received_at")
FILE = "_file"  # the number of a record's file in its landing: name and digest of each row need not leave Python


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
    table, of_landing = bronze_table(source), list(files)
    read = T.StructType([field for field in table.schema if field.name not in ADDED_LATER])
    numbered = [(checked.file.path, number, checked.digest) for number, checked in enumerate(of_landing, start=1)]
    number = F.col(FILE)
    return (
        spark.createDataFrame(numbered, "path string, number int, digest string")
        .repartition(min(tasks, max(1, len(numbered))))
        .mapInArrow(reader(source, feed, folder), read.add(FILE, T.IntegerType()))
        .withColumns(
            {
                "_source_file": F.element_at(_texts(checked.file.name for checked in of_landing), number),
                "_file_digest": F.element_at(_texts(checked.digest for checked in of_landing), number),
                "_is_deleted": F.lit(None).cast("boolean"),
                "_batch": F.lit(batch),
                "_run_id": F.lit(run_id),
                "_received_at": F.lit(received_at).cast("timestamp"),
            }
        )
        .transform(table.conform)
    )


def _texts(values: Iterable[str]) -> Column:
    return F.array(*[F.lit(value) for value in values])


def reader(source: Source, feed: Feed, folder: str) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """The function that each task runs over its share of the files."""

    def read(shares: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for share in shares:
            for file in share.to_pylist():
                text, digest = content(folder, file["path"])
                if digest != file["digest"]:
                    name = file["path"].removeprefix(folder).lstrip("/")
                    raise LandingError(
                        f"{name} was changed while it was taken, and nothing of this landing was. "
                        "Land files whole (write beside the folder, then move), and run again."
                    )
                for split in READERS[feed.format].split(text, source, feed):
                    yield _with_number(split, source, file["number"])

    return read


def _with_number(split: pa.RecordBatch, source: Source, number: int) -> pa.RecordBatch:
    columns = {column: split[column] for column in schema_of(source).names}
    return pa.record_batch(columns | {FILE: pa.repeat(pa.scalar(number, pa.int32()), split.num_rows)})
