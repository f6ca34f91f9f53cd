"""bronze.landings: the order in which the landings of several feeds of sales become one table."""

from pyspark.sql import types as T

from customerlake.bronze.sources import OF_SALES, SOURCES
from customerlake.contracts.source import bronze_table
from customerlake.contracts.table import Field, Table
from customerlake.runtime.job import Run

LANDINGS = Table(
    name="bronze.landings",
    grain="one row per landing of a feed of sales",
    key=("feed", "batch"),
    columns=(
        Field("feed", T.StringType(), "feed of the lake file"),
        Field("batch", T.LongType(), "the landing's number in bronze"),
        Field("_batch", T.LongType(), "its number in silver, from 1: silver.order_lines holds it"),
    ),
)


def new_landings(run: Run) -> list[tuple[int, str, int]]:
    """(number in silver, feed, number in bronze) of each landing of sales that the step has not taken, in their order.

    A landing is numbered once, before it is taken: a run that takes up after one that was killed finds its number.
    """
    feeds = [feed for feed in OF_SALES if feed in run.config.feeds.named()]
    numbered = run.records(LANDINGS)
    known = {(row["feed"], row["batch"]) for row in numbered}
    newest = {feed: run.newest_batch(bronze_table(SOURCES[feed])) for feed in feeds}
    unnumbered = [(feed, batch) for feed in feeds for batch in range(1, newest[feed] + 1) if (feed, batch) not in known]
    first = max((row["_batch"] for row in numbered), default=0) + 1
    run.record(
        LANDINGS,
        [{"feed": feed, "batch": batch, "_batch": n} for n, (feed, batch) in enumerate(unnumbered, start=first)],
    )
    for feed in feeds:
        run.watch(bronze_table(SOURCES[feed]))
    new = run.new_batches(LANDINGS)
    return sorted((row["_batch"], row["feed"], row["batch"]) for row in run.records(LANDINGS) if row["_batch"] in new)
