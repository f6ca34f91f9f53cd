"""features.labels: what happened to each customer after a date."""

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY, Field, Table
from customerlake.errors import ContractError
from customerlake.silver.orders import is_purchase

LABELS = Table(
    name="features.labels",
    grain="one row per customer_id, as_of and horizon_days, over the customers with a purchase by as_of",
    key=("customer_id", "as_of", "horizon_days"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "the date; the label is of the days after it"),
        Field("horizon_days", T.IntegerType(), "how many days after it", unit="days"),
        Field("is_churned", T.BooleanType(), "no order in these days"),
        Field("count_orders_after", T.LongType(), "orders in these days"),
        Field("spend_after", MONEY, "spend in these days, before returns", unit="currency"),
    ),
)


def labels(orders: DataFrame, *, as_of: Sequence[date], horizon_days: int, observed_until: date) -> DataFrame:
    """Whether customers known on each date ordered in the `horizon_days` after it.

    Raises: ContractError when the days after a date are not all observed yet: a label would be made of silence.
    """
    too_late = [day for day in as_of if (observed_until - day).days < horizon_days]
    if too_late:
        raise ContractError(
            f"features.labels: the {horizon_days} days after {', '.join(map(str, too_late))} are not over on "
            f"{observed_until}, the last observed day. Use earlier dates or a shorter horizon."
        )
    dates_array = F.array(*[F.lit(day) for day in sorted(as_of)])
    is_after = F.col("ordered_on") > F.col("as_of")
    counts = is_after & (F.col("ordered_on") <= F.date_add("as_of", horizon_days))
    return (
        orders.where(is_purchase() & F.col("customer_id").isNotNull())
        .withColumn("as_of", F.explode(dates_array))
        .groupBy("customer_id", "as_of")
        .agg(
            F.count_if(~is_after).alias("count_orders_before"),
            F.count_if(counts).alias("count_orders_after"),
            F.sum(F.when(counts, F.col("amount")).otherwise(0)).alias("spend_after"),
        )
        .where(F.col("count_orders_before") > 0)
        .withColumns({"horizon_days": F.lit(horizon_days), "is_churned": F.col("count_orders_after") == 0})
        .transform(LABELS.conform)
    )
