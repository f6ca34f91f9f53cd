"""The same steps over tables by name, `<catalog>.<layer>.<table>`, and over folders give the same rows."""

import shutil
import subprocess
from importlib import resources

import pytest

from customerlake.catalogue import CATALOGUE
from customerlake.errors import EngineError
from customerlake.runtime import job
from customerlake.runtime.pipeline import PIPELINE

DAYS = ("2010-12-22", "2011-02-06")  # of the real sales, the two shortest
STEPS = [step for step in PIPELINE if step.name in ("land_files", "order_lines", "orders", "value")]


@pytest.fixture
def named(tmp_path, lake_file, spark):
    yield job.Run(root=str(tmp_path / "named"), lake_file=str(lake_file), catalog="spark_catalog", spark=spark)
    for schema in ("bronze", "quarantine", "silver", "gold", "ops"):
        spark.sql(f"DROP SCHEMA IF EXISTS spark_catalog.{schema} CASCADE")


@pytest.mark.spark_only
def test_steps_over_named_tables_make_the_rows_that_they_make_over_folders(
    run, named, lake_file, sales_folder, run_steps
):
    """The folders are sail's, in a process of its own: both engines write the same rows (test_conformance.py)."""
    landed = resources.files("customerlake") / "demo" / "online_retail"
    for day in DAYS:  # the second landing is merged into what the first left
        shutil.copyfile(str(landed / f"{day}.csv.gz"), sales_folder / f"{day}.csv.gz")
        subprocess.run(run_steps(run.root, lake_file, STEPS[-1].name), check=True)
        for step in STEPS:
            outcome = job.execute(step, named)
            assert outcome.state == "succeeded", outcome.message

    compared = [table for table in CATALOGUE if named.lake.exists(table) and table.layer != "ops"]
    assert {table.layer for table in compared} == {"bronze", "quarantine", "silver", "gold"}
    for table in compared:
        rows = [of_lake.lake.read(table).select(*business(table)) for of_lake in (run, named)]
        assert rows[0].exceptAll(rows[1]).isEmpty(), table.name
        assert rows[1].exceptAll(rows[0]).isEmpty(), table.name
        assert named.lake.count(table) == run.lake.count(table)
    assert named.lake.count("bronze.sales") == 570  # the files have 292 and 280 lines, a header each
    assert job.execute(STEPS[-1], named).state == "unchanged"


def business(table):
    """Columns that can be compared: no maps, which have no order, and not which run took the row."""
    return [name for name in table.business_columns if name not in ("run_id", "received_at", "modified_at")]


def test_sail_is_refused_for_named_tables_with_the_engine_to_use(tmp_path):
    with pytest.raises(
        EngineError, match=r"--catalog main needs tables by name.*sail replaces all rows.*Choose --engine spark"
    ):
        job.Run(root=str(tmp_path), catalog="main", engine="sail")
