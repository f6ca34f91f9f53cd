"""What the figures of one run of the benchmark say: ratios, growth, and whether each aim is met."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

GIB = 2**30


@dataclass(frozen=True)
class Figure:
    """What one contender took for one scale. `seconds` are those of the work, without the cold start."""

    scale: int
    lines: int
    contender: str
    seconds: float | None = None
    cold_start: float | None = None
    stages: Mapping[str, float] | None = None
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    bytes_written: int | None = None
    failure: str | None = None


@dataclass(frozen=True)
class DailyFigure:
    """What a day costs on sail, at one scale: of 304 days landed before, one more, and then none."""

    scale: int
    full_seconds: float
    increment_seconds: float
    increment_wall_seconds: float  # with the start of Python and of the engine
    nothing_new_wall_seconds: float


@dataclass(frozen=True)
class Verdict:
    aim: str
    measured: str
    is_met: bool | None  # None: the scales or contenders that it needs were not run


def best_seconds(figures: Sequence[Figure], scale: int, contenders: Sequence[str] | None = None) -> float | None:
    """The least seconds of a scale, over all contenders or some."""
    seconds = [
        figure.seconds
        for figure in figures
        if figure.scale == scale and figure.seconds and (contenders is None or figure.contender in contenders)
    ]
    return min(seconds, default=None)


def growth_exponent(figures: Sequence[Figure], contender: str, *, smallest_scale: int = 5) -> float | None:
    """The slope of log seconds over log lines, by least squares: 1 is linear. None with fewer than two scales."""
    points = [
        (math.log(figure.lines), math.log(figure.seconds))
        for figure in figures
        if figure.contender == contender and figure.scale >= smallest_scale and figure.seconds
    ]
    if len({lines for lines, _ in points}) < 2:
        return None
    mean_lines = sum(lines for lines, _ in points) / len(points)
    mean_seconds = sum(seconds for _, seconds in points) / len(points)
    rise = sum((lines - mean_lines) * (seconds - mean_seconds) for lines, seconds in points)
    return rise / sum((lines - mean_lines) ** 2 for lines, _ in points)


def verdicts(figures: Sequence[Figure], daily: Sequence[DailyFigure]) -> list[Verdict]:
    sail, spark, plain = (best_seconds(figures, 20, [name]) for name in ("sail", "spark", "plain"))
    were_run = {figure.contender for figure in figures if figure.scale == 20}
    peers = best_seconds(figures, 20, ["duckdb", "polars"]) if {"duckdb", "polars"} <= were_run else None
    growth = growth_exponent(figures, "sail") if {5, 50} <= scales_of(figures, "sail") else None
    memory = next((f.peak_memory_bytes for f in figures if (f.scale, f.contender) == (50, "sail") and f.seconds), None)
    at_50 = next((figure for figure in daily if figure.scale == 50), None)
    increment = at_50.increment_seconds / at_50.full_seconds if at_50 else None
    nothing = max((figure.nothing_new_wall_seconds for figure in daily), default=None)
    to_peers, times = ratio(sail, peers), "{:.2f} times"
    return [
        verdict("sail at 20x: at most 1.3 times the best of DuckDB and Polars", to_peers, times, at_most(1.3)),
        verdict("sail at 20x: at least 5 times faster than JVM Spark", ratio(spark, sail), times, at_least(5)),
        verdict("sail: growth exponent from 5x to 50x at most 1.05", growth, "{:.3f}", at_most(1.05)),
        verdict("sail at 50x: peak memory under 6 GiB", memory and memory / GIB, "{:.2f} GiB", below(6)),
        verdict("JVM Spark at 20x: at most 1.1 times the plain script", ratio(spark, plain), times, at_most(1.1)),
        verdict("sail at 50x: one more day takes under 5% of a full run", increment, "{:.1%}", below(0.05)),
        verdict("sail: nothing new takes under 5 s, as a whole process", nothing, "{:.1f} s", below(5)),
    ]


def verdict(aim: str, value: float | None, shown: str, is_met: Callable[[float], bool]) -> Verdict:
    return Verdict(aim, "not run", None) if value is None else Verdict(aim, shown.format(value), is_met(value))


def ratio(of: float | None, to: float | None) -> float | None:
    return of / to if of and to else None


def at_most(limit: float) -> Callable[[float], bool]:
    return lambda value: value <= limit


def at_least(limit: float) -> Callable[[float], bool]:
    return lambda value: value >= limit


def below(limit: float) -> Callable[[float], bool]:
    return lambda value: value < limit


def scales_of(figures: Sequence[Figure], contender: str) -> set[int]:
    return {figure.scale for figure in figures if figure.contender == contender and figure.seconds}
