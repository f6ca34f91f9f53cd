"""What each contender by hand is asked and says: where it reads and writes, and the seconds of each layer."""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter


def places(doc: str) -> tuple[Path, Path]:
    """(landing folder, root) of the command line."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--landing", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True)
    values = parser.parse_args()
    return values.landing, values.root


@contextmanager
def timed(stage: str, stages: dict[str, float]) -> Iterator[None]:
    start = perf_counter()
    yield
    stages[stage] = perf_counter() - start


def told(cold_start: float, stages: dict[str, float]) -> str:
    """The last line of standard output, which the benchmark reads."""
    return json.dumps({"cold_start": cold_start, "stages": stages})
