"""Time the medallion path, from landed CSV to gold, beside its peers: seconds, memory, bytes, growth, and the aims.

    .venv/bin/pip install -e '.[bench]'
    .venv/bin/python benchmarks/medallion.py                                # 1x, 5x, 20x and 50x; hours on two cores
    .venv/bin/python benchmarks/medallion.py --scales 1,5 --contenders sail,duckdb,polars

All contenders read the same files and write the same Delta tables (Parquet with Snappy), each in a process of its
own, after one another. Seconds are those of the three layers; the cold start (imports, and the session up to its first
answer) is counted apart. After each, its tables are held against those of the first contender of the scale, over all
business columns; a difference is printed, and the exit code is 1. Times are noisy: compare the ratios of one call.
"""

import argparse
import dataclasses
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from aims import GIB, DailyFigure, Figure, Verdict, best_seconds, growth_exponent, ratio, verdicts
from customerlake.runtime.java import find_java
from fingerprints import Fingerprint, differences, fingerprints
from measured import Measured, bytes_under, measure
from picture import draw
from scaled_sales import LINES, land, real_days

HERE = Path(__file__).parent
NAMES = {
    "sail": "customerlake on sail",
    "spark": "customerlake on JVM Spark",
    "plain": "plain PySpark",
    "duckdb": "DuckDB and delta-rs",
    "polars": "Polars and delta-rs",
}
SCRIPTS = {
    "sail": ("customerlake_jobs.py", "--engine", "sail"),
    "spark": ("customerlake_jobs.py", "--engine", "spark"),
    "plain": ("plain_spark.py",),
    "duckdb": ("duckdb_delta.py",),
    "polars": ("polars_delta.py",),
}
ON_JVM = ("spark", "plain")
DAY_BEFORE_THE_LAST = "2011-12-08"  # an as_of for which the measured lakes hold no gold yet
PACKAGES = ("customerlake", "pysail", "pyspark", "delta-spark", "deltalake", "duckdb", "polars", "polars-hash")


