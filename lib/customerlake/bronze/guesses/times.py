"""In which of Spark's patterns the times of a column are written."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

ENOUGH = 0.95  # share of the values that a pattern must read
MOST_LOOKED_AT = 5000  # distinct values
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
EPOCH_RANGE = range(10**9, 4 * 10**9)  # seconds: September 2001 to 2096

_DAYS = {
    "year first": r"(?P<y>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})",
    "year last": r"(?P<a>\d{1,2})(?P<s>[-/.])(?P<b>\d{1,2})(?P=s)(?P<y>\d{4}|\d{2})",
    "month named": r"(?P<d>\d{1,2})(?P<s>[- /.])(?P<n>[A-Za-z]{3,9})(?P=s)(?P<y>\d{4}|\d{2})",
    "compact": r"(?P<y>(?:19|20)\d{2})(?P<m>\d{2})(?P<d>\d{2})",
    "ideographs": r"(?P<y>\d{4})年(?P<m>\d{1,2})月(?P<d>\d{1,2})日",
}
_CLOCK = (
    r"(?:(?P<t>T| )(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:\.(?P<f>\d{1,9}))?)?"
    r"(?P<p> ?[AaPp][Mm])?(?P<z>Z|[+-]\d{2}(?::?\d{2})?)?)?"
)
_SHAPES = {family: re.compile(day + _CLOCK) for family, day in _DAYS.items()}
_COMPACT_INSTANT = re.compile(_DAYS["compact"] + r"(?P<H>[01]\d|2[0-3])(?P<M>[0-5]\d)(?P<S>[0-5]\d)?")


@dataclass(frozen=True)
class TimePattern:
    """A pattern that reads a column's times."""

    pattern: str  # of Spark, or epoch_seconds or epoch_millis
    has_clock: bool = True  # it says a time of the day
    is_number_too: bool = False  # its values might as well be numbers: 20240131, 1706659200
    doubt: str | None = None  # what the values leave open, in words


def time_pattern(values: Iterable[str]) -> TimePattern | None:
    """The pattern of a column's values, given without empty ones; None when they are no times."""
    looked_at = list(dict.fromkeys(values))[:MOST_LOOKED_AT]
    if not looked_at:
        return None
    for family, shape in _SHAPES.items():
        found = [match.groupdict() for match in map(shape.fullmatch, looked_at) if match]
        if len(found) >= ENOUGH * len(looked_at):
            return _last_year(found) if family == "year last" else _sound(found, family)
    found = [match.groupdict() for match in map(_COMPACT_INSTANT.fullmatch, looked_at) if match]
    if len(found) >= ENOUGH * len(looked_at) and _exist(found):
        seconds = "ss" if any(parts["S"] for parts in found) else ""
        return TimePattern(f"yyyyMMddHHmm{seconds}", is_number_too=True)
    return _epoch(looked_at)


Parts = dict[str, str | None]


def _sound(found: list[Parts], family: str) -> TimePattern | None:
    if not _exist(found):
        return None
    first, year = found[0], _year(found)
    mark = first.get("s") or ""
    month, day = _letters("M", found, "m", "d"), _letters("d", found, "d", "m")
    if family == "month named":
        month = "MMM" if all(len(parts["n"] or "") == 3 for parts in found) else "MMMM"
        day = _letters("d", found, "d")
        whole = f"{day}{mark}{month}{mark}{year}"
    elif family == "compact":
        whole = "yyyyMMdd"
    elif family == "ideographs":
        whole = f"yyyy年{month}月{day}日"
    else:
        whole = f"yyyy{mark}{month}{mark}{day}"
    clock = _clock(found)
    return TimePattern(whole + clock, bool(clock), is_number_too=family == "compact" and not clock)


def _last_year(found: list[Parts]) -> TimePattern | None:
    """Day and month before the year, in the order that the values prove, or leave open."""
    firsts, seconds = [int(parts["a"] or 0) for parts in found], [int(parts["b"] or 0) for parts in found]
    mark = found[0]["s"] or ""
    day_first, doubt = True, None
    if max(firsts) > 12 and max(seconds) > 12:
        if not _mostly_exist(found, day_first := max(seconds) <= 12 or _overruns(seconds) <= _overruns(firsts)):
            return None
        doubt = "some values have the day first and some the month; those of the other order will not be read"
    elif max(seconds) > 12:
        day_first = False
    elif max(firsts) <= 12 and mark != ".":
        day_first = len(set(firsts)) >= len(set(seconds))
        doubt = (
            "AMBIGUOUS: no value has a day after the 12th, so day and month may be the other way round; "
            f"{'the first' if day_first else 'the second'} number was taken for the day as it "
            f"{'varies more' if len(set(firsts)) != len(set(seconds)) else 'varies as much as the other'}"
        )
    if not _mostly_exist(found, day_first):
        return None
    day, month = _letters("d", found, "a", "b"), _letters("M", found, "b", "a")
    order = (day, month) if day_first else (month, day)
    clock = _clock(found)
    return TimePattern(f"{order[0]}{mark}{order[1]}{mark}{_year(found)}{clock}", bool(clock), doubt=doubt)


