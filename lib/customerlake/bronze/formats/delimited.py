"""Files of values between delimiters, with quotes as RFC 4180 has them.

A file without oddities is split by Arrow; one with quoted line breaks, ragged records, bytes of another encoding or a
repeated header is read record by record, so that each odd record is kept with its line number.
"""

import codecs
import csv
import sys
from collections.abc import Iterator
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from customerlake.bronze.formats.records import (
    ROWS_OF_A_BATCH,
    Numbered,
    Odd,
    batches_of_values,
    records_of_columns,
)
from customerlake.bronze.formats.text import foreign_problem, lines, shown
from customerlake.contracts.source import Source
from customerlake.runtime.feeds import Feed

LINES_OF_A_HEADER = 20  # names may hold line breaks, as the questions of a survey do
BLOCK_BYTES = 1 << 26
NOT_CLOSED = "the line opens a quote that is not closed where a value ends"
REPEATS_HEADER = "the line repeats the header"


def header(text: bytes, feed: Feed) -> tuple[str, ...]:
    """The column names: those of the lake file, else those that the file begins with."""
    return _head(text, feed)[0]


def split(text: bytes, source: Source, feed: Feed, rows_per_batch: int = ROWS_OF_A_BATCH) -> Iterator[pa.RecordBatch]:
    """The records of a file. An empty value is empty text."""
    quick = split_quickly(text, source, feed)
    return iter(quick) if quick is not None else split_carefully(text, source, feed, rows_per_batch)


def split_quickly(text: bytes, source: Source, feed: Feed) -> list[pa.RecordBatch] | None:
    """Arrow's own reader; None when the file holds anything that needs care."""
    names, above = _head(text, feed)  # above: lines before the first record
    in_utf8 = _in_utf8(text, feed.encoding)
    if in_utf8 is None or not names:
        return None
    if b"\r" in in_utf8 and in_utf8.count(b"\r") != in_utf8.count(b"\r\n"):
        return None  # a carriage return alone ends a line too, and the count of lines below would miss it
    table = _read_by_arrow(in_utf8, names, above, feed.delimiter)
    count_lines = in_utf8.count(b"\n") + (not in_utf8.endswith(b"\n")) - above
    if table is None or table.num_rows != count_lines or _repeats_header(table, names, source, feed):
        return None
    batches, begin = [], above + 1
    for batch in table.to_batches():
        columns = dict(zip(names, batch.columns, strict=True))
        numbers = pa.arange(begin, begin + batch.num_rows)
        batches.append(records_of_columns(columns, numbers, source, feed))
        begin += batch.num_rows
    return batches


def _in_utf8(text: bytes, encoding: str) -> bytes | None:
    """None when the text holds bytes of another encoding; those of UTF-8 are left to Arrow to find."""
    if codecs.lookup(encoding).name in ("utf-8", "ascii"):
        return text
    try:
        return text.decode(encoding).encode()
    except UnicodeError:
        return None


def _read_by_arrow(text: bytes, names: tuple[str, ...], above: int, delimiter: str) -> pa.Table | None:
    """Each record as text; None when one is odd."""
    odd: list[arrow_csv.InvalidRow] = []

    def set_aside(row: arrow_csv.InvalidRow) -> str:
        odd.append(row)
        return "skip"

    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(text),
            read_options=arrow_csv.ReadOptions(
                column_names=list(names), skip_rows=above, use_threads=False, block_size=BLOCK_BYTES
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=True, invalid_row_handler=set_aside
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in names}, null_values=[], strings_can_be_null=False
            ),
        )
    except ValueError:  # among them ArrowInvalid, and what Arrow says to a delimiter beyond ASCII
        return None
    return None if odd else table


def _repeats_header(table: pa.Table, names: tuple[str, ...], source: Source, feed: Feed) -> bool:
    """A line may be the header once more: then its first known column holds that column's name."""
    known = next((name for name in feed.names(source).values() if name in names), names[0])
    found: bool | None = pc.any(pc.equal(pc.utf8_trim_whitespace(table[known]), known)).as_py()
    return bool(found)


def split_carefully(
    text: bytes, source: Source, feed: Feed, rows_per_batch: int = ROWS_OF_A_BATCH
) -> Iterator[pa.RecordBatch]:
    """The standard library's reader: every record is kept, whatever is wrong with it."""
    names, above = _head(text, feed)
    all_lines = list(lines(text, feed, newline=""))

    def records() -> Iterator[Numbered]:
        width = len(names)
        for begins, ends, values in _separated(all_lines, feed.delimiter, width, above):
            said = _problem(values, all_lines[begins:ends], names, source, feed)
            if said is None and values is not None:
                yield begins + 1, values
            else:
                yield begins + 1, Odd(shown("".join(all_lines[begins:ends]).rstrip("\r\n")), said or NOT_CLOSED)

    return batches_of_values(records(), names, source, feed, rows_per_batch)


def _head(text: bytes, feed: Feed) -> tuple[tuple[str, ...], int]:
    """The column names, and how many lines of the file they take."""
    if feed.header is not None:
        return feed.header, 0
    first = list(islice(lines(text, feed, newline=""), LINES_OF_A_HEADER))
    reader = csv.reader(first, delimiter=feed.delimiter)
    values, taken = next(reader, []), reader.line_num
    if taken > 1 and not _is_well_quoted(first[:taken], feed.delimiter):
        values, taken = next(csv.reader(first[:1], delimiter=feed.delimiter), []), 1
    return tuple(name.strip() for name in values), max(taken, 1)


def _separated(lines: list[str], delimiter: str, width: int, begin: int) -> Iterator[tuple[int, int, list[str] | None]]:
    """(its first line, the line after its last, its values) of each record from `begin` on; empty lines are none.

    A stray quote would swallow the lines that follow it: where a record of several lines does not hold together, its
    first line alone is yielded, without values, and reading goes on with the line after it.
    """
    csv.field_size_limit(sys.maxsize)  # by default a value of more than 128 KiB ends the reading
    start = begin
    while start < len(lines):
        reader = csv.reader(map(lines.__getitem__, range(start, len(lines))), delimiter=delimiter)
        origin = begins = start
        start = len(lines)
        for values in reader:
            ends = origin + reader.line_num
            if ends - begins > 1 and not (len(values) == width and _is_well_quoted(lines[begins:ends], delimiter)):
                yield begins, begins + 1, None
                start = begins + 1
                break
            if values:
                yield begins, ends, values
            begins = ends


def _is_well_quoted(lines: list[str], delimiter: str) -> bool:
    """Every quote that opens a value is closed, just before a delimiter or the end."""
    try:
        return len(list(csv.reader(lines, delimiter=delimiter, strict=True))) == 1
    except csv.Error:
        return False


def _problem(
    values: list[str] | None, of_record: list[str], names: tuple[str, ...], source: Source, feed: Feed
) -> str | None:
    if values is None:
        return NOT_CLOSED
    if values[0].strip() == names[0] and tuple(value.strip() for value in values) == names:
        return REPEATS_HEADER
    for line in of_record:
        if said := foreign_problem(line, source, feed):
            return said
    if len(values) != len(names):
        return f"the line has {len(values)} columns, the header has {len(names)}"
    return None
