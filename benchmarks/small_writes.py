"""Time small Delta writes on both engines: the first, a warm append and merge, four tables one by one and at once.

    .venv/bin/python benchmarks/small_writes.py

Each engine in this process, after one another; medians of five, seconds, a thousand rows a write.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T
from rich.console import Console
from rich.table import Table as Shown

from customerlake.contracts.table import Field, Table
from customerlake.runtime import session
from customerlake.runtime.engines import NAMES, Engine
from customerlake.runtime.tables import Lake

ENGINES: tuple[Engine, ...] = ("sail", "spark")
ROWS, REPEAT, AT_ONCE = 1_000, 5, 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    measured = {engine: measure(engine) for engine in ENGINES}
    result = Shown("write of a thousand rows, seconds", *[NAMES[engine] for engine in ENGINES])
    for what in measured[ENGINES[0]]:
        result.add_row(what, *[f"{measured[engine][what]:.2f}" for engine in ENGINES])
    Console(width=100).print(result)


def measure(engine: Engine) -> dict[str, float]:
    """What is measured, in words -> seconds."""
    began = perf_counter()
    spark = session.start(engine)
    with tempfile.TemporaryDirectory(prefix="customerlake-small-writes-") as root:
        lake = Lake(root, lambda: spark)
        lake.append(table("first"), rows(spark, 0))
        first = perf_counter() - began
        lake.merge(table("first"), rows(spark, 0))  # the engine's own code is warm after one of each
        appends = [seconds(lambda: lake.append(table("appended"), rows(spark, 0))) for _ in range(REPEAT)]
        merges = [seconds(lambda n=n: lake.merge(table("first"), rows(spark, n * ROWS // 2))) for n in range(REPEAT)]
        one_by_one = [seconds(lambda n=n: write_all(lake, spark, f"serial_{n}", workers=1)) for n in range(REPEAT)]
        at_once = [seconds(lambda n=n: write_all(lake, spark, f"at_once_{n}", workers=AT_ONCE)) for n in range(REPEAT)]
    session.stop(spark)
    return {
        "start of the engine and first write": first,
        "append": statistics.median(appends),
        "merge, half of the rows known": statistics.median(merges),
        f"{AT_ONCE} new tables, one after another": statistics.median(one_by_one),
        f"{AT_ONCE} new tables at the same time": statistics.median(at_once),
    }


def write_all(lake: Lake, spark: SparkSession, prefix: str, *, workers: int) -> None:
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda n: lake.append(table(f"{prefix}_{n}"), rows(spark, 0)), range(AT_ONCE)))


def table(name: str) -> Table:
    columns = (Field("id", T.LongType(), "key"), Field("value", T.StringType(), "something of the key"))
    return Table(name=f"bench.{name}", grain="one row per id", key=("id",), columns=columns)


def rows(spark: SparkSession, start: int) -> DataFrame:
    return spark.range(start, start + ROWS).selectExpr("id", "CAST(id * 7 AS string) AS value")


def seconds(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


if __name__ == "__main__":
    main()
