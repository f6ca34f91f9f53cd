"""Files whose lines are not delimited as RFC 4180 has it: values between white space, of fixed width, and baskets."""

import csv
import re
from collections.abc import Iterator

import pyarrow as pa

from customerlake.bronze.formats.records import ROWS_OF_A_BATCH, Numbered, Odd, batches_of_values
from customerlake.bronze.formats.text import foreign_problem, lines, shown
from customerlake.contracts.source import Source
from customerlake.runtime.feeds import Feed

BETWEEN_SPACES = re.compile(r"[^ \t]+")
REPEATS_HEADER = "the line repeats the header"
BASKET = ("basket", "item")


def white_space_header(text: bytes, feed: Feed) -> tuple[str, ...]:
    if feed.header is not None:
        return feed.header
    return tuple(_between_spaces(next(lines(text, feed), "")))


def split_at_white_space(
    text: bytes, source: Source, feed: Feed, rows_per_batch: int = ROWS_OF_A_BATCH
) -> Iterator[pa.RecordBatch]:
    """The records of a file whose values stand between spaces or tabs, any number of them."""
    names = list(white_space_header(text, feed))

    def records() -> Iterator[Numbered]:
        width = len(names)
        for number, line in enumerate(lines(text, feed), start=1):
            values = _between_spaces(line)
            if not values or (number == 1 and feed.header is None):
                continue
            if problem := foreign_problem(line, source, feed):
                yield number, Odd(shown(line), problem)
            elif len(values) != width:
                yield number, Odd(line, f"the line has {len(values)} columns, the header has {width}")
            else:
                yield number, values if values != names else Odd(line, REPEATS_HEADER)

    return batches_of_values(records(), names, source, feed, rows_per_batch)


def fixed_width_header(text: bytes, feed: Feed) -> tuple[str, ...]:
    return tuple(feed.widths)


def split_by_width(
    text: bytes, source: Source, feed: Feed, rows_per_batch: int = ROWS_OF_A_BATCH
) -> Iterator[pa.RecordBatch]:
    """The records of a file in which each column takes the same characters on every line."""
    names, ends, places = list(feed.widths), 0, []
    for width in feed.widths.values():
        places.append(slice(ends, ends + width))
        ends += width
    last_begins = places[-1].start

    def records() -> Iterator[Numbered]:
        for number, line in enumerate(lines(text, feed), start=1):
            if not line or line.isspace():
                continue
            if problem := foreign_problem(line, source, feed):
                yield number, Odd(shown(line), problem)
            elif len(line) <= last_begins or (len(line) > ends and line[ends:].strip()):
                problem = f"the line has {len(line)} characters, the columns of the lake file take {ends}"
                yield number, Odd(line, problem)
            else:
                values = [line[place].strip() for place in places]
                yield number, values if values != names else Odd(line, REPEATS_HEADER)

    return batches_of_values(records(), names, source, feed, rows_per_batch)


def basket_header(text: bytes, feed: Feed) -> tuple[str, ...]:
    return BASKET


def split_baskets(
    text: bytes, source: Source, feed: Feed, rows_per_batch: int = ROWS_OF_A_BATCH
) -> Iterator[pa.RecordBatch]:
    """One record per item: `basket`, the number of the line, and `item`, what stands between two delimiters."""

    def records() -> Iterator[Numbered]:
        for number, line in enumerate(lines(text, feed), start=1):
            if problem := foreign_problem(line, source, feed):
                yield number, Odd(shown(line), problem)
                continue
            items = _items(line, feed.delimiter)
            if items is None:
                yield number, Odd(line, "the line opens a quote that is not closed where a value ends")
                continue
            basket = str(number)
            for item in items:
                if stripped := item.strip():
                    yield number, (basket, stripped)

    return batches_of_values(records(), BASKET, source, feed, rows_per_batch)


def _between_spaces(line: str) -> list[str]:
    """The values of a line. A space that does not break, or of another script, is part of one."""
    return line.split() if line.isascii() else BETWEEN_SPACES.findall(line)


def _items(line: str, delimiter: str) -> list[str] | None:
    """The items of one basket, which is one line; None when a quote goes on beyond it."""
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None
