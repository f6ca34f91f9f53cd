"""ops.quality: how good each silver table is, run by run, in five dimensions, each a share from 0 to 1."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from typing import Any, Literal

from pyspark.sql import types as T

from customerlake.contracts.quarantine import quarantine_table
from customerlake.contracts.table import Field, Table
from customerlake.errors import ConfigError
from customerlake.monitor.measures import Measured, required_columns
from customerlake.runtime.config import QualityConfig

Dimension = Literal["completeness", "validity", "uniqueness", "consistency", "timeliness"]
Row = dict[str, Any]
WHOLE, NEW = "*", "new rows"

QUALITY = Table(
    name="ops.quality",
    grain="one row per run, silver table and dimension; of completeness one per column as well",
    key=("run_id", "table", "dimension", "column"),
    columns=(
        Field("run_id", T.StringType(), "run that measured it"),
        Field("table", T.StringType(), "silver table"),
        Field("dimension", T.StringType(), "completeness, validity, uniqueness, consistency or timeliness"),
        Field("column", T.StringType(), f"of completeness; {WHOLE}: the table as a whole; {NEW}: of validity"),
        Field("value", T.DoubleType(), "what was found; null for a table without rows", unit="share"),
        Field("count_rows", T.LongType(), "rows that were looked at; of a whole table's completeness, their values"),
        Field("count_failed", T.LongType(), "of these, those that fail; null for timeliness"),
        Field("threshold", T.DoubleType(), "least value that lets gold be made; null: not judged", unit="share"),
        Field("is_passed", T.BooleanType(), "the value reaches the threshold; null: not judged"),
        Field("newest_on", T.DateType(), "of timeliness: day of the table's newest event"),
        Field("finding", T.StringType(), "what fails, in words; null when nothing does"),
        Field("measured_at", T.TimestampType(), "when the run began", unit="UTC"),
    ),
)


def scorecard(
    table: Table, found: Measured, *, received: int, quarantined: int, newest_day: date | None, config: QualityConfig
) -> list[Row]:
    """The rows of ops.quality about one table, without run_id and measured_at.

    completeness  share of values that are not null: of each declared column, and of all of them together. Judged are
                  the columns of the key and those that a check asks for, and others that the lake file names.
    validity      share of the rows received that are not in quarantine, for tables with checks; `of_new_rows` has the
                  same of what came since the last run that passed.
    uniqueness    distinct keys / rows.
    consistency   share of rows that break none of the rules in `measured`, for tables that have any.
    timeliness    1 when the newest event is at most fresh_within_days behind `newest_day`, the newest day of the lake;
                  else fresh_within_days / days behind. For tables whose events have a day.

    A share of fewer than fewest_rows is kept and not judged.
    """
    required, columns = required_columns(table), len(found.missing)
    rows = [
        _share(table, "completeness", count, found.count_rows, f"{count:,} of {found.count_rows:,} rows lack {name}",
               column=name, threshold=_of_column(name, table, required, config))
        for name, count in found.missing.items()
    ]  # fmt: skip
    missing = sum(found.missing.values())
    values = columns * found.count_rows
    rows.append(_share(table, "completeness", missing, values, f"{missing:,} of {values:,} values are missing"))
    if table.checks:
        rejects = quarantine_table(table).name
        said = f"{quarantined:,} of {received:,} rows are in {rejects}, with their reasons"
        rows.append(_judged(table, "validity", quarantined, received, said, config))
    repeated = found.count_rows - found.count_keys
    said = f"{repeated:,} of {found.count_rows:,} rows have no {', '.join(table.key)} of their own"
    rows.append(_judged(table, "uniqueness", repeated, found.count_rows, said, config))
    if found.broken:
        wrong = "; ".join(f"{rule}: {count:,}" for rule, count in found.broken.items() if count)
        said = f"{found.count_inconsistent:,} of {found.count_rows:,} rows break a rule: {wrong}"
        rows.append(_judged(table, "consistency", found.count_inconsistent, found.count_rows, said, config))
    if found.newest_on and newest_day:
        rows.append(_timeliness(table, found.count_rows, found.newest_on, newest_day, config))
    return [_passed(row, config.fewest_rows) for row in rows]


def of_new_rows(rows: Sequence[Row], history: Iterable[Row], config: QualityConfig) -> list[Row]:
    """Validity of what each table received since the last run in which it passed: a bad day does not drown in a lake.

    No row for a table that was not measured before, that received nothing, or whose quarantine shrank by a replay.
    """
    of_validity = sorted((r for r in history if r["dimension"] == "validity"), key=lambda r: r["measured_at"])
    failed = {(row["run_id"], row["table"]) for row in of_validity if row["is_passed"] is False}
    last = {r["table"]: r for r in of_validity if r["column"] == WHOLE and (r["run_id"], r["table"]) not in failed}
    found = []
    for row in (row for row in rows if row["dimension"] == "validity" and row["table"] in last):
        received = row["count_rows"] - last[row["table"]]["count_rows"]
        rejected = row["count_failed"] - last[row["table"]]["count_failed"]
        if received > 0 and 0 <= rejected <= received:
            said = f"{rejected:,} of {received:,} rows received since the last run were rejected"
            new = {"column": NEW, "value": 1 - rejected / received, "count_rows": received, "count_failed": rejected}
            found.append(_passed(row | new | {"finding": said if rejected else None}, config.fewest_rows))
    return found


def failures(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that are below their threshold."""
    return [row for row in rows if row["is_passed"] is False]


