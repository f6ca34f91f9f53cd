"""What ops.quality tells of a table over the runs: whether it has as many rows as usual, and whether it is fresh.

A check takes rows of ops.quality as plain dicts, of any tables and runs, and judges the newest run among them.
"""

import statistics
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

History = Collection[Mapping[str, Any]]


@dataclass(frozen=True)
class RowCount:
    """A table has between `least` and `most` times the median number of rows of the last `runs` runs before.

    Not judged before it has been measured that often. A table that grows by as much in each run, from nothing on, is
    never above twice its median: in run n + 1 it has n + 1 parts, and the median of the n before is (n + 1) / 2.
    """

    least: float = 0.5
    most: float = 2.0
    runs: int = 7

    def finding(self, table: str, history: History) -> str | None:
        """What is unusual, in words; None when nothing is."""
        counts = [row["count_rows"] for row in _of(table, "uniqueness", history)]
        if len(counts) <= self.runs:
            return None
        now, usual = counts[-1], statistics.median(counts[-1 - self.runs : -1])
        if self.least * usual <= now <= self.most * usual:
            return None
        return (
            f"{table} has {now:,} rows; the usual number, the median of the {self.runs} runs before, is {usual:,.0f}, "
            f"and {self.least:g} to {self.most:g} times that is expected"
        )


@dataclass(frozen=True)
class Fresh:
    """The newest row of a table is at most `within_days` days behind the newest row of the lake."""

    within_days: int

    def finding(self, table: str, history: History) -> str | None:
        """How far behind the table is, in words; None when it is fresh, or nothing is known of its days."""
        known = _of(table, "timeliness", history)
        if not known:
            return None
        newest = known[-1]
        days = [row["newest_on"] for row in history if row["run_id"] == newest["run_id"] and row["newest_on"]]
        behind = (max(days) - newest["newest_on"]).days
        if behind <= self.within_days:
            return None
        return (
            f"the newest row of {table} is of {newest['newest_on']}, {behind} days behind {max(days)}, the newest day "
            f"of the lake; {self.within_days} are allowed"
        )


def _of(table: str, dimension: str, history: History) -> list[Mapping[str, Any]]:
    """The rows of one table and dimension, the oldest run first."""
    rows = [row for row in history if row["table"] == table and row["dimension"] == dimension]
    return sorted(rows, key=lambda row: (row["measured_at"], row["run_id"]))
