"""Every batch step on both engines over the real sales: equal tables, row for row, whichever engine wrote what."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from customerlake.catalogue import CATALOGUE
from customerlake.runtime import job
from customerlake.runtime.pipeline import PIPELINE, step_named

pytestmark = [pytest.mark.full_data, pytest.mark.spark_only]

EMBEDDED = Path(__file__).parents[2] / "lib" / "customerlake" / "demo" / "online_retail"
DAYS = sorted(EMBEDDED.glob("*.csv.gz"))
TABLES = [step.name for step in PIPELINE if step.job.startswith(("bronze/", "silver/", "gold/", "features/"))]

ON_SAIL = """
import sys
from customerlake.runtime import job
from customerlake.runtime.pipeline import step_named
root, lake_file, *steps = sys.argv[1:]
run = job.Run(root=root, lake_file=lake_file, engine="sail")
for name in steps:
    outcome = job.execute(step_named(name), run)
    assert outcome.state == "succeeded", (name, outcome)
"""


def lake_file(folder: Path) -> Path:
    """A lake file of the real sales whose landing folder is in `folder`."""
    file = folder / "lake.yaml"
    if not file.exists():
        (folder / "landing").mkdir(parents=True)
        shipped = (EMBEDDED.parents[3] / "conf" / "lakes" / "online_retail.yaml").read_text()
        file.write_text(shipped.replace("path: embedded", "path: landing"))
    return file


def land(folder: Path, days: Sequence[Path]) -> Path:
    file = lake_file(folder)
    for day in days:
        shutil.copy(day, folder / "landing")
    return file


def on_sail(folder: Path, days: Sequence[Path]) -> None:
    """Take days through all tables in a process of its own, as one process uses one engine."""
    file = land(folder, days)
    command = [sys.executable, "-c", ON_SAIL, str(folder / "lake"), str(file), *TABLES]
    told = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert told.returncode == 0, told.stdout[-3000:]


@pytest.fixture
def on_jvm(spark) -> Callable[[Path, Sequence[Path]], job.Run]:
    def taken(folder: Path, days: Sequence[Path]) -> job.Run:
        file = land(folder, days)
        run = job.Run(root=str(folder / "lake"), lake_file=str(file), spark=spark)
        for step in PIPELINE:
            if step.name in TABLES:
                outcome = job.execute(step, run)
                assert outcome.state not in ("failed", "refused"), (step.name, outcome)
        return run

    return taken


def test_every_table_is_compared(real_lake):
    compared = {table.name for table in CATALOGUE if real_lake.lake.exists(table)}

    assert compared == {
        "bronze.files", "bronze.sales", "quarantine.order_lines", "silver.order_lines", "silver.orders",
        "silver.cancellations", "silver.customers", "silver.products", "gold.rfm", "gold.customer_value",
        "gold.purchase_behaviour", "gold.kpis", "gold.profile_statistics", "gold.customer_360",
        "features.snapshot", "features.labels", "ops.runs",
    }  # fmt: skip


def test_sail_writes_the_tables_that_jvm_spark_writes(tmp_path, real_lake, assert_same_tables):
    on_sail(tmp_path, DAYS)

    assert_same_tables(job.Run(root=str(tmp_path / "lake")), real_lake)


def test_jvm_spark_merges_a_late_day_into_what_sail_wrote(tmp_path, on_jvm, real_lake, assert_same_tables):
    on_sail(tmp_path, [*DAYS[:150], *DAYS[151:]])
    merged = on_jvm(tmp_path, [DAYS[150]])

    assert_same_tables(merged, real_lake)


def test_sail_takes_a_late_day_and_the_last_one_into_what_jvm_spark_wrote(
    tmp_path, on_jvm, real_lake, assert_same_tables
):
    merged = on_jvm(tmp_path, [*DAYS[:150], *DAYS[151:-1]])
    on_sail(tmp_path, [DAYS[150]])  # merged
    on_sail(tmp_path, [DAYS[-1]])  # appended

    assert_same_tables(merged, real_lake)


def test_scores_and_published_tables_of_one_champion_are_equal_on_both_engines(
    tmp_path, spark, forty_days, trained_lake, assert_same_tables
):
    """The trained lake was scored on sail: JVM Spark scores a copy of it by the same models."""
    root = tmp_path / "lake"
    shutil.copytree(trained_lake.root, root)
    shutil.rmtree(root / "scores")
    shutil.rmtree(root / "publish")
    again = job.Run(root=str(root), lake_file=str(forty_days), spark=spark)

    for name in ("score_segments", "score_churn", "publish_customers", "publish_early_warning"):
        outcome = job.execute(step_named(name), again)
        assert outcome.state == "succeeded", (name, outcome)

    assert again.lake.count("scores.churn") == trained_lake.lake.count("scores.churn") > 100
    assert_same_tables(again, trained_lake)
