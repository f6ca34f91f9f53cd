"""bronze.files: which landed files have been taken, and which are new; and how those of a feed are taken."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.bronze.ingest import records
from customerlake.bronze.landing import CheckedFile, LandedFile, check_files, in_batches, landed_files
from customerlake.contracts.change import as_text, changes, from_text
from customerlake.contracts.source import Source, bronze_table
from customerlake.contracts.table import Field, Table
from customerlake.errors import LandingError
from customerlake.runtime.feeds import Feed
from customerlake.runtime.job import Run

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
        Field("columns", T.ArrayType(T.StringType()), "names of the columns that it has"),
        Field("looks", T.StringType(), "how its first records look in each column, as JSON: see contracts/change.py"),
        Field("is_copy", T.BooleanType(), "the same content was taken under another name or before"),
        Field("batch", T.LongType(), "landing that took it; of a copy, the newest one when it was recognised"),
        Field("run_id", T.StringType(), "run that took it"),
        Field("received_at", T.TimestampType(), "when that run began"),
    ),
)


def take_files(run: Run, source: Source, feed: Feed, folder: str) -> None:
    """Take what is new in a feed's folder into its bronze table, each file once. What cannot be taken is refused.

    Raises: LandingError when the folder is not there.
    """
    table, name = bronze_table(source), source.feed
    known = _recorded(run, source)
    landed = landed_files(folder, feed.pattern, name)
    checked, refusals = check_files(unseen(landed, known), source, feed, folder)
    new, copies = without_copies(checked, known)
    new, changed = unchanged(new, known, source, feed)
    for refusal in [*refusals, *changed]:
        run.refuse(refusal)
    run_id, received_at = run.run_id, run.started_at
    for batch, files in enumerate(in_batches(new), start=last_taken(known) + 1):
        received = records(run.spark, files, source, feed, folder, batch=batch, run_id=run_id, received_at=received_at)
        with _changes_told():
            run.append(table, received)
        run.record(FILES, taken(name, files, batch=batch, run_id=run_id, received_at=received_at))
    if copies:
        newest = last_taken(_of_feed(run, name))
        copied = taken(name, copies, batch=newest, run_id=run_id, received_at=received_at, is_copy=True)
        run.record(FILES, copied)
    if new or copies:
        refused = len(refusals) + len(changed)
        counts = f"{len(new)} files taken" + "".join(
            f", {count} {what}" for count, what in ((len(copies), "known by content"), (refused, "refused")) if count
        )
        run.remark("; ".join([f"{name}: {counts}", *new_columns(new, known, source, feed)]))


@contextmanager
def _changes_told() -> Iterator[None]:
    """A file that was changed while it was taken is found by a task; then nothing of the landing was written."""
    try:
        yield
    except PySparkException as error:
        if found := re.search(r"\S+ was changed while it was taken[^\n]*run again\.", str(error)):
            raise LandingError(found[0]) from error
        raise


def _recorded(run: Run, source: Source) -> list[dict[str, Any]]:
    """The rows of bronze.files of a feed, among them those of a landing that was killed before they were written."""
    known, table = _of_feed(run, source.feed), bronze_table(source)
    last_batch = last_taken(known)
    if run.newest_batch(table) > last_batch:
        run.record(FILES, unrecorded_files(source.feed, run.read(table), after=last_batch))
        known = _of_feed(run, source.feed)
    return known


def _of_feed(run: Run, feed: str) -> list[dict[str, Any]]:
    return [row for row in run.records(FILES) if row["feed"] == feed]


def unchanged(
    files: Iterable[CheckedFile], known: Records, source: Source, feed: Feed
) -> tuple[list[CheckedFile], list[str]]:
    """Split files into (as those before them, refusals in words): a source that changed stops at the first such file.

    What comes after it waits: it may be of the new kind as well.
    """
    past = sorted((row for row in known if row["looks"]), key=lambda row: (row["batch"], row["source_file"]))
    before, columns = [from_text(row["looks"]) for row in past], list(past[-1]["columns"] or ()) if past else []
    same: list[CheckedFile] = []
    is_json = feed.format in ("json", "json_lines")
    for file in files:
        of_contract = _contract_columns(file.header, source, feed)
        said = changes(
            file.looks,
            before,
            of_contract,
            [] if is_json else _contract_columns(columns, source, feed),  # writers of JSON leave out what is null
            source,
            accepted=feed.accepted_changes,
        )
        if said:
            return same, [
                f"{source.feed}: {file.file.name}: {'; '.join(said)}. Neither it nor any file after it was taken. "
                f"Correct the export; or, when this is meant, correct feeds.{source.feed} in the lake file and name "
                "the column in its accepted_changes."
            ]
        if file.looks:
            before.append(file.looks)
            columns = list(file.header)
        same.append(file)
    return same, []


def new_columns(files: Iterable[CheckedFile], known: Records, source: Source, feed: Feed) -> list[str]:
    """What is said of columns that no file before these had and that the contract does not name."""
    seen = {name for row in known for name in row["columns"] or ()}
    if not seen:
        return []
    names = {name for file in files for name in file.header}.difference(seen, feed.names(source).values())
    return [f"new columns, kept in {bronze_table(source).name}._extra: {', '.join(sorted(names))}"] if names else []


def _contract_columns(header: Iterable[str], source: Source, feed: Feed) -> list[str]:
    there = set(header)
    return [name for name, named in feed.names(source).items() if named in there]


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
    feed: str, files: Iterable[CheckedFile], *, batch: int, run_id: str, received_at: datetime, is_copy: bool = False
) -> list[dict[str, Any]]:
    """The rows of bronze.files for the files of one landing, or for copies that were recognised after it."""
    return [
        {
            "feed": feed,
            "source_file": checked.file.name,
            "file_digest": checked.digest,
            "size_bytes": checked.file.size_bytes,
            "modified_at": checked.file.modified_at,
            "columns": list(checked.header),
            "looks": as_text(checked.looks),
            "is_copy": is_copy,
            "batch": batch,
            "run_id": run_id,
            "received_at": received_at,
        }
        for checked in files
    ]


def unrecorded_files(feed: str, bronze: DataFrame, *, after: int) -> list[dict[str, Any]]:
    """The rows of bronze.files for landings that were killed before these were written.

    Size and time of change are not in bronze; they stay empty, so the file is opened once more
    and known by its content.
    """
    origins = (
        bronze.where(F.col("_batch") > after)
        .select(
            "_source_file", "_file_digest", "_batch", "_run_id", F.unix_micros("_received_at").alias("received_micros")
        )
        .distinct()
        .collect()
    )
    return [
        {
            "feed": feed,
            "source_file": row["_source_file"],
            "file_digest": row["_file_digest"],
            "is_copy": False,
            "batch": row["_batch"],
            "run_id": row["_run_id"],
            "received_at": EPOCH + timedelta(microseconds=row["received_micros"]),
        }
        for row in origins
    ]
