"""Whether two Delta tables hold the same rows: their number, and a sum of the rows' hashes, which knows no order.

DuckDB reads the files that the Delta log names, whoever wrote them. Values are brought to one form first: doubles
rounded to nine digits, decimals to eight places, instants to microseconds, lists and the rest to text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import duckdb
from deltalake import DeltaTable
from pyspark.sql import types as T

from customerlake.bronze.sources.sales import BRONZE as SALES
from customerlake.contracts.table import Field, Table
from customerlake.gold.customer_value import CUSTOMER_VALUE
from customerlake.gold.rfm import RFM
from customerlake.silver.order_lines import LINE, ORDER_LINES, REJECTED_ORDER_LINES
from customerlake.silver.orders import ORDERS


@dataclass(frozen=True)
class Compared:
    """A table, and the columns in which all contenders must agree."""

    table: Table
    columns: tuple[Field, ...]


def only(table: Table, *names: str) -> Compared:
    return Compared(table, tuple(column for column in table.columns if column.name in names))


OF_OURS_ALONE = {
    "shop_customer_id", "amount_charged", "exchange_rate", "exchange_rate_on",
    "r_score_fixed", "f_score_fixed", "m_score_fixed", "product_margin", "margin_known_share",
}  # fmt: skip
"""What no peer builds: another name of the customer, currencies, scores by fixed thresholds, costs."""

COMPARED = (
    only(SALES, *LINE),
    only(REJECTED_ORDER_LINES, "raw", "reasons", "source_file"),  # the rest says which run took the row
    *(
        only(table, *[name for name in table.business_columns if name not in OF_OURS_ALONE])
        for table in (ORDER_LINES, ORDERS, RFM, CUSTOMER_VALUE)
    ),
)


class Fingerprint(NamedTuple):
    rows: int
    sum_of_hashes: int
    missing: tuple[str, ...] = ()  # columns that the table should have


def fingerprint(path: Path, columns: tuple[Field, ...]) -> Fingerprint:
    """The fingerprint of a Delta table over some of its columns, as far as it has them."""
    present, missing = split(path, columns)
    values = ", ".join(in_one_form(column) for column in present)
    return Fingerprint(*queried(path, present, f"count(*), coalesce(sum(hash({values})::HUGEINT), 0)"), missing)


def filled(root: Path, table: Table) -> Compared:
    """The table with the business columns that hold a value under a root: others need what the lake has not."""
    present, _ = split(path_of(root, table), only(table, *table.business_columns).columns)
    counts = queried(path_of(root, table), present, ", ".join(f'count("{column.name}")' for column in present))
    return Compared(table, tuple(column for column, count in zip(present, counts, strict=True) if count))


def split(path: Path, columns: tuple[Field, ...]) -> tuple[tuple[Field, ...], tuple[str, ...]]:
    """The columns that a Delta table has, and the names of those that it has not."""
    names = {field.name for field in DeltaTable(path).schema().fields}
    return (
        tuple(column for column in columns if column.name in names),
        tuple(column.name for column in columns if column.name not in names),
    )


def fingerprints(root: Path, compared: Sequence[Compared] = COMPARED) -> dict[str, Fingerprint]:
    """The fingerprint of every compared table under a root."""
    return {each.table.name: fingerprint(path_of(root, each.table), each.columns) for each in compared}


def differences(root: Path, other: Path, compared: Sequence[Compared] = COMPARED) -> list[str]:
    """Each table whose rows differ between two roots, in words, with the columns that do."""
    ours, theirs = fingerprints(root, compared), fingerprints(other, compared)
    return [
        f"{each.table.name}: {ours[each.table.name].rows:,} rows beside {theirs[each.table.name].rows:,}; "
        f"other values in {', '.join(differing_columns(root, other, each)) or 'none of the columns taken alone'}"
        for each in compared
        if ours[each.table.name] != theirs[each.table.name]
    ]


def differing_columns(root: Path, other: Path, compared: Compared) -> list[str]:
    """The columns of two tables whose values differ, or that one of them lacks."""
    found, expected = (sums_of_hashes(path_of(folder, compared.table), compared.columns) for folder in (root, other))
    return [column.name for column in compared.columns if found.get(column.name) != expected.get(column.name)]


def sums_of_hashes(path: Path, columns: tuple[Field, ...]) -> dict[str, int]:
    """The sum of the hashes of each column that a table has."""
    present, _ = split(path, columns)
    sums = queried(path, present, ", ".join(f"sum(hash({in_one_form(column)})::HUGEINT)" for column in present))
    return {column.name: total for column, total in zip(present, sums, strict=True)}


def in_one_form(column: Field) -> str:
    """SQL for the column's value, the same whichever writer's type holds it."""
    name = f'"{column.name}"'
    if isinstance(column.type, T.DoubleType):
        return f"round({name}, 9)"
    if isinstance(column.type, T.DecimalType):
        return f"{name}::DECIMAL(38, 8)::VARCHAR"
    if isinstance(column.type, T.TimestampType):
        return f"epoch_us({name})"
    if isinstance(column.type, T.IntegerType | T.LongType):
        return f"{name}::BIGINT"
    return f"{name}::VARCHAR"


def path_of(root: Path, table: Table) -> Path:
    return root / table.name.replace(".", "/")


def queried(path: Path, columns: tuple[Field, ...], select: str) -> tuple[int, ...]:
    """The one row of a query over a table's files; of a table with an as_of, over the rows of the last one."""
    files = DeltaTable(path).file_uris()
    is_dated = any(column.name == "as_of" for column in columns)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE VIEW stored AS FROM read_parquet({files}, hive_partitioning = true)")
        last = "WHERE as_of = (SELECT max(as_of) FROM stored)" if is_dated else ""
        rows = connection.execute(f"SELECT {select} FROM stored {last}").fetchall()
    return tuple(rows[0])
