"""Bad rows stop the run before gold, with what was found and what to do; once that is done, gold is made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from customerlake.gold.rfm import RFM
from customerlake.monitor.quality import QUALITY
from customerlake.runtime import job
from customerlake.runtime.outcome import Counts
from customerlake.runtime.pipeline import PIPELINE
from customerlake.runtime.runs import RUNS
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.survey_answers import SURVEY_ANSWERS

pytestmark = pytest.mark.before_an_engine
SALES = "order_id,product_id,description,quantity,ordered_at,unit_price,customer_id,country\n" + "".join(
    f"{day},CUP,a cup,1,{day:02}/01/2011 10:00:00,2.50,{day},France\n" for day in range(1, 31)
)
SURVEYS = "invitation_id,survey,score,answered_at,invited_at,updated_at\n" + "".join(
    f"i{n},csat,{n % 10},2011-01-02 10:00:00,2011-01-01 10:00:00,2011-01-02 10:00:00\n" for n in range(30)
)
LAKE = """
name: test
currency: EUR
feeds:
  sales: {{path: sales, timestamp_format: "{pattern}"}}
  survey_answers: {{path: surveys}}
"""
WRONG, RIGHT = "MM/dd/yyyy HH:mm:ss", "dd/MM/yyyy HH:mm:ss"


@pytest.fixture
def lake_file(tmp_path):
    """Writes the lake file: by which pattern the times of sales are read, and what else it says."""
    (tmp_path / "sales").mkdir()
    (tmp_path / "surveys").mkdir()

    def written(*, pattern=RIGHT, more=""):
        file = tmp_path / "lake.yaml"
        file.write_text(LAKE.format(pattern=pattern) + more)
        return file

    return written


@pytest.fixture
def customerlake(tmp_path):
    """The installed command over the lake: (exit code, what it printed)."""

    def called(*words):
        command = [Path(sys.executable).with_name("customerlake"), *words, "--root", tmp_path / "lake"]
        wide = os.environ | {"COLUMNS": "1000", "NO_COLOR": "1"}
        ended = subprocess.run(command, capture_output=True, text=True, check=False, env=wide)
        return ended.returncode, ended.stdout + ended.stderr

    return called


@pytest.fixture
def run_up_to_gold(tmp_path, spark, engine):
    """Runs the steps up to the first of gold, as the command does: none after one that fails."""

    def taken(file):
        run = job.Run(root=str(tmp_path / "lake"), lake_file=str(file), spark=spark, engine=engine)
        outcomes = {}
        for step in PIPELINE:
            if step.needs:
                continue
            outcomes[step.name] = job.execute(step, run)
            if step.name == "value" or outcomes[step.name].state == "failed":
                break
        return run, outcomes

    return taken


def test_a_wrong_pattern_in_the_lake_file_stops_the_command_before_gold_until_it_is_right(
    tmp_path, lake_file, customerlake, run_up_to_gold
):
    (tmp_path / "sales" / "a.csv").write_text(SALES)
    code, said = customerlake("run", "--lake", lake_file(pattern=WRONG))

    assert code == 1
    found = "18 of 30 rows are in quarantine.order_lines"  # there is no thirteenth month, nor one after it
    assert (
        "quality failed: Silver is not good enough for gold to be made of it:\n"
        f"  - silver.order_lines: validity is 0.4, at least 0.9 is asked for: {found}, with their reasons\n"
    ) in said
    assert "`customerlake replay FEED`" in said
    assert "quality: {tables: {silver.order_lines: {validity: 0.4}}}" in said
    assert not (tmp_path / "lake" / "gold").exists()

    code, _ = customerlake("replay", "sales", "--lake", lake_file(pattern=RIGHT))
    run, outcomes = run_up_to_gold(lake_file(pattern=RIGHT))

    assert code == 0
    assert outcomes["quality"].state == "succeeded"
    assert outcomes["value"].state == "succeeded"
    assert run.lake.count(RFM) == 30
    judged = [
        (row["value"], row["is_passed"])
        for row in sorted(run.records(QUALITY), key=lambda row: row["measured_at"])
        if (row["table"], row["dimension"]) == (ORDER_LINES.name, "validity")
    ]
    assert judged == [(0.4, False), (1.0, True)]


def test_a_run_that_was_stopped_is_stopped_again_while_nothing_is_corrected(tmp_path, lake_file, run_up_to_gold):
    (tmp_path / "sales" / "a.csv").write_text(SALES)
    run_up_to_gold(lake_file(pattern=WRONG))

    run, outcomes = run_up_to_gold(lake_file(pattern=WRONG))

    assert list(outcomes)[-1] == "quality"
    assert outcomes["orders"].state == "unchanged"
    assert [row["state"] for row in run.records(RUNS) if row["step"] == "quality"] == ["failed", "failed"]
    assert not run.lake.exists(RFM)


def test_the_lake_file_may_ask_for_less_of_one_table(tmp_path, lake_file, run_up_to_gold):
    """Scores 0 to 9 of a survey that goes from 1 to 5: every second one is rejected, and none is lost."""
    (tmp_path / "sales" / "a.csv").write_text(SALES)
    (tmp_path / "surveys" / "a.csv").write_text(SURVEYS)
    run, outcomes = run_up_to_gold(lake_file())
    assert outcomes["records"].counts[SURVEY_ANSWERS.name] == Counts(30, 15, 15, 0)
    assert "silver.survey_answers: validity is 0.5, at least 0.9 is asked for" in outcomes["quality"].message
    assert "silver.order_lines" not in outcomes["quality"].message
    assert not run.lake.exists(RFM)

    of_surveys = "quality: {tables: {silver.survey_answers: {validity: 0.5}}}\n"
    run, outcomes = run_up_to_gold(lake_file(more=of_surveys))

    assert (outcomes["quality"].state, outcomes["value"].state) == ("succeeded", "succeeded")
    assert run.lake.count(RFM) == 30


def test_the_scorecard_can_be_looked_at_without_an_engine(tmp_path, lake_file, customerlake, run_up_to_gold):
    (tmp_path / "sales" / "a.csv").write_text(SALES)
    run_up_to_gold(lake_file())

    code, said = customerlake("show", "ops.quality", "--rows", "500")

    shown = [
        [cell.strip() for cell in line.split("│")[2:9]] for line in said.splitlines() if "│ silver.orders " in line
    ]
    assert code == 0
    assert ["silver.orders", "uniqueness", "*", "1", "30", "0", "1"] in shown
