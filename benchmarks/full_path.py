"""Time the whole path on the real sales: all 305 days at once, one more day after 304, and a run with nothing new.

    .venv/bin/python benchmarks/full_path.py

Each is `customerlake run` in a process of its own: a start of Python, and of Spark where there is work, is in every
figure. Times are noisy: compare the ratios of one call.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path
from time import perf_counter

from deltalake import DeltaTable
from rich.console import Console
from rich.table import Table

from customerlake.runtime.config import shipped

DAYS = sorted((resources.files("customerlake") / "demo" / "online_retail").iterdir(), key=lambda file: file.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="keep the lakes in this folder")
    folder = parser.parse_args().keep or Path(tempfile.mkdtemp(prefix="customerlake-benchmark-"))
    days = [file for file in DAYS if file.name.endswith(".csv.gz")]
    full = timed_run(lake(folder / "full", days))
    grown = lake(folder / "grown", days[:-1])
    before = timed_run(grown)
    land(grown, days[-1:])
    increment = timed_run(grown)
    nothing = timed_run(grown)
    console = Console(width=100)
    shares(console, folder / "full" / "lake")
    result = Table("run", "seconds", "of the full run", title="customerlake run, each in a process of its own")
    for name, seconds in (
        ("305 days at once", full),
        ("304 days at once", before),
        ("one day after 304", increment),
        ("nothing new", nothing),
    ):
        result.add_row(name, f"{seconds:.1f}", f"{seconds / full:.1%}")
    console.print(result)


def lake(folder: Path, days: list) -> Path:  # type: ignore[type-arg]  # Traversable or Path, as resources gives them
    """A lake file whose landing folder holds these days; returns its folder."""
    (folder / "landing").mkdir(parents=True)
    values = (shipped("conf") / "lakes" / "online_retail.yaml").read_text(encoding="utf-8")
    (folder / "lake.yaml").write_text(values.replace("path: embedded", "path: landing"))
    land(folder, days)
    return folder


def land(folder: Path, days: list) -> None:  # type: ignore[type-arg]  # as above
    for day in days:
        with resources.as_file(day) as file:
            shutil.copy(file, folder / "landing")


def timed_run(folder: Path) -> float:
    command = Path(sys.executable).with_name("customerlake")
    started = perf_counter()
    subprocess.run(
        [command, "run", "--root", folder / "lake", "--lake", folder / "lake.yaml"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return perf_counter() - started


def shares(console: Console, root: Path) -> None:
    """Each step's seconds and share of the full run, as ops.runs recorded them."""
    runs = DeltaTable(root / "ops" / "runs").to_pyarrow_table().sort_by("started_at").to_pylist()
    total = sum(run["seconds"] for run in runs)
    result = Table("step", "seconds", "share", title="305 days at once, by step")
    for run in runs:
        result.add_row(run["step"], f"{run['seconds']:.1f}", f"{run['seconds'] / total:.1%}")
    console.print(result)


if __name__ == "__main__":
    main()
