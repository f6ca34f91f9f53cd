"""What all tests share: one session of the chosen engine, and one lake of the real sales."""

import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, settings
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from customerlake.catalogue import CATALOGUE
from customerlake.contracts.table import Table
from customerlake.runtime import job, session
from customerlake.runtime.engines import Engine
from customerlake.runtime.outcome import Outcome
from customerlake.runtime.pipeline import PIPELINE, Step

CHECKOUT = Path(__file__).parents[1]
RunStep = Callable[[str], Outcome]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine",
        choices=("sail", "spark"),
        default="sail",
        help="sail: fast; spark: JVM Spark with Delta, the reference, which alone runs tests marked spark_only",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Examples of each property: many on the fast engine, a few on the one that takes seconds for each."""
    settings.register_profile(
        "frames",
        max_examples={"sail": 12, "spark": 2}[config.getoption("--engine")],
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],  # examples that write make a folder each
    )
    settings.load_profile("frames")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out, reason = {
        "sail": ("spark_only", "needs JVM Spark: run with --engine spark"),
        "spark": ("before_an_engine", "decided before an engine is asked: run with --engine sail"),
    }[config.getoption("--engine")]
    for item in items:
        if left_out in item.keywords:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Engine:
    chosen: Engine = request.config.getoption("--engine")
    return chosen


@pytest.fixture(scope="session")
def spark(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """For thousands of small queries, each run once: the second compiler of the JVM would only take their time.

    Its code takes more than the 48 MB that the first compiler has by itself: where they are full, nothing is compiled
    any more, and in the end the JVM dies. Tables by name lie in a folder of this process, as another may run beside it.
    """
    options = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=512m"
    with pytest.MonkeyPatch.context() as patch:
        warehouse = tmp_path_factory.mktemp("warehouse")
        patch.setenv("JDK_JAVA_OPTIONS", f"{options} -Dspark.sql.warehouse.dir={warehouse}")
        started = session.start(engine)
    yield started
    session.stop(started)


@pytest.fixture(scope="session")
def real_lake(spark: SparkSession, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> job.Run:
    """The real sales that ship with the package, landed at once and taken through bronze, silver, gold, features.

    Tests read it; none may change it.
    """
    run = job.Run(root=str(tmp_path_factory.mktemp("real") / "lake"), spark=spark, engine=engine)
    for step in PIPELINE:
        if step.name == "train_segments":
            break
        outcome = job.execute(step, run)
        assert outcome.state not in ("failed", "refused"), outcome.message
    return run


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout's wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(CHECKOUT)],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def python_without_customerlake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with all that customerlake needs: the .pth of its editable install here is not seen there."""
    folder = tmp_path_factory.mktemp("python")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    own = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    (own / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin" / "python"


@pytest.fixture
def sales_folder(tmp_path: Path) -> Path:
    """An empty landing folder."""
    folder = tmp_path / "landing"
    folder.mkdir()
    return folder


@pytest.fixture
def lake_file(tmp_path: Path, sales_folder: Path) -> Path:
    """A lake file whose sales lie in `sales_folder`, under the column names of the real data."""
    file = tmp_path / "lake.yaml"
    file.write_text(
        "name: test\ncurrency: GBP\nfeeds:\n  sales:\n"
        f"    path: {sales_folder}\n"
        "    columns: {order_id: InvoiceNo, product_id: StockCode, description: Description, quantity: Quantity,\n"
        "      ordered_at: InvoiceDate, unit_price: UnitPrice, customer_id: CustomerID, country: Country}\n"
        "    line_kinds: {POST: postage, D: discount, GIFT_*: gift voucher}\n"
    )
    return file


@pytest.fixture
def run(tmp_path: Path, lake_file: Path, spark: SparkSession, engine: Engine) -> job.Run:
    """A run over an empty lake that takes what is put into `sales_folder`."""
    return job.Run(root=str(tmp_path / "lake"), lake_file=str(lake_file), spark=spark, engine=engine)


@pytest.fixture
def execute(run: job.Run) -> RunStep:
    """Execute one step of the pipeline by name over `run`."""

    def named(name: str) -> Outcome:
        return job.execute(step_named(name), run)

    return named


def step_named(name: str) -> Step:
    return next(step for step in PIPELINE if step.name == name)


@pytest.fixture(scope="session")
def assert_same_tables() -> Iterator[Callable[[job.Run, job.Run], None]]:
    """Compare every table of two lakes, row for row, over all columns but the technical ones.

    Rows of one run's last as_of are compared; quarantine without the run that took the row. Doubles of fitted models
    are compared to six digits: sums inside a fit depend on how rows lie in files.
    """

    connection = duckdb.connect()

    def rows(run: job.Run, table: Table) -> pa.Table:
        connection.register("read", DeltaTable(run.lake.path(table)).to_pyarrow_table())
        fitted = table.layer in ("scores", "publish")
        doubles = {column.name for column in table.columns if fitted and isinstance(column.type, T.DoubleType)}
        kept = [name for name in table.business_columns if name not in ("run_id", "received_at")]
        columns = ", ".join(f'round("{name}", 6) AS "{name}"' if name in doubles else f'"{name}"' for name in kept)
        dated = f"WHERE as_of = DATE '{run.as_of}'" if "as_of" in kept else ""
        return connection.sql(f"SELECT {columns} FROM read {dated}").arrow().read_all()

    def compare(one: job.Run, other: job.Run) -> None:
        assert one.as_of == other.as_of
        for table in CATALOGUE:
            if table.layer in ("bronze", "ops") or not other.lake.exists(table):
                continue
            connection.register("ours", rows(one, table))
            connection.register("theirs", rows(other, table))
            extra = connection.sql("SELECT * FROM ours EXCEPT ALL SELECT * FROM theirs LIMIT 3").fetchall()
            missing = connection.sql("SELECT * FROM theirs EXCEPT ALL SELECT * FROM ours LIMIT 3").fetchall()
            assert (extra, missing) == ([], []), table.name

    yield compare
    connection.close()


@pytest.fixture
def frame_of(spark: SparkSession) -> Callable[..., DataFrame]:
    """A frame of a table from the columns that a test cares for; the others are null."""

    def made(table: Table, *rows: dict[str, Any]) -> DataFrame:
        unknown = {name for row in rows for name in row} - set(table.column_names)
        assert not unknown, f"{table.name} has no {unknown}"
        return spark.createDataFrame(
            [tuple(row.get(name) for name in table.column_names) for row in rows], table.schema
        )

    return made
