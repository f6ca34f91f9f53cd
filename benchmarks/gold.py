"""Time the gold tables of a lake of sales beside others who build the same: seconds by step, growth, one more day.

    .venv/bin/pip install -e '.[bench]'
    .venv/bin/python benchmarks/gold.py                                     # 1x, 5x and 20x
    .venv/bin/python benchmarks/gold.py --scales 1 --contenders sail,plain_sail,duckdb

All read the silver of one lake, which our own steps make on sail once per scale, and write the same gold tables of its
last day as Delta, each in a process of its own, after one another. Seconds are those of the tables; the cold start
(imports, and the session up to its first answer) is counted apart. Each contender's tables are held against those of
the first one, over all business columns that sales fill; a difference is printed, and the exit code is 1. Then, on our
own engines: gold of the lake as it was a day before, the last day landed and taken through silver, and gold again. That
must be the gold of the rebuild, in every table. Times are noisy: compare the ratios of one call.
"""

import argparse
import dataclasses
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from aims import GIB, Figure, Verdict, at_most, below, best_seconds, growth_exponent, ratio, verdict
from customerlake.catalogue import CATALOGUE
from customerlake.runtime.java import find_java
from fingerprints import differences, filled
from measured import Measured, bytes_under, measure
from medallion import machine, scales, work_seconds
from scaled_sales import land, real_days

HERE = Path(__file__).parent
NAMES = {
    "sail": "customerlake on sail",
    "spark": "customerlake on JVM Spark",
    "plain_sail": "plain PySpark on sail",
    "plain": "plain PySpark on JVM Spark",
    "duckdb": "DuckDB and delta-rs",
}
SCRIPTS = {
    "plain_sail": ("plain_spark_gold.py", "--engine", "sail"),
    "plain": ("plain_spark_gold.py", "--engine", "spark"),
    "duckdb": ("duckdb_gold.py",),
}
OWN = ("sail", "spark")  # by engine
PEER = {"sail": "plain_sail", "spark": "plain"}  # the plain script on the same engine
ON_JVM = ("spark", "plain")
STEPS = {
    "value": (
        "rfm", "customer_value", "customer_value_by_channel", "customer_value_by_product_group", "cohorts",
    ),
    "behaviour": ("purchase_behaviour", "purchase_hours", "product_affinity"),
    "lifecycle": ("lifecycle", "lifecycle_transitions"),
    "segment_rules": ("own_segments", "segment_rules"),
    "kpis": ("kpis", "profile_statistics", "profile_shares"),
    "customer_360": ("customer_360",),
}  # fmt: skip
"""The tables that every contender makes, by our step that makes them."""

GROWTH_FROM = (1, 5)  # at 1x much of the time is that of starting each of many writes
MADE = {f"gold.{table}" for tables in STEPS.values() for table in tables}
ALSO_OURS = (
    "customerlake's steps make, beside these tables, those that they keep for the next day, and lifecycle_long_run"
)


@dataclasses.dataclass(frozen=True)
class DayFigure:
    """What one more day costs, at one scale on one engine: gold of the day after, where that of the day before is."""

    scale: int
    engine: str
    rebuild_seconds: float  # of the same day, where there was no gold
    increment_seconds: float
    steps: Mapping[str, float]  # of the increment
    silver_seconds: float  # the day landed and taken through silver, on sail
    day_before_seconds: float  # the first build, of the day before
    peak_memory_bytes: int


