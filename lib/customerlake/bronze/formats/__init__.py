"""The formats of landed files. Each is two functions: the names of a file's columns, and its records."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import pyarrow as pa

from customerlake.bronze.formats import delimited, json_records, lines, tabular
from customerlake.contracts.source import Source
from customerlake.runtime.feeds import Feed, Format


class Split(Protocol):
    def __call__(
        self, text: bytes, source: Source, feed: Feed, rows_per_batch: int = ...
    ) -> Iterator[pa.RecordBatch]: ...


class Reader(NamedTuple):
    """How files of one format are read, each given as its bytes, unpacked."""

    header: Callable[[bytes, Feed], tuple[str, ...]]
    split: Split


READERS: dict[Format, Reader] = {
    "csv": Reader(delimited.header, delimited.split),
    "whitespace": Reader(lines.white_space_header, lines.split_at_white_space),
    "fixed_width": Reader(lines.fixed_width_header, lines.split_by_width),
    "baskets": Reader(lines.basket_header, lines.split_baskets),
    "json_lines": Reader(json_records.header_of_lines, json_records.split_lines),
    "json": Reader(json_records.header_of_document, json_records.split_document),
    "parquet": Reader(tabular.parquet_header, tabular.split_parquet),
    "avro": Reader(tabular.avro_header, tabular.split_avro),
    "excel": Reader(tabular.excel_header, tabular.split_excel),
}

TYPED = ("parquet", "avro", "excel")
"""Formats whose values are typed: their instants are written as yyyy-MM-dd HH:mm:ss, whatever the lake file says."""
