"""Lakes of the real sales: one beside its raw files in DuckDB, which built neither; one of forty days with models."""

import gzip
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable
from pyspark.sql import types as T

from customerlake.catalogue import CATALOGUE
from customerlake.contracts.table import Table
from customerlake.runtime import job
from customerlake.runtime.pipeline import PIPELINE

RunSteps = Callable[[Path, Path, str], list[str]]
AssertTableIs = Callable[[Table, str, str], None]

EMBEDDED = Path(__file__).parents[2] / "lib" / "customerlake" / "demo" / "online_retail"
BAD_LINE = (
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    "536365,85123A,LANTERN,six,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n"
)
TINY_MODELS = """
churn: {horizon_days: 10, gap_days: 2, training_dates: 2, training_step_days: 5, splits: 1, retrain_after_days: 5,
  candidates: [logistic regression], search: {trials: 1}}
purchase_intent: {horizon_days: 5, training_dates: 1, splits: 1, candidates: [logistic regression], search: {trials: 1}}
segments: {min_segments: 2, max_segments: 3}
lifetime_value: {holdout_days: 10, draws: 20}
"""
RUN_STEPS = """
import sys
from customerlake.runtime import job
from customerlake.runtime.pipeline import PIPELINE
root, lake_file, last = sys.argv[1:4]
run = job.Run(root=root, lake_file=lake_file, engine="sail")
for step in PIPELINE:
    outcome = job.execute(step, run)
    assert outcome.state != "failed", outcome.message
    if step.name == last:
        break
"""

FILES = resources.files("customerlake") / "demo" / "online_retail" / "*.csv.gz"


@pytest.fixture(scope="session")
def forty_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake file over the first forty days of the real sales and a bad line, whose models are trained in seconds."""
    folder = tmp_path_factory.mktemp("forty")
    (folder / "landing").mkdir()
    for day in sorted(EMBEDDED.glob("*.csv.gz"))[:40]:
        shutil.copy(day, folder / "landing")
    (folder / "landing" / "bad.csv.gz").write_bytes(gzip.compress(BAD_LINE.encode()))
    file = folder / "lake.yaml"
    shipped = (EMBEDDED.parents[3] / "conf" / "lakes" / "online_retail.yaml").read_text()
    file.write_text(shipped.replace("path: embedded", "path: landing") + TINY_MODELS)
    return file


@pytest.fixture(scope="session")
def run_steps() -> RunSteps:
    """The command that runs the steps up to `last` in a process of its own, on sail until one needs JVM Spark."""
    return lambda root, lake_file, last: [sys.executable, "-c", RUN_STEPS, str(root), str(lake_file), last]


@pytest.fixture(scope="session")
def trained_lake(forty_days: Path, run_steps: RunSteps) -> job.Run:
    """All steps over the forty days, models and all. Tests read it; none may change it."""
    root = forty_days.parent / "trained"
    command = run_steps(root, forty_days, PIPELINE[-1].name)
    told = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert told.returncode == 0, told.stdout[-3000:]
    return job.Run(root=str(root), lake_file=str(forty_days))


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
        keys = [name for name in table.key if name != "as_of"]
        key = ", ".join(keys)
        columns = [c for c in table.columns if c.name not in ("as_of", *keys) and c.name[0] != "_"]
        count_expected = real_tables.sql(f"SELECT count(*) FROM ({sql})").fetchall()
        assert real_tables.sql(f"SELECT count(*), count(DISTINCT ({key})) FROM ({found})").fetchall() == [
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
