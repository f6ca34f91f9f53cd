"""gold.rfm: recency, frequency and monetary value of each customer, their scores and the named segment."""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import date
from decimal import Decimal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MEAN_MONEY, MONEY, Field, Table
from customerlake.errors import ContractError
from customerlake.silver.orders import is_purchase

RFM = Table(
    name="gold.rfm",
    grain="one row per customer_id and as_of; customers without a purchase by then are absent",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("frequency", T.IntegerType(), "repeat purchase days", unit="days"),
        Field("recency", T.IntegerType(), "first to last purchase day", unit="days"),
        Field("T", T.IntegerType(), "first purchase day to as_of", unit="days"),
        Field("monetary_value", MEAN_MONEY, "mean spend per repeat purchase day; 0 without one", unit="currency"),
        Field("days_since_last_order", T.IntegerType(), "last purchase day to as_of", unit="days"),
        Field("count_orders", T.LongType(), "orders, returns left out"),
        Field("total_spend", MONEY, "spend over all orders, before returns", unit="currency"),
        Field("r_score", T.IntegerType(), "5: the fifth of customers who ordered last, 1: longest ago"),
        Field("f_score", T.IntegerType(), "5: most orders, 1: fewest"),
        Field("m_score", T.IntegerType(), "5: highest total_spend, 1: lowest"),
        Field("rfm_segment", T.StringType(), "named segment, by SEGMENTS"),
        Field("r_score_fixed", T.IntegerType(), "5: ordered within the first of Thresholds' days, 1: after the last"),
        Field("f_score_fixed", T.IntegerType(), "1: no more orders than its first threshold, 5: more than its last"),
        Field("m_score_fixed", T.IntegerType(), "1: no more spend than its first threshold, 5: more than its last"),
    ),
)

SEGMENTS = {
    # r_score: the segments for the mean of f_score and m_score, rounded half up: 1, 2, 3, 4, 5
    5: ("New Customers", "Potential Loyalists", "Potential Loyalists", "Champions", "Champions"),
    4: ("Promising", "Potential Loyalists", "Potential Loyalists", "Loyal Customers", "Loyal Customers"),
    3: ("About To Sleep", "About To Sleep", "Need Attention", "Loyal Customers", "Loyal Customers"),
    2: ("Hibernating", "Hibernating", "At Risk", "At Risk", "Cannot Lose Them"),
    1: ("Lost", "Hibernating", "At Risk", "At Risk", "Cannot Lose Them"),
}
"""The rule of the eleven named segments, whole: one cell per r_score and mean of the other two scores."""

FIFTHS = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Thresholds:
    """Where one fixed score ends and the next begins; a value on a threshold still belongs to what is below it.

    The defaults are round numbers for a shop of everyday goods, to be set to the shop's own: the scores are for
    comparing days, shops and campaigns, where fifths of the customers of the day move with them.
    Raises:  ContractError where four thresholds do not rise.
    """

    days_since_last_order: tuple[int, int, int, int] = (30, 90, 180, 365)
    count_orders: tuple[int, int, int, int] = (1, 2, 4, 8)
    total_spend: tuple[Decimal, Decimal, Decimal, Decimal] = (Decimal(100), Decimal(300), Decimal(1000), Decimal(3000))

    def __post_init__(self) -> None:
        for thresholds in astuple(self):
            if len(thresholds) != 4 or list(thresholds) != sorted(set(thresholds)):
                raise ContractError(f"Four thresholds that rise make five scores; found {thresholds}. Correct them.")


def rfm(orders: DataFrame, *, as_of: date, thresholds: Thresholds = Thresholds()) -> DataFrame:
    """Summarise each customer's purchases up to and including `as_of`, score them in fifths and name the segment.

    Adds:    frequency, recency, T, monetary_value as Fader, Hardie and Lee define them: several orders on one day are
             one purchase. A score is 1 plus the number of the four fifths' borders (exact percentiles over all
             customers, interpolated) that the value exceeds, so that equal values always score alike; recency is
             scored downwards. The fixed scores do the same by `thresholds`, whoever else there is.
    Source:  Fader, Hardie & Lee (2005), "Counting your customers the easy way", Marketing Science 24(2).
    """
    return orders.transform(summary_of_customers(as_of, thresholds)).transform(scored)


def scored(summary: DataFrame) -> DataFrame:
    """Adds what only all customers together can say, to the summary of them all: scores in fifths and the segment."""
    return summary.transform(score_in_fifths).withColumn("rfm_segment", named_segment()).transform(RFM.conform)


def carried_summary(rfm: DataFrame, *, since: date, as_of: date, thresholds: Thresholds = Thresholds()) -> DataFrame:
    """The summary at `as_of` of customers who have not bought since `since`, of their rows of that day."""
    days = (as_of - since).days
    return (
        rfm.where(F.col("as_of") == F.lit(since))
        .drop("r_score", "f_score", "m_score", "rfm_segment")
        .withColumns(
            {
                "as_of": F.lit(as_of),
                "T": F.col("T") + days,
                "days_since_last_order": F.col("days_since_last_order") + days,
            }
        )
        .transform(score_by_thresholds(thresholds))
    )


