"""Killed with SIGKILL at any moment and started again, a run ends in the tables of a run that was never killed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from customerlake.runtime import job
from customerlake.runtime.pipeline import PIPELINE

EMBEDDED = Path(__file__).parents[2] / "lib" / "customerlake" / "demo" / "online_retail"
DAYS = sorted(EMBEDDED.glob("*.csv.gz"))[:40]
BATCH = [step.name for step in PIPELINE if step.job.startswith(("bronze/", "silver/", "gold/", "features/"))]
SETTINGS = """
churn: {horizon_days: 10, training_dates: 2, training_step_days: 5, retrain_after_days: 5}
segments: {min_segments: 2, max_segments: 3}
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


@pytest.fixture
def lake_file(tmp_path) -> Path:
    folder = tmp_path / "landing"
    folder.mkdir()
    for day in DAYS:
        shutil.copy(day, folder)
    file = tmp_path / "lake.yaml"
    shipped = (EMBEDDED.parents[3] / "conf" / "lakes" / "online_retail.yaml").read_text()
    file.write_text(shipped.replace("path: embedded", f"path: {folder}") + SETTINGS)
    return file


def attempt(root: Path, lake_file: Path, last: str, kill_when: Callable[[], bool]) -> bool:
    """Run the steps up to `last` in a process of their own, on sail until a step needs JVM Spark.

    True when it was killed, False when it came to its end.
    """
    command = [sys.executable, "-c", RUN_STEPS, str(root), str(lake_file), last]
    with open(root.parent / "attempts.log", "ab") as log:
        process = subprocess.Popen(command, start_new_session=True, stdout=log, stderr=log)
        while process.poll() is None:
            if kill_when():
                os.killpg(process.pid, signal.SIGKILL)  # Python and its JVM, at once
                process.wait()
                return True
            time.sleep(0.002)
    assert process.returncode == 0, (root.parent / "attempts.log").read_text()[-3000:]
    return False


def writing(root: Path, table: str) -> Callable[[], bool]:
    """True when a data file of the table is there that was not there before: its commit may or may not have come."""
    folder = root / table.replace(".", "/")
    known = set(folder.rglob("*.parquet"))
    return lambda: bool(set(folder.rglob("*.parquet")) - known)


def recorded(root: Path) -> Callable[[], bool]:
    """True when one more step has been recorded: the boundary to the next."""
    log = root / "ops" / "runs" / "_delta_log"
    known = set(log.glob("*.json"))
    return lambda: bool(set(log.glob("*.json")) - known)


@pytest.mark.full_data
def test_batch_steps_killed_at_every_boundary_and_in_every_write_end_as_if_never_killed(
    tmp_path, lake_file, engine, assert_same_tables
):
    if engine != "sail":
        pytest.skip("one engine is enough: what is tested is the commits' order, and the JVM has the models' test")
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    a_table = {
        "land_sales": "bronze.sales", "order_lines": "silver.order_lines", "orders": "silver.orders",
        "customers": "silver.products", "value": "gold.customer_value", "behaviour": "gold.purchase_behaviour",
        "kpis": "gold.profile_statistics", "customer_360": "gold.customer_360", "features": "features.snapshot",
    }  # fmt: skip

    kills = 0
    for step in BATCH:
        kills += attempt(killed, lake_file, BATCH[-1], writing(killed, a_table[step]))
        kills += attempt(killed, lake_file, BATCH[-1], recorded(killed))
    attempt(whole, lake_file, BATCH[-1], lambda: False)

    assert kills == 2 * len(BATCH)
    assert_same_tables(job.Run(root=str(killed)), job.Run(root=str(whole)))


@pytest.mark.full_data
@pytest.mark.spark_only
def test_model_steps_killed_in_trainings_and_in_writes_end_as_if_never_killed(tmp_path, lake_file, assert_same_tables):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    last, artifacts = PIPELINE[-1].name, killed / "mlflow" / "artifacts"
    moments = [lambda: any(artifacts.rglob("MLmodel")), writing(killed, "scores.churn")]

    kills = sum(attempt(killed, lake_file, last, moment) for moment in moments)
    killed_at_the_end = attempt(killed, lake_file, last, lambda: False)
    attempt(whole, lake_file, last, lambda: False)

    assert (kills, killed_at_the_end) == (len(moments), False)
    assert_same_tables(job.Run(root=str(killed)), job.Run(root=str(whole)))
