"""Who a customer is, for gold.segment_rules: age, income beside that of others, and where it lives."""

from collections.abc import Callable
from datetime import date
from itertools import pairwise

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.gold.purchase_behaviour import unknown
from customerlake.gold.segment_thresholds import THRESHOLDS
from customerlake.silver.cleaning.dates import OLDEST


def age_band(as_of: date, borders: tuple[int, ...] = THRESHOLDS.age_borders) -> Column:
    """Band of the full years since birth_on; null for an age that no person has. Who is born on 29 February ages on
    1 March of other years."""
    has_birthday_to_come = F.month("birth_on") * 100 + F.dayofmonth("birth_on") > as_of.month * 100 + as_of.day
    age = F.lit(as_of.year) - F.year("birth_on") - has_birthday_to_come.cast("int")
    band = F.when(~age.between(0, OLDEST - 1), F.lit(None).cast("string")).when(age < borders[0], f"under {borders[0]}")
    for low, high in pairwise(borders):
        band = band.when(age < high, f"{low}-{high - 1}")
    return band.when(age >= borders[-1], f"{borders[-1]} and over")


def profiles(crm_profiles: DataFrame | None, as_of: date) -> Callable[[DataFrame], DataFrame]:
    """One row per customer whom the CRM knew by `as_of`: income by the newest profile not changed since then."""

    def profiled(customers: DataFrame) -> DataFrame:
        if crm_profiles is None:
            return customers.transform(unknown(is_profiled="boolean", income="decimal(18,4)"))
        states_income = F.col("income").isNotNull() & (F.to_date("updated_at") <= F.lit(as_of))
        newest = F.max(F.when(states_income, F.struct("updated_at", "profile_id", "income")))
        return (
            crm_profiles.where(F.col("customer_id").isNotNull() & ~F.col("is_deleted"))
            .where(F.to_date(F.coalesce("created_at", "updated_at")) <= F.lit(as_of))
            .groupBy("customer_id")
            .agg(F.lit(True).alias("is_profiled"), newest.alias("newest"))
            .select("customer_id", "is_profiled", F.col("newest.income").alias("income"))
        )

    return profiled


def is_income_outlying(fence: float = THRESHOLDS.income_fence) -> Column:
    """Beyond the quartiles of logarithms by `fence` times the distance between them, or not above zero."""
    first, third = F.col("income_quartiles")[0], F.col("income_quartiles")[2]
    reach, logarithm = fence * (third - first), log_income()
    is_far = (third > first) & ((logarithm < first - reach) | (logarithm > third + reach))
    return F.when(F.col("income") <= 0, F.lit(True)).when(F.col("income").isNotNull(), is_far)


def income_band(low: float = THRESHOLDS.middle_income[0], high: float = THRESHOLDS.middle_income[1]) -> Column:
    """middle: from `low` to `high` times the median."""
    to_median = F.col("income").cast("double") / F.col("median_income")
    return F.when(to_median < low, "low").when(to_median <= high, "middle").when(to_median > high, "high")


def log_income() -> Column:
    return F.log(F.when(F.col("income") > 0, F.col("income").cast("double")))


def place() -> Column:
    """City and country, however capitals are set; null without a city."""
    return F.when(
        F.col("city").isNotNull(), F.concat_ws("\u001f", F.lower("city"), F.lower(F.coalesce("country", F.lit(""))))
    )


def residents(own: DataFrame) -> DataFrame:
    return own.where(F.col("place").isNotNull()).groupBy("place").agg(F.count("*").alias("residents"))


def city_tier(large: float = THRESHOLDS.large_city, medium: float = THRESHOLDS.medium_city) -> Column:
    share = F.col("residents") / F.nullif("all_residents", F.lit(0))
    return F.when(share >= large, "large").when(share >= medium, "medium").when(share.isNotNull(), "small")