def threshold(table: Table, dimension: Dimension, config: QualityConfig) -> float:
    """The table's own, where the lake file gives one; else that of all tables."""
    own = config.tables.get(table.name)
    asked: float | None = getattr(own, dimension) if own else None
    return float(getattr(config, dimension)) if asked is None else asked


def fresh_within_days(table: str, config: QualityConfig) -> int:
    """The table's own, where the lake file gives one; else that of all tables."""
    own = config.tables.get(table)
    return (own.fresh_within_days if own else None) or config.fresh_within_days


def refuse_unknown(config: QualityConfig, tables: Sequence[Table]) -> None:
    """Raises: ConfigError when the lake file sets thresholds of a table or column that there is not."""
    columns = {table.name: table.business_columns for table in tables}
    problems = []
    for name, asked in config.tables.items():
        if name not in columns:
            problems.append(f"quality.tables.{name}: {_unknown(name, list(columns))}")
        else:
            problems += [
                f"quality.tables.{name}.columns.{column}: {_unknown(column, columns[name])}"
                for column in asked.columns
                if column not in columns[name]
            ]
    if problems:
        raise ConfigError("The lake file cannot be used:\n" + "\n".join(f"  - {text}" for text in problems))


def _unknown(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"there is none; did you mean {near[0]}?" if near else f"there is none; there are {', '.join(known)}."


def _of_column(name: str, table: Table, required: Sequence[str], config: QualityConfig) -> float | None:
    own = config.tables.get(table.name)
    if own and name in own.columns:
        return own.columns[name]
    return threshold(table, "completeness", config) if name in required else None


def _judged(table: Table, dimension: Dimension, failed: int, rows: int, said: str, config: QualityConfig) -> Row:
    return _share(table, dimension, failed, rows, said, threshold=threshold(table, dimension, config))


def _share(
    table: Table, dimension: Dimension, failed: int, rows: int, said: str, *, column: str = WHOLE,
    threshold: float | None = None,
) -> Row:  # fmt: skip
    """The share of rows that do not fail."""
    value = (rows - failed) / rows if rows else None
    return {
        "table": table.name, "dimension": dimension, "column": column, "value": value,
        "count_rows": rows, "count_failed": failed, "threshold": threshold, "newest_on": None,
        "finding": said if failed else None,
    }  # fmt: skip


def _timeliness(table: Table, rows: int, newest_on: date, newest_day: date, config: QualityConfig) -> Row:
    allowed, behind = fresh_within_days(table.name, config), (newest_day - newest_on).days
    return {
        "table": table.name, "dimension": "timeliness", "column": WHOLE, "value": min(1.0, allowed / max(behind, 1)),
        "count_rows": rows, "count_failed": None, "threshold": threshold(table, "timeliness", config),
        "newest_on": newest_on, "finding": None,
    }  # fmt: skip


def _passed(row: Row, fewest_rows: int) -> Row:
    if row["threshold"] is None or row["count_rows"] < fewest_rows:
        return row | {"threshold": None, "is_passed": None}
    return row | {"is_passed": row["value"] >= row["threshold"]}
