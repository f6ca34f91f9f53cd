"""Files that hold typed columns: Parquet, Avro and Excel. Their values become text as received ones are."""

import io
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import parquet
from pyspark.sql import types as T

from customerlake.bronze.formats.records import ROWS_OF_A_BATCH, Numbered, Odd, batches_of_values, records_of_columns
from customerlake.bronze.formats.typed_values import text_array, text_column, text_of
from customerlake.contracts.source import Source
from customerlake.errors import LandingError
from customerlake.runtime.feeds import Feed

ROWS_OF_ARROW = 50_000  # that never become Python's objects


def parquet_header(text: bytes, feed: Feed) -> tuple[str, ...]:
    """The names of the columns, those inside of structures as in address.city.

    Raises: LandingError when any page of the file is damaged.
    """
    names: tuple[str, ...] = ()
    for batch in _parquet_batches(text):
        names = tuple(batch.schema.names)
    return names or tuple(_flat_columns(_parquet(text).schema_arrow.empty_table()).schema.names)


def split_parquet(
    text: bytes, source: Source, feed: Feed, rows_per_batch: int = ROWS_OF_ARROW
) -> Iterator[pa.RecordBatch]:
    begin = 1
    for batch in _parquet_batches(text, rows_per_batch):
        columns = {name: text_array(batch[name].combine_chunks()) for name in batch.schema.names}
        yield records_of_columns(columns, pa.arange(begin, begin + batch.num_rows), source, feed)
        begin += batch.num_rows


def avro_header(text: bytes, feed: Feed) -> tuple[str, ...]:
    """The names of the columns, those inside of records as in address.city.

    Raises: LandingError when the file is cut short or damaged.
    """
    import fastavro

    try:
        for _ in fastavro.block_reader(io.BytesIO(text)):
            pass
    except AVRO_DAMAGE as error:
        raise _no_avro(error) from error
    return tuple(_leaves(_avro(text).writer_schema))


def split_avro(
    text: bytes, source: Source, feed: Feed, rows_per_batch: int = ROWS_OF_A_BATCH
) -> Iterator[pa.RecordBatch]:
    records = _avro(text)
    leaves = _leaves(records.writer_schema)
    paths = list(leaves.values())
    is_flat = all(len(path) == 1 for path in paths)

    def numbered() -> Iterator[Numbered]:
        try:
            for number, record in enumerate(records, start=1):
                yield number, list(record.values()) if is_flat else [_at(record, path) for path in paths]
        except AVRO_DAMAGE as error:
            raise _no_avro(error) from error

    return batches_of_values(numbered(), list(leaves), source, feed, rows_per_batch, as_text=text_column)


def excel_header(text: bytes, feed: Feed) -> tuple[str, ...]:
    return feed.header if feed.header is not None else tuple(_layout(_sheet(text, feed), feed).names)


def split_excel(
    text: bytes, source: Source, feed: Feed, rows_per_batch: int = ROWS_OF_A_BATCH
) -> Iterator[pa.RecordBatch]:
    """The rows of one sheet; empty rows are none. The line number is that of the sheet's row."""
    rows = _sheet(text, feed)
    names, places, above = _layout(rows, feed)
    instants = [column for column, name in enumerate(names) if _is_instant(name, source, feed)]
    others = [place for place in range(max(map(len, rows), default=0)) if place not in places]

    def records() -> Iterator[Numbered]:
        for number, cells in enumerate(rows[above:], start=above + 1):
            if not _is_filled(cells):
                continue
            if any(cells[place] != "" for place in others):
                problem = f"the row has {len(cells)} columns, the header has {len(names)}"
                yield number, Odd(text_of(cells) or "", problem)
                continue
            values = [cells[place] if place < len(cells) and cells[place] != "" else None for place in places]
            for column in instants:
                values[column] = _as_instant(values[column])
            yield number, values

    return batches_of_values(records(), names, source, feed, rows_per_batch, as_text=text_column)


def _parquet_batches(text: bytes, rows_per_batch: int = ROWS_OF_ARROW) -> Iterator[pa.Table]:
    try:
        for batch in _parquet(text).iter_batches(batch_size=rows_per_batch):
            yield _flat_columns(pa.Table.from_batches([batch]))
    except (pa.ArrowException, OSError) as error:
        raise _no_parquet(error) from error


