"""Work out what 10^10 lines ask of a cluster, from what each step asked of JVM Spark at two sizes of the sales.

    .venv/bin/python benchmarks/spark_jobs.py --scale 5 --results benchmarks/results
    .venv/bin/python benchmarks/spark_jobs.py --scale 20 --results benchmarks/results
    .venv/bin/python benchmarks/scale.py

What a step asks for one more line is taken between the two sizes, and held to be the same beyond: `growth` says for
each step whether it was (1: twice the lines, twice the work). The sales grow by further shops of the same size, so
customers and orders grow with the lines: 10^10 lines are 8 x 10^7 customers.
"""

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
LINES = 10**10
TERABYTE = 10**12


@dataclass(frozen=True)
class WorkedOut:
    """One step at LINES lines. `growth` is None where the step was too short to say."""

    step: str
    growth: float | None
    core_hours: float
    terabytes: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--small", type=int, default=5)
    parser.add_argument("--large", type=int, default=20)
    values = parser.parse_args()
    small, large = (
        json.loads((values.results / f"spark_jobs_{scale}x.json").read_text(encoding="utf-8"))
        for scale in (values.small, values.large)
    )
    Console(width=110).print(shown(worked_out(small, large)))


def worked_out(small: dict[str, Any], large: dict[str, Any], lines: int = LINES) -> list[WorkedOut]:
    """Each step at so many lines, by a straight line through what it asked at two sizes."""
    more_lines = large["lines"] - small["lines"]
    result = []
    for one, other in zip(small["steps"], large["steps"], strict=True):
        if one["step"] != other["step"]:
            raise SystemExit(f"The steps differ: {one['step']} and {other['step']}. Measure both sizes again.")
        seconds = (other["task_seconds"] - one["task_seconds"]) / more_lines * lines
        bytes_of = {
            name: (other["bytes_of"][name] - one["bytes_of"][name]) / more_lines * lines for name in one["bytes_of"]
        }
        result.append(
            WorkedOut(
                one["step"],
                growth(one, other, large["lines"] / small["lines"]),
                max(seconds, 0) / 3600,
                {name: max(value, 0) / TERABYTE for name, value in bytes_of.items()},
            )
        )
    return result


def growth(small: dict[str, Any], large: dict[str, Any], times: float, *, shortest: float = 2.0) -> float | None:
    if small["task_seconds"] < shortest:
        return None
    return math.log(large["task_seconds"] / small["task_seconds"]) / math.log(times)


def shown(steps: list[WorkedOut]) -> Table:
    result = Table("step", title=f"{LINES:,} lines, worked out")
    measures = list(steps[0].terabytes)
    for name in ("growth", "core hours", *(f"TB {name}" for name in measures)):
        result.add_column(name, justify="right")
    for one in steps:
        exponent = "" if one.growth is None else f"{one.growth:.2f}"
        result.add_row(
            one.step, exponent, f"{one.core_hours:,.1f}", *(f"{one.terabytes[name]:.2f}" for name in measures)
        )
    result.add_section()
    sums = (f"{sum(one.terabytes[name] for one in steps):.2f}" for name in measures)
    result.add_row("all", "", f"{sum(one.core_hours for one in steps):,.1f}", *sums)
    return result


if __name__ == "__main__":
    main()
