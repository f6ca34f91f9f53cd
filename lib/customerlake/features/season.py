"""Features of the season: of the date, and of what the customer buys in which part of the year."""

import math

from pyspark.sql import Column
from pyspark.sql import functions as F

from customerlake.features.dates import within
from customerlake.features.feature import Feature

A_YEAR = 365  # days
SEASON = 90  # days

FEATURES = (
    Feature(
        "month_sine",
        "sine of the month of as_of as an angle, January at 0: 1 in April, -1 in October",
        "the time of the year ({value}; typical {typical})",
    ),
    Feature(
        "month_cosine",
        "cosine of the month of as_of as an angle, January at 0: 1 in January, -1 in July",
        "the time of the year ({value}; typical {typical})",
    ),
    Feature(
        "fourth_quarter_orders_share",
        "orders in October, November or December",
        "{value} of orders in the last quarter of the year (typical {typical})",
        "share",
    ),
    Feature(
        "spend_same_season_last_year",
        "spend in the 90 days that began a year before as_of; null when not a customer then",
        "spent {value} in the same season last year (typical {typical})",
        "currency",
        is_skewed=True,
    ),
)


def sums() -> list[Column]:
    """Over a customer's days known on a date."""
    is_last_quarter = F.month("ordered_on") >= 10
    in_season = within(SEASON, after=A_YEAR - SEASON)
    return [
        F.sum(F.when(is_last_quarter, F.col("orders")).otherwise(0)).alias("in_fourth_quarter"),
        F.coalesce(F.sum(F.when(in_season, F.col("spend"))), F.lit(0)).alias("in_same_season"),
    ]


def measures() -> dict[str, Column]:
    angle = (F.month("as_of") - 1) * (math.pi / 6)
    return {
        "month_sine": _rounded(F.sin(angle)),
        "month_cosine": _rounded(F.cos(angle)),
        "fourth_quarter_orders_share": F.col("in_fourth_quarter") / F.col("count_orders"),
        "spend_same_season_last_year": F.when(F.col("T") >= A_YEAR, F.col("in_same_season").cast("double")),
    }


def _rounded(value: Column) -> Column:
    """To six digits as a decimal, which every engine rounds alike."""
    return F.round(value.cast("decimal(28,12)"), 6).cast("double")
