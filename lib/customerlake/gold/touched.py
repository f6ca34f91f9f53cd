"""Which customers' rows have to be made anew, and what the others' rows are at a later date."""

from collections.abc import Callable
from datetime import date, timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.contracts.table import Table
from customerlake.runtime.changes import Changes
from customerlake.silver.identities import of_number

Named = Callable[[DataFrame], DataFrame]


def touched_customers(*rows: DataFrame | None) -> DataFrame:
    """One row per customer_id of any of the rows, those of nobody left out; None stands for no rows.

    Raises: TypeError when all are None.
    """
    ids = [part.where(F.col("customer_id").isNotNull()).select("customer_id") for part in rows if part is not None]
    return reduce(DataFrame.unionByName, ids).distinct()


def changed_or_new(
    table: Table,
    rows: DataFrame,
    changes: Changes,
    *days: str,
    dates: tuple[date, date],
    named: Named = lambda rows: rows,
) -> list[DataFrame]:
    """Of a table whose customers `named` tells: the rows that came or went, and those of which a day counts only now.

    `dates` are the last one and the present one.
    """
    since, as_of = dates
    counts = reduce(Column.__or__, [counts_first(day, since=since, as_of=as_of) for day in days])
    for month in table.partitioned_by:  # so that partitions of months before are not read, a day apart for time zones
        counts &= F.col(month) >= F.lit((since - timedelta(days=1)).replace(day=1))
    changed, new = changes.rows(), rows.where(counts).transform(named)
    return [new] if changed is None else [changed.transform(named), new]


def counts_first(day: str, *, since: date, as_of: date) -> Column:
    """The row's day (UTC, of an instant) was after `since` and no longer is after `as_of`."""
    return (F.to_date(day) > F.lit(since)) & (F.to_date(day) <= F.lit(as_of))


def only_of(touched: DataFrame) -> Callable[[DataFrame], DataFrame]:
    """The rows of touched customers."""
    return lambda rows: rows.join(touched, on="customer_id", how="left_semi")


OF_LINES = (
    "order_id", "customer_id", "ordered_on", "is_sale", "is_product", "product_id", "quantity", "amount",
)  # fmt: skip
"""What gold of customers asks of order lines."""


def lines_of(touched: DataFrame, identities: DataFrame) -> Named:
    """Lines under the shop's numbers -> those of touched customers, under their names.

    By their numbers first, so that no other line is named.
    """
    of_shop = identities.where(F.col("source") == "shop").transform(only_of(touched))
    numbers = of_shop.select(F.col("source_record_id").alias("customer_id")).unionByName(touched).distinct()
    return lambda order_lines: (
        order_lines.transform(only_of(numbers)).transform(of_number(identities)).transform(only_of(touched))
    )


def not_of(touched: DataFrame) -> Callable[[DataFrame], DataFrame]:
    """The rows of all other customers."""
    return lambda rows: rows.join(touched, on="customer_id", how="left_anti")


def carried(touched: DataFrame, *, since: date, as_of: date) -> Callable[[DataFrame], DataFrame]:
    """The rows of `since` of all other customers, under `as_of`."""
    return lambda table: (
        table.where(F.col("as_of") == F.lit(since)).transform(not_of(touched)).withColumn("as_of", F.lit(as_of))
    )
