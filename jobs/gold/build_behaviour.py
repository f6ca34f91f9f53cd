"""Orders and lines -> gold.usual_prices, purchase_behaviour, purchase_hours, product_pairs, product_affinity, by date.

Where the last date's rows stand, only customers, months and orders that were touched since are looked at again.
"""

from contextlib import ExitStack
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.gold.product_affinity import PRODUCT_AFFINITY, product_affinity
from customerlake.gold.product_pairs import PRODUCT_PAIRS, product_pairs, recounted_pairs
from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR, purchase_behaviour
from customerlake.gold.purchase_hours import PURCHASE_HOURS, purchase_hours
from customerlake.gold.touched import (
    OF_LINES,
    carried,
    changed_or_new,
    lines_of,
    only_of,
    touched_customers,
)
from customerlake.gold.usual_prices import USUAL_PRICES, lines_repriced_by, renewed_prices, usual_prices
from customerlake.runtime import job
from customerlake.runtime.run import Increment
from customerlake.silver.cancellations import CANCELLATIONS
from customerlake.silver.identities import IDENTITIES, of_number
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.orders import ORDERS
from customerlake.silver.product_list import PRODUCT_LIST


def main(run: job.Run) -> None:
    lines = run.read(ORDER_LINES).transform(of_number(run.read(IDENTITIES)))
    increment = run.increment(
        made=(USUAL_PRICES, PURCHASE_BEHAVIOUR, PRODUCT_PAIRS),
        of=(ORDERS, ORDER_LINES, CANCELLATIONS, IDENTITIES),
        unchanged=(PRODUCT_LIST,),
    )
    build_prices(run, lines, increment)
    build_behaviour(run, lines, increment)
    run.replace(PURCHASE_HOURS, purchase_hours(run.read(ORDERS), as_of=run.as_of, time_zone=run.config.time_zone))
    build_pairs(run, lines, increment)
    run.replace(PRODUCT_AFFINITY, product_affinity(run.read(PRODUCT_PAIRS), as_of=run.as_of))


def build_prices(run: job.Run, lines: DataFrame, increment: Increment | None) -> None:
    if increment is None:
        run.replace(USUAL_PRICES, usual_prices(lines, as_of=run.as_of))
        return
    month = F.trunc("ordered_on", "month").alias("month")
    touched = lines_touched(run, increment)
    months = {row["month"] for part in touched for row in part.select(month).distinct().collect()}
    known = run.read(USUAL_PRICES).where(F.col("as_of") == F.lit(increment.since))
    concerned = lines.where(F.col("ordered_month").isin(list(months)))  # so that no other partition is read
    run.replace(USUAL_PRICES, renewed_prices(known, concerned, months=months, as_of=run.as_of))


def lines_touched(run: job.Run, increment: Increment) -> list[DataFrame]:
    """Lines that came or went, or count for the first time, of whatever customer."""
    changes, named = increment.changes[ORDER_LINES], of_number(run.read(IDENTITIES))
    dates = increment.since, run.as_of
    return changed_or_new(ORDER_LINES, run.read(ORDER_LINES), changes, "ordered_on", dates=dates, named=named)


def build_behaviour(run: job.Run, lines: DataFrame, increment: Increment | None) -> None:
    zone, listed, cancelled = run.config.time_zone, run.read_if_any(PRODUCT_LIST), run.read(CANCELLATIONS)
    orders, prices = run.read(ORDERS), run.read_as_of(USUAL_PRICES)
    if increment is None:
        made = purchase_behaviour(orders, lines, cancelled, listed, prices, as_of=run.as_of, time_zone=zone)
        run.replace(PURCHASE_BEHAVIOUR, made)
        return
    with ExitStack() as held:
        touched = held.enter_context(run.lake.computed_once(customers_touched(run, lines, increment)))
        of_touched = run.read(ORDER_LINES).transform(lines_of(touched, run.read(IDENTITIES)))
        their_lines = held.enter_context(run.lake.computed_once(of_touched.select(*OF_LINES)))
        inputs = (orders.transform(only_of(touched)), their_lines, cancelled, listed, prices)
        made = purchase_behaviour(*inputs, as_of=run.as_of, time_zone=zone)
        others = run.read(PURCHASE_BEHAVIOUR).transform(carried(touched, since=increment.since, as_of=run.as_of))
        run.replace(PURCHASE_BEHAVIOUR, made.unionByName(others))


def customers_touched(run: job.Run, lines: DataFrame, increment: Increment) -> DataFrame:
    """Whose orders, lines, returns, names or usual prices changed, or count for the first time."""
    changes, dates = increment.changes, (increment.since, run.as_of)
    orders, cancelled, of_lines = run.read(ORDERS), run.read(CANCELLATIONS), lines_touched(run, increment)
    returns = changed_or_new(CANCELLATIONS, cancelled, changes[CANCELLATIONS], "cancelled_on", dates=dates)
    taken_back = [part.select(F.col("cancelled_order_id").alias("order_id")) for part in returns]
    return touched_customers(
        *changed_or_new(ORDERS, orders, changes[ORDERS], "ordered_on", dates=dates),
        *of_lines,
        *[orders.join(part, on="order_id", how="left_semi") for part in taken_back],
        changes[IDENTITIES].rows(),
        lines_repriced_by(of_lines, lines),
    )


def build_pairs(run: job.Run, lines: DataFrame, increment: Increment | None) -> None:
    if increment is None:
        run.overwrite(PRODUCT_PAIRS, product_pairs(lines, as_of=run.as_of))
        return
    changes, kept = increment.changes[ORDER_LINES], ["order_line_id", "order_id", "product_id", "ordered_on"]
    orders = [part.select("order_id") for part in lines_touched(run, increment)]
    of_orders = lines.join(reduce(DataFrame.unionByName, orders).distinct(), on="order_id", how="left_semi")
    with run.lake.computed_once(of_orders.select(*kept, "is_sale", "is_product")) as now:
        before = now
        if changes.came is not None:
            before = before.join(changes.came.select("order_line_id"), on="order_line_id", how="left_anti")
        if changes.went is not None:
            before = before.unionByName(changes.went.select(*now.columns))
        counted = product_pairs(before, as_of=increment.since), product_pairs(now, as_of=run.as_of)
        run.overwrite(PRODUCT_PAIRS, recounted_pairs(run.read(PRODUCT_PAIRS), *counted))


if __name__ == "__main__":
    job.run(main)
