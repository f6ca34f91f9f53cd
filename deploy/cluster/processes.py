"""A Spark standalone cluster as processes of this machine: one master, its workers, and a record of each.

The pyspark package has no scripts that start them, but its `spark-class` runs their classes.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from customerlake.errors import ConfigError, EngineError
from customerlake.runtime.jars import spark_folder
from customerlake.runtime.java import find_java

HOST = "127.0.0.1"  # nothing of this cluster is seen from another machine
MASTER = "master"
CLASSES = {MASTER: "org.apache.spark.deploy.master.Master", "worker": "org.apache.spark.deploy.worker.Worker"}
HIDDEN = ("SPARK_", "PYSPARK_", "MLFLOW_", "PYTHONPATH", "VIRTUAL_ENV")
PATIENCE_SECONDS = 60.0
# each application leaves an unpacked Python in the folder of each worker
CLEANUP = {"enabled": "true", "interval": "60", "appDataTtl": "300"}


@dataclass(frozen=True)
class Process:
    """A process that was started. `mark` stands in its command line and in no other: a pid is given out again."""

    id: str
    pid: int
    mark: str
    port: int
    page_port: int

    @property
    def is_running(self) -> bool:
        told = subprocess.run(
            ["ps", "-ww", "-o", "command=", "-p", str(self.pid)], capture_output=True, text=True, check=False
        )
        return self.mark in told.stdout


class Cluster:
    """The cluster whose records, logs and work lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def url(self) -> str:
        """What spark-submit takes as --master. Raises: EngineError when no master runs."""
        return f"spark://{HOST}:{self._master().port}"

    def processes(self) -> list[Process]:
        """All that were started and not stopped together, the master first; each may have ended since."""
        files = sorted((self.folder / "processes").glob("*.json"), key=lambda file: (file.stem != MASTER, file.stem))
        return [Process(**json.loads(file.read_text(encoding="utf-8"))) for file in files]

    def start(self, *, workers: int, cores: int, memory: str) -> None:
        """Start what is not running of the master and the workers, and wait until the master knows them all.

        Raises: EngineError when one does not come up.
        """
        if not self._is_running(MASTER):
            self.stop()  # workers of a master that has ended would wait for it
            shutil.rmtree(self.folder / "work", ignore_errors=True)
            self._launch(MASTER, [])
            self._wait(lambda: self.report()["status"] == "ALIVE", "answered", MASTER)
        for number in range(1, workers + 1):
            if not self._is_running(name := f"worker-{number}"):
                work = str(self.folder / "work" / name)
                self._launch(name, ["--cores", str(cores), "--memory", memory, "--work-dir", work, self.url])
        for process in self.processes():
            if process.id != MASTER and process.is_running:
                self._wait(partial(self._has_registered, process), "registered", process.id)

    def stop(self, name: str | None = None) -> list[str]:
        """End one process, which stays in the list, or all, and forget them; the ids of those that ran.

        Raises: ConfigError when there is none of that name.
        """
        chosen = [self._named(name)] if name else self.processes()[::-1]
        stopped = [process.id for process in chosen if process.is_running]
        for process in chosen:
            _end(process)
            if name is None:
                self._record(process.id).unlink()
        return stopped

    def kill(self, name: str) -> None:
        """End one process and what it started at once, as a failing machine would. Raises: ConfigError, as stop."""
        process = self._named(name)
        if process.is_running:
            os.killpg(process.pid, signal.SIGKILL)

    def report(self) -> dict[str, Any]:
        """What the master tells of itself, its workers and its applications. Raises: EngineError when it does not."""
        page = f"http://{HOST}:{self._master().page_port}/json/"
        try:
            with urllib.request.urlopen(page, timeout=10) as answer:
                told: dict[str, Any] = json.load(answer)
        except OSError as error:
            raise EngineError(
                f"The master does not answer at {page}: {error}. See {self.logs / MASTER}.log."
            ) from error
        return told

    def registered(self) -> dict[int, dict[str, Any]]:
        """What the master tells of each worker that is alive, by the worker's port."""
        return {worker["port"]: worker for worker in self.report()["workers"] if worker["state"] == "ALIVE"}

    def _has_registered(self, worker: Process) -> bool:
        return worker.port in self.registered()

    def _master(self) -> Process:
        for process in self.processes():
            if process.id == MASTER and process.is_running:
                return process
        raise EngineError(f"No master runs that was started in {self.folder}. Run `python -m deploy.cluster start`.")

    def _named(self, name: str) -> Process:
        known = {process.id: process for process in self.processes()}
        if name not in known:
            raise ConfigError(
                f"There is no process {name!r} of a cluster in {self.folder}; there are: {', '.join(known) or 'none'}."
            )
        return known[name]

    def _is_running(self, name: str) -> bool:
        return any(process.id == name and process.is_running for process in self.processes())

    def _record(self, name: str) -> Path:
        return self.folder / "processes" / f"{name}.json"

    def _launch(self, name: str, arguments: Sequence[str]) -> None:
        mark = f"customerlake-{name}-{uuid.uuid4().hex[:12]}"
        port, page_port = _free_ports(2)
        main_class = CLASSES[name.split("-", maxsplit=1)[0]]
        places = ["--host", HOST, "--port", str(port), "--webui-port", str(page_port)]
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.logs / f"{name}.log").open("ab") as log:
            started = subprocess.Popen(
                [str(spark_folder() / "bin" / "spark-class"), main_class, *places, *arguments],
                env=environment() | self._settings(mark),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # stays when the terminal closes, and is one group with its executors
            )
        process = Process(name, started.pid, mark, port, page_port)
        self._record(name).parent.mkdir(exist_ok=True)
        self._record(name).write_text(json.dumps(asdict(process), indent=2) + "\n", encoding="utf-8")
        self._wait(lambda: process.is_running or started.poll() is not None, "started", name)  # the shell has become it

    def _settings(self, mark: str) -> dict[str, str]:
        return {
            "SPARK_DAEMON_MEMORY": "512m",
            "SPARK_DAEMON_JAVA_OPTS": f"-Dcustomerlake.process={mark}",
            "SPARK_WORKER_OPTS": " ".join(f"-Dspark.worker.cleanup.{key}={value}" for key, value in CLEANUP.items()),
            "SPARK_LOCAL_DIRS": str(self.folder / "scratch"),
        }

    def _wait(self, is_so: Callable[[], bool], what: str, name: str) -> None:
        """Wait until a process that was just started has done something. Raises: EngineError when it does not."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            try:
                if is_so():
                    return
            except EngineError:
                pass  # not yet
            time.sleep(0.1)
        raise EngineError(
            f"{name} has not {what} after {PATIENCE_SECONDS:.0f} s. Its last words are in {self.logs / name}.log."
        )


def environment() -> dict[str, str]:
    """This process's environment, without what its own Spark, MLflow and Python path have put there."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN)}
    return kept | {
        "JAVA_HOME": str(find_java()),
        "SPARK_HOME": str(spark_folder()),
        "SPARK_LOCAL_IP": HOST,
        "SPARK_LOCAL_HOSTNAME": "localhost",  # no look-up of a name that a laptop may not have
    }


def _end(process: Process) -> None:
    """Ask a process to end, and make it when it does not. One that is another program by now is left alone."""
    until = time.monotonic() + 15
    if process.is_running:
        os.kill(process.pid, signal.SIGTERM)
    while process.is_running:
        if time.monotonic() > until:
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    opened = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in opened]
    for one in opened:
        one.close()
    return ports
