"""gold.usual_prices: what products usually cost, from month to month."""

from collections.abc import Callable, Collection, Sequence
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY, Field, Table

USUAL_PRICES = Table(
    name="gold.usual_prices",
    grain="one row per product_id, month in which it was sold and as_of",
    key=("product_id", "month", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("product_id", T.StringType(), "product"),
        Field("month", T.DateType(), "first day of the month"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("median_price", T.DoubleType(), "median price of a unit over the month's sale lines", unit="currency"),
        Field("usual_price", T.DoubleType(), "that of the last month before; null in the first", unit="currency"),
    ),
)


def usual_prices(order_lines: DataFrame, *, as_of: date) -> DataFrame:
    """What a product usually cost when it was sold, to tell a low price from a usual one.

    The usual price is the median over the sale lines, of whatever customer, of the last month before in which the
    product was sold. A price that goes up or down for all is so not taken for a habit of those who bought early or
    late, and a month that is over changes only when lines of it come late. Takes the lines of all customers.
    """
    return order_lines.transform(median_prices(as_of)).transform(with_months_before(as_of))


def renewed_prices(known: DataFrame, order_lines: DataFrame, *, months: Collection[date], as_of: date) -> DataFrame:
    """The usual prices as they are when of `known` only `months` (first days) may have changed.

    Takes all lines of these months; those of other months are not looked at.
    """
    is_concerned = F.col("month").isin(list(months))
    anew = order_lines.where(F.trunc("ordered_on", "month").isin(list(months))).transform(median_prices(as_of))
    others = known.where(~is_concerned).select("product_id", "month", "median_price")
    return others.unionByName(anew).transform(with_months_before(as_of))


def lines_repriced_by(changed: Sequence[DataFrame], order_lines: DataFrame) -> DataFrame | None:
    """Lines whose usual price may be another now: of a product, in the months after one in which its lines changed.

    `changed` is looked at once for its first month, so that on most days no line has to be read; None: there are none.
    """
    touched = reduce(DataFrame.unionByName, [part.select("product_id", "ordered_on") for part in changed])
    (first,) = touched.agg(F.min("ordered_on").alias("day")).collect()
    if first["day"] is None:
        return None
    month = F.trunc("ordered_on", "month")
    changed_from = touched.groupBy("product_id").agg(F.min(month).alias("changed_from"))
    later = order_lines.where(F.col("ordered_month") > F.lit(first["day"].replace(day=1)))
    return later.join(changed_from, on="product_id", how="inner").where(month > F.col("changed_from"))


def median_prices(as_of: date) -> Callable[[DataFrame], DataFrame]:
    """One row per product_id and month: median_price, as the double of its decimal, however an engine halves."""
    median = F.median(price_paid().cast("double")).cast(T.DecimalType(28, 8)).cast("double")
    return lambda order_lines: (
        order_lines.where(F.col("is_sale") & F.col("is_product") & (F.col("ordered_on") <= F.lit(as_of)))
        .groupBy("product_id", F.trunc("ordered_on", "month").alias("month"))
        .agg(median.alias("median_price"))
    )


def with_months_before(as_of: date) -> Callable[[DataFrame], DataFrame]:
    """Adds: usual_price, as_of."""
    in_time = Window.partitionBy("product_id").orderBy("month")
    return lambda medians: medians.withColumns(
        {"usual_price": F.lag("median_price").over(in_time), "as_of": F.lit(as_of)}
    ).transform(USUAL_PRICES.conform)


def price_paid() -> Column:
    """Of one unit of a sale line, in the lake's currency."""
    return (F.col("amount") / F.col("quantity")).cast(MONEY)


def with_usual_prices(usual_prices: DataFrame) -> Callable[[DataFrame], DataFrame]:
    """Adds usual_price to lines of products bought; null where it is not known."""

    def priced(products: DataFrame) -> DataFrame:
        known = usual_prices.select("product_id", "month", "usual_price")
        return products.withColumn("month", F.trunc("ordered_on", "month")).join(
            known, on=["product_id", "month"], how="left"
        )

    return priced
