"""Orders and lines -> gold.usual_prices, purchase_behaviour, purchase_hours, product_pairs, product_affinity, by date.

Where the last date's rows stand, only customers, months and orders that were touched since are looked at again.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.gold.product_affinity import PRODUCT_AFFINITY, product_affinity
from customerlake.gold.product_pairs import PRODUCT_PAIRS, product_pairs, recounted_pairs
from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR, purchase_behaviour
from customerlake.gold.purchase_hours import PURCHASE_HOURS, purchase_hours
from customerlake.gold.touched import carried, counts_first, only_of, touched_customers
from customerlake.gold.usual_prices import USUAL_PRICES, renewed_prices, usual_prices
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
    run.replace(PRODUCT_AFFINITY, product_affinity(lines, run.read(PRODUCT_PAIRS), as_of=run.as_of))


def build_prices(run: job.Run, lines: DataFrame, increment: Increment | None) -> None:
    if increment is None:
        run.replace(USUAL_PRICES, usual_prices(lines, as_of=run.as_of))
        return
    is_new = counts_first("ordered_on", since=increment.since, as_of=run.as_of)
    days = [lines.where(is_new).select("ordered_on")]
    if (changed := increment.changes[ORDER_LINES].rows()) is not None:
        days.append(changed.select("ordered_on"))
    month = F.trunc("ordered_on", "month").alias("month")
    months = {row["month"] for part in days for row in part.select(month).distinct().collect()}
    known = run.read(USUAL_PRICES).where(F.col("as_of") == F.lit(increment.since))
    concerned = lines.where(F.col("ordered_month").isin(list(months)))  # so that no other partition is read
    run.replace(USUAL_PRICES, renewed_prices(known, concerned, months=months, as_of=run.as_of))


def build_behaviour(run: job.Run, lines: DataFrame, increment: Increment | None) -> None:
    zone, listed, cancelled = run.config.time_zone, run.read_if_any(PRODUCT_LIST), run.read(CANCELLATIONS)
    orders, prices = run.read(ORDERS), run.read_as_of(USUAL_PRICES)
    if increment is None:
        made = purchase_behaviour(orders, lines, cancelled, listed, prices, as_of=run.as_of, time_zone=zone)
        run.replace(PURCHASE_BEHAVIOUR, made)
        return
    with run.lake.computed_once(customers_touched(run, lines, increment)) as touched:
        inputs = (orders.transform(only_of(touched)), lines.transform(only_of(touched)), cancelled, listed, prices)
        made = purchase_behaviour(*inputs, as_of=run.as_of, time_zone=zone)
        others = run.read(PURCHASE_BEHAVIOUR).transform(carried(touched, since=increment.since, as_of=run.as_of))
        run.replace(PURCHASE_BEHAVIOUR, made.unionByName(others))


def customers_touched(run: job.Run, lines: DataFrame, increment: Increment) -> DataFrame:
    """Whose orders, lines, returns, names or usual prices changed, or count for the first time."""
    orders, cancelled, prices = (run.read(table) for table in (ORDERS, CANCELLATIONS, USUAL_PRICES))
    of_lines, of_returns = increment.changes[ORDER_LINES].rows(), increment.changes[CANCELLATIONS].rows()
    returns = cancelled.where(counts_first("cancelled_on", since=increment.since, as_of=run.as_of))
    returned = returns.select(F.col("cancelled_order_id").alias("order_id"))
    if of_returns is not None:
        returned = returned.unionByName(of_returns.select(F.col("cancelled_order_id").alias("order_id")))
    is_new = counts_first("ordered_on", since=increment.since, as_of=run.as_of)
    return touched_customers(
        increment.changes[ORDERS].rows(),
        None if of_lines is None else of_lines.transform(of_number(run.read(IDENTITIES))),
        increment.changes[IDENTITIES].rows(),
        orders.where(is_new),
        lines.where(is_new),
        orders.join(returned, on="order_id", how="left_semi"),
        buyers_of_repriced(lines, prices, run, increment),
    )


def buyers_of_repriced(lines: DataFrame, prices: DataFrame, run: job.Run, increment: Increment) -> DataFrame | None:
    """Lines of products in months whose usual price is another than it was."""
    before, now = (
        prices.where(F.col("as_of") == F.lit(day)).select("product_id", "month", "usual_price")
        for day in (increment.since, run.as_of)
    )
    repriced = now.exceptAll(before).unionByName(before.exceptAll(now)).select("product_id", "month").distinct()
    months = [row["month"] for row in repriced.select("month").distinct().collect()]
    if not months:
        return None
    of_months = lines.where(F.col("ordered_month").isin(months)).withColumn("month", F.trunc("ordered_on", "month"))
    return of_months.join(repriced, on=["product_id", "month"], how="left_semi")


def build_pairs(run: job.Run, lines: DataFrame, increment: Increment | None) -> None:
    if increment is None:
        run.overwrite(PRODUCT_PAIRS, product_pairs(lines, as_of=run.as_of))
        return
    changes = increment.changes[ORDER_LINES]
    is_new = counts_first("ordered_on", since=increment.since, as_of=run.as_of)
    orders = lines.where(is_new).select("order_id")
    if (changed := changes.rows()) is not None:
        orders = orders.unionByName(changed.select("order_id"))
    of_orders = lines.join(orders.distinct(), on="order_id", how="left_semi")
    kept = ("order_line_id", "order_id", "product_id", "ordered_on", "is_sale", "is_product")
    with run.lake.computed_once(of_orders.select(*kept)) as now:
        before = now
        if changes.came is not None:
            before = before.join(changes.came.select("order_line_id"), on="order_line_id", how="left_anti")
        if changes.went is not None:
            before = before.unionByName(changes.went.select(*kept))
        pairs = recounted_pairs(
            run.read(PRODUCT_PAIRS),
            product_pairs(before, as_of=increment.since),
            product_pairs(now, as_of=run.as_of),
        )
        run.overwrite(PRODUCT_PAIRS, pairs)


if __name__ == "__main__":
    job.run(main)
