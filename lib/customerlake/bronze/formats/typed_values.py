"""Typed values as text: instants as yyyy-MM-dd HH:mm:ss in UTC, numbers with their digits, lists and maps as JSON."""

import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

WHOLE_UP_TO = 2**53  # a double holds each whole number up to here


def text_of(value: Any) -> str | None:
    """A value of any type as text."""
    if value is None:
        return None
    of_class = OF_CLASS.get(value.__class__)
    return of_class(value) if of_class else f"{value}"


def text_column(values: Sequence[Any]) -> pa.Array:
    """Values as a column of text. Those of one type are left to Arrow, which is faster."""
    kinds = {*map(type, values)} - {type(None)}
    if len(kinds) == 1 and kinds <= LEFT_TO_ARROW:
        try:
            return text_array(pa.array(values))
        except (pa.ArrowInvalid, OverflowError):  # a number that is larger than Arrow's types
            pass
    return pa.array([text_of(value) for value in values], pa.string())


def text_array(array: pa.Array) -> pa.Array:
    """A column of any of Arrow's types as text, as `text_of` says it."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        return text_array(array.dictionary_decode())
    if pa.types.is_date64(kind):
        return array.cast(pa.date32()).cast(pa.string())
    if pa.types.is_decimal(kind):
        return _of_decimals(array)
    if pa.types.is_floating(kind):
        return _of_floats(array)
    if pa.types.is_timestamp(kind):
        in_utc = array.cast(pa.timestamp("us"), safe=False)  # nanoseconds are cut off
        return pc.replace_substring_regex(in_utc.cast(pa.string()), r"\.0+$", "")
    if any(is_kind(kind) for is_kind in CAST_BY_ARROW):
        return array.cast(pa.string())
    if pa.types.is_map(kind):
        return pa.array([text_of(pairs and dict(pairs)) for pairs in array.to_pylist()], pa.string())
    return pa.array([text_of(value) for value in array.to_pylist()], pa.string())


def _of_decimals(array: pa.Array) -> pa.Array:
    cast = array.cast(pa.string())
    if not pc.any(pc.match_substring(cast, "E")).as_py():
        return cast
    return pa.array([text_of(value) for value in array.to_pylist()], pa.string())  # 1E-7 is 0.0000001


def _of_floats(array: pa.Array) -> pa.Array:
    """Whole numbers without a point; of a 32 bit number no digits that it does not have."""
    is_narrow = not pa.types.is_float64(array.type)
    wide = array.cast(pa.float64())
    is_whole = pc.and_(pc.equal(pc.floor(wide), wide), pc.less_equal(pc.abs(wide), WHOLE_UP_TO))
    whole = pc.if_else(is_whole, wide, None).cast(pa.int64()).cast(pa.string())
    if pc.all(pc.fill_null(is_whole, True)).as_py():
        return whole
    shortest = array.cast(pa.float32()).cast(pa.string()).to_pylist() if is_narrow else array.to_pylist()
    others = [text_of(float(value)) if value is not None else None for value in shortest]
    return pc.if_else(is_whole, whole, pa.array(others, pa.string()))


def _of_float(value: float) -> str:
    if math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) <= WHOLE_UP_TO else repr(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"  # as Spark and JSON name them


def _of_instant(value: datetime) -> str:
    naive = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo is not None else value
    return naive.isoformat(sep=" ")


def _of_bytes(value: bytes) -> str:
    """Text that was written as bytes, as older writers of Parquet do; else the bytes' digits."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=text_of)


OF_CLASS: dict[type, Callable[[Any], str]] = {
    str: str,
    int: str,
    bool: lambda value: "true" if value else "false",
    float: _of_float,
    Decimal: lambda value: format(value, "f"),
    datetime: _of_instant,
    date: date.isoformat,
    time: time.isoformat,
    bytes: _of_bytes,
    dict: _as_json,
    list: _as_json,
    tuple: _as_json,
}
LEFT_TO_ARROW = {str, int, bool, float, Decimal, datetime, date}
CAST_BY_ARROW = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_integer,
    pa.types.is_boolean,
    pa.types.is_date32,
    pa.types.is_null,
)