def summary_of_customers(as_of: date, thresholds: Thresholds) -> Callable[[DataFrame], DataFrame]:
    """All that a customer's own orders say: everything but the scores in fifths and the segment."""
    return lambda orders: (
        orders.transform(purchases_until(as_of))
        .transform(purchase_days)
        .transform(summarise_purchases(as_of))
        .transform(score_by_thresholds(thresholds))
    )


def purchases_until(as_of: date) -> Callable[[DataFrame], DataFrame]:
    """The orders that are purchases of a known customer by `as_of`: no returns, and something was paid."""
    is_known = F.col("customer_id").isNotNull()
    return lambda orders: orders.where(is_purchase() & is_known & (F.col("ordered_on") <= F.lit(as_of)))


def purchase_days(purchases: DataFrame) -> DataFrame:
    """Collapse purchases to one row per customer and day: several orders in a day are one purchase."""
    return purchases.groupBy("customer_id", "ordered_on").agg(
        F.sum("amount").cast(MONEY).alias("spend"), F.count("*").alias("count_orders")
    )


def summarise_purchases(as_of: date) -> Callable[[DataFrame], DataFrame]:
    def summarise(days: DataFrame) -> DataFrame:
        first, last = F.min("ordered_on"), F.max("ordered_on")
        repeat_spend = F.sum("spend") - F.min_by("spend", "ordered_on")
        frequency = F.count("*") - 1
        return days.groupBy("customer_id").agg(
            F.lit(as_of).alias("as_of"),
            frequency.alias("frequency"),
            F.datediff(last, first).alias("recency"),
            F.datediff(F.lit(as_of), first).alias("T"),
            F.when(frequency > 0, repeat_spend / frequency).otherwise(0).alias("monetary_value"),
            F.datediff(F.lit(as_of), last).alias("days_since_last_order"),
            F.sum("count_orders").alias("count_orders"),
            F.sum("spend").cast(MONEY).alias("total_spend"),
        )

    return summarise


def score_by_thresholds(thresholds: Thresholds) -> Callable[[DataFrame], DataFrame]:
    """Add r_score_fixed, f_score_fixed and m_score_fixed."""

    def exceeded(name: str, borders: tuple[int | Decimal, ...]) -> Column:
        first, second, third, last = [(F.col(name) > F.lit(border)).cast("int") for border in borders]
        return first + second + third + last

    return lambda summary: summary.withColumns(
        {
            "r_score_fixed": 5 - exceeded("days_since_last_order", thresholds.days_since_last_order),
            "f_score_fixed": 1 + exceeded("count_orders", thresholds.count_orders),
            "m_score_fixed": 1 + exceeded("total_spend", thresholds.total_spend),
        }
    )


def score_in_fifths(summary: DataFrame) -> DataFrame:
    """Add r_score, f_score and m_score. One pass finds the borders; no window over all customers is needed."""
    scored = {"r": "days_since_last_order", "f": "count_orders", "m": "total_spend"}
    borders = summary.agg(
        *[
            F.percentile(F.col(name).cast("double"), F.array(*map(F.lit, FIFTHS))).alias(f"{score}_borders")
            for score, name in scored.items()
        ]
    )
    return summary.join(F.broadcast(borders), how="cross").withColumns(
        {
            "r_score": 5 - borders_below("days_since_last_order", "r_borders"),
            "f_score": 1 + borders_below("count_orders", "f_borders"),
            "m_score": 1 + borders_below("total_spend", "m_borders"),
        }
    )


def borders_below(name: str, borders: str) -> Column:
    """How many of the four borders are below the value."""
    exceeds = [(F.col(name).cast("double") > F.col(borders)[i]).cast("int") for i in range(len(FIFTHS))]
    return exceeds[0] + exceeds[1] + exceeds[2] + exceeds[3]


def named_segment() -> Column:
    """The cell of SEGMENTS for the row's scores."""
    frequency_and_value = F.floor((F.col("f_score") + F.col("m_score") + 1) / 2).cast("int")
    cells = [
        ((F.col("r_score") == r_score) & (frequency_and_value == fm_score), name)
        for r_score, names in SEGMENTS.items()
        for fm_score, name in enumerate(names, start=1)
    ]
    segment = F.when(*cells[0])
    for condition, name in cells[1:]:
        segment = segment.when(condition, name)
    return segment


def segments_of(rfm: DataFrame) -> DataFrame:
    """Rows of gold.rfm of one date -> customer_id and segment, by which other tables cut their figures."""
    return rfm.select("customer_id", F.col("rfm_segment").alias("segment"))