class Benchmark:
    """One call of the benchmark: where its data lie, and what it has measured so far."""

    def __init__(
        self, folder: Path, contenders: Sequence[str], *, days: int | None = None, limit_seconds: float = 3600
    ) -> None:
        self.folder = folder
        self.contenders = contenders
        self.days = real_days()[:days]
        self.limit_seconds = limit_seconds
        self.console = Console(width=160)
        self.figures: list[Figure] = []
        self.daily: list[DayFigure] = []
        self.differences: list[str] = []
        self.failures: list[str] = []
        self.environment = dict(os.environ)
        if set(ON_JVM) & set(contenders):
            self.environment |= {"JAVA_HOME": str(find_java()), "SPARK_LOCAL_HOSTNAME": "localhost"}

    def measure_scale(self, scale: int) -> None:
        lines = self.make_lakes(scale)
        first: str | None = None
        for contender in self.contenders:
            figure = self.rebuilt(scale, lines, contender)
            self.figures.append(figure)
            if figure.failure is None:
                first = first or contender
                self.check(scale, contender, first, MADE)
        for engine in [name for name in OWN if name in self.contenders]:
            self.measure_day(scale, engine)

    def make_lakes(self, scale: int) -> int:
        """Silver of all days but the last, and of all, as two lakes without gold; the lines that were landed.

        Raises: SystemExit when a step of ours fails, or the folder was made of other days.
        """
        landing, before, making, after = (self.root(scale, name) for name in ("landing", "before", "making", "after"))
        if not after.exists():
            for folder in (landing, before, making):
                shutil.rmtree(folder, ignore_errors=True)
            lines = land(self.days[:-1], landing, copies=scale)
            self.silver_of(scale, before)
            copy_lake(before, making)
            (landing / ".complete").unlink()
            lines += land(self.days[-1:], landing, copies=scale)
            (landing / ".complete").write_text(str(lines))
            self.silver_of(scale, making)
            making.rename(after)
        found = len(list(landing.glob("*.csv")))
        if found != len(self.days):
            raise SystemExit(f"{landing} holds {found} days, not {len(self.days)}. Remove {landing.parent}, run again.")
        return int((landing / ".complete").read_text())

    def silver_of(self, scale: int, root: Path) -> Measured:
        measured = self.run_jobs(scale, root, "sail", "--layer", "silver")
        if not self.is_done(scale, f"silver of {root.name}", measured):
            raise SystemExit(f"Without the silver of {root} there is nothing to build gold of: {measured.failure}")
        return measured

    def rebuilt(self, scale: int, lines: int, contender: str) -> Figure:
        """Gold of the last day, where there is none."""
        root, lake = self.root(scale, contender), self.root(scale, "after")
        shutil.rmtree(root, ignore_errors=True)
        if contender in OWN:
            copy_lake(lake, root)
            measured = self.run_jobs(scale, root, contender)
        else:
            script, *options = SCRIPTS[contender]
            measured = self.run(script, "--lake", lake, "--root", root, *options)
        if not self.is_done(scale, NAMES[contender], measured):
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
            bytes_written=bytes_under(root / "gold"),
        )

    def measure_day(self, scale: int, engine: str) -> None:
        """Gold of the day before, silver of one more day, and gold again, which must be that of the rebuild."""
        rebuild = next(f for f in self.figures if (f.scale, f.contender) == (scale, engine))
        if rebuild.seconds is None:
            return
        root = self.root(scale, f"{engine}_by_day")
        shutil.rmtree(root, ignore_errors=True)
        copy_lake(self.root(scale, "before"), root)
        first = self.run_jobs(scale, root, engine)
        if not self.is_done(scale, f"gold of the day before on {engine}", first):
            return
        silver = self.silver_of(scale, root)
        day = self.run_jobs(scale, root, engine)
        if not self.is_done(scale, f"gold of one more day on {engine}", day):
            return
        self.daily.append(
            DayFigure(
                scale,
                engine,
                rebuild.seconds,
                work_seconds(day),
                day.said["stages"],
                work_seconds(silver),
                work_seconds(first),
                day.peak_memory_bytes,
            )
        )
        self.check(scale, f"{engine}_by_day", engine, built_under(self.root(scale, engine)))

    def check(self, scale: int, what: str, expected: str, names: Collection[str]) -> None:
        """Hold tables under one root against those under another, over the columns that hold a value there."""
        if what == expected:
            return
        root, other = self.root(scale, what), self.root(scale, expected)
        compared = [filled(other, table) for table in CATALOGUE if table.name in names]
        for text in differences(root, other, compared):
            self.differences.append(f"{scale}x, {what} against {expected}: {text}")
            self.console.print(f"[bold red]different rows[/] {self.differences[-1]}", highlight=False)

    def run_jobs(self, scale: int, root: Path, engine: str, *options: str) -> Measured:
        """Our own steps, whose lake file names the same landing folder for every lake of the scale."""
        landing = self.root(scale, "landing")
        return self.run("gold_jobs.py", "--landing", landing, "--root", root, "--engine", engine, *options)

    def run(self, script: str, *options: object) -> Measured:
        command = [sys.executable, HERE / "contenders" / script, *options]
        return measure(command, environment=self.environment, limit_seconds=self.limit_seconds)

    def root(self, scale: int, name: str) -> Path:
        return self.folder / f"{scale}x" / name

    def is_done(self, scale: int, what: str, measured: Measured) -> bool:
        """Say what a process took, and whether it came to its end."""
        found = measured.failure or f"{work_seconds(measured):.1f} s of work, {measured.wall_seconds:.1f} s in all"
        memory = f"{measured.peak_memory_bytes / GIB:.2f} GiB"
        self.console.print(f"{scale}x {what}: {found}, {memory}", style="dim", highlight=False)
        if measured.failure:
            self.failures.append(f"{scale}x, {what}: {measured.failure}")
        return measured.failure is None

    def verdicts(self) -> list[Verdict]:
        return verdicts(self.figures, self.daily)

    def write(self, folder: Path) -> None:
        """Everything measured so far as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        result = {
            "machine": machine(),
            "days": len(self.days),
            "tables_of_steps": STEPS,
            "figures": [
                dataclasses.asdict(f)
                | {"steps": by_step(f), "ratio_to_best": ratio(f.seconds, best_seconds(self.figures, f.scale))}
                for f in self.figures
            ],
            "ratios_to_plain": ratios_to_plain(self.figures),
            "growth_exponents": {
                f"from {smallest}x": {
                    name: growth_exponent(self.figures, name, smallest_scale=smallest) for name in NAMES
                }
                for smallest in GROWTH_FROM
            },
            "one_more_day": [
                dataclasses.asdict(day) | {"of_rebuild": day.increment_seconds / day.rebuild_seconds}
                for day in self.daily
            ],
            "aims": [dataclasses.asdict(judged) for judged in self.verdicts()],
            "differences": self.differences,
            "failures": self.failures,
        }
        (folder / "gold.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")

    def show(self) -> None:
        self.console.print(table_of_figures(self.figures), table_of_days(self.daily, self.figures))
        ratios = Table("scale", "ratio", "times", title="ratios of seconds, and growth: 1 is linear")
        for told in ratios_to_plain(self.figures):
            what = f"{NAMES[str(told['contender'])]} to {NAMES[str(told['plain'])]}"
            ratios.add_row(f"{told['scale']}x", what, f"{told['ratio']:.2f}")
        for name, title in NAMES.items():
            for smallest in GROWTH_FROM:
                exponent = growth_exponent(self.figures, name, smallest_scale=smallest)
                if exponent is not None:
                    ratios.add_row("", f"{title}: growth exponent from {smallest}x", f"{exponent:.3f}")
        aims = Table("aim", "measured", "", title="aims, as ratios in this run")
        for judged in self.verdicts():
            answer = {True: "[green]met[/]", False: "[red]not met[/]", None: ""}[judged.is_met]
            aims.add_row(judged.aim, judged.measured, answer)
        self.console.print(ratios, aims)


def main() -> None:
    values = arguments()
    folder = values.folder or Path(tempfile.mkdtemp(prefix="customerlake-gold-"))
    limit = values.limit_minutes * 60
    benchmark = Benchmark(folder.resolve(), values.contenders, days=values.days, limit_seconds=limit)
    for scale in values.scales:
        benchmark.measure_scale(scale)
        benchmark.write(values.results)  # after each scale: what a later one breaks off is not lost
    benchmark.show()
    sys.exit(1 if benchmark.differences or benchmark.failures else 0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scales", type=scales, default="1,5,20", help="times the real sales; default 1,5,20")
    parser.add_argument("--contenders", type=contenders, default=",".join(NAMES), help=f"some of {','.join(NAMES)}")
    parser.add_argument("--folder", type=Path, help="where landed data and lakes go; those of a scale are made once")
    parser.add_argument("--days", type=int, help="the first trading days alone, for a try; default all 305")
    parser.add_argument("--limit-minutes", type=float, default=60, help="a process that takes longer is stopped")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="where gold.json goes")
    return parser.parse_args()


def contenders(text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := set(chosen) - set(NAMES):
        raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    return [name for name in NAMES if name in chosen]  # ours first: the others' tables are held against them


def copy_lake(lake: Path, root: Path) -> None:
    """The same lake under another root. Files of rows, which nobody changes, are the same files."""

    def copy(source: str, target: str) -> None:
        is_of_rows = source.endswith(".parquet") and "/_delta_log/" not in source
        (os.link if is_of_rows else shutil.copy2)(source, target)

    shutil.copytree(lake, root, copy_function=copy)


def built_under(root: Path) -> set[str]:
    """The names of all gold tables of a lake."""
    return {f"gold.{folder.name}" for folder in (root / "gold").iterdir()}


def by_step(figure: Figure) -> dict[str, float]:
    """Seconds of each step: our own are those that the pipeline tells, others' the sums over its tables."""
    stages = figure.stages or {}
    if figure.contender in OWN:
        return dict(stages)
    return {step: sum(stages[table] for table in tables) for step, tables in STEPS.items() if stages}


