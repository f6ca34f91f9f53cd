"""silver.orders, order_lines, products -> gold.rfm, customer_value, both its splits, cohorts, for one --as-of date.

Where the last date's rows stand, only customers touched since are summed again.
"""

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.contracts.table import Table
from customerlake.gold.cohorts import COHORTS, cohorts
from customerlake.gold.customer_value import CUSTOMER_VALUE, RECENT_DAYS, customer_value
from customerlake.gold.customer_value_by_channel import CUSTOMER_VALUE_BY_CHANNEL, customer_value_by_channel
from customerlake.gold.customer_value_by_product_group import (
    CUSTOMER_VALUE_BY_PRODUCT_GROUP,
    customer_value_by_product_group,
)
from customerlake.gold.product_margins import product_margins
from customerlake.gold.rfm import RFM, Thresholds, carried_summary, scored, summary_of_customers
from customerlake.gold.touched import carried, changed_or_new, not_of, only_of, touched_customers
from customerlake.runtime import job
from customerlake.runtime.run import Increment
from customerlake.silver.exchange_rates import EXCHANGE_RATES
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.orders import ORDERS
from customerlake.silver.product_list import PRODUCT_LIST

CARRIED = (CUSTOMER_VALUE, CUSTOMER_VALUE_BY_CHANNEL, CUSTOMER_VALUE_BY_PRODUCT_GROUP)
"""Rows of a customer of whom nothing was heard since stand as they are; those of gold.rfm grow older."""


def main(run: job.Run) -> None:
    orders, lines = run.read(ORDERS), run.read(ORDER_LINES)
    run.replace(COHORTS, cohorts(orders, as_of=run.as_of))
    increment = run.increment(made=(RFM, *CARRIED), of=(ORDERS, ORDER_LINES), unchanged=(PRODUCT_LIST, EXCHANGE_RATES))
    if increment is None:
        build(run, orders, lines, others={})
        return
    with run.lake.computed_once(customers_touched(run, increment)) as touched:
        of_touched = orders.transform(only_of(touched))
        their_lines = lines.join(of_touched.select("order_id"), on="order_id", how="left_semi")
        since, as_of = increment.since, run.as_of
        others = {table: run.read(table).transform(carried(touched, since=since, as_of=as_of)) for table in CARRIED}
        others[RFM] = carried_summary(run.read(RFM).transform(not_of(touched)), since=since, as_of=as_of)
        build(run, of_touched, their_lines, others)


def build(run: job.Run, orders: DataFrame, lines: DataFrame, others: Mapping[Table, DataFrame]) -> None:
    """Make the rows of the customers whose orders these are, beside those of all `others`, where there are any."""
    as_of, listed, rates = run.as_of, run.read_if_any(PRODUCT_LIST), run.read_if_any(EXCHANGE_RATES)
    margins = None if listed is None else product_margins(lines, listed, rates, currency=run.config.currency)

    def with_others(table: Table, made: DataFrame) -> DataFrame:
        return made.unionByName(others[table]) if table in others else made

    run.replace(RFM, scored(with_others(RFM, summary_of_customers(as_of, Thresholds())(orders))))
    made = {
        CUSTOMER_VALUE: customer_value(orders, margins, as_of=as_of),
        CUSTOMER_VALUE_BY_CHANNEL: customer_value_by_channel(orders, as_of=as_of),
        CUSTOMER_VALUE_BY_PRODUCT_GROUP: customer_value_by_product_group(lines, orders, listed, as_of=as_of),
    }
    for table, rows in made.items():
        run.replace(table, with_others(table, rows))


def customers_touched(run: job.Run, increment: Increment) -> DataFrame:
    """Whose orders or lines changed or count for the first time, and who has orders that are no longer recent."""
    orders, since, as_of = run.read(ORDERS), increment.since, run.as_of
    changes, dates = increment.changes, (since, as_of)
    lines = changed_or_new(ORDER_LINES, run.read(ORDER_LINES), changes[ORDER_LINES], "ordered_on", dates=dates)
    orders_of_lines = reduce(DataFrame.unionByName, [part.select("order_id") for part in lines])
    gone_by = F.date_add("ordered_on", RECENT_DAYS)
    return touched_customers(
        *changed_or_new(ORDERS, orders, changes[ORDERS], "ordered_on", dates=dates),
        orders.join(orders_of_lines, on="order_id", how="left_semi"),
        orders.where((gone_by > F.lit(since)) & (gone_by <= F.lit(as_of))),
    )


if __name__ == "__main__":
    job.run(main)
