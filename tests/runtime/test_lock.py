import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from customerlake.errors import LockedError
from customerlake.runtime.lock import locked, locked_for_step

pytestmark = pytest.mark.before_an_engine
AT_NOON = {"run_id": "of-noon", "started_at": datetime(2026, 1, 31, 12, tzinfo=UTC)}
HOLD = """
import sys, time
from datetime import UTC, datetime
from customerlake.runtime.lock import locked
with locked(sys.argv[1], "run", run_id="other", started_at=datetime(2026, 1, 31, 11, 30, tzinfo=UTC)):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lake."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def holder(root, name):
    """What a lock says of the process that holds it."""
    return (root / ".locks" / f"{name}.lock").read_text()


def test_a_second_run_is_refused_and_told_which_one_is_at_work(tmp_path, other):
    with pytest.raises(LockedError) as refused, locked(str(tmp_path), "run", **AT_NOON):
        pass

    assert str(refused.value) == (
        f"The lake {tmp_path} is being worked on by run other, process {other.pid}, since 2026-01-31 11:30:00 UTC. "
        "Wait until it has ended and run again; two runs at once would write over each other."
    )


def test_a_lock_ends_with_the_process_that_is_killed(tmp_path, other):
    os.kill(other.pid, signal.SIGKILL)
    other.wait()

    with locked(str(tmp_path), "run", **AT_NOON):
        assert holder(tmp_path, "run").startswith("run of-noon, ")


def test_a_run_that_has_ended_leaves_the_lake_free(tmp_path):
    for _ in range(2):
        with locked(str(tmp_path), "run", **AT_NOON):
            assert holder(tmp_path, "run").startswith("run of-noon, ")
        assert holder(tmp_path, "run") == ""


def test_jobs_of_different_steps_run_beside_each_other(tmp_path):
    with locked_for_step(str(tmp_path), "value", **AT_NOON), locked_for_step(str(tmp_path), "kpis", **AT_NOON):
        assert [holder(tmp_path, name)[:11] for name in ("value", "kpis")] == ["run of-noon"] * 2


def test_a_job_is_refused_beside_itself(tmp_path):
    with (
        locked_for_step(str(tmp_path), "value", **AT_NOON),
        pytest.raises(LockedError, match="run of-noon"),
        locked_for_step(str(tmp_path), "value", **AT_NOON),
    ):
        pass


def test_a_job_is_refused_beside_a_whole_run_and_a_whole_run_beside_a_job(tmp_path, other):
    with pytest.raises(LockedError, match="run other"), locked_for_step(str(tmp_path), "value", **AT_NOON):
        pass
    other.kill()
    other.wait()
    with (
        locked_for_step(str(tmp_path), "value", **AT_NOON),
        pytest.raises(LockedError),
        locked(str(tmp_path), "run", **AT_NOON),
    ):
        pass


def test_the_command_refuses_a_lake_that_is_being_worked_on_and_leaves_it_as_it_was(tmp_path, other):
    command = [Path(sys.executable).with_name("customerlake"), "run", "--root", str(tmp_path)]

    told = subprocess.run(command, capture_output=True, text=True, check=False)

    assert told.returncode == 2
    assert "is being worked on by run other" in told.stderr.replace("\n", " ")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".locks"]
