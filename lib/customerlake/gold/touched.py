"""Which customers' rows have to be made anew, and what the others' rows are at a later date."""

from collections.abc import Callable
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def touched_customers(*rows: DataFrame | None) -> DataFrame:
    """One row per customer_id of any of the rows, those of nobody left out; None stands for no rows.

    Raises: TypeError when all are None.
    """
    ids = [part.where(F.col("customer_id").isNotNull()).select("customer_id") for part in rows if part is not None]
    return reduce(DataFrame.unionByName, ids).distinct()


def counts_first(day: str, *, since: date, as_of: date) -> Column:
    """The row's day was after `since` and no longer is after `as_of`."""
    return (F.col(day) > F.lit(since)) & (F.col(day) <= F.lit(as_of))


def only_of(touched: DataFrame) -> Callable[[DataFrame], DataFrame]:
    """The rows of touched customers."""
    return lambda rows: rows.join(touched, on="customer_id", how="left_semi")


def carried(touched: DataFrame, *, since: date, as_of: date) -> Callable[[DataFrame], DataFrame]:
    """The rows of `since` of all other customers, under `as_of`."""
    return lambda table: (
        table.where(F.col("as_of") == F.lit(since))
        .join(touched, on="customer_id", how="left_anti")
        .withColumn("as_of", F.lit(as_of))
    )
