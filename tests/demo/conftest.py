"""Demo lakes for the tests that read them, and their files as tables of DuckDB."""

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from pyspark.sql import SparkSession

from customerlake.bronze.sources import SOURCES
from customerlake.demo.lake import make_demo
from customerlake.demo.shapes import SENT

FEW = 600


@pytest.fixture(scope="session")
def demo(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo of few customers. Tests read it; none may change it."""
    root = tmp_path_factory.mktemp("demo")
    make_demo(spark, str(root), customers=FEW)
    return root


@pytest.fixture(scope="session")
def few(demo: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The demo of few customers: each feed under its name, each truth as truth_<table>."""
    yield from _connected(demo)


@pytest.fixture(scope="session")
def full(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The demo of all real customers, as `few`."""
    root = tmp_path_factory.mktemp("full_demo")
    make_demo(spark, str(root))
    yield from _connected(root)


@pytest.fixture(scope="session")
def opened() -> Callable[[Path], Iterator[duckdb.DuckDBPyConnection]]:
    """Open any other demo as `few` is opened."""
    return _connected


def _connected(root: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for feed, sent in SENT.items():
            files = [str(file) for file in (root / "landing" / feed).rglob("*.*") if file.is_file()]
            names = dict(sent.shape.names or {})
            match sent.shape.format:
                case "csv":
                    shape = f"delim = '{sent.shape.delimiter}', quote = '\"', escape = '\"', header = true"
                    read = f"read_csv({files}, {shape}, all_varchar = true, hive_partitioning = false)"
                case "json":
                    columns = ", ".join(f"{name}: 'VARCHAR'" for name in SOURCES[feed].column_names)
                    read = f"read_json({files}, format = 'newline_delimited', columns = {{{columns}}})"
                case "parquet":
                    read = f"read_parquet({files}, hive_partitioning = false)"
            called = ", ".join(f'"{there}" AS "{name}"' for name, there in names.items()) or "*"
            connection.execute(f"CREATE TABLE {feed} AS SELECT {called} FROM {read}")
        for folder in (root / "truth").iterdir():
            connection.execute(f"CREATE TABLE truth_{folder.name} AS FROM read_parquet('{folder}/*.parquet')")
        connection.execute(SALES)
        yield connection


COLUMNS = "InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country"
SALES = f"""
    CREATE VIEW sold AS SELECT {COLUMNS}, true AS is_web FROM web_orders
    UNION ALL SELECT {COLUMNS}, false FROM pos_sales;
    CREATE VIEW ordered AS SELECT InvoiceNo AS order_id, min(InvoiceDate)::timestamp AS ordered_at,
        any_value(is_web) AS is_web, replace(any_value(CustomerID), '.0', '') AS customer_id FROM sold GROUP BY 1
"""
