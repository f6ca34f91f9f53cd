"""Killed with SIGKILL at any moment and started again, a run ends in the tables of a run that was never killed."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from customerlake.runtime import job
from customerlake.runtime.pipeline import PIPELINE

Moment = Callable[[Path], Callable[[], bool]]


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


A_TABLE = {
    "land_files": "bronze.sales", "records": "silver.tickets", "order_lines": "silver.order_lines",
    "customer_records": "silver.customer_records", "identities": "silver.identities", "orders": "silver.orders",
    "cancellations": "silver.cancellations", "customers": "silver.products", "quality": "ops.quality",
    "value": "gold.customer_value",
    "behaviour": "gold.purchase_behaviour", "lifecycle": "gold.lifecycle_transitions", "service": "gold.service_levels",
    "segment_rules": "gold.segment_rules", "kpis": "gold.profile_statistics",
    "customer_360": "gold.customer_360",
    "features": "features.snapshot",
}  # fmt: skip
"""The steps that such a lake has work for, each with a table that it writes."""
SECOND = {
    "order_lines": "quarantine.order_lines", "records": "quarantine.tickets", "land_files": "bronze.tickets",
}  # fmt: skip
SILVER = [step.name for step in PIPELINE if step.name in A_TABLE and step.job.startswith(("bronze/", "silver/"))]
BATCH = [step.name for step in PIPELINE if step.name in A_TABLE]
TICKETS = """ticket_id,status,opened_at,updated_at
t1,open,2010-12-02 10:00:00,2010-12-02 10:00:00
t2,open,2010-12-02 11:00:00,2010-12-02 11:00:00
"""
TICKETS_LATER = """ticket_id,status,opened_at,updated_at
t1,solved,2010-12-02 10:00:00,2010-12-05 10:00:00
t2,lost,2010-12-02 11:00:00,2010-12-05 11:00:00
t3,open,2010-12-06 11:00:00,2010-12-06 11:00:00
"""


@pytest.mark.full_data
def test_batch_steps_killed_at_every_boundary_and_in_every_write_end_as_if_never_killed(
    tmp_path, forty_days, run_steps, engine, assert_same_tables
):
    if engine != "sail":
        pytest.skip("one engine is enough: what is tested is the commits' order, and the JVM has the models' test")
    *days, bad = sorted((forty_days.parent / "landing").iterdir())
    lake_file = tmp_path / "lake.yaml"
    lake_file.write_text(forty_days.read_text().replace("feeds:\n", "feeds:\n  tickets: {path: tickets}\n"))
    (tmp_path / "tickets").mkdir()
    (tmp_path / "tickets" / "a.csv").write_text(TICKETS)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    (tmp_path / "landing").mkdir()

    def land(files: Sequence[Path]) -> None:
        for file in files:
            shutil.copy(file, tmp_path / "landing")

    def kill(when: Callable[[], bool], last: str) -> int:
        return attempt(run_steps(killed, lake_file, last), killed, when)

    land(days[1:20])  # appended, with no bad line
    kills = sum(kill(moment(killed), SILVER[-1]) for moment in moments(SILVER))
    land([days[0], *days[20:], bad])  # merged, as one day is earlier, with a bad line
    (tmp_path / "tickets" / "b.csv").write_text(TICKETS_LATER)
    kills += sum(kill(moment(killed), BATCH[-1]) for moment in moments(BATCH, SECOND))
    attempt(run_steps(whole, lake_file, BATCH[-1]), whole, lambda: False)

    assert kills == 2 * len(SILVER) + 2 * len(BATCH) + len(SECOND)
    held = job.Run(root=str(whole)).lake
    assert (held.count("quarantine.order_lines"), held.count("quarantine.tickets")) == (1, 1)
    assert_same_tables(job.Run(root=str(killed)), job.Run(root=str(whole)))


def moments(steps: Sequence[str], second_tables: Mapping[str, str] | None = None) -> Iterator[Moment]:
    """Of each step: in the write of a table, of a second one where it is named, and at the boundary to the next."""
    for step in steps:
        yield lambda root, table=A_TABLE[step]: writing(root, table)
        if second_tables and step in second_tables:
            yield lambda root, table=second_tables[step]: writing(root, table)
        yield recorded


@pytest.mark.full_data
@pytest.mark.spark_only
def test_model_steps_killed_in_a_training_end_as_if_never_killed(
    tmp_path, forty_days, run_steps, trained_lake, assert_same_tables
):
    killed, last = tmp_path / "killed", PIPELINE[-1].name
    artifacts = killed / "mlflow" / "artifacts"
    moments = [lambda: any(artifacts.rglob("MLmodel"))]  # what scores commit is as the batch steps' tables above

    kills = sum(attempt(run_steps(killed, forty_days, last), killed, moment) for moment in moments)
    killed_at_the_end = attempt(run_steps(killed, forty_days, last), killed, lambda: False)

    assert (kills, killed_at_the_end) == (len(moments), False)
    assert_same_tables(job.Run(root=str(killed)), trained_lake)
