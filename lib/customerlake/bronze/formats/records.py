"""The shape that every format gives its records: the contract's columns as text, and what the reader says of each."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from customerlake.contracts.source import Source
from customerlake.runtime.feeds import Feed

EXTRA = pa.map_(pa.string(), pa.string())
ROWS_OF_A_BATCH = 2_000  # whose values stay in the processor's cache: with 50,000 reading takes twice the time
AsText = Callable[[Sequence[Any]], pa.Array]


class Odd(NamedTuple):
    """A record that cannot be split into columns: its text, and what is wrong with it."""

    raw: str
    problem: str


Numbered = tuple[int, Sequence[Any] | Odd]
"""A record's line number and its values, in the order of the file's columns."""


def schema_of(source: Source) -> pa.Schema:
    """What a format yields: without the file that the records came from, which is the same for all of them."""
    return pa.schema(
        [(name, pa.string()) for name in source.column_names]
        + [("_extra", EXTRA), ("_raw", pa.string()), ("_problem", pa.string()), ("_line_number", pa.int64())]
    )


def texts(values: Sequence[str | bytes | None]) -> pa.Array:
    """A column of text. Half a surrogate pair, which no UTF-8 can hold, is written as its escape."""
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        whole = [value.encode("utf-8", "backslashreplace") if isinstance(value, str) else value for value in values]
        return pa.array(whole, pa.string())


def batches_of_values(
    records: Iterable[Numbered],
    names: Sequence[str],
    source: Source,
    feed: Feed,
    rows_per_batch: int = ROWS_OF_A_BATCH,
    *,
    as_text: AsText = texts,
) -> Iterator[pa.RecordBatch]:
    """Records given as values under `names`, as batches; an odd one has its place among the others."""
    remaining, width, nothing = iter(records), len(names), (None,) * len(names)
    while True:
        numbers: list[int] = []
        cells: list[Any] = []  # row by row: a row's own list would be one more for the garbage collector to visit
        odd: dict[int, Odd] = {}
        for number, values in islice(remaining, rows_per_batch):
            if isinstance(values, Odd):
                odd[len(numbers)] = values
                cells += nothing
            else:
                cells += values
            numbers.append(number)
        if not numbers:
            return
        columns = {name: as_text(cells[place::width]) for place, name in enumerate(names)}
        yield records_of_columns(columns, pa.array(numbers, pa.int64()), source, feed, odd)


def records_of_columns(
    columns: Mapping[str, pa.Array], numbers: pa.Array, source: Source, feed: Feed, odd: Mapping[int, Odd] | None = None
) -> pa.RecordBatch:
    """Records given as columns of text under the source's names; `odd` are some of them, by place."""
    wanted = set(feed.names(source).values())
    others = {name: values for name, values in columns.items() if name not in wanted}
    return assembled(columns, _maps_of_columns(others, len(numbers), odd or {}), numbers, source, feed, odd or {})


def assembled(
    columns: Mapping[str, pa.Array],
    extra: pa.Array,
    numbers: pa.Array,
    source: Source,
    feed: Feed,
    odd: Mapping[int, Odd],
) -> pa.RecordBatch:
    """A batch out of columns under the source's names and what it has besides."""
    size = len(numbers)
    none = pa.nulls(size, pa.string())
    names = feed.names(source)
    known = {name: columns.get(names[name], none) if name in names else none for name in source.column_names}
    raw, problem = none, none
    if odd:
        raw = texts([odd[place].raw if place in odd else None for place in range(size)])
        problem = texts([odd[place].problem if place in odd else None for place in range(size)])
    return pa.record_batch(
        known | {"_extra": extra, "_raw": raw, "_problem": problem, "_line_number": numbers}, schema=schema_of(source)
    )


def _maps_of_columns(columns: Mapping[str, pa.Array], size: int, odd: Mapping[int, Odd]) -> pa.Array:
    """One map per row, of the columns' names to their values; null where there is no column, and for odd records."""
    if not columns or not size:
        return pa.nulls(size, EXTRA)
    width = len(columns)
    every = pa.concat_arrays(list(columns.values()))
    row_by_row = np.arange(size * width).reshape(width, size).T.ravel()
    keys = pa.array(list(columns), pa.string()).take(pa.array(np.tile(np.arange(width), size)))
    is_odd = np.zeros(size, dtype=bool)
    is_odd[list(odd)] = True
    offsets = pa.array(np.arange(0, size * width + 1, width, dtype=np.int32))
    return pa.MapArray.from_arrays(offsets, keys, every.take(pa.array(row_by_row)), mask=pa.array(is_odd))
