"""Killed with SIGKILL at any moment and started again, a run ends in the tables of a run that was never killed."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from customerlake.runtime import job
from customerlake.runtime.pipeline import PIPELINE

BATCH = [step.name for step in PIPELINE if step.job.startswith(("bronze/", "silver/", "gold/", "features/"))]


def attempt(command: Sequence[str], root: Path, kill_when: Callable[[], bool]) -> bool:
    """Run steps over the lake at `root`: True when they were killed, False when they came to their end."""
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
    tmp_path, forty_days, run_steps, engine, assert_same_tables
):
    if engine != "sail":
        pytest.skip("one engine is enough: what is tested is the commits' order, and the JVM has the models' test")
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    tables = {
        "land_sales": ["bronze.sales"], "order_lines": ["silver.order_lines", "quarantine.order_lines"],
        "orders": ["silver.orders"], "cancellations": ["silver.cancellations"], "customers": ["silver.products"],
        "value": ["gold.customer_value"], "behaviour": ["gold.purchase_behaviour"],
        "kpis": ["gold.profile_statistics"], "customer_360": ["gold.customer_360"], "features": ["features.snapshot"],
    }  # fmt: skip

    kills = 0
    for step in BATCH:
        for table in tables[step]:
            kills += attempt(run_steps(killed, forty_days, BATCH[-1]), killed, writing(killed, table))
        kills += attempt(run_steps(killed, forty_days, BATCH[-1]), killed, recorded(killed))
    attempt(run_steps(whole, forty_days, BATCH[-1]), whole, lambda: False)

    assert kills == sum(len(tables[step]) + 1 for step in BATCH)
    assert job.Run(root=str(whole)).lake.count("quarantine.order_lines") == 1
    assert_same_tables(job.Run(root=str(killed)), job.Run(root=str(whole)))


@pytest.mark.full_data
@pytest.mark.spark_only
def test_model_steps_killed_in_trainings_and_in_writes_end_as_if_never_killed(
    tmp_path, forty_days, run_steps, trained_lake, assert_same_tables
):
    killed, last = tmp_path / "killed", PIPELINE[-1].name
    artifacts = killed / "mlflow" / "artifacts"
    moments = [lambda: any(artifacts.rglob("MLmodel")), writing(killed, "scores.churn")]

    kills = sum(attempt(run_steps(killed, forty_days, last), killed, moment) for moment in moments)
    killed_at_the_end = attempt(run_steps(killed, forty_days, last), killed, lambda: False)

    assert (kills, killed_at_the_end) == (len(moments), False)
    assert_same_tables(job.Run(root=str(killed)), trained_lake)
