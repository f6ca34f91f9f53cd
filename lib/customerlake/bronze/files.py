"""bronze.files: which landed files have been taken, and which are new."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.bronze.landing import CheckedFile, LandedFile
from customerlake.contracts.table import Field, Table

Records = Iterable[dict[str, Any]]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

FILES = Table(
    name="bronze.files",
    grain="one row per landed file and name that was taken or recognised as taken before",
    key=("feed", "file_digest", "source_file"),
    columns=(
        Field("feed", T.StringType(), "feed of the lake file"),
        Field("source_file", T.StringType(), "file, relative to the feed's folder"),
        Field("file_digest", T.StringType(), "SHA-256 of the file as landed"),
        Field("size_bytes", T.LongType(), "size as landed", unit="bytes"),
        Field("modified_at", T.TimestampType(), "the file system's time of the last change"),
        Field("is_copy", T.BooleanType(), "the same content was taken under another name or before"),
        Field("batch", T.LongType(), "landing that took it; of a copy, the newest one when it was recognised"),
        Field("run_id", T.StringType(), "run that took it"),
        Field("received_at", T.TimestampType(), "when that run began"),
    ),
)


def unseen(landed: Iterable[LandedFile], known: Records) -> list[LandedFile]:
    """The landed files that are not known by name, size and time of change: only these need to be opened."""
    seen = {(row["source_file"], row["size_bytes"], row["modified_at"]) for row in known}
    return [file for file in landed if (file.name, file.size_bytes, file.modified_at) not in seen]


def without_copies(checked: Iterable[CheckedFile], known: Records) -> tuple[list[CheckedFile], list[CheckedFile]]:
    """Split files into (new, copies): a copy has the content of a file already taken, or of an earlier one here."""
    digests = {row["file_digest"] for row in known}
    new: list[CheckedFile] = []
    copies: list[CheckedFile] = []
    for file in checked:
        (copies if file.digest in digests else new).append(file)
        digests.add(file.digest)
    return new, copies


def last_taken(known: Records) -> int:
    """The number of the last landing; 0 before the first."""
    return max((row["batch"] for row in known), default=0)


def taken(
    files: Iterable[CheckedFile], *, batch: int, run_id: str, received_at: datetime, is_copy: bool = False
) -> list[dict[str, Any]]:
    """The rows of bronze.files for the files of one landing, or for copies that were recognised after it."""
    return [
        {
            "feed": "sales",
            "source_file": checked.file.name,
            "file_digest": checked.digest,
            "size_bytes": checked.file.size_bytes,
            "modified_at": checked.file.modified_at,
            "is_copy": is_copy,
            "batch": batch,
            "run_id": run_id,
            "received_at": received_at,
        }
        for checked in files
    ]


def unrecorded_files(sales: DataFrame, *, after: int) -> list[dict[str, Any]]:
    """The rows of bronze.files for landings that were killed before these were written.

    Size and time of change are not in bronze; they stay empty, so the file is opened once more
    and known by its content.
    """
    origins = (
        sales.where(F.col("_batch") > after)
        .select(
            "_source_file", "_file_digest", "_batch", "_run_id", F.unix_micros("_received_at").alias("received_micros")
        )
        .distinct()
        .collect()
    )
    return [
        {
            "feed": "sales",
            "source_file": row["_source_file"],
            "file_digest": row["_file_digest"],
            "is_copy": False,
            "batch": row["_batch"],
            "run_id": row["_run_id"],
            "received_at": EPOCH + timedelta(microseconds=row["received_micros"]),
        }
        for row in origins
    ]