def ratios_to_plain(figures: Sequence[Figure]) -> list[dict[str, object]]:
    """At each scale, our seconds per those of the plain script on the same engine."""
    found = []
    for scale in sorted({figure.scale for figure in figures}):
        for own, plain in PEER.items():
            value = ratio(best_seconds(figures, scale, [own]), best_seconds(figures, scale, [plain]))
            if value:
                found.append({"scale": scale, "contender": own, "plain": plain, "ratio": value})
    return found


def verdicts(figures: Sequence[Figure], daily: Sequence[DayFigure]) -> list[Verdict]:
    def to_plain(own: str) -> float | None:
        return ratio(best_seconds(figures, 20, [own]), best_seconds(figures, 20, [PEER[own]]))

    def growth(own: str) -> float | None:
        were_run = {figure.scale for figure in figures if figure.contender == own and figure.seconds}
        return growth_exponent(figures, own, smallest_scale=1) if {1, 20} <= were_run else None

    def of_rebuild(engine: str) -> float | None:
        days = [day for day in daily if (day.scale, day.engine) == (20, engine)]
        return days[0].increment_seconds / days[0].rebuild_seconds if days else None

    times, exponent = "{:.2f} times", "{:.3f}"
    return [
        verdict("JVM Spark at 20x: no slower than the plain script", to_plain("spark"), times, at_most(1.0)),
        verdict("sail at 20x: no slower than the plain script", to_plain("sail"), times, at_most(1.0)),
        verdict("sail: growth exponent from 1x to 20x at most 1.05", growth("sail"), exponent, at_most(1.05)),
        verdict("JVM Spark: growth exponent from 1x to 20x at most 1.05", growth("spark"), exponent, at_most(1.05)),
        verdict("sail at 20x: one more day takes under 10% of a rebuild", of_rebuild("sail"), "{:.1%}", below(0.1)),
        verdict(
            "JVM Spark at 20x: one more day takes under 10% of a rebuild", of_rebuild("spark"), "{:.1%}", below(0.1)
        ),
    ]


