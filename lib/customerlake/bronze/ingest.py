"""Read the records of landed files: text as received, each with the file and the line that it came from.

One file is one task. A file without oddities is split by Arrow; one with quoted line breaks, ragged records, bytes of
another encoding or a repeated header is read record by record, so that each odd record is kept with its line number.
"""

import csv
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.bronze.landing import CheckedFile, content, header_of
from customerlake.bronze.sources.sales import CONTRACT, SALES
from customerlake.errors import LandingError
from customerlake.runtime.config import SalesFeed

RECORDS = T.StructType([field for field in SALES.schema if field.name not in ("_batch", "_run_id", "_received_at")])
ARROW_RECORDS = pa.schema(
    [(name, pa.string()) for name in CONTRACT]
    + [("_extra", pa.map_(pa.string(), pa.string())), ("_raw", pa.string()), ("_problem", pa.string())]
    + [("_source_file", pa.string()), ("_line_number", pa.int64()), ("_file_digest", pa.string())]
)


def sales(
    spark: SparkSession,
    files: Iterable[CheckedFile],
    feed: SalesFeed,
    folder: str,
    *,
    batch: int,
    run_id: str,
    received_at: datetime,
    tasks: int = 4,
) -> DataFrame:
    """The records of sales files, as bronze.sales keeps them. All values are text; an empty value is empty text."""
    named = [(checked.file.path, checked.file.name, checked.digest) for checked in files]
    return (
        spark.createDataFrame(named, "path string, name string, digest string")
        .repartition(min(tasks, max(1, len(named))))
        .mapInArrow(reader(feed, folder), RECORDS)
        .withColumns(
            {"_batch": F.lit(batch), "_run_id": F.lit(run_id), "_received_at": F.lit(received_at).cast("timestamp")}
        )
        .transform(SALES.conform)
    )


def reader(feed: SalesFeed, folder: str) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
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
                for records in records_of(text, feed):
                    yield _with_origin(records, file["name"], file["digest"])

    return read


def records_of(text: bytes, feed: SalesFeed) -> Iterator[pa.RecordBatch]:
    """Split a file's text into records: the contract's columns, _extra, _raw, _problem and _line_number."""
    quick = _split_quickly(text, feed)
    yield from [quick] if quick is not None else _split_carefully(text, feed)


def _split_quickly(text: bytes, feed: SalesFeed) -> pa.RecordBatch | None:
    """Arrow's own reader; None when the file holds anything that needs care."""
    if b"\r" in text and text.count(b"\r") != text.count(b"\r\n"):
        return None  # a carriage return alone ends a line too, and the count of lines below would miss it
    odd: list[arrow_csv.InvalidRow] = []

    def set_aside(row: arrow_csv.InvalidRow) -> str:
        odd.append(row)
        return "skip"

    header = header_of(text, feed)
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(text),
            read_options=arrow_csv.ReadOptions(
                column_names=list(header), skip_rows=1, encoding=feed.encoding, use_threads=False, block_size=1 << 26
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=feed.delimiter,
                newlines_in_values=True,
                ignore_empty_lines=True,
                invalid_row_handler=set_aside,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in header}, null_values=[], strings_can_be_null=False
            ),
        )
    except (ValueError, LookupError):  # among them ArrowInvalid, and what Arrow says to a delimiter beyond ASCII
        return None
    lines = text.count(b"\n") + (not text.endswith(b"\n")) - 1
    wanted = feed.columns.model_dump()
    repeats_header = table.num_rows and pc.any(pc.equal(table[wanted["order_id"]], wanted["order_id"])).as_py()
    if odd or table.num_rows != lines or repeats_header:
        return None
    columns = {name: table[wanted[name]].combine_chunks() for name in CONTRACT}
    others = [name for name in header if name not in wanted.values()]
    none = pa.nulls(table.num_rows, pa.string())
    extra = (
        pa.array(
            [
                list(zip(others, values, strict=True))
                for values in zip(*(table[name].to_pylist() for name in others), strict=True)
            ],
            ARROW_RECORDS.field("_extra").type,
        )
        if others
        else pa.nulls(table.num_rows, ARROW_RECORDS.field("_extra").type)
    )
    numbers = pa.arange(2, table.num_rows + 2)
    return pa.record_batch(columns | {"_extra": extra, "_raw": none, "_problem": none, "_line_number": numbers})


