"""What each step asks of JVM Spark: jobs, stages, tasks, bytes shuffled, spilled and written, files, columns read.

    .venv/bin/python benchmarks/spark_jobs.py                                   # the real sales, up to the features
    .venv/bin/python benchmarks/spark_jobs.py --scale 20 --results benchmarks/results
    .venv/bin/python benchmarks/spark_jobs.py --conf spark.databricks.delta.stats.collect=false

Spark's own event log says it. A job belongs to the step in whose time it began: steps run one after another.
"""

import argparse
import dataclasses
import json
import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, time
from typing import Any

from rich.console import Console
from rich.table import Table

from contenders.customerlake_jobs import done, lake_file
from customerlake.catalogue import CATALOGUE
from customerlake.runtime import job
from customerlake.runtime.pipeline import PIPELINE, Step
from scaled_sales import land, real_days

MEGABYTE = 10**6
SIZES = ("shuffled", "spilled", "written")  # not what is read: on a local disk Spark counts a part of it


@dataclass
class Asked:
    """What one step asked of Spark."""

    step: str
    began: float  # seconds of Unix time
    ended: float
    seconds: float
    files_written: int
    jobs: int = 0
    stages: int = 0
    tasks: int = 0
    task_seconds: float = 0.0  # of the executors' cores, waiting for Python and disks too
    bytes_of: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SIZES, 0))


def main() -> None:
    values = arguments()
    with tempfile.TemporaryDirectory(prefix="customerlake-spark-jobs-") as folder:
        measure(Path(folder), values.scale, values.conf, values.results)


def measure(folder: Path, scale: int, conf: Sequence[str], results: Path | None) -> None:
    """Run the steps over the sales so many times, in a folder that is empty, and show what they asked for."""
    landing, log = folder / "landing", folder / "events"
    lines = land(real_days(), landing, copies=scale)
    log.mkdir()
    settings = ["spark.eventLog.enabled=true", f"spark.eventLog.dir={log.as_uri()}", "spark.eventLog.compress=false"]
    settings += ["spark.sql.maxMetadataStringLength=100000", *conf]
    os.environ["PYSPARK_SUBMIT_ARGS"] = " ".join([f"--conf {setting}" for setting in settings] + ["pyspark-shell"])
    asked = run_steps(folder / "lake", lake_file(landing, folder / "lake"))
    events = list(events_of(log))
    count(events, asked)
    Console(width=130).print(table_of_steps(asked), table_of_columns(columns_read(events, folder / "lake")))
    if results:
        result = {"lines": lines, "steps": [dataclasses.asdict(one) for one in asked]}
        file = results / f"spark_jobs_{scale}x.json"
        file.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=int, default=1, help="times the real sales")
    parser.add_argument("--results", type=Path, help="write spark_jobs_<scale>x.json there, which scale.py reads")
    parser.add_argument("--conf", action="append", default=[], help="a setting of Spark, key=value, to compare")
    return parser.parse_args()


def run_steps(root: Path, lake: Path) -> list[Asked]:
    """The steps up to the first training, in one session."""
    run = job.Run(root=str(root), lake_file=str(lake), engine="spark")
    run.spark.sql("SELECT 1").collect()
    asked = []
    for step in before_the_models(PIPELINE):
        began, start = time(), perf_counter()
        outcome = done(run, step.name)
        seconds = perf_counter() - start
        files = sum(files_added(run.lake.path(one.table), one.version) for one in outcome.written)
        asked.append(Asked(step.name, began, time(), seconds, files))
    run.spark.stop()
    return asked


def before_the_models(steps: Sequence[Step]) -> list[Step]:
    return list(steps[: next(number for number, step in enumerate(steps) if step.needs)])


def files_added(path: str, version: int) -> int:
    log = Path(path) / "_delta_log" / f"{version:020}.json"
    return sum('"add":' in line[:7] for line in log.read_text(encoding="utf-8").splitlines())


def events_of(log: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(path for path in log.rglob("*") if path.is_file() and path.stat().st_size):
        for line in file.open(encoding="utf-8"):
            if line.startswith("{"):
                yield json.loads(line)


def count(events: Sequence[dict[str, Any]], asked: Sequence[Asked]) -> None:
    """Add what the events say to the step in whose time they happened."""

    def at(milliseconds: int) -> Asked | None:
        return next((one for one in asked if one.began <= milliseconds / 1000 <= one.ended), None)

    for event in events:
        match event["Event"]:
            case "SparkListenerJobStart" if one := at(event["Submission Time"]):
                one.jobs += 1
            case "SparkListenerStageCompleted" if one := at(event["Stage Info"].get("Submission Time", 0)):
                one.stages += 1
            case "SparkListenerTaskEnd" if (one := at(event["Task Info"]["Launch Time"])) and "Task Metrics" in event:
                metrics = event["Task Metrics"]
                one.tasks += 1
                one.task_seconds += metrics["Executor Run Time"] / 1000
                one.bytes_of["shuffled"] += metrics["Shuffle Write Metrics"]["Shuffle Bytes Written"]
                one.bytes_of["spilled"] += metrics["Disk Bytes Spilled"]
                one.bytes_of["written"] += metrics["Output Metrics"]["Bytes Written"]


SCAN = re.compile(r"Location: \S+(?: \[|\(\d+ paths\)\[)(\S+?)[\],].*?ReadSchema: struct<(.*?)>\n", re.DOTALL)
NAME = re.compile(r"(?:^|,)(\w+):")


def columns_read(events: Sequence[dict[str, Any]], root: Path) -> dict[str, set[str]]:
    """Table -> the columns that some plan read of its files."""
    read: dict[str, set[str]] = defaultdict(set)
    for event in events:
        for location, schema in SCAN.findall(event.get("physicalPlanDescription", "")):
            path = location.removeprefix("file:")
            if path.startswith(f"{root}/") and "_delta_log" not in path:
                table = ".".join(path.removeprefix(f"{root}/").strip("/").split("/")[:2])
                read[table] |= set(NAME.findall(schema))
    return read


def table_of_steps(asked: Sequence[Asked]) -> Table:
    result = Table("step", title="what each step asks of JVM Spark")
    for name in ("seconds", "task seconds", "jobs", "stages", "tasks", *(f"MB {size}" for size in SIZES), "files"):
        result.add_column(name, justify="right")
    for one in asked:
        sizes = [f"{one.bytes_of[name] / MEGABYTE:,.1f}" for name in SIZES]
        result.add_row(
            one.step,
            f"{one.seconds:.1f}",
            f"{one.task_seconds:.1f}",
            *map(str, (one.jobs, one.stages, one.tasks)),
            *sizes,
            str(one.files_written),
        )
    return result


def table_of_columns(read: dict[str, set[str]]) -> Table:
    result = Table("table", "columns", "read", "that no step read", title="columns that the steps read of each table")
    for table in CATALOGUE:
        if table.name in read:
            columns = [name for name in table.column_names if name not in table.partitioned_by]
            unread = [name for name in columns if name not in read[table.name]]
            result.add_row(table.name, str(len(columns)), str(len(columns) - len(unread)), ", ".join(unread))
    return result


if __name__ == "__main__":
    main()
