"""ops.replays: which feeds are to be taken from bronze again, and when that was done."""

from datetime import datetime
from typing import Any

from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.runtime.tables import Lake

REPLAYS = Table(
    name="ops.replays",
    grain="one row per replay that was asked for, and one when it was done",
    key=("table", "number", "state"),
    columns=(
        Field("table", T.StringType(), "silver table that is made anew from all that bronze holds"),
        Field("number", T.LongType(), "number of the replay of that table, from 1"),
        Field("state", T.StringType(), "asked; or done"),
        Field("has_changed", T.BooleanType(), "of one that is done: rows differ from those before"),
        Field("run_id", T.StringType(), "run that asked for it, or did it"),
        Field("happened_at", T.TimestampType(), "when"),
    ),
)


def pending(lake: Lake, table: str) -> int | None:
    """The number of the replay of a table that was asked for and not done; None when there is none."""
    rows = [row for row in lake.records(REPLAYS) if row["table"] == table]
    asked = max((row["number"] for row in rows if row["state"] == "asked"), default=0)
    done = max((row["number"] for row in rows if row["state"] == "done"), default=0)
    return asked if asked > done else None


def ask(lake: Lake, table: str, *, run_id: str, happened_at: datetime) -> None:
    """Have the step that makes `table` make it anew; asked for twice before it is done, it is one."""
    if pending(lake, table) is None:
        number = max((row["number"] for row in lake.records(REPLAYS) if row["table"] == table), default=0) + 1
        lake.record(REPLAYS, [_row(table, number, "asked", None, run_id, happened_at)])


def done(lake: Lake, table: str, number: int, *, has_changed: bool, run_id: str, happened_at: datetime) -> None:
    lake.record(REPLAYS, [_row(table, number, "done", has_changed, run_id, happened_at)])


def replayed_since(lake: Lake, table: str, moment: datetime) -> bool:
    """Whether the rows of a table were made anew, and came out differently, after a moment."""
    return any(
        row["table"] == table and row["has_changed"] and row["happened_at"] > moment for row in lake.records(REPLAYS)
    )


def _row(
    table: str, number: int, state: str, has_changed: bool | None, run_id: str, happened_at: datetime
) -> dict[str, Any]:
    return {
        "table": table,
        "number": number,
        "state": state,
        "has_changed": has_changed,
        "run_id": run_id,
        "happened_at": happened_at,
    }
