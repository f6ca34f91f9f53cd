"""gold.purchase_hours: at which hours of the week orders come, by channel and over all."""

from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MEAN_MONEY, MONEY, Field, Table
from customerlake.gold.purchase_behaviour import local_hour, local_weekday
from customerlake.silver.orders import is_purchase

PURCHASE_HOURS = Table(
    name="gold.purchase_hours",
    grain="one row per channel, weekday, hour and as_of in which orders came; channel all is every one together",
    key=("channel", "weekday", "hour", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("channel", T.StringType(), "where it was sold; all; unknown where an order names none"),
        Field("weekday", T.IntegerType(), "1 Monday to 7 Sunday"),
        Field("hour", T.IntegerType(), "hour of the day, 0 to 23", unit="hour"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("count_orders", T.LongType(), "orders, returns left out, of known and anonymous customers"),
        Field("revenue", MONEY, "their amount, before returns", unit="currency"),
        Field("average_order_value", MEAN_MONEY, "revenue per order", unit="currency"),
        Field("orders_share", T.DoubleType(), "of the channel's orders", unit="share"),
        Field("revenue_share", T.DoubleType(), "of the channel's revenue", unit="share"),
    ),
)

ALL = "all"


def purchase_hours(orders: DataFrame, *, as_of: date, time_zone: str = "UTC") -> DataFrame:
    """Sum the orders up to and including `as_of` by hour of the week, as the clocks of `time_zone` show it."""
    channel = Window.partitionBy("channel")
    cell = ("channel", "weekday", "hour")
    all_revenue = F.sum("revenue").over(channel).cast("double")
    return (
        orders.where(is_purchase() & (F.col("ordered_on") <= F.lit(as_of)))
        .groupBy(
            F.coalesce("channel", F.lit("unknown")).alias("channel"),
            local_weekday(time_zone).alias("weekday"),
            local_hour(time_zone).alias("hour"),
        )
        .agg(F.count("*").alias("count_orders"), F.sum("amount").cast(MONEY).alias("revenue"))
        .withColumn("channel", F.explode(F.array(F.col("channel"), F.lit(ALL))))
        .groupBy(*cell)
        .agg(F.sum("count_orders").alias("count_orders"), F.sum("revenue").cast(MONEY).alias("revenue"))
        .withColumns(
            {
                "as_of": F.lit(as_of),
                "average_order_value": F.col("revenue") / F.col("count_orders"),
                "orders_share": F.col("count_orders") / F.sum("count_orders").over(channel),
                "revenue_share": F.col("revenue").cast("double") / all_revenue,
            }
        )
        .transform(PURCHASE_HOURS.conform)
    )
