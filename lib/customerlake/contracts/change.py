"""What may change in a source: a new column may; a column that is gone, of another type, unit or currency may not.

A landing is held against those before it by what its first records look like, column by column.
"""

import json
import math
import re
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypedDict

from pyspark.sql import types as T

from customerlake.contracts.source import Received, Source

FEWEST = 20  # values that a judgement needs
READABLE_BEFORE, READABLE_NOW = 0.9, 0.5  # shares of values that read as the column's type
FACTOR = 30.0  # between medians: of pence for pounds it is 100, of grams for kilograms 1,000; of inches for cm 2.5
LANDINGS_COMPARED = 20


class Look(TypedDict):
    """What the first records of a landing look like in one column."""

    values: int  # of them that are there
    readable: float  # share that reads as the column's type
    median: float | None  # of numbers
    codes: list[str]  # currencies or units that are there


Looks = dict[str, Look]


def looks(columns: Mapping[str, Sequence[str | None]], source: Source, *, decimal_comma: bool = False) -> Looks:
    """How the columns of some records look; those without a value are left out."""
    found: Looks = {}
    for name, texts in columns.items():
        values = [text.strip() for text in texts if text is not None and text.strip()]
        if values and not name.startswith("_"):
            found[name] = _look(values, source.column(name), decimal_comma)
    return found


def changes(
    now: Looks,
    before: Iterable[Looks],
    header: Sequence[str],
    known: Sequence[str],
    source: Source,
    *,
    accepted: Collection[str] = (),
) -> list[str]:
    """What changed at the source, in words; nothing when all is as it was, but for the columns that are `accepted`.

    `header` are the contract's columns that the landing has, `known` those of the landing before it.
    """
    past = list(before)[-LANDINGS_COMPARED:]
    said = [
        f"column {name} is gone, which the landing before still had"
        for name in known
        if name not in {*header, *accepted}
    ]
    for name, look in now.items():
        if name in accepted:
            continue
        looked = [earlier[name] for earlier in past if name in earlier]
        if looked:
            said += _changes_of(name, look, looked, source.column(name))
    return said


def as_text(found: Looks) -> str:
    return json.dumps(found, sort_keys=True)


def from_text(text: str | None) -> Looks:
    read: Looks = json.loads(text) if text else {}
    return read


def _look(values: list[str], column: Received, decimal_comma: bool) -> Look:
    kind = column.type
    numbers = [number for number in (_number(value, decimal_comma) for value in values) if number is not None]
    is_number = isinstance(kind, T.NumericType)
    if is_number:
        readable = len(numbers) / len(values)
    elif isinstance(kind, T.DateType | T.TimestampType):
        readable = sum(_is_like_a_time(value) for value in values) / len(values)
    else:
        readable = 1.0
    sizes = [abs(number) for number in numbers if number]
    return {
        "values": len(values),
        "readable": round(readable, 4),
        "median": statistics.median(sizes) if is_number and sizes else None,
        "codes": sorted({value.upper() for value in values})[:20] if column.is_code else [],
    }


def _changes_of(name: str, now: Look, before: Sequence[Look], column: Received) -> list[str]:
    said = []
    judged = [look for look in before if look["values"] >= FEWEST]
    if now["values"] >= FEWEST and judged:
        usual = statistics.median(look["readable"] for look in judged)
        if usual >= READABLE_BEFORE and now["readable"] < READABLE_NOW:
            kind = "a number" if isinstance(column.type, T.NumericType) else "a time"
            said.append(
                f"{name} was {kind} in {usual:.0%} of the records of earlier landings, in these it is in "
                f"{now['readable']:.0%}"
            )
        medians = [look["median"] for look in judged if look["median"]]
        if now["median"] and medians:
            typical = statistics.median(medians)
            factor = now["median"] / typical
            if factor >= FACTOR or factor <= 1 / FACTOR:
                said.append(
                    f"the unit of {name} seems to have changed: half of its values are above {now['median']:g}, of "
                    f"those of earlier landings half were above {typical:g}"
                )
    codes = {code for look in before for code in look["codes"]}
    if codes and now["codes"] and not codes.intersection(now["codes"]):
        said.append(f"{name} is {', '.join(now['codes'])}, in earlier landings it was {', '.join(sorted(codes))}")
    return said


def _number(text: str, decimal_comma: bool) -> float | None:
    plain = text.replace(".", "").replace(",", ".") if decimal_comma else text
    try:
        number = float(plain)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _is_like_a_time(text: str) -> bool:
    """Digits with marks between them, as in 2011-12-09 and 9.12.2011 10:30, or with the name of a month."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return re.search(r"\d", text) is not None and re.search(r"\d[-/. :]|[A-Za-z]{3}|^\d{8,}$", text) is not None
    return True