def instants(text: bytes, feed: Feed) -> list[str]:
    """The columns of a typed file that hold instants, whatever the zone: as text they are in UTC."""
    if feed.format == "parquet":
        return [field.name for field in _parquet(text).schema_arrow if getattr(field.type, "tz", None)]
    if feed.format == "avro":
        fields = _avro(text).writer_schema["fields"]
        return [field["name"] for field in fields if '"timestamp-m' in json.dumps(field["type"])]
    return []


def _parquet(text: bytes) -> parquet.ParquetFile:
    try:
        return parquet.ParquetFile(
            pa.BufferReader(text), coerce_int96_timestamp_unit="us", page_checksum_verification=True
        )
    except (pa.ArrowException, OSError) as error:
        raise _no_parquet(error) from error


def _no_parquet(error: Exception) -> LandingError:
    return LandingError(f"it is no whole Parquet file ({error}); write it again")


def _flat_columns(table: pa.Table) -> pa.Table:
    while any(pa.types.is_struct(kind) for kind in table.schema.types):
        table = table.flatten()
    return table


AVRO_DAMAGE = (ValueError, EOFError, StopIteration, TypeError, KeyError, IndexError, OSError, zlib.error)
"""What fastavro raises at bytes that are no Avro, or no more."""


def _avro(text: bytes) -> Any:
    import fastavro

    try:
        return fastavro.reader(io.BytesIO(text))
    except AVRO_DAMAGE as error:
        raise _no_avro(error) from error


def _no_avro(error: Exception) -> LandingError:
    return LandingError(f"it is no whole Avro file ({str(error) or type(error).__name__}); write it again")


def _leaves(schema: Any, above: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """Where in a record each column is, by its name: those inside of records as in address.city."""
    if not isinstance(schema, dict) or "fields" not in schema:
        raise LandingError("its Avro schema is no record of named fields; write records")
    found: dict[str, tuple[str, ...]] = {}
    for field in schema["fields"]:
        path = (*above, field["name"])
        inside = _record_in(field["type"])
        found |= _leaves(inside, path) if inside else {".".join(path): path}
    return found


def _record_in(schema: Any) -> Any:
    """The record that a field holds, or may hold; None where it holds anything else."""
    others = [kind for kind in schema if kind != "null"] if isinstance(schema, list) else [schema]
    is_record = len(others) == 1 and isinstance(others[0], dict) and others[0].get("type") == "record"
    return others[0] if is_record else None


def _at(record: Mapping[str, Any], path: Sequence[str]) -> Any:
    value: Any = record
    for name in path:
        value = value[name] if value is not None else None
    return value


def _sheet(text: bytes, feed: Feed) -> list[list[Any]]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(text))
        sheet = feed.sheet or book.sheet_names[0]
        if sheet in book.sheet_names:
            rows: list[list[Any]] = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
            return rows
    except CalamineError as error:
        raise LandingError(f"it is no workbook that can be read ({error}); save it as .xlsx again") from error
    raise LandingError(
        f"it has no sheet {sheet!r}; its sheets are {', '.join(book.sheet_names)}. Correct sheet in the lake file"
    )


class _Layout(NamedTuple):
    """Where a sheet's table is."""

    names: list[str]
    places: list[int]  # of its columns, in a row's cells
    above: int  # rows before the first record


def _layout(rows: list[list[Any]], feed: Feed) -> _Layout:
    """The first row that is not empty names the columns; one without a name is called by its place, if it holds any."""
    if feed.header is not None:
        return _Layout(list(feed.header), list(range(len(feed.header))), 0)
    above = next((number for number, cells in enumerate(rows, start=1) if _is_filled(cells)), 0)
    if not above:
        return _Layout([], [], 0)
    said = [(text_of(cell) or "").strip() for cell in rows[above - 1]]
    places = [place for place, name in enumerate(said) if name or any(cells[place] != "" for cells in rows[above:])]
    return _Layout([said[place] or f"column {place + 1}" for place in places], places, above)


def _is_filled(cells: Iterable[Any]) -> bool:
    return any(cell not in ("", None) for cell in cells)


def _is_instant(name: str, source: Source, feed: Feed) -> bool:
    return any(
        there == name and isinstance(source.column(known).type, T.TimestampType)
        for known, there in feed.names(source).items()
    )


def _as_instant(value: Any) -> Any:
    """Midnight, which is read out of a sheet as a day alone."""
    return datetime(value.year, value.month, value.day) if value.__class__ is date else value
