"""Real steps over a lake of a few lines, and jobs written for a test where a step must fail."""

import subprocess
import sys
from dataclasses import replace
from datetime import date

import pytest

from customerlake.bronze.sources.sales import BRONZE as SALES
from customerlake.errors import ConfigError
from customerlake.gold.rfm import RFM
from customerlake.runtime import job
from customerlake.runtime.config import shipped
from customerlake.runtime.outcome import Counts
from customerlake.runtime.pipeline import PARAMETERS, Step, arguments, step_named
from customerlake.runtime.runs import RUNS, last_success
from customerlake.silver.order_lines import ORDER_LINES, REJECTED_ORDER_LINES

pytestmark = pytest.mark.before_an_engine  # tests of conformance, catalogs and spark-submit do the same on JVM Spark
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
FIRST = "1,A,cup,6,2011-01-01 10:00:00,1.5,7,France\n"
LATER = "4,A,cup,6,2011-02-01 10:00:00,1.5,7,France\n"
LAST = "2,A,cup,2,2011-01-31 10:00:00,1.5,7,France\n"
JAN_15, JAN_31 = date(2011, 1, 15), date(2011, 1, 31)


@pytest.fixture
def land(sales_folder):
    def landed(*lines, name="a.csv"):
        (sales_folder / name).write_text(HEADER + "".join(lines))

    return landed


@pytest.fixture
def rerun(run, lake_file, spark, engine):
    """Another run over the lake of `run`."""

    def again(**values):
        return job.Run(root=run.root, lake_file=str(lake_file), spark=spark, engine=engine, **values)

    return again


@pytest.fixture
def written_step(tmp_path):
    """A step whose job is the given body of `main(run)`."""

    def step(*body, imports="", is_dated=False):
        file = tmp_path / "written_job.py"
        file.write_text(f"{imports}\n\ndef main(run):\n" + "".join(f"    {line}\n" for line in body))
        return Step("written", str(file), "what a test needs", is_dated=is_dated)

    return step


def runs_of(run, step):
    return [row for row in run.records(RUNS) if row["step"] == step]


def test_a_step_that_did_work_is_recorded_with_what_it_read_and_wrote(land, run, execute):
    land(FIRST, FIRST, LAST, "3,A,cup,six,2011-01-01 10:00:00,1.5,7,France\n")
    execute("land_files")

    outcome = execute("order_lines")

    (recorded,) = runs_of(run, "order_lines")
    assert outcome.state == recorded["state"] == "succeeded"
    assert (recorded["run_id"], recorded["as_of"], dict(recorded["batches"])) == (
        run.run_id, None, {"bronze.landings": 1},
    )  # fmt: skip
    assert (recorded["rows_in"], recorded["rows_quarantined"], recorded["rows_duplicate"]) == (4, 1, 1)
    assert recorded["rows_out"] == 4  # two lines, one in quarantine, and the landing
    assert dict(recorded["versions_read"]) == {"bronze.sales": 0, "ops.replays": -1}
    assert dict(recorded["versions_written"]) == {
        "quarantine.order_lines": 0, "bronze.landings": 0, "silver.order_lines": 0,
    }  # fmt: skip
    assert recorded["message"] is None


def test_a_step_whose_tables_did_not_change_is_skipped_and_leaves_no_record(land, run, execute):
    land(FIRST)
    execute("land_files")
    execute("order_lines")

    again = execute("order_lines")

    assert (again.state, again.written) == ("unchanged", [])
    assert len(runs_of(run, "order_lines")) == 1


def test_a_landing_without_new_files_is_unchanged(land, run, execute):
    land(FIRST)
    execute("land_files")

    assert execute("land_files").state == "unchanged"
    assert len(runs_of(run, "land_files")) == 1