def _split_carefully(text: bytes, feed: SalesFeed, rows_per_batch: int = 50_000) -> Iterator[pa.RecordBatch]:
    """The standard library's reader: every record is kept, whatever is wrong with it."""
    header = header_of(text, feed)
    wanted = feed.columns.model_dump()
    decoded = text.decode(feed.encoding, errors="surrogateescape")
    rows: list[dict[str, object]] = []
    for line_number, raw, values in _separated(decoded, feed.delimiter, len(header)):
        rows.append(_record(values, raw, header, wanted, feed) | {"_line_number": line_number})
        if len(rows) >= rows_per_batch:
            yield pa.RecordBatch.from_pylist(rows, RECORD_SCHEMA)
            rows = []
    yield pa.RecordBatch.from_pylist(rows, RECORD_SCHEMA)


def _separated(text: str, delimiter: str, width: int) -> Iterator[tuple[int, str, list[str] | None]]:
    """(line on which it starts, its text, its values) of each record after the header; empty lines are none.

    A stray quote would swallow the lines that follow it: where a record of several lines does not hold together, its
    first line alone is yielded, without values, and reading goes on with the line after it.
    """
    csv.field_size_limit(sys.maxsize)  # by default a value of more than 128 KiB ends the reading
    lines = list(io.StringIO(text, newline=""))
    start = 1
    while start < len(lines):
        reader = csv.reader((lines[number] for number in range(start, len(lines))), delimiter=delimiter)
        origin = begins = start
        start = len(lines)
        for values in reader:
            ends = origin + reader.line_num
            if ends - begins > 1 and not (len(values) == width and _is_well_quoted(lines[begins:ends], delimiter)):
                yield begins + 1, lines[begins].rstrip("\r\n"), None
                start = begins + 1
                break
            if values:
                yield begins + 1, "".join(lines[begins:ends]).rstrip("\r\n"), values
            begins = ends


def _is_well_quoted(lines: list[str], delimiter: str) -> bool:
    """Every quote that opens a value is closed, just before a delimiter or the end."""
    try:
        return len(list(csv.reader(lines, delimiter=delimiter, strict=True))) == 1
    except csv.Error:
        return False


RECORD_SCHEMA = pa.schema([field for field in ARROW_RECORDS if field.name not in ("_source_file", "_file_digest")])


def _record(
    values: list[str] | None, raw: str, header: tuple[str, ...], wanted: dict[str, str], feed: SalesFeed
) -> dict[str, object]:
    problem = _problem(values, raw, header, feed)
    if problem or values is None:
        shown = raw.encode(feed.encoding, errors="surrogateescape").decode(feed.encoding, errors="backslashreplace")
        return {"_raw": shown, "_problem": problem}
    named = dict(zip(header, values, strict=True))
    extra = {name: value for name, value in named.items() if name not in wanted.values()}
    return {name: named[wanted[name]] for name in CONTRACT} | {"_extra": list(extra.items()) or None}


def _problem(values: list[str] | None, raw: str, header: tuple[str, ...], feed: SalesFeed) -> str | None:
    if values is None:
        return "the line opens a quote that is not closed where a value ends"
    if tuple(value.strip() for value in values) == header:
        return "the line repeats the header"
    foreign = [f"0x{ord(mark) - 0xDC00:02X}" for mark in raw if "\udc80" <= mark <= "\udcff"]
    if foreign:
        return (
            f"the line holds bytes that are not {feed.encoding}: {', '.join(foreign[:5])}; "
            "set feeds.sales.encoding in the lake file, or export the file again"
        )
    if len(values) != len(header):
        return f"the line has {len(values)} columns, the header has {len(header)}"
    return None


def _with_origin(records: pa.RecordBatch, name: str, digest: str) -> pa.RecordBatch:
    size = records.num_rows
    columns = {column: records[column] for column in records.schema.names}
    origin = {"_source_file": pa.repeat(name, size), "_file_digest": pa.repeat(digest, size)}
    return pa.record_batch(columns | origin).select(ARROW_RECORDS.names).cast(ARROW_RECORDS)
