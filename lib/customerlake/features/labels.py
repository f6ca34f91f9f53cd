"""features.labels: what happened to each customer after a date."""

from collections.abc import Callable, Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY, Field, Table
from customerlake.errors import ContractError
from customerlake.features.dates import array_of
from customerlake.gold.favourites import categories
from customerlake.silver.orders import is_purchase

LABELS = Table(
    name="features.labels",
    grain="one row per customer_id, as_of, horizon_days and gap_days, over the customers with a purchase by as_of",
    key=("customer_id", "as_of", "horizon_days", "gap_days"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "the date; the label is of days after it"),
        Field("horizon_days", T.IntegerType(), "how many days", unit="days"),
        Field("gap_days", T.IntegerType(), "from as_of to the day before the first of them", unit="days"),
        Field("is_churned", T.BooleanType(), "no order in these days"),
        Field("count_orders_after", T.LongType(), "orders in these days"),
        Field("spend_after", MONEY, "spend in these days, before returns", unit="currency"),
        Field(
            "bought_groups",
            T.ArrayType(T.StringType()),
            "groups of the products bought in these days, as far as known, sorted; null without a list of products",
        ),
    ),
)


def labels(
    orders: DataFrame,
    *,
    as_of: Sequence[date],
    horizon_days: int,
    gap_days: int = 0,
    observed_until: date,
    order_lines: DataFrame | None = None,
    product_list: DataFrame | None = None,
) -> DataFrame:
    """Whether customers known on each date ordered in the `horizon_days` that begin `gap_days` after it, and what.

    Takes:  order_lines and product_list for the groups of products, customer_id as resolved.
    Raises: ContractError when these days are not all observed yet: a label would be made of silence.
    """
    _refuse_unobserved(as_of, horizon_days, gap_days, observed_until)
    counts = is_in_horizon(horizon_days, gap_days)
    return (
        orders.where(is_purchase() & F.col("customer_id").isNotNull())
        .withColumn("as_of", F.explode(array_of(as_of)))
        .groupBy("customer_id", "as_of")
        .agg(
            F.count_if(F.col("ordered_on") <= F.col("as_of")).alias("count_orders_before"),
            F.count_if(counts).alias("count_orders_after"),
            F.sum(F.when(counts, F.col("amount")).otherwise(0)).alias("spend_after"),
        )
        .where(F.col("count_orders_before") > 0)
        .transform(with_bought_groups(order_lines, product_list, as_of, counts))
        .withColumns(
            {
                "horizon_days": F.lit(horizon_days),
                "gap_days": F.lit(gap_days),
                "is_churned": F.col("count_orders_after") == 0,
            }
        )
        .transform(LABELS.conform)
    )


def with_labels(snapshot: DataFrame, labels: DataFrame, *, horizon_days: int, gap_days: int) -> DataFrame:
    """The rows of features.snapshot whose days after the date are labelled, with the labels of that window."""
    is_of_window = (F.col("horizon_days") == horizon_days) & (F.col("gap_days") == gap_days)
    of_window = labels.where(is_of_window).drop("horizon_days", "gap_days")
    return snapshot.join(of_window, on=["customer_id", "as_of"], how="inner")


def is_in_horizon(horizon_days: int, gap_days: int) -> Column:
    """The day of an order is one of those that the label is of."""
    first = F.date_add("as_of", gap_days + 1)
    return F.col("ordered_on").between(first, F.date_add("as_of", gap_days + horizon_days))


def with_bought_groups(
    order_lines: DataFrame | None, product_list: DataFrame | None, as_of: Sequence[date], counts: Column
) -> Callable[[DataFrame], DataFrame]:
    """Adds: bought_groups."""
    if order_lines is None or product_list is None:
        return lambda known: known.withColumn("bought_groups", F.lit(None).cast("array<string>"))
    is_bought = F.col("is_sale") & F.col("is_product") & F.col("customer_id").isNotNull()
    bought = (
        order_lines.where(is_bought)
        .join(F.broadcast(product_list.transform(categories)), on="product_id", how="inner")
        .select("customer_id", "category", "ordered_on")
        .distinct()
        .withColumn("as_of", F.explode(array_of(as_of)))
        .where(counts)
        .groupBy("customer_id", "as_of")
        .agg(F.array_sort(F.collect_set("category")).alias("bought_groups"))
    )
    return lambda known: known.join(bought, on=["customer_id", "as_of"], how="left").withColumn(
        "bought_groups", F.coalesce("bought_groups", F.array().cast("array<string>"))
    )


def _refuse_unobserved(as_of: Sequence[date], horizon_days: int, gap_days: int, observed_until: date) -> None:
    needed = horizon_days + gap_days
    if too_late := [day for day in as_of if (observed_until - day).days < needed]:
        raise ContractError(
            f"features.labels: the {needed} days after {', '.join(map(str, too_late))} are not over on "
            f"{observed_until}, the last observed day. Use earlier dates or a shorter horizon."
        )