def test_a_step_runs_again_when_what_it_reads_has_changed(land, execute):
    land(FIRST)
    execute("land_files")
    execute("order_lines")
    land(LAST, name="b.csv")
    execute("land_files")

    outcome = execute("order_lines")

    assert (outcome.state, outcome.counts["silver.order_lines"].accepted) == ("succeeded", 2)


def test_a_step_runs_again_when_a_setting_has_changed(land, execute, rerun, lake_file):
    land(FIRST)
    for name in ("land_files", "order_lines", "orders"):
        execute(name)
    lake_file.write_text(lake_file.read_text().replace("GBP", "EUR"))

    assert job.execute(step_named("orders"), rerun()).state == "succeeded"


def test_a_dated_step_is_done_once_for_each_as_of(land, execute, rerun):
    land(FIRST, LAST)
    for name in ("land_files", "order_lines", "orders", "customers"):
        execute(name)

    states = [job.execute(step_named("value"), rerun(as_of=day)).state for day in (JAN_15, JAN_31, JAN_15)]

    assert states == ["succeeded", "succeeded", "unchanged"]


def test_without_as_of_the_last_day_with_an_order_is_meant(land, run, execute):
    land(FIRST, LAST)
    execute("land_files")
    execute("order_lines")

    assert run.as_of == JAN_31
    assert run.first_ordered_on == date(2011, 1, 1)


def test_an_as_of_before_the_first_order_is_refused_with_the_days_to_choose_from(land, execute, rerun):
    land(FIRST, LAST)
    execute("land_files")
    execute("order_lines")
    early = rerun(as_of=date(2010, 12, 31))

    outcome = job.execute(step_named("value"), early)

    assert outcome.state == "failed"
    assert outcome.message == (
        f"--as-of 2010-12-31 is before the first order in {early.root}, which is of 2011-01-01; "
        "the last is of 2011-01-31. Choose a day from 2011-01-01 on."
    )
    assert not early.lake.exists(RFM)


def test_a_dated_step_over_an_empty_lake_says_what_to_do_first(run, execute):
    outcome = execute("value")

    assert outcome.message == f"The lake {run.root} holds no order yet. Land sales first: `customerlake run`."


def test_a_failure_that_is_foreseen_is_recorded_with_its_message(run, written_step):
    step = written_step(
        "raise ContractError('sales has no price. Add it.')", imports="from customerlake.errors import ContractError"
    )

    outcome = job.execute(step, run)

    (recorded,) = runs_of(run, "written")
    assert (outcome.state, outcome.message) == ("failed", "sales has no price. Add it.")
    assert (recorded["state"], recorded["message"]) == ("failed", "sales has no price. Add it.")


def test_a_failure_that_is_not_foreseen_is_recorded_and_raised(run, written_step):
    with pytest.raises(ZeroDivisionError):
        job.execute(written_step("1 / 0"), run)

    (recorded,) = runs_of(run, "written")
    assert (recorded["state"], recorded["message"]) == ("failed", "ZeroDivisionError: division by zero")


def test_a_run_that_a_person_stops_is_recorded(run, written_step):
    with pytest.raises(KeyboardInterrupt):
        job.execute(written_step("raise KeyboardInterrupt"), run)

    assert [row["state"] for row in runs_of(run, "written")] == ["failed"]


def test_a_failure_is_no_success_to_go_on_from(run, written_step):
    step = written_step("raise ContractError('no')", imports="from customerlake.errors import ContractError")

    job.execute(step, run)

    assert last_success(run.lake, "written", None) is None


def test_a_step_that_neither_read_nor_wrote_leaves_no_record(run, written_step):
    outcome = job.execute(written_step("run.remark('nothing to do')"), run)

    assert (outcome.state, outcome.remarks) == ("unchanged", ["nothing to do"])
    assert runs_of(run, "written") == []


def test_a_refusal_is_told_and_the_step_goes_on(run, written_step):
    outcome = job.execute(written_step("run.refuse('a.csv is empty')", "run.remark('went on')"), run)

    assert (outcome.refused, outcome.remarks) == (["a.csv is empty"], ["went on"])


