"""Take what the feeds of sales have landed into silver.order_lines, landing by landing, and account for every line."""

from functools import partial, reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from customerlake.bronze.landings import LANDINGS, new_landings
from customerlake.bronze.sources import OF_SALES, SOURCES
from customerlake.contracts.source import bronze_table
from customerlake.runtime.job import Run
from customerlake.silver.exchange_rates import EXCHANGE_RATES
from customerlake.silver.order_lines import (
    ORDER_LINES,
    RECEIVED_AGAIN,
    REJECTED_ORDER_LINES,
    as_sent,
    first_instant,
    in_currency_of_lake,
    order_lines,
    rejected_lines,
    typed_by,
)
from customerlake.silver.records import take_landing
from customerlake.silver.typed import Typed


def take_sales(run: Run) -> None:
    """The new landings of all feeds of sales; or all of them, where a replay was asked for.

    Raises: ContractError when a line is lost or counted twice.
    """
    if not run.config.feeds.of_sales():
        run.remark("no feed of sales in the lake file")
        return
    new = new_landings(run)
    if (replay := run.pending_replay(ORDER_LINES)) is not None:
        run.replayed(ORDER_LINES, replay, has_changed=_take_all_again(run))
    else:
        for number, name, batch in new:
            _take(run, number, name, batch)
    run.ensure(ORDER_LINES)
    run.ensure(REJECTED_ORDER_LINES)
    received = [bronze_table(SOURCES[name]) for name in OF_SALES]
    run.balance(received=received, accepted=ORDER_LINES, rejected=REJECTED_ORDER_LINES)


def _take(run: Run, number: int, name: str, batch: int) -> None:
    received = _bronze(run, name).where(F.col("_batch") == batch).transform(_as_sent(run, name, F.lit(number)))
    typed = _typed_and_rated(run, name)
    is_later = run.all_later(first_instant(received, _typed(run, name)), ORDER_LINES, "ordered_at")
    lines, rejected = order_lines(received, typed), partial(rejected_lines, received, typed)
    take_landing(run, ORDER_LINES, number, received, lines, rejected, is_later=is_later, update=RECEIVED_AGAIN)


def _take_all_again(run: Run) -> bool:
    """All lines that bronze holds, by the rules of today; whether any came out differently."""
    accepted: list[DataFrame] = []
    rejected: list[DataFrame] = []
    landings = run.records(LANDINGS)
    for name in run.config.feeds.of_sales():
        numbers = {row["batch"]: row["_batch"] for row in landings if row["feed"] == name}
        if numbers:
            number = F.element_at(F.create_map(*[F.lit(n) for pair in numbers.items() for n in pair]), F.col("_batch"))
            received, typed = _bronze(run, name).transform(_as_sent(run, name, number)), _typed_and_rated(run, name)
            accepted.append(order_lines(received, typed))
            rejected.append(rejected_lines(received, typed))
    if not accepted:
        return False
    lines = reduce(DataFrame.unionByName, accepted)
    once = lines if len(accepted) == 1 else lines.transform(_once_over_feeds)
    return run.renew({ORDER_LINES: once, REJECTED_ORDER_LINES: reduce(DataFrame.unionByName, rejected)})


def _once_over_feeds(lines: DataFrame) -> DataFrame:
    """A line that two feeds brought is one: the first by file and line, which counts both."""
    of_line = Window.partitionBy("order_line_id")
    first = of_line.orderBy("_source_file", "_line_number", "_batch")
    return (
        lines.withColumns(
            {
                "_place": F.row_number().over(first),
                "count_received": F.sum("count_received").over(of_line),
                "_batch": F.max("_batch").over(of_line),
            }
        )
        .where("_place = 1")
        .transform(ORDER_LINES.conform)
    )


def _bronze(run: Run, name: str) -> DataFrame:
    return run.read(bronze_table(SOURCES[name]))


def _as_sent(run: Run, name: str, number: Column) -> Typed:
    return as_sent(SOURCES[name], run.config.feeds.of_sales()[name], number)


def _typed(run: Run, name: str) -> Typed:
    feed = run.config.feeds.of_sales()[name]
    return typed_by(SOURCES[name], feed, time_zone=run.config.time_zone, currency=run.config.currency)


def _typed_and_rated(run: Run, name: str) -> Typed:
    rates = run.read(EXCHANGE_RATES) if run.lake.exists(EXCHANGE_RATES) else None
    return in_currency_of_lake(_typed(run, name), run.config.currency, rates)
