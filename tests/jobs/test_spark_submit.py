"""The jobs as a cluster runs them: spark-submit, the wheel, and nothing of the checkout that could be imported."""

import os
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from customerlake.runtime import job
from customerlake.runtime.jars import spark_folder
from customerlake.runtime.java import find_java
from customerlake.runtime.pipeline import PIPELINE

pytestmark = pytest.mark.spark_only

CHECKOUT = Path(__file__).parents[2]
DAYS = ("2010-12-22", "2011-02-06")  # of the real sales, the two shortest
STEPS = ("land_files", "order_lines")  # one with Python in its tasks, one that merges; a cluster runs more


@pytest.fixture
def submit(python_without_customerlake, wheel, tmp_path):
    """Submit the job of a step, from a folder outside of the checkout."""
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    settings = {"spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
    settings |= {"spark.log.level": "WARN", "spark.sql.shuffle.partitions": "2"}
    settings |= {"spark.databricks.delta.snapshotPartitions": "1"}  # else fifty tasks for each look at a small table
    settings |= {"spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1"}  # a job of seconds: compile fast, not well
    conf = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]

    def submitted(step, *arguments):
        (file,) = [CHECKOUT / "jobs" / one.job for one in PIPELINE if one.name == step]
        command = [str(spark_folder() / "bin" / "spark-submit"), "--master", "local[2]", *conf]
        return subprocess.run(
            [*command, "--py-files", str(wheel), str(file), *arguments],
            env=environment(python_without_customerlake),
            cwd=outside,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    return submitted


def environment(python):
    """The environment without what this process's own Spark, MLflow and checkout have put there."""
    hidden = ("SPARK_", "PYSPARK_", "MLFLOW_", "PYTHONPATH", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    return kept | {
        "JAVA_HOME": str(find_java()),
        "PYSPARK_PYTHON": str(python),
        "PYSPARK_DRIVER_PYTHON": str(python),
        "SPARK_LOCAL_HOSTNAME": "localhost",
    }


@pytest.fixture
def two_days(sales_folder):
    landed = resources.files("customerlake") / "demo" / "online_retail"
    for day in DAYS:
        shutil.copyfile(str(landed / f"{day}.csv.gz"), sales_folder / f"{day}.csv.gz")


def test_the_package_cannot_be_imported_where_the_jobs_are_submitted_from(python_without_customerlake, tmp_path):
    told = subprocess.run(
        [str(python_without_customerlake), "-c", "import pyspark, deltalake, customerlake"],
        env=environment(python_without_customerlake), cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "No module named 'customerlake'" in told.stderr


@pytest.mark.usefixtures("two_days")
def test_submitted_jobs_write_the_tables_that_this_process_writes(
    submit, run, execute, assert_same_tables, lake_file, tmp_path
):
    for step in STEPS:
        told = submit(step, "--root", str(tmp_path / "submitted"), "--lake", str(lake_file))
        assert told.returncode == 0, told.stdout
    for step in STEPS:
        assert execute(step).state == "succeeded"

    submitted = job.Run(root=str(tmp_path / "submitted"), lake_file=str(lake_file), spark=run.spark, engine="spark")
    assert_same_tables(run, submitted)
    for table in ("bronze.sales", "silver.order_lines"):
        assert submitted.lake.count(table) == run.lake.count(table) > 0, table
    assert submitted.lake.count("bronze.sales") == 570  # the files have 292 and 280 lines, a header each


def test_a_job_for_an_empty_lake_says_what_to_do_and_fails(submit, lake_file, tmp_path):
    told = submit("value", "--root", str(tmp_path / "empty"), "--lake", str(lake_file))

    assert told.returncode == 1
    assert "holds no order yet" in told.stdout
    assert "Traceback" not in told.stdout


@pytest.mark.usefixtures("two_days")
def test_a_job_with_a_refused_file_does_the_rest_and_its_exit_code_tells(submit, sales_folder, lake_file, run):
    (sales_folder / "2011-03-01.csv").write_text("InvoiceNo,StockCode\n1,2\n")

    told = submit("land_files", "--root", run.root, "--lake", str(lake_file))

    assert told.returncode == 3, told.stdout
    assert "2011-03-01.csv" in told.stdout
    assert run.lake.count("bronze.sales") == 570