def table_of_figures(figures: Sequence[Figure]) -> Table:
    result = Table("scale", "contender", title="gold of the last day, rebuilt: seconds by step", caption=ALSO_OURS)
    for name in (*STEPS, "all", "cold start", "peak memory"):
        result.add_column(name, justify="right")
    for scale in sorted({figure.scale for figure in figures}):
        result.add_section()
        for figure in (figure for figure in figures if figure.scale == scale):
            result.add_row(f"{scale}x", NAMES[figure.contender], *cells(figure))
    return result


def cells(figure: Figure) -> list[str]:
    memory = f"{(figure.peak_memory_bytes or 0) / GIB:.2f} GiB"
    if figure.seconds is None:
        return [*["" for _ in STEPS], "[red]failed[/]", "", memory]
    steps = by_step(figure)
    return [*[f"{steps[step]:.2f}" for step in STEPS], f"{figure.seconds:.1f}", f"{figure.cold_start:.1f}", memory]


def table_of_days(daily: Sequence[DayFigure], figures: Sequence[Figure]) -> Table:
    """One more day of ours, beside what others take, who know no increments and rebuild."""
    result = Table("scale", "run", title="gold of one more day: seconds by step")
    for name in (*STEPS, "all", "of the rebuild", "peak memory"):
        result.add_column(name, justify="right")
    for day in daily:
        result.add_section()
        scale, memory = f"{day.scale}x", f"{day.peak_memory_bytes / GIB:.2f} GiB"
        share = f"{day.increment_seconds / day.rebuild_seconds:.1%}"
        steps = [f"{day.steps[step]:.2f}" for step in STEPS]
        result.add_row(scale, f"one day, {NAMES[day.engine]}", *steps, f"{day.increment_seconds:.2f}", share, memory)
        for figure in figures:
            if figure.scale == day.scale and figure.seconds and figure.contender not in set(OWN) - {day.engine}:
                steps = [f"{seconds:.2f}" for seconds in by_step(figure).values()]
                share = f"{figure.seconds / day.rebuild_seconds:.1%}"
                memory = f"{(figure.peak_memory_bytes or 0) / GIB:.2f} GiB"
                result.add_row(
                    "", f"rebuild, {NAMES[figure.contender]}", *steps, f"{figure.seconds:.2f}", share, memory
                )
    return result


if __name__ == "__main__":
    main()