def test_a_step_that_only_refused_is_recorded_with_the_reason_and_is_no_success(run, written_step):
    outcome = job.execute(written_step("run.refuse('a.csv is empty')"), run)

    (recorded,) = runs_of(run, "written")
    assert outcome.state == recorded["state"] == "refused"
    assert recorded["message"] == "a.csv is empty"
    assert last_success(run.lake, "written", None) is None


def test_a_step_for_a_day_that_an_earlier_step_has_not_done_says_which_and_fails(land, execute, rerun):
    land(FIRST, LAST)
    for name in ("land_files", "order_lines", "orders", "customers", "value"):
        execute(name)
    early = rerun(as_of=JAN_15)

    outcome = job.execute(step_named("kpis"), early)

    assert (outcome.state, outcome.written) == ("failed", [])
    assert outcome.message == (
        f"kpis for 2011-01-15 needs what value, segment_rules makes of that day, and {early.root} does not hold it. "
        "Run `customerlake run --as-of 2011-01-15 --from value`."
    )


BALANCE = "run.balance(received=[SALES], accepted=ORDER_LINES, rejected=REJECTED_ORDER_LINES)"
OF_TABLES = (
    "from customerlake.bronze.sources.sales import BRONZE as SALES\n"
    "from customerlake.silver.order_lines import ORDER_LINES, REJECTED_ORDER_LINES"
)


def test_every_row_is_accounted_for(land, execute):
    land(FIRST, FIRST, LAST, "3,A,cup,six,2011-01-01 10:00:00,1.5,7,France\n")
    execute("land_files")

    counts = execute("order_lines").counts["silver.order_lines"]

    assert counts == Counts(received=4, accepted=2, quarantined=1, duplicates=1)


def test_a_landing_in_which_no_row_breaks_a_rule_leaves_quarantine_as_it_was(land, run, execute):
    landings = ([FIRST], [LAST, "3,A,cup,six,2011-01-31 11:00:00,1.5,7,France\n"], [LATER])
    found = []
    for number, lines in enumerate(landings):
        land(*lines, name=f"{number}.csv")
        execute("land_files")
        execute("order_lines")
        found.append((run.lake.count(REJECTED_ORDER_LINES), run.lake.version(REJECTED_ORDER_LINES)))

    assert found == [(0, 0), (1, 1), (1, 1)]


