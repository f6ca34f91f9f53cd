"""Time what was chosen for silver beside what it replaced, on sail, over the real sales five times.

    .venv/bin/python benchmarks/choices.py
    .venv/bin/python benchmarks/choices.py --scale 20 --repeat 1

Each pair gives the same rows. The two are computed in turns, in all of their columns, and not written, but for merge
and append. CPU seconds of this process, in which sail runs: the median of the repeats. DECISIONS.md says why.
"""

import argparse
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table as Shown

from contenders.customerlake_jobs import done, lake_file
from customerlake.bronze.sources.sales import BRONZE as SALES
from customerlake.bronze.sources.sales import SALES as SOURCE
from customerlake.contracts.quarantine import rows_where
from customerlake.contracts.table import Table
from customerlake.runtime import job
from customerlake.silver.cancellations import (
    OF_LINES,
    SAME_ITEM,
    claim_parts,
    is_candidate,
    of_items_taken_back,
    pair_whole_lines,
)
from customerlake.silver.order_lines import (
    LINE,
    ORDER_LINES,
    RECEIVED_AGAIN,
    distinct_lines,
    origin,
    trimmed_texts,
    typed_by,
)
from customerlake.silver.orders import products_by_order
from customerlake.silver.typed import LATER_LANDING
from scaled_sales import land, real_days

Work = Callable[[], object]
Prepare = Callable[[], Work]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=int, default=5, help="times the real sales")
    parser.add_argument("--repeat", type=int, default=3)
    values = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="customerlake-choices-") as folder:
        run = lake(Path(folder), values.scale)
        result = Shown("what", "before", "now", title=f"CPU seconds on sail, {run.lake.count(SALES):,} lines")
        for what, before, now in pairs(run):
            measured = [(cpu_seconds(before), cpu_seconds(now)) for _ in range(values.repeat)]
            result.add_row(what, *(f"{statistics.median(seconds):.1f}" for seconds in zip(*measured, strict=True)))
    Console(width=120).print(result)


def lake(folder: Path, scale: int) -> job.Run:
    """Bronze and order lines of the sales so many times."""
    land(real_days(), folder / "landing", copies=scale)
    made = lake_file(folder / "landing", folder / "lake")
    run = job.Run(root=str(folder / "lake"), lake_file=str(made), engine="sail")
    for step in ("land_files", "order_lines"):
        done(run, step)
    return run


def pairs(run: job.Run) -> Iterator[tuple[str, Prepare, Prepare]]:
    """(what, as it was before, as it is now)."""
    sales, lines = run.lake.read(SALES), run.lake.read(ORDER_LINES)
    feed = run.config.feeds.of_sales()["sales"]
    typed = typed_by(SOURCE, feed, time_zone=run.config.time_zone, currency=run.config.currency)
    texts = sales.select(*[text.alias(name) for name, text in trimmed_texts().items()], "_source_file", "_line_number")
    pair = F.min(F.struct("_source_file", "_line_number"))
    yield (
        "the first of equal lines: the least pair of file and line, or the least text of the two",
        computed(texts.groupBy(*LINE).agg(pair.alias("first")).select(*LINE, "first.*")),
        computed(texts.groupBy(*LINE).agg(F.min(origin()).alias("first"))),
    )
    keys = [name for name in ORDER_LINES.column_names if not name.startswith("_") and name != "count_received"]
    yield (
        "equal lines told apart after typing, by eighteen columns, or before, by eight texts",
        computed(texts.withColumn("_problem", F.lit(None).cast("string")).transform(typed).groupBy(*keys).count()),
        computed(sales.transform(distinct_lines).transform(typed).select(*keys, "count_received")),
    )
    judged = sales.transform(distinct_lines).transform(typed)
    is_sound = F.coalesce(*[check.reason() for check in ORDER_LINES.checks]).isNull()
    yield (
        "rows that break no rule, by a filter or by an explode",
        computed(judged.where(is_sound)),
        computed(judged.transform(rows_where(is_sound))),
    )
    sums = (F.sum("amount").alias("amount"), F.count("*").alias("lines"))
    distinct = F.count_distinct(F.when(F.col("is_product"), F.col("product_id")))
    yield (
        "sums and products of an order, with a distinct count or with two groupings and a join",
        computed(lines.groupBy("order_id").agg(*sums, distinct.alias("products"))),
        computed(
            lines.groupBy("order_id").agg(*sums).join(lines.transform(products_by_order), on="order_id", how="left")
        ),
    )
    candidates = lines.where(is_candidate()).select("order_line_id", "order_id", *SAME_ITEM, *OF_LINES)
    yield (
        "returns linked over all lines, or over those of items taken back",
        computed(
            candidates.transform(pair_whole_lines).transform(claim_parts).where("is_return").drop("whole", "part")
        ),
        computed(
            candidates.transform(of_items_taken_back)
            .transform(pair_whole_lines)
            .transform(claim_parts)
            .where("is_return")
            .drop("whole", "part")
        ),
    )
    half = lines.where("ordered_on < DATE'2011-07-01'")
    rest = lines.where("ordered_on >= DATE'2011-07-01'").withColumn("_batch", F.lit(10**6).cast("long"))
    rules = {"when_matched": LATER_LANDING, "update": RECEIVED_AGAIN}
    yield (
        "the later half of the lines, merged into the earlier half or appended to it",
        written(run, half, lambda table: run.lake.merge(table, rest, **rules)),
        written(run, half, lambda table: run.lake.append(table, rest)),
    )


def computed(df: DataFrame) -> Prepare:
    """Compute every column of every row, and bring one row."""
    largest = df.agg(*[F.max(name) for name in df.columns])
    return lambda: largest.collect


def written(run: job.Run, before: DataFrame, write: Callable[[Table], object]) -> Prepare:
    """Write into a table that holds `before`, a new one each time."""
    numbers = count()

    def prepare() -> Work:
        table = dataclasses.replace(ORDER_LINES, name=f"bench.lines_{id(write)}_{next(numbers)}")
        run.lake.append(table, before)
        return lambda: write(table)

    return prepare


def cpu_seconds(prepare: Prepare) -> float:
    """Of the work, once it is prepared."""
    work = prepare()
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
