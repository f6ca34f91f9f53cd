"""From which watermark on a table is read again: rows of the same watermark and rows committed late are among them."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Literal
from zoneinfo import ZoneInfo

Kind = Literal["number", "day", "local time", "instant"]
"""Of a watermark: how it compares, and what a minute is to it."""

CLOCK_CHANGE = timedelta(hours=1)  # when summer time ends, the local times of an hour come twice
REACHES_DATABASE_WITHIN = timedelta(hours=1)  # of its beginning, which is all that is known of an earlier run


def window_start(
    known: Iterable[Mapping[str, Any]], kind: Kind | None, *, late_minutes: int, time_zone: str
) -> str | None:
    """The watermark from which on there may be rows that the last landing did not see; None: from the table's start.

    `known` are the feed's rows of bronze.watermarks in their order; `time_zone` is that of local times and days.
    """
    marked = [row for row in known if row["watermark"] is not None]
    if kind is None or not marked or comparable(marked[-1]["watermark"], kind) is None:
        return None
    last, late = marked[-1], timedelta(minutes=late_minutes)
    if kind == "number":
        return _start_of_numbers(marked, late)
    # a time in the future would hide all rows until it has come
    latest = min(last["watermark"], written(last["received_at"], kind, time_zone))
    if not is_finite(latest, kind):
        return None
    if kind != "instant" and time_zone != "UTC":
        late += CLOCK_CHANGE
    start = datetime.fromisoformat(latest) - late
    return f"{start.date()}" if kind == "day" else start.isoformat(sep=" ")


def _start_of_numbers(marked: list[Mapping[str, Any]], late: timedelta) -> str | None:
    """How far a landing saw that ended long before the last: a number given out since then may have come late."""
    begun = marked[-1]["received_at"] - (late + REACHES_DATABASE_WITHIN if late else late)
    seen = [row["watermark"] for row in marked if row["received_at"] <= begun and is_finite(row["watermark"], "number")]
    return seen[-1] if seen else None


def first_landing_since(known: Iterable[Mapping[str, Any]], since: str, kind: Kind | None) -> int:
    """The first landing that can hold a row with a watermark from `since` on."""
    start = comparable(since, kind)
    reached = [(row["landing"], comparable(row["watermark"], kind)) for row in known]
    return min((landing for landing, watermark in reached if watermark is None or watermark >= start), default=1)


def written(instant: datetime, kind: Kind, time_zone: str) -> str:
    """An instant as the text of a column of that kind."""
    local = instant.astimezone(UTC if kind == "instant" else ZoneInfo(time_zone)).replace(tzinfo=None)
    return f"{local.date()}" if kind == "day" else local.isoformat(sep=" ")


def comparable(text: str | None, kind: Kind | None) -> Any:
    """What orders the texts of a watermark; None of a text that is none, as after another column was made it."""
    if text is None:
        return None
    if kind != "number":
        return text if re.match(r"\d{4}-\d\d-\d\d|-?infinity", text) else None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return Decimal("Infinity") if number.is_nan() else number  # as PostgreSQL orders it


def is_finite(text: str, kind: Kind | None) -> bool:
    """Whether a watermark can bound a query: databases know infinite times, and numbers that are none."""
    number = comparable(text, kind)
    if kind == "number":
        return number is not None and Decimal(number).is_finite()
    return number is not None and "0" <= text < "9999"
