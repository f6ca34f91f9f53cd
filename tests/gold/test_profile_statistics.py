from datetime import date
from decimal import Decimal

import pytest
from chispa import assert_approx_df_equality

from customerlake.gold.profile_statistics import PROFILE_STATISTICS, profile_statistics

RFM = "customer_id string, as_of date, count_orders long, total_spend decimal(18,4), days_since_last_order int"
AS_OF = date(2011, 12, 9)


def statistics(spark, *buyers, as_of=AS_OF):
    """Statistics of buyers (country, orders, spend, days since the last order), one customer each."""
    numbered = list(enumerate(buyers))
    rfm = [(str(n), AS_OF, orders, Decimal(spend), days) for n, (_, orders, spend, days) in numbered]
    customers = [(str(n), country) for n, (country, *_) in numbered]
    return profile_statistics(
        spark.createDataFrame(rfm, RFM),
        spark.createDataFrame(customers, "customer_id string, country string"),
        as_of=as_of,
    )


def only(df, *names):
    (row,) = df.select(*names).collect()
    return tuple(row)


def money(*amounts):
    return tuple(None if amount is None else Decimal(amount) for amount in amounts)


def test_each_country_is_described_by_its_customers(spark):
    found = statistics(
        spark, ("France", 1, "10", 5), ("France", 3, "20", 8), ("France", 2, "60", 20), ("Spain", 1, "10", 100)
    )

    # France: mean 30, deviations -20, -10, 30, so the sample variance is 1400 / 2 = 700
    france = (
        "France", AS_OF, 3, 0.75, 6, *money("90"), 0.9, *money("30", "26.46", "15", "20", "40"),
        2.0, *money("15"), 2 / 3, 8.0,
    )  # fmt: skip
    spain = (
        "Spain", AS_OF, 1, 0.25, 1, *money("10"), 0.1, *money("10", None, "10", "10", "10"),
        1.0, *money("10"), 0.0, 100.0,
    )  # fmt: skip
    expected = spark.createDataFrame([france, spain], PROFILE_STATISTICS.schema)
    assert_approx_df_equality(found, expected, 1e-12, ignore_nullable=True, ignore_row_order=True)


@pytest.mark.parametrize(
    ("low", "high", "median"), [("1.00", "1.01", "1.01"), ("0.02", "8.15", "4.09"), ("2.27", "2.28", "2.28")]
)
def test_half_a_cent_is_rounded_up_in_means_and_medians(spark, low, high, median):
    found = statistics(spark, ("France", 1, low, 5), ("France", 1, high, 5))

    assert only(found, "mean_spend", "median_spend") == money(median, median)


def test_half_a_cent_is_rounded_up_in_quartiles(spark):
    found = statistics(spark, ("France", 1, "1.00", 5), ("France", 1, "1.02", 5))

    assert only(found, "p25_spend", "p75_spend") == money("1.01", "1.02")


def test_summaries_of_another_day_do_not_count(spark):
    assert statistics(spark, ("France", 1, "10", 5), as_of=date(2011, 6, 30)).isEmpty()
