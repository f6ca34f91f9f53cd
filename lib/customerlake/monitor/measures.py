"""What is counted in a table for its quality, in one pass over its rows."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.contracts.checks import Check, NotNull, RefersTo, looked_up
from customerlake.contracts.table import Table

DELETED = "is_deleted"


@dataclass(frozen=True)
class Measured:
    """The counts of one table."""

    count_rows: int
    missing: Mapping[str, int]  # rows without a value, by column
    count_keys: int  # distinct keys; a row without a whole key has none
    broken: Mapping[str, int]  # rows that break a measured rule, by the rule in words
    count_inconsistent: int  # rows that break any of them
    newest_on: date | None  # day of the newest event


def measured(table: Table, rows: DataFrame, known: Mapping[str, DataFrame], *, event: str | None) -> Measured:
    """Count in the rows of a table. `event` is the column of when its events happened, `known` the tables there are.

    Rows whose source no longer has them are left out. A rule that refers to a table which the lake lacks is not asked.
    """
    rules = rules_for(table, known)
    row = rows.transform(counts(table, rules, known, event=event)).first()
    found = row.asDict() if row else {}
    columns = enumerate(table.business_columns)
    return Measured(
        count_rows=found["count_rows"],
        missing={column: found["count_rows"] - found[f"present_{place}"] for place, column in columns},
        count_keys=found["count_keys"],
        broken={str(rule): found[f"broken_{place}"] for place, rule in enumerate(rules)},
        count_inconsistent=found["count_inconsistent"],
        newest_on=found["newest_on"],
    )


def counts(
    table: Table, rules: Collection[Check], known: Mapping[str, DataFrame], *, event: str | None
) -> Callable[[DataFrame], DataFrame]:
    """One row: count_rows, count_keys, count_inconsistent, newest_on; present_<n> by column and broken_<n> by rule."""

    def counted(rows: DataFrame) -> DataFrame:
        held = rows.where(~F.col(DELETED)) if DELETED in table.column_names else rows
        reasons = [rule.reason() for rule in rules]
        newest_at = F.max(event) if event else F.lit(None)
        return held.transform(looked_up(rules, known)).agg(
            F.count("*").alias("count_rows"),
            F.count_distinct(whole_key(table.key)).alias("count_keys"),
            F.count(F.coalesce(*reasons, F.lit(None).cast("string"))).alias("count_inconsistent"),
            newest_at.cast("date").alias("newest_on"),
            *[F.count(name).alias(f"present_{place}") for place, name in enumerate(table.business_columns)],
            *[F.count(reason).alias(f"broken_{place}") for place, reason in enumerate(reasons)],
        )

    return counted


def rules_for(table: Table, known: Collection[str]) -> list[Check]:
    """The measured rules of a table that can be asked with the tables there are."""
    return [rule for rule in table.measured if not isinstance(rule, RefersTo) or rule.table.name in known]


def required_columns(table: Table) -> list[str]:
    """The columns without which a row says nothing: those of its key, and those that its checks ask for."""
    asked = [check.called or check.column for check in table.checks if isinstance(check, NotNull)]
    return [name for name in table.business_columns if name in (*table.key, *asked)]


def whole_key(key: tuple[str, ...]) -> Column:
    """The key as one value, null where a part is: sail tells one text apart forty times as fast as four columns."""
    if len(key) == 1:
        return F.col(key[0])
    return F.concat(*[part for name in key for part in (F.col(name).cast("string"), F.lit("\u001f"))])
