"""Run the pipeline's steps on a cluster, one spark-submit after another."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from customerlake import __version__
from customerlake.errors import ConfigError
from customerlake.runtime.jars import delta_coordinates, delta_jars_present, spark_folder
from customerlake.runtime.pipeline import Step, arguments
from deploy.cluster.executor_python import FOLDER
from deploy.cluster.processes import environment

CHECKOUT = Path(__file__).parents[2]
SETTINGS = Path(__file__).with_name("spark.properties")
REFUSED = 3  # exit code of a job that refused files and did the rest


@dataclass(frozen=True)
class Submission:
    """What is submitted, and where to. The driver runs here: a standalone cluster takes no driver in Python.

    `driver_python` is a Python with the packages of requirements.lock; it may hold a customerlake of its own, which
    the wheel goes before. `executor_python` is an archive.
    """

    master: str
    wheel: Path
    driver_python: str
    executor_python: Path

    def command(self, step: Step, values: Mapping[str, str]) -> list[str]:
        """The spark-submit of a step, for values of the pipeline's PARAMETERS; what is empty is not given."""
        return [
            *(str(spark_folder() / "bin" / "spark-submit"), "--master", self.master, "--deploy-mode", "client"),
            *("--name", step.name, "--properties-file", str(SETTINGS)),
            *("--py-files", str(self.wheel), "--archives", f"{self.executor_python}#{FOLDER}"),
            *("--conf", f"spark.pyspark.driver.python={self.driver_python}"),
            *("--conf", f"spark.pyspark.python=./{FOLDER}/bin/python"),
            *_packages(),
            str(CHECKOUT / "jobs" / step.job),
            *(word for word in arguments(values) if not word.endswith("=")),
        ]


def built_wheel() -> Path:
    """The wheel of this version. Raises: ConfigError when it is not built."""
    wheel = CHECKOUT / "dist" / f"customerlake-{__version__}-py3-none-any.whl"
    if not wheel.exists():
        raise ConfigError(f"The wheel is submitted, and {wheel} is not there. Run `make wheel`, or give --wheel.")
    return wheel


def run(steps: Sequence[Step], submission: Submission, values: Mapping[str, str], *, logs: Path) -> int:
    """Submit steps until one fails; the exit code of that one, 3 when files were refused, else 0.

    What each says goes to a file in `logs`; what a person must know of it is repeated here.
    """
    logs.mkdir(parents=True, exist_ok=True)
    exit_code = 0
    for step in steps:
        begun = time.monotonic()
        ended = _submit(submission.command(step, values), log := logs / f"{step.name}.log")
        state = {0: "done", REFUSED: "refused files"}.get(ended, f"failed with exit code {ended}, see {log}")
        sys.stdout.write(f"{step.name:<24}{time.monotonic() - begun:>6.1f} s  {state}\n")
        sys.stdout.writelines(f"  {line}\n" for line in _told(log))
        sys.stdout.flush()
        exit_code = exit_code or ended
        if ended not in (0, REFUSED):
            return ended
    return exit_code


def _submit(command: Sequence[str], log: Path) -> int:
    with log.open("wb") as output:
        return subprocess.run(
            command,
            env=environment(),
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        ).returncode


def _told(log: Path) -> list[str]:
    """What the job itself said to a person."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if line.startswith("customerlake: ")]


def _packages() -> list[str]:
    """Delta by its coordinates, unless the set-up has put its jars beside Spark's, which all processes here share."""
    if delta_jars_present():
        return []
    return ["--packages", delta_coordinates(metadata.version("delta-spark"), metadata.version("pyspark"))]