@pytest.mark.parametrize(
    ("table", "numbers"),
    [
        (ORDER_LINES, "accounts for 1 accepted and 1 duplicates, and quarantine.order_lines for 1"),
        (REJECTED_ORDER_LINES, "accounts for 2 accepted and 1 duplicates, and quarantine.order_lines for 0"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_lost_row_stops_the_step(land, run, execute, written_step, table, numbers):
    land(FIRST, FIRST, LAST, "3,A,cup,six,2011-01-31 10:00:00,1.5,7,France\n")
    execute("land_files")
    execute("order_lines")
    lost = "ordered_on = DATE'2011-01-31'" if table is ORDER_LINES else "true"
    run.lake.overwrite(table, run.lake.read(table).where(f"NOT ({lost})"))

    outcome = job.execute(written_step(BALANCE, imports=OF_TABLES), run)

    assert outcome.state == "failed"
    assert outcome.message == (
        f"bronze.sales: 4 rows, silver.order_lines {numbers}. Rows are lost or counted twice; "
        "do not trust the tables, and report this."
    )


def test_a_row_that_was_counted_twice_stops_the_step(land, run, execute, written_step):
    land(FIRST, "3,A,cup,six,2011-01-31 10:00:00,1.5,7,France\n")
    execute("land_files")
    execute("order_lines")
    run.lake.append(REJECTED_ORDER_LINES, run.lake.read(REJECTED_ORDER_LINES))

    outcome = job.execute(written_step(BALANCE, imports=OF_TABLES), run)

    assert outcome.message.startswith("bronze.sales: 2 rows, silver.order_lines accounts for 1 accepted and 0 dup")


def test_a_step_takes_the_landings_that_it_has_not_taken_yet(land, run, execute, written_step):
    step = written_step(
        "new = run.new_batches(SALES)",
        "run.remark(f'{new.start}..{new.stop - 1}')",
        imports="from customerlake.bronze.sources.sales import BRONZE as SALES",
    )
    land(FIRST)
    execute("land_files")
    first = job.execute(step, run)
    land(LAST, name="b.csv")
    execute("land_files")
    land(LAST, name="c.csv")
    land(FIRST, LAST, name="d.csv")
    execute("land_files")

    second = job.execute(step, run)

    assert (first.remarks, second.remarks) == (["1..1"], ["2..3"])


def test_a_landing_that_was_killed_before_its_list_of_files_is_not_taken_twice(land, run, execute, rerun, written_step):
    land(FIRST, LAST)
    killed = written_step(
        "def stop(*_): raise KeyboardInterrupt",
        "run.record = stop",
        "land(run)",
        imports=f"import runpy\nland = runpy.run_path({str(shipped('jobs') / 'bronze/land_files.py')!r})['main']",
    )
    with pytest.raises(KeyboardInterrupt):
        job.execute(killed, rerun())
    assert run.lake.count(SALES) == 2

    execute("land_files")
    outcome = execute("order_lines")

    assert run.lake.count(SALES) == 2
    assert outcome.counts["silver.order_lines"] == Counts(received=2, accepted=2, quarantined=0, duplicates=0)


def test_a_landing_that_silver_took_twice_changes_nothing(land, run, execute, written_step):
    land(FIRST, FIRST, LAST, "3,A,cup,six,2011-01-31 10:00:00,1.5,7,France\n")
    execute("land_files")
    execute("order_lines")
    before = sorted(run.records(ORDER_LINES), key=lambda row: row["order_line_id"])
    same_job = replace(step_named("order_lines"), name="order_lines_again")  # it knows of no success of its own

    outcome = job.execute(same_job, run)

    assert outcome.counts["silver.order_lines"] == Counts(received=4, accepted=2, quarantined=1, duplicates=1)
    assert sorted(run.records(ORDER_LINES), key=lambda row: row["order_line_id"]) == before


def test_a_run_cannot_be_used_outside_of_a_step(run):
    with pytest.raises(RuntimeError, match="outside of a step"):
        run.remark("nothing runs")


def test_a_run_with_a_bad_lake_file_does_not_make_the_root(tmp_path, lake_file):
    lake_file.write_text("name: shop\n")

    with pytest.raises(ConfigError):
        job.Run(root=str(tmp_path / "other"), lake_file=str(lake_file))

    assert not (tmp_path / "other").exists()


def test_a_job_under_spark_submit_prints_why_it_failed_without_a_trace(tmp_path):
    file = shipped("jobs") / "gold" / "build_value.py"

    ended = subprocess.run(
        [sys.executable, str(file), "--root", str(tmp_path / "lake")], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert (
        ended.stderr
        == f"customerlake: The lake {tmp_path}/lake holds no order yet. Land sales first: `customerlake run`.\n"
    )


def test_a_job_takes_every_parameter_that_deployments_pass_and_an_empty_one_is_none(tmp_path):
    file = shipped("jobs") / "gold" / "build_value.py"
    words = arguments(dict.fromkeys(PARAMETERS, "") | {"root": str(tmp_path / "lake")})

    ended = subprocess.run([sys.executable, str(file), *words], capture_output=True, text=True, check=False)

    assert words == [f"--root={tmp_path}/lake", "--as-of=", "--lake=", "--catalog="]
    assert ended.returncode == 1
    assert "holds no order yet" in ended.stderr  # all was read, and there is no lake yet
