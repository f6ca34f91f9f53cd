"""What products usually cost, from month to month, to tell a low price from a usual one."""

from collections.abc import Callable
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from customerlake.contracts.table import MONEY


def usual_prices(order_lines: DataFrame, *, as_of: date) -> DataFrame:
    """What a product usually cost when it was sold: one row per product_id and month (first day) in which it was sold.

    Adds:    usual_price [lake's currency], the median price over the sale lines, of whatever customer, of the last
             month before in which the product was sold; a product's first month has no row. A price that goes up or
             down for all is so not taken for a habit of those who bought early or late, and a month that is over
             changes only when lines of it come late. Takes the lines of all customers.
    """
    in_time = Window.partitionBy("product_id").orderBy("month")
    return (
        order_lines.where(F.col("is_sale") & F.col("is_product") & (F.col("ordered_on") <= F.lit(as_of)))
        .groupBy("product_id", F.trunc("ordered_on", "month").alias("month"))
        .agg(F.median(price_paid().cast("double")).alias("median_price"))
        .withColumn("usual_price", F.lag("median_price").over(in_time))
        .where(F.col("usual_price").isNotNull())
        .select("product_id", "month", "usual_price")
    )


def price_paid() -> Column:
    """Of one unit of a sale line, in the lake's currency."""
    return (F.col("amount") / F.col("quantity")).cast(MONEY)


def with_usual_prices(usual_prices: DataFrame) -> Callable[[DataFrame], DataFrame]:
    """Adds usual_price to lines of products bought; null where it is not known."""

    def priced(products: DataFrame) -> DataFrame:
        return products.withColumn("month", F.trunc("ordered_on", "month")).join(
            usual_prices, on=["product_id", "month"], how="left"
        )

    return priced
