"""ops.runs: what each step of each run read, wrote and took. A step finds its own last success here."""

from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import Any

from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.runtime.tables import Lake

RUNS = Table(
    name="ops.runs",
    grain="one row per step of a run that did work or failed; a step with nothing to do leaves no row",
    key=("run_id", "step"),
    columns=(
        Field("run_id", T.StringType(), "the run"),
        Field("step", T.StringType(), "step of the pipeline"),
        Field("state", T.StringType(), "succeeded, failed; or refused, when sources were and there was no other work"),
        Field("as_of", T.DateType(), "last day of the observation period; null for steps without one"),
        Field("started_at", T.TimestampType(), "when the step began"),
        Field("seconds", T.DoubleType(), "wall time of the step", unit="seconds"),
        Field("rows_in", T.LongType(), "rows that the lake has received up to now, by a step that accepts or rejects"),
        Field("rows_out", T.LongType(), "rows added or changed in all tables of the step"),
        Field("rows_quarantined", T.LongType(), "of rows_in: rejected, with reasons"),
        Field("rows_duplicate", T.LongType(), "of rows_in: removed as exact duplicates"),
        Field("batches", T.MapType(T.StringType(), T.LongType()), "last landing taken of each table read by landings"),
        Field("versions_read", T.MapType(T.StringType(), T.LongType()), "Delta version of each table read"),
        Field("versions_written", T.MapType(T.StringType(), T.LongType()), "Delta version of each table written"),
        Field("fingerprint", T.StringType(), "digest of the settings and the code's version"),
        Field("message", T.StringType(), "what went wrong or was refused, in words; null when nothing was"),
    ),
)


def last_success(lake: Lake, step: str, as_of: date | None, *, before: datetime | None = None) -> dict[str, Any] | None:
    """The newest row of ops.runs in which `step` succeeded for `as_of`, begun before a moment where one is given.

    None when it never has.
    """
    of_date = [row for row in _successes(lake, step) if row["as_of"] == as_of]
    return _newest(row for row in of_date if before is None or row["started_at"] < before)


def last_success_of_any_date(lake: Lake, step: str) -> dict[str, Any] | None:
    """The newest row of ops.runs in which `step` succeeded, for whatever date; None when it never has."""
    return _newest(_successes(lake, step))


def _successes(lake: Lake, step: str) -> list[dict[str, Any]]:
    return [row for row in lake.records(RUNS) if row["step"] == step and row["state"] == "succeeded"]


def _newest(rows: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    return max(rows, key=lambda row: row["started_at"], default=None)


def worked_since(lake: Lake, steps: Collection[str], moment: datetime) -> bool:
    """Whether any of the steps has succeeded with work after a moment."""
    return any(
        row["step"] in steps and row["state"] == "succeeded" and row["started_at"] > moment
        for row in lake.records(RUNS)
    )
