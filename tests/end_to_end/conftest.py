"""The built lake of the real sales beside the raw files that it was built from, in DuckDB, which built neither."""

from collections.abc import Callable, Iterator
from importlib import resources

import duckdb
import pytest
from deltalake import DeltaTable
from pyspark.sql import types as T

from customerlake.catalogue import CATALOGUE
from customerlake.contracts.table import Table
from customerlake.runtime import job

AssertTableIs = Callable[[Table, str, str], None]

FILES = resources.files("customerlake") / "demo" / "online_retail" / "*.csv.gz"


@pytest.fixture(scope="session")
def real_tables(real_lake: job.Run) -> Iterator[duckdb.DuckDBPyConnection]:
    """Every table that the lake holds under its own name, and `raw`: the files' values as text."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"CREATE TABLE raw AS FROM read_csv('{FILES}', all_varchar = true, header = true)")
    for table in CATALOGUE:
        if real_lake.lake.exists(table):
            arrow = DeltaTable(real_lake.lake.path(table)).to_pyarrow_table()
            connection.register("arrow", arrow)
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {table.layer}")
            connection.execute(f"CREATE TABLE {table.name} AS FROM arrow")
    yield connection
    connection.close()


def is_equal(name: str, type_: T.DataType) -> str:
    """SQL that says whether found.name is expected.name: means to the cent, doubles to nine digits, else exactly."""
    found, expected = f'found."{name}"', f'expected."{name}"'
    if isinstance(type_, T.DecimalType) and type_.scale == 2:
        near = f"abs({found}::DOUBLE - {expected}::DOUBLE) <= 0.005 + 1e-9"
    elif isinstance(type_, T.DoubleType):
        near = f"abs({found} - {expected}::DOUBLE) <= 1e-9 * greatest(1, abs({found}))"
    else:
        near = f"{found} = {expected}"
    return f"(({found} IS NULL AND {expected} IS NULL) OR coalesce({near}, false))"


@pytest.fixture(scope="session")
def assert_table_is(real_tables: duckdb.DuckDBPyConnection) -> AssertTableIs:
    """Assert that `found` (SQL) holds the rows of `sql`, no more, no less, in every business column but as_of."""

    def compare(table: Table, found: str, sql: str) -> None:
        key = next(name for name in table.key if name != "as_of")
        columns = [column for column in table.columns if column.name not in ("as_of", key) and column.name[0] != "_"]
        count_expected = real_tables.sql(f"SELECT count(*) FROM ({sql})").fetchall()
        assert real_tables.sql(f"SELECT count(*), count(DISTINCT {key}) FROM ({found})").fetchall() == [
            count_expected[0] * 2
        ]
        assert count_expected[0][0] > 0
        differing = ", ".join(f'count(*) FILTER (NOT {is_equal(c.name, c.type)}) AS "{c.name}"' for c in columns)
        counts = real_tables.sql(
            f"SELECT {differing} FROM ({found}) AS found FULL JOIN ({sql}) AS expected USING ({key})"
        ).df()
        wrong = {name: int(value) for name, value in counts.iloc[0].items() if value}
        assert wrong == {}, f"{table.name}: rows that differ, by column"

    return compare
