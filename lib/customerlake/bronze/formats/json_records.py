"""JSON: one object per line, or a list of objects anywhere in a document. Numbers keep the digits they came with."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow as pa

from customerlake.bronze.formats.records import (
    EXTRA,
    ROWS_OF_A_BATCH,
    Odd,
    assembled,
    records_of_columns,
    texts,
)
from customerlake.bronze.formats.text import foreign_problem, lines, shown
from customerlake.contracts.source import Source
from customerlake.errors import LandingError
from customerlake.runtime.feeds import Feed

SEEN_FOR_HEADER = 1000  # records: writers leave out what is null, so one does not name all columns
DEEPEST = 100  # objects and lists in one another
TOO_DEEP = "is JSON that is nested too deeply"
NO_OBJECT = "the record is no object of names and values"
Record = dict[str, Any]
Numbered = tuple[int, Record | Odd]

decoder = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)


class Repeating(list[tuple[str, Any]]):
    """An object that names something twice, as its names and values."""


def _object(pairs: list[tuple[str, Any]]) -> Record | Repeating:
    record = dict(pairs)
    return record if len(record) == len(pairs) else Repeating(pairs)


exact = json.JSONDecoder(
    parse_float=str.encode, parse_int=str.encode, parse_constant=str.encode, object_pairs_hook=_object
)
"""A number becomes its digits, as bytes, and so is known from a text."""
begin_of_value: Callable[[str, int], tuple[Any, int]] = exact.scan_once  # type: ignore[attr-defined]  # typeshed leaves it out


def header_of_lines(text: bytes, feed: Feed) -> tuple[str, ...]:
    return _names(islice(_records_of_lines(text, feed, lambda line: None), SEEN_FOR_HEADER))


def split_lines(
    text: bytes, source: Source, feed: Feed, rows_per_batch: int = ROWS_OF_A_BATCH
) -> Iterator[pa.RecordBatch]:
    """The records of a file of one object per line."""
    records = _records_of_lines(text, feed, lambda line: foreign_problem(line, source, feed))
    return _batches(records, source, feed, rows_per_batch)


def header_of_document(text: bytes, feed: Feed) -> tuple[str, ...]:
    return _names(islice(_records_of_document(text, feed), SEEN_FOR_HEADER))


def split_document(
    text: bytes, source: Source, feed: Feed, rows_per_batch: int = ROWS_OF_A_BATCH
) -> Iterator[pa.RecordBatch]:
    """The records of a document. Raises: LandingError when it is no JSON, or has no list where one should be."""
    return _batches(_records_of_document(text, feed), source, feed, rows_per_batch)


def _records_of_lines(text: bytes, feed: Feed, foreign: Callable[[str], str | None]) -> Iterator[Numbered]:
    for number, line in enumerate(lines(text, feed), start=1):
        try:
            value, end = begin_of_value(line, 0)
            if end != len(line) and line[end:].strip():
                raise ValueError(f"Extra data: column {end + 1}")
        except (StopIteration, ValueError, RecursionError):  # also at white space before the object
            if not line or line.isspace():
                continue
            value = _decoded_carefully(line)
        if not line.isascii() and (problem := foreign(line)) is not None:
            value = Odd(shown(line), problem)
        yield number, value if value.__class__ is dict or value.__class__ is Odd else _odd(value, line)


def _decoded_carefully(line: str) -> Any:
    try:
        return exact.decode(line)
    except ValueError as error:
        return Odd(shown(line), f"the line is no JSON: {error}")
    except RecursionError:
        return Odd(shown(line), f"the line {TOO_DEEP}")


def _records_of_document(text: bytes, feed: Feed) -> Iterator[Numbered]:
    try:
        document = exact.decode(text.decode(feed.encoding).removeprefix("\ufeff"))
    except ValueError as error:  # among them bytes of another encoding
        raise LandingError(f"it is no JSON in {feed.encoding} ({error}); export it again") from error
    except RecursionError as error:
        raise LandingError(f"it {TOO_DEEP}; export it again") from error
    for number, value in enumerate(_list_in(document, feed), start=1):
        yield number, value if value.__class__ is dict else _odd(value, _as_json(value))


def _list_in(document: Any, feed: Feed) -> list[Any]:
    found = document
    for part in filter(None, feed.records_at.split(".")):
        found = found.get(part) if isinstance(found, dict) else None
    if found.__class__ is list:
        records: list[Any] = found
        return records
    holds = f"the keys {', '.join(document)}" if isinstance(document, dict) else f"a {_kind(document)}"
    where = f"at {feed.records_at}" if feed.records_at else "as the whole document"
    raise LandingError(f"a list of records is expected {where}; it holds {holds}. Set records_at in the lake file")


def _kind(value: Any) -> str:
    if isinstance(value, Repeating):
        return "object that names something twice"
    kinds = {list: "list", str: "text", bytes: "number", bool: "truth value", type(None): "null"}
    return kinds[value.__class__]


def _odd(value: Any, raw: str) -> Odd:
    return Odd(raw, _twice(value) if value.__class__ is Repeating else NO_OBJECT)


def _twice(pairs: Sequence[tuple[str, Any]]) -> str:
    names = [name for name, _ in pairs]
    return f"the record names {', '.join(sorted({name for name in names if names.count(name) > 1}))} twice"


def _batches(records: Iterator[Numbered], source: Source, feed: Feed, rows_per_batch: int) -> Iterator[pa.RecordBatch]:
    while True:
        numbers: list[int] = []
        values: list[Record | Odd] = []  # beside the numbers, not with them: so the garbage collector has less to visit
        for number, value in islice(records, rows_per_batch):
            numbers.append(number)
            values.append(value)
        if not numbers:
            return
        yield _batch(values, pa.array(numbers, pa.int64()), source, feed)


def _batch(values: Sequence[Record | Odd], numbers: pa.Array, source: Source, feed: Feed) -> pa.RecordBatch:
    try:
        return _batch_of_shallow(values, numbers, source, feed)
    except RecursionError:
        return _batch_of_shallow([*map(_unless_too_deep, values)], numbers, source, feed)


def _batch_of_shallow(values: Sequence[Record | Odd], numbers: pa.Array, source: Source, feed: Feed) -> pa.RecordBatch:
    sound = [value for value in values if not isinstance(value, Odd)]
    alike = _columns_of_alike(sound) if len(sound) == len(values) else None
    if alike is not None:
        return records_of_columns(alike, numbers, source, feed)
    flat = [value if isinstance(value, Odd) else _flat_record(value) for value in values]
    odd = {place: record for place, record in enumerate(flat) if isinstance(record, Odd)}
    records = [{} if isinstance(record, Odd) else record for record in flat]
    wanted = list(feed.names(source).values())
    columns = {name: _text_column([record.get(name) for record in records]) for name in wanted}
    return assembled(columns, _others(records, {*wanted}), numbers, source, feed, odd)


def _columns_of_alike(records: Sequence[Record], above: str = "", room: int = DEEPEST) -> dict[str, pa.Array] | None:
    """The columns of records that all have the same names, inside objects too; None when they do not."""
    names, *other_names = {*map(tuple, records)}
    if other_names or room == 0:
        return None
    found: dict[str, pa.Array] = {}
    for name, values in zip(names, zip(*map(dict.values, records), strict=True), strict=True):
        kinds = {*map(type, values)}
        columns: dict[str, pa.Array] | None = None
        if not kinds & NESTED:
            columns = {above + name: _text_column(values)}
        elif kinds == {dict} and all(values):
            columns = _columns_of_alike(values, f"{above}{name}.", room - 1)
        if columns is None or columns.keys() & found.keys():
            return None
        found |= columns
    return found


NESTED = {dict, Repeating}


def _flat_record(record: Record) -> Record | Odd:
    """Objects inside become columns of their own, as in address.city; lists stay as JSON."""
    if not any(value.__class__ in NESTED for value in record.values()):
        return record
    leaves = list(_leaves(record.items()))
    flat = dict(leaves)
    return flat if len(flat) == len(leaves) else Odd(_as_json(record), _twice(leaves))


def _leaves(pairs: Iterable[tuple[str, Any]], above: str = "", room: int = DEEPEST) -> Iterator[tuple[str, Any]]:
    if room == 0:
        raise RecursionError
    for name, value in pairs:
        if value and isinstance(value, dict | Repeating):
            yield from _leaves(value.items() if isinstance(value, dict) else value, f"{above}{name}.", room - 1)
        else:
            yield above + name, value


def _unless_too_deep(record: Record | Odd) -> Record | Odd:
    """The record, or, where it is nested beyond what can be taken apart, its text."""
    if isinstance(record, Odd) or not _is_deeper(record, DEEPEST):
        return record
    shown = json.dumps(record, ensure_ascii=False, default=bytes.decode)  # by C, which goes down further
    return Odd(shown, f"the record {TOO_DEEP}")


def _is_deeper(value: Any, room: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inside = (
        value.values()
        if isinstance(value, dict)
        else [pair[1] for pair in value]
        if isinstance(value, Repeating)
        else value
    )
    return room == 0 or any(_is_deeper(one, room - 1) for one in inside)


def _text_column(values: Sequence[Any]) -> pa.Array:
    if {*map(type, values)} <= TEXT:
        return texts(values)
    return texts([value if value.__class__ in TEXT else _as_json(value) for value in values])


TEXT = {str, bytes, type(None)}


def _others(records: Sequence[Record], wanted: set[str]) -> pa.Array:
    """What each record has besides the columns that are wanted, as a map; null where it has nothing else."""
    if not {*chain.from_iterable(records)} - wanted:
        return pa.nulls(len(records), EXTRA)
    names: list[str] = []
    values: list[Any] = []
    ends = [0]
    for record in records:
        for name, value in record.items():
            if name not in wanted:
                names.append(name)
                values.append(value)
        ends.append(len(names))
    offsets = np.array(ends, dtype=np.int32)
    is_empty = pa.array(offsets[1:] == offsets[:-1])
    return pa.MapArray.from_arrays(pa.array(offsets), texts(names), _text_column(values), mask=is_empty)


def _as_json(value: Any, room: int = DEEPEST) -> str:
    """JSON again, its numbers as they were written. Raises: RecursionError when it is nested too deeply."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if room == 0:
        raise RecursionError
    if isinstance(value, dict | Repeating):
        pairs = value.items() if isinstance(value, dict) else value
        inside = [f"{_as_json(name)}: {_as_json(one, room - 1)}" for name, one in pairs]
        return f"{{{', '.join(inside)}}}"
    return f"[{', '.join([_as_json(one, room - 1) for one in value])}]"


def _names(records: Iterable[Numbered]) -> tuple[str, ...]:
    shallow = (_unless_too_deep(record) for _, record in records)
    flat = (record if isinstance(record, Odd) else _flat_record(record) for record in shallow)
    return tuple(dict.fromkeys(chain.from_iterable(record for record in flat if isinstance(record, dict))))
