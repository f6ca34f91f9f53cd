"""Which customers' rows have to be made anew, and what the others' rows are at a later date."""

from collections.abc import Callable
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.runtime.changes import Changes

Named = Callable[[DataFrame], DataFrame]


def touched_customers(*rows: DataFrame | None) -> DataFrame:
    """One row per customer_id of any of the rows, those of nobody left out; None stands for no rows.

    Raises: TypeError when all are None.
    """
    ids = [part.where(F.col("customer_id").isNotNull()).select("customer_id") for part in rows if part is not None]
    return reduce(DataFrame.unionByName, ids).distinct()


def changed_or_new(
    rows: DataFrame, changes: Changes, day: str, *, since: date, as_of: date, named: Named = lambda rows: rows
) -> list[DataFrame]:
    """Of a table whose customers `named` tells: the rows that came or went, and those whose day counts only now."""
    changed = changes.rows()
    new = named(rows.where(counts_first(day, since=since, as_of=as_of)))
    return [new] if changed is None else [named(changed), new]


def counts_first(day: str, *, since: date, as_of: date) -> Column:
    """The row's day (UTC, of an instant) was after `since` and no longer is after `as_of`."""
    return (F.to_date(day) > F.lit(since)) & (F.to_date(day) <= F.lit(as_of))


def only_of(touched: DataFrame) -> Callable[[DataFrame], DataFrame]:
    """The rows of touched customers."""
    return lambda rows: rows.join(touched, on="customer_id", how="left_semi")


def not_of(touched: DataFrame) -> Callable[[DataFrame], DataFrame]:
    """The rows of all other customers."""
    return lambda rows: rows.join(touched, on="customer_id", how="left_anti")


def carried(touched: DataFrame, *, since: date, as_of: date) -> Callable[[DataFrame], DataFrame]:
    """The rows of `since` of all other customers, under `as_of`."""
    return lambda table: (
        table.where(F.col("as_of") == F.lit(since)).transform(not_of(touched)).withColumn("as_of", F.lit(as_of))
    )
