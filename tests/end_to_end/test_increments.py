"""However the days arrive, the same silver, gold and features tables come of them, row for row."""

import shutil
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pytest

from customerlake.runtime import job
from customerlake.runtime.pipeline import PIPELINE

EMBEDDED = Path(__file__).parents[2] / "lib" / "customerlake" / "demo" / "online_retail"
DAYS = sorted(EMBEDDED.glob("*.csv.gz"))
FEW = 8
ON_SAIL = "on JVM Spark test_conformance.py lands a late day after all others, and compares"
LAST_DAY = date(2011, 12, 9)
SILVER = [step for step in PIPELINE if step.job.startswith(("bronze/", "silver/"))]
DATED = [step for step in PIPELINE if step.job.startswith(("gold/", "features/"))]

Land = Callable[[str, Sequence[Sequence[Path]]], job.Run]


@pytest.fixture
def land(tmp_path, spark, engine) -> Land:
    """Take files through bronze and silver, landing by landing, then once through gold and features."""

    def take(name: str, landings: Sequence[Sequence[Path]]) -> job.Run:
        folder = tmp_path / name / "landing"
        folder.mkdir(parents=True)
        lake_file = tmp_path / name / "lake.yaml"
        shipped = (EMBEDDED.parents[3] / "conf" / "lakes" / "online_retail.yaml").read_text()
        lake_file.write_text(shipped.replace("path: embedded", f"path: {folder}"))
        for files in landings:
            for file in files:
                shutil.copy(file, folder)
            run = job.Run(root=str(tmp_path / name / "lake"), lake_file=str(lake_file), spark=spark, engine=engine)
            execute(run, SILVER)
        execute(run, DATED)
        return run

    return take


def execute(run, steps):
    for step in steps:
        outcome = job.execute(step, run)
        assert outcome.state != "failed", outcome.message


@pytest.mark.full_data
def test_days_landed_one_by_one_or_in_batches_or_at_once_give_the_same_tables(land, engine, assert_same_tables):
    if engine != "sail":
        pytest.skip(ON_SAIL)
    days = DAYS[:FEW]

    at_once = land("at_once", [days])
    one_by_one = land("one_by_one", [[day] for day in days])
    in_batches = land("in_batches", [days[:2], days[2:]])

    assert_same_tables(one_by_one, at_once)
    assert_same_tables(in_batches, at_once)


@pytest.mark.full_data
def test_days_landed_in_another_order_give_the_same_tables(land, engine, assert_same_tables):
    if engine != "sail":
        pytest.skip(ON_SAIL)
    days = DAYS[:FEW]

    in_order = land("in_order", [days])
    mixed = land("mixed", [days[2:], days[:1], days[1:2]])

    assert_same_tables(mixed, in_order)


@pytest.mark.full_data
def test_the_last_days_landed_one_by_one_after_all_others_give_the_tables_of_one_landing(
    land, real_lake, engine, assert_same_tables
):
    if engine != "sail":
        pytest.skip(ON_SAIL)
    late = land("late", [DAYS[:-2], DAYS[-2:-1], DAYS[-1:]])

    assert late.as_of == LAST_DAY
    assert_same_tables(late, real_lake)


@pytest.mark.full_data
@pytest.mark.before_an_engine
def test_a_run_with_no_new_file_changes_nothing(land, engine, spark):
    run = land("twice", [DAYS[:2], DAYS[2:3]])
    before = {path: path.stat().st_mtime_ns for path in Path(run.root).rglob("*.json")}

    again = job.Run(root=run.root, lake_file=str(Path(run.root).parent / "lake.yaml"), spark=spark, engine=engine)
    states = {step.name: job.execute(step, again).state for step in [*SILVER, *DATED]}

    assert set(states.values()) == {"unchanged", "lacking"}
    assert {path: path.stat().st_mtime_ns for path in Path(run.root).rglob("*.json")} == before