class Benchmark:
    """One call of the benchmark: where its data lie, and what it has measured so far."""

    def __init__(self, folder: Path, contenders: Sequence[str], repeat: int, limit_seconds: float) -> None:
        self.folder = folder
        self.contenders = contenders
        self.repeat = repeat
        self.limit_seconds = limit_seconds
        self.console = Console(width=130)
        self.figures: list[Figure] = []
        self.daily: list[DailyFigure] = []
        self.one_job: dict[str, float] = {}  # engine -> wall seconds
        self.differences: list[str] = []
        self.own = next((name for name in ("sail", "spark") if name in contenders), None)  # whose lakes are kept
        self.environment = dict(os.environ)
        if set(ON_JVM) & set(contenders):
            self.environment |= {"JAVA_HOME": str(find_java()), "SPARK_LOCAL_HOSTNAME": "localhost"}

    def measure_scale(self, scale: int) -> None:
        landing = self.landing(scale)
        lines = land(real_days(), landing, copies=scale)
        if lines != scale * LINES:
            raise SystemExit(f"{landing} holds {lines:,} lines, not {scale} times {LINES:,}. Remove it and run again.")
        runs: dict[str, list[Figure]] = {contender: [] for contender in self.contenders}
        expected: tuple[str, dict[str, Fingerprint]] | None = None
        for _ in range(self.repeat):
            for contender in self.contenders:  # one after another in each round, so that all meet the same noise
                figure = self.figure(scale, lines, contender)
                runs[contender].append(figure)
                if figure.failure is None:
                    expected = self.checked(scale, contender, expected)
        self.figures += [median_run(figures) for figures in runs.values()]

    def figure(self, scale: int, lines: int, contender: str) -> Figure:
        root = self.root(scale, contender)
        shutil.rmtree(root, ignore_errors=True)
        measured = self.run(contender, self.landing(scale), root)
        self.say(scale, NAMES[contender], measured)
        if measured.failure:
            return Figure(
                scale, lines, contender, failure=measured.failure, peak_memory_bytes=measured.peak_memory_bytes
            )
        return Figure(
            scale,
            lines,
            contender,
            seconds=work_seconds(measured),
            cold_start=measured.said["cold_start"],
            stages=measured.said["stages"],
            cpu_seconds=measured.cpu_seconds,
            peak_memory_bytes=measured.peak_memory_bytes,
            bytes_written=bytes_under(root),
        )

    def checked(
        self, scale: int, contender: str, expected: tuple[str, dict[str, Fingerprint]] | None
    ) -> tuple[str, dict[str, Fingerprint]]:
        """Hold a contender's tables against the first one's; those that are the same are removed, but for our own."""
        found = fingerprints(self.root(scale, contender))
        if expected is None or expected[0] == contender:
            return contender, found
        first, rows = expected
        if found == rows:
            if contender != self.own:  # from there the days and the one job go on
                shutil.rmtree(self.root(scale, contender))
        else:
            self.differ(scale, contender, self.root(scale, contender), self.root(scale, first))
        return expected

    def differ(self, scale: int, what: str, root: Path, expected: Path) -> None:
        for text in differences(root, expected):
            self.differences.append(f"{scale}x, {what} against {expected.name}: {text}")
            self.console.print(f"[bold red]different rows[/] {self.differences[-1]}", highlight=False)

    def measure_days(self, scale: int) -> None:
        """On sail: 304 days, then the last one, then a run with nothing new; the end is the lake of 305 at once."""
        full = next((f for f in self.figures if (f.scale, f.contender) == (scale, "sail")), None)
        if full is None or full.seconds is None:
            return
        landing, root = self.folder / f"{scale}x" / "landing_by_day", self.root(scale, "by_day")
        for folder in (landing, root):
            shutil.rmtree(folder, ignore_errors=True)
        landing.mkdir()
        *before, last = sorted(self.landing(scale).glob("*.csv"))
        link(before, landing)
        runs = [self.run("sail", landing, root)]
        link([last], landing)
        runs += [self.run("sail", landing, root), self.run("sail", landing, root, "--start-when-needed")]
        for what, measured in zip(("304 days", "one more day", "nothing new"), runs, strict=True):
            self.say(scale, what, measured)
        if any(measured.failure for measured in runs):
            return
        _, day, nothing = runs
        self.daily.append(DailyFigure(scale, full.seconds, work_seconds(day), day.wall_seconds, nothing.wall_seconds))
        if self.root(scale, "sail").exists():
            self.differ(scale, "day by day on sail", root, self.root(scale, "sail"))
        shutil.rmtree(root)

    def measure_one_job(self, scale: int) -> None:
        """The whole command for the one step that builds gold.rfm and gold.customer_value, on each engine."""
        if self.own is None or not self.root(scale, self.own).exists():
            return
        root = self.root(scale, self.own)
        for engine in [name for name in self.contenders if name in ("sail", "spark")]:
            command = [Path(sys.executable).with_name("customerlake"), "run", "--only", "value", "--root", root]
            command += ["--lake", root.with_suffix(".yaml"), "--engine", engine, "--as-of", DAY_BEFORE_THE_LAST]
            shutil.rmtree(root / "gold", ignore_errors=True)
            measured = measure(command, environment=self.environment, limit_seconds=self.limit_seconds)
            self.say(scale, f"one job on {engine}", measured)
            if measured.failure is None:
                self.one_job[engine] = measured.wall_seconds

    def run(self, contender: str, landing: Path, root: Path, *options: str) -> Measured:
        script, *own = SCRIPTS[contender]
        command = [sys.executable, HERE / "contenders" / script, "--landing", landing, "--root", root, *own, *options]
        return measure(command, environment=self.environment, limit_seconds=self.limit_seconds)

    def landing(self, scale: int) -> Path:
        return self.folder / f"{scale}x" / "landing"

    def root(self, scale: int, contender: str) -> Path:
        return self.folder / f"{scale}x" / contender

    def say(self, scale: int, what: str, measured: Measured) -> None:
        found = measured.failure or f"{measured.wall_seconds:.1f} s, {measured.peak_memory_bytes / GIB:.2f} GiB"
        self.console.print(f"{scale}x {what}: {found}", style="dim", highlight=False)

    def verdicts(self) -> list[Verdict]:
        return verdicts(self.figures, self.daily)

    def write(self, folder: Path) -> None:
        """Everything measured so far as JSON, and as a picture."""
        folder.mkdir(parents=True, exist_ok=True)
        result = {
            "machine": machine(),
            "repeat": self.repeat,
            "figures": [
                dataclasses.asdict(f) | {"ratio_to_best": ratio(f.seconds, best_seconds(self.figures, f.scale))}
                for f in self.figures
            ],
            "growth_exponents": {name: growth_exponent(self.figures, name) for name in NAMES},
            "days_on_sail": [dataclasses.asdict(figure) for figure in self.daily],
            "one_job_wall_seconds": self.one_job,
            "aims": [dataclasses.asdict(verdict) for verdict in self.verdicts()],
            "differences": self.differences,
        }
        (folder / "medallion.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        draw(self.figures, NAMES, folder / "medallion.png")

    def show(self) -> None:
        self.console.print(table_of_figures(self.figures), table_of_days(self.daily, self.one_job))
        growths = Table("contender", "growth exponent, 5x and more", title="growth: 1 is linear")
        for name, title in NAMES.items():
            exponent = growth_exponent(self.figures, name)
            growths.add_row(title, "not run" if exponent is None else f"{exponent:.3f}")
        aims = Table("aim", "measured", "", title="aims, as ratios in this run")
        for verdict in self.verdicts():
            answer = {True: "[green]met[/]", False: "[red]not met[/]", None: ""}[verdict.is_met]
            aims.add_row(verdict.aim, verdict.measured, answer)
        self.console.print(growths, aims)


def main() -> None:
    values = arguments()
    folder = values.folder or Path(tempfile.mkdtemp(prefix="customerlake-medallion-"))
    benchmark = Benchmark(folder.resolve(), values.contenders, values.repeat, values.limit_minutes * 60)
    for scale in values.scales:
        if scale > values.jvm_up_to:
            benchmark.contenders = [name for name in benchmark.contenders if name not in ON_JVM]
        benchmark.measure_scale(scale)
        benchmark.measure_days(scale)
        if scale == values.scales[0]:
            benchmark.measure_one_job(scale)
        benchmark.write(values.results)  # after each scale: what a later one breaks off is not lost
    benchmark.show()
    sys.exit(1 if benchmark.differences else 0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scales", type=scales, default="1,5,20,50", help="times the real sales; default 1,5,20,50")
    parser.add_argument("--contenders", type=contenders, default=",".join(NAMES), help=f"some of {','.join(NAMES)}")
    parser.add_argument("--folder", type=Path, help="where landed data and lakes go; data of a scale are made once")
    parser.add_argument(
        "--jvm-up-to", type=int, default=50, help="largest scale for the two on JVM Spark, which take longest"
    )
    parser.add_argument("--repeat", type=int, default=1, help="runs of each; the median is shown")
    parser.add_argument("--limit-minutes", type=float, default=60, help="a run that takes longer is stopped")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="where medallion.json and .png go")
    return parser.parse_args()


def scales(text: str) -> list[int]:
    return sorted({int(scale) for scale in text.split(",")})


def contenders(text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := set(chosen) - set(NAMES):
        raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    return chosen


def work_seconds(measured: Measured) -> float:
    return float(sum(measured.said["stages"].values()))


def median_run(figures: Sequence[Figure]) -> Figure:
    """The run of the median seconds; one that failed only where all did. Memory is the most of any."""
    done = [figure for figure in figures if figure.seconds is not None]
    if not done:
        return figures[0]
    seconds = statistics.median_low([figure.seconds for figure in done if figure.seconds is not None])
    peak = max(figure.peak_memory_bytes or 0 for figure in done)
    chosen = next(figure for figure in done if figure.seconds == seconds)
    return dataclasses.replace(chosen, peak_memory_bytes=peak)


def link(files: Sequence[Path], folder: Path) -> None:
    for file in files:
        os.link(file, folder / file.name)


def machine() -> dict[str, object]:
    return {
        "cores": len(psutil.Process().cpu_affinity()),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }


def table_of_figures(figures: Sequence[Figure]) -> Table:
    result = Table("scale", "contender", title="from landed CSV to gold on Delta, each in a process of its own")
    for name in ("seconds", "to the best", "cold start", "CPU seconds", "peak memory", "written"):
        result.add_column(name, justify="right")
    for scale in sorted({figure.scale for figure in figures}):
        result.add_section()
        for figure in (figure for figure in figures if figure.scale == scale):
            result.add_row(f"{scale}x", NAMES[figure.contender], *cells(figure, best_seconds(figures, scale)))
    return result


def cells(figure: Figure, best: float | None) -> Iterator[str]:
    if figure.seconds is None or best is None:
        yield f"[red]{figure.failure}[/]"
        return
    yield f"{figure.seconds:.1f}"
    yield f"{figure.seconds / best:.2f}"
    yield f"{figure.cold_start:.1f}"
    yield f"{figure.cpu_seconds:.1f}"
    yield f"{(figure.peak_memory_bytes or 0) / GIB:.2f} GiB"
    yield f"{(figure.bytes_written or 0) / 1e6:,.0f} MB"


def table_of_days(daily: Sequence[DailyFigure], one_job: dict[str, float]) -> Table:
    result = Table("scale", "run", title="customerlake on sail, day by day; and one job alone")
    for name in ("seconds", "of the full run", "whole process"):
        result.add_column(name, justify="right")
    for figure in daily:
        share = f"{figure.increment_seconds / figure.full_seconds:.1%}"
        scale, increment = f"{figure.scale}x", f"{figure.increment_seconds:.2f}"
        result.add_row(scale, "305 days at once", f"{figure.full_seconds:.2f}", "100.0%", "")
        result.add_row(scale, "one day after 304", increment, share, f"{figure.increment_wall_seconds:.1f} s")
        result.add_row(scale, "nothing new", "", "", f"{figure.nothing_new_wall_seconds:.1f} s", end_section=True)
    for engine, seconds in one_job.items():
        result.add_row("", f"one job (gold.rfm and customer_value), cold, on {engine}", "", "", f"{seconds:.1f} s")
    return result


if __name__ == "__main__":
    main()