def _overruns(numbers: list[int]) -> int:
    return sum(number > 12 for number in numbers)


def _mostly_exist(found: list[Parts], day_first: bool) -> bool:
    day, month = ("a", "b") if day_first else ("b", "a")
    return sum(_exists(parts["y"], parts[month], parts[day]) for parts in found) >= 0.5 * len(found)


def _exist(found: list[Parts]) -> bool:
    sound = sum(_exists(parts["y"], parts.get("m") or _number_of(parts.get("n")), parts["d"]) for parts in found)
    return sound >= ENOUGH * len(found)


def _exists(year: str | None, month: str | None, day: str | None) -> bool:
    try:
        date(int(year or 0), int(month or 0), int(day or 0))
    except ValueError:
        return False
    return True


def _number_of(month: str | None) -> str | None:
    short = (month or "").lower()[:3]
    return str(MONTHS.index(short) + 1) if short in MONTHS else None


def _year(found: list[Parts]) -> str:
    return "yyyy" if all(len(parts["y"] or "") == 4 for parts in found) else "yy"


def _letters(letter: str, found: list[Parts], *places: str) -> str:
    """Two letters where numbers below ten are written with a zero, as any of the places shows; else one, for both."""
    numbers = [parts[place] or "" for parts in found for place in places if parts.get(place)]
    is_padded = all(len(number) == 2 for number in numbers) and any(number.startswith("0") for number in numbers)
    return letter * (2 if is_padded else 1)


def _first(number: str) -> str:
    return number[0]


def _shows_single_digits(found: list[Parts]) -> bool:
    """Some day or month has one digit: then hours may as well."""
    return any(len(parts.get(place) or "..") == 1 for parts in found for place in "abmd")


def _clock(found: list[Parts]) -> str:
    """The pattern of the time of the day; what only some values have stands in brackets."""
    timed = [parts for parts in found if parts["H"]]
    if not timed:
        return ""
    halves = any(parts["p"] for parts in timed)
    hours = [parts["H"] or "" for parts in timed]
    padded = all(len(number) == 2 for number in hours) and (
        not _shows_single_digits(found) or "0" in {*map(_first, hours)}
    )
    hour = ("h" if halves else "H") * (2 if padded else 1)
    clock = ("'T'" if timed[0]["t"] == "T" else " ") + hour + ":mm"
    of_seconds = [parts for parts in timed if parts["S"]]
    if of_seconds:
        fractions = [len(parts["f"] or "") for parts in of_seconds]
        fraction = "." + "S" * max(fractions) if any(fractions) else ""
        fraction = f"[{fraction}]" if fraction and not all(fractions) else fraction
        seconds = f":ss{fraction}"
        clock += seconds if len(of_seconds) == len(timed) else f"[{seconds}]"
    if halves:
        clock += " a" if any((parts["p"] or "").startswith(" ") for parts in timed) else "a"
    zones = {parts["z"] for parts in timed if parts["z"]}
    if zones:
        offset = next((zone for zone in sorted(zones) if zone != "Z"), "Z")
        zone = "XXX" if ":" in offset or offset == "Z" else "X" * (1 if len(offset) == 3 else 2)
        clock += zone if all(parts["z"] for parts in timed) else f"[{zone}]"
    return clock if len(timed) == len(found) else f"[{clock}]"


def _epoch(values: list[str]) -> TimePattern | None:
    whole = [value.partition(".")[0] for value in values if re.fullmatch(r"\d{10}(\.\d+)?|\d{13}(\.0)?", value)]
    if len(whole) < ENOUGH * len(values):
        return None
    if all(len(number) == 10 and int(number) in EPOCH_RANGE for number in whole):
        return TimePattern("epoch_seconds", is_number_too=True)
    if all(len(number) == 13 and int(number) // 1000 in EPOCH_RANGE for number in whole):
        return TimePattern("epoch_millis", is_number_too=True)
    return None
