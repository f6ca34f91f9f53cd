"""Between silver and gold: silver is measured, the scorecard kept, and the run stopped where a threshold is missed."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml
from pyspark.sql import functions as F

from customerlake.bronze.sources import OF_SALES, SOURCES
from customerlake.contracts.quarantine import quarantine_table
from customerlake.contracts.source import bronze_table
from customerlake.contracts.table import Table
from customerlake.errors import ContractError
from customerlake.monitor.history import Fresh, RowCount
from customerlake.monitor.measures import measured
from customerlake.monitor.quality import (
    QUALITY,
    WHOLE,
    Row,
    failures,
    fresh_within_days,
    of_new_rows,
    refuse_unknown,
    scorecard,
)
from customerlake.runtime.config import QualityConfig
from customerlake.runtime.job import Run
from customerlake.silver.feeds import OF_FEED
from customerlake.silver.order_lines import ORDER_LINES

EVENTS = {table.name: SOURCES[feed].at for feed, table in OF_FEED.items()}
DAYS = ("ordered_on", "cancelled_on", "last_seen_on")  # of tables that are made of events of others


def check_quality(run: Run, tables: Iterable[Table]) -> None:
    """Measure the silver tables of `tables` that the lake has and keep what was found in ops.quality.

    Raises: ContractError that tells each table and dimension below its threshold, what was found and what to do;
    ConfigError when the lake file sets thresholds of a table or column that there is not.
    """
    config, judged = run.config.quality, [table for table in tables if is_judged(table)]
    refuse_unknown(config, judged)
    there = {table.name: table for table in judged if run.lake.exists(table)}
    if not there:
        return
    before = _history(run)
    measured_rows = _measured(run, list(there.values()), config)
    rows = with_findings([*measured_rows, *of_new_rows(measured_rows, before, config)], config)
    history = [*before, *rows]
    run.record(QUALITY, rows)
    usual = RowCount(*config.usual_rows, runs=config.usual_over_runs)
    for finding in filter(None, (usual.finding(name, history) for name in there)):
        run.remark(finding)
    if failed := failures(rows):
        raise ContractError(verdict(failed))


def is_judged(table: Table) -> bool:
    """A silver table whose rows say which landing brought them: others hold settings and decisions."""
    return table.layer == "silver" and "_batch" in table.column_names


def event_column(table: Table) -> str | None:
    """The column of when a row's event happened, or its state was last changed."""
    if table.name in EVENTS:
        return EVENTS[table.name]
    return next((name for name in DAYS if name in table.column_names), None)


def with_findings(rows: Sequence[Row], config: QualityConfig) -> list[Row]:
    """The rows of one run, those of timeliness with what is found by all of them."""

    def found(row: Row) -> str | None:
        if row["dimension"] != "timeliness":
            return row["finding"]  # type: ignore[no-any-return]  # a text or None
        return Fresh(fresh_within_days(row["table"], config)).finding(row["table"], rows)

    return [row | {"finding": found(row)} for row in rows]


def verdict(failed: Sequence[Mapping[str, Any]]) -> str:
    """Why gold is not made, line by line, and what to do."""
    lines = [
        f"  - {row['table']}: {_called(row)} is {_cut(row['value'])}, at least {row['threshold']:g} is asked for: "
        f"{row['finding']}"
        for row in failed
    ]
    return (
        "Silver is not good enough for gold to be made of it:\n"
        + "\n".join(lines)
        + "\nCorrect the source, or what the lake file says of it, and run again; `customerlake replay FEED` takes "
        f"again what is in bronze. Where it is meant to be so, ask for less in the lake file: {_settings(failed)}. "
        f"`customerlake show {QUALITY.name}` has all figures."
    )


def _measured(run: Run, tables: Sequence[Table], config: QualityConfig) -> list[Row]:
    known = {table.name: run.read(table) for table in tables}
    found, said = {}, {"run_id": run.run_id, "measured_at": run.started_at}
    for table in tables:
        run.progress(f"measuring {table.name}")
        if table.checks:
            run.watch(quarantine_table(table))
        found[table] = measured(table, known[table.name], known, event=event_column(table))
    newest_day = max((counts.newest_on for counts in found.values() if counts.newest_on), default=None)
    return [
        row | said
        for table, counts in found.items()
        for row in scorecard(
            table,
            counts,
            received=received(run, table),
            quarantined=run.lake.count(quarantine_table(table)),
            newest_day=newest_day,
            config=config,
        )
    ]


def _history(run: Run) -> list[Row]:
    """Of the runs before, how many rows each table had, and how many were received and rejected."""
    kept = run.read(QUALITY).where(F.col("dimension").isin("uniqueness", "validity"))
    names = ("run_id", "table", "dimension", "column", "count_rows", "count_failed", "is_passed", "measured_at")
    rows: list[Row] = kept.select(*names).toArrow().to_pylist()  # by Arrow instants keep their time zone
    return rows


def received(run: Run, table: Table) -> int:
    """Rows that were ever received for a table: those of bronze, where it is still there."""
    feeds = OF_SALES if table.name == ORDER_LINES.name else [f for f, own in OF_FEED.items() if own.name == table.name]
    held = run.lake.count(table) + run.lake.count(quarantine_table(table))
    return max(held, sum(run.lake.count(bronze_table(SOURCES[feed])) for feed in feeds))


def _called(row: Mapping[str, Any]) -> str:
    return str(row["dimension"]) if row["column"] == WHOLE else f"{row['dimension']} of {row['column']}"


def _cut(value: float) -> float:
    """To four places and never up: what is below its threshold is shown below it."""
    return math.floor(value * 10_000) / 10_000


def _settings(failed: Sequence[Mapping[str, Any]]) -> str:
    """The lake file's lines that would let all pass."""
    tables: dict[str, dict[str, Any]] = {}
    for row in failed:
        asked = tables.setdefault(row["table"], {})
        if row["column"] == WHOLE:
            asked[row["dimension"]] = _cut(row["value"])
        else:
            asked.setdefault("columns", {})[row["column"]] = _cut(row["value"])
    return f"quality: {yaml.safe_dump({'tables': tables}, default_flow_style=True, width=math.inf).strip()}"
