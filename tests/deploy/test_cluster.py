"""The wheel and the jobs on a Spark standalone cluster: the lake is the local one, also when a process is killed."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

import pytest
from deltalake import DeltaTable

from customerlake.errors import ConfigError, EngineError
from customerlake.runtime import job
from customerlake.runtime.pipeline import step_named
from deploy.cluster import executor_python, steps
from deploy.cluster.__main__ import main
from deploy.cluster.processes import Cluster, environment

CHECKOUT = Path(__file__).parents[2]
DAYS = ("2010-12-01", "2010-12-02", "2010-12-03", "2010-12-05", "2010-12-06", "2010-12-07")
STEPS = ("land_files", "order_lines", "customer_records", "orders")  # the third runs Python on executors


@pytest.fixture(scope="module")
def lake_file(tmp_path_factory):
    """A lake file over six days of the real sales."""
    folder = tmp_path_factory.mktemp("cluster_sales")
    for day in DAYS:
        shutil.copy(str(resources.files("customerlake") / "demo" / "online_retail" / f"{day}.csv.gz"), folder)
    file = folder / "lake.yaml"
    shipped = (CHECKOUT / "conf" / "lakes" / "online_retail.yaml").read_text(encoding="utf-8")
    file.write_text(shipped.replace("path: embedded", f"path: {folder}"), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def local(spark, engine, lake_file, tmp_path_factory):
    """The lake that this process makes of the same sales."""
    run = job.Run(
        root=str(tmp_path_factory.mktemp("local") / "lake"), lake_file=str(lake_file), spark=spark, engine=engine
    )
    for step in STEPS:
        assert job.execute(step_named(step), run).state == "succeeded"
    return run


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """One master and two workers of one core each."""
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.start(workers=2, cores=1, memory="1g")
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def begin(cluster, wheel, python_without_customerlake, lake_file):
    """Begin to submit steps to the cluster, from a process group of its own."""

    def begun(root, *options):
        given = {"folder": cluster.folder, "wheel": wheel, "driver-python": python_without_customerlake}
        given |= {"root": root, "lake": lake_file}
        words = [f"--{name}={value}" for name, value in given.items()]
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.cluster", "submit", *words, *options],
            cwd=CHECKOUT,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return begun


@pytest.fixture(scope="module")
def submit(begin, cluster):
    def submitted(root, step):
        process = begin(root, "--only", step)
        told, _ = process.communicate()
        assert process.returncode == 0, told + (cluster.logs / f"{step}.log").read_text()[-3000:]

    return submitted


@pytest.fixture(scope="module")
def submitted_lake(submit, lake_file, tmp_path_factory):
    """The lake that the cluster makes; only its first step has run in `landed`."""
    root = tmp_path_factory.mktemp("submitted")
    submit(root / "lake", STEPS[0])
    shutil.copytree(root / "lake", root / "landed")
    for step in STEPS[1:]:
        submit(root / "lake", step)
    return job.Run(root=str(root / "lake"), lake_file=str(lake_file))


@pytest.fixture
def landed(submitted_lake, tmp_path):
    """The root of a lake of its own with the landed sales alone."""
    return shutil.copytree(Path(submitted_lake.root).parent / "landed", tmp_path / "lake")


def wait_until(happens, process, seconds=120):
    """Wait for a moment of a process that runs; fail when it ends before."""
    until = time.monotonic() + seconds
    while not (found := happens()):
        assert process.poll() is None, f"the process ended before: {process.stdout.read()}"
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.005)
    return found


def writes(root, table):
    """Whether a data file of the table lies there."""
    return any((root / table.replace(".", "/")).rglob("*.parquet"))


def executor_at_work(cluster):
    """The log of an executor of the newest application that has begun a task and not ended it."""
    logs = list((cluster.folder / "work").glob("*/app-*/*/stderr"))
    newest = max((log.parts[-3] for log in logs), default=None)
    return next((log for log in logs if log.parts[-3] == newest and has_open_task(log)), None)


def has_open_task(log):
    said = log.read_text(errors="replace")
    return said.count("Executor: Running task") > said.count("Executor: Finished task")


@pytest.mark.spark_only
def test_processes_are_started_once_shown_and_stopped_by_their_ids(cluster, capsys):
    folder = ["--folder", str(cluster.folder)]
    assert said(capsys, ["status", *folder]) == (0, [("master", "alive"), ("worker-1", "alive"), ("worker-2", "alive")])
    before = {process.id: process.pid for process in cluster.processes()}

    assert said(capsys, ["stop", "worker-2", *folder])[0] == 0
    assert said(capsys, ["status", *folder]) == (1, [("master", "alive"), ("worker-1", "alive"), ("worker-2", "ended")])
    assert len(cluster.registered()) == 1

    assert said(capsys, ["start", *folder])[0] == 0
    assert said(capsys, ["status", *folder]) == (0, [("master", "alive"), ("worker-1", "alive"), ("worker-2", "alive")])
    after = {process.id: process.pid for process in cluster.processes()}
    assert [name for name in before if before[name] != after[name]] == ["worker-2"]


def said(capsys, words):
    """The exit code of a command, and (id, state) of each process that it lists."""
    with pytest.raises(SystemExit) as end:
        main(words)
    listed = re.findall(r"^(master|worker-\d+) +\d+ +([a-z]+)", capsys.readouterr().out, re.MULTILINE)
    return end.value.code, listed


@pytest.mark.spark_only
def test_the_cluster_makes_the_tables_that_this_process_makes(cluster, submitted_lake, local, assert_same_tables):
    assert {one["name"] for one in cluster.report()["completedapps"]} == set(STEPS)
    assert_same_tables(local, submitted_lake)
    for table in ("bronze.sales", "silver.order_lines", "silver.customer_records", "silver.orders"):
        assert submitted_lake.lake.count(table) == local.lake.count(table) > 0, table


@pytest.mark.spark_only
@pytest.mark.usefixtures("submitted_lake")
def test_executors_had_no_customerlake_but_the_wheel_and_no_pyspark_but_the_clusters(cluster, wheel):
    beside_executors = [file.parent for file in (cluster.folder / "work").glob("*/app-*/*/environment")]
    assert beside_executors

    for folder in beside_executors:
        for package, found in {"pyarrow": True, "customerlake": False, "pyspark": False, "mlflow": False}.items():
            told = subprocess.run(
                ["./environment/bin/python", "-c", f"import {package}"],
                env=environment(), cwd=folder, capture_output=True, check=False,
            )  # fmt: skip
            assert (told.returncode == 0) == found, (package, told.stderr)
    assert any((folder / f"{wheel.stem}.zip").exists() for folder in beside_executors)


@pytest.mark.spark_only
def test_a_worker_killed_in_the_middle_of_a_step_does_not_stop_it(cluster, begin, landed, local, assert_same_tables):
    process = begin(landed, "--only", "order_lines")
    executor = wait_until(lambda: writes(landed, "silver.order_lines") and executor_at_work(cluster), process)
    cluster.kill(executor.parts[-4])  # its worker
    told, _ = process.communicate()
    left = len(cluster.registered())
    cluster.start(workers=2, cores=1, memory="1g")

    log = (cluster.logs / "order_lines.log").read_text()
    assert process.returncode == 0, told + log[-3000:]
    assert "Lost executor" in log
    assert has_open_task(executor)  # lost with its executor, and done again by the other
    assert (left, len(cluster.registered())) == (1, 2)
    assert_same_tables(local, job.Run(root=str(landed)))


@pytest.mark.spark_only
def test_a_driver_killed_in_the_middle_of_a_write_is_repaired_by_the_next(
    begin, submit, landed, local, assert_same_tables
):
    process = begin(landed, "--only", "order_lines")
    wait_until(lambda: writes(landed, "silver.order_lines"), process)
    os.killpg(process.pid, signal.SIGKILL)  # spark-submit and the job's Python, at once
    process.communicate()
    assert not DeltaTable.is_deltatable(str(landed / "silver" / "order_lines"))  # data files without a commit

    submit(landed, "order_lines")

    assert_same_tables(local, job.Run(root=str(landed)))


def test_a_process_that_took_over_a_pid_is_left_alone(tmp_path):
    record = {"id": "worker-1", "pid": os.getpid(), "mark": "customerlake-worker-1-gone", "port": 1, "page_port": 2}
    (tmp_path / "processes").mkdir()
    (tmp_path / "processes" / "worker-1.json").write_text(json.dumps(record))
    cluster = Cluster(tmp_path)

    cluster.kill("worker-1")

    assert [process.is_running for process in cluster.processes()] == [False]
    assert (cluster.stop(), cluster.processes()) == ([], [])


def test_what_is_not_there_is_said_with_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match=r"There is no process 'worker-9' of a cluster in .*; there are: none"):
        Cluster(tmp_path).stop("worker-9")
    with pytest.raises(EngineError, match=r"No master runs .* Run `python -m deploy\.cluster start`"):
        _ = Cluster(tmp_path).url


class Exits:
    """In place of a submission: commands that end with given exit codes."""

    def __init__(self, **codes):
        self.codes = codes

    def command(self, step, values):
        return ["sh", "-c", f"echo customerlake: {step.name} of {values}; exit {self.codes.get(step.name, 0)}"]


def test_steps_go_on_after_refused_files_and_the_exit_code_tells(tmp_path, capsys):
    chosen = [step_named(name) for name in STEPS]

    code = steps.run(chosen, Exits(land_files=3), {}, logs=tmp_path)

    assert code == 3
    assert re.findall(r"^(\w+) .* s  (.+)$", capsys.readouterr().out, re.MULTILINE) == [
        ("land_files", "refused files"), ("order_lines", "done"), ("customer_records", "done"), ("orders", "done"),
    ]  # fmt: skip


def test_steps_stop_at_the_first_that_fails(tmp_path, capsys):
    chosen = [step_named(name) for name in STEPS]

    code = steps.run(chosen, Exits(land_files=3, order_lines=1), {}, logs=tmp_path)

    told = capsys.readouterr().out
    assert code == 1
    assert f"failed with exit code 1, see {tmp_path / 'order_lines.log'}" in told
    assert "orders " not in told


def test_the_executors_python_holds_what_its_packages_require_and_nothing_of_the_driver():
    names = {one.name.lower() for one in executor_python.distributions(executor_python.NEEDED)}

    assert {"pyarrow", "pydantic", "pydantic_core", "pyyaml", "pandas", "phonenumbers"} <= names
    assert not {"customerlake", "pyspark", "mlflow", "splink"} & names
