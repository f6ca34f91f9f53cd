"""Held against scipy, and against the worked examples of the papers."""

import math

import pytest
from pyspark.sql import functions as F
from scipy import stats

from customerlake.gold.intervals import (
    detectable_difference,
    newcombe_interval,
    normal_cdf,
    power_of_two_shares,
    t_quantile_95,
    variance,
    wilson_interval,
)


def test_the_normal_distribution_is_met_within_its_stated_error(spark):
    points = [x / 20 for x in range(-120, 121)]

    found = spark.createDataFrame([(x,) for x in points], "x double").select("x", normal_cdf(F.col("x")).alias("p"))

    errors = [abs(row.p - stats.norm.cdf(row.x)) for row in found.collect()]
    assert max(errors) < 7.5e-8


@pytest.mark.parametrize(("freedom", "tolerance"), [(2, 9e-3), (3, 1.5e-3), (4, 3.2e-4), (10, 1e-5), (200, 1e-9)])
def test_students_quantile_is_met_as_closely_as_it_says(spark, freedom, tolerance):
    found = spark.range(1).select(t_quantile_95(F.lit(freedom)).alias("t")).first().t

    assert found == pytest.approx(stats.t.ppf(0.975, freedom), rel=tolerance)


def test_below_two_degrees_of_freedom_there_is_no_quantile(spark):
    assert spark.range(1).select(t_quantile_95(F.lit(1)).alias("t")).first().t is None


@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 1), (1, 1), (0, 30), (30, 30), (7, 10), (15, 148), (1, 10**6), (81, 263)]
)
def test_wilsons_interval_is_scipys(spark, successes, trials):
    low, high = wilson_interval("x", "n")

    found = spark.createDataFrame([(successes, trials)], "x bigint, n bigint").select(low, high).first()

    reference = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert tuple(found) == pytest.approx((reference.low, reference.high), abs=1e-12)


def test_without_trials_there_is_no_interval(spark):
    low, high = wilson_interval("x", "n")

    assert tuple(spark.createDataFrame([(0, 0)], "x bigint, n bigint").select(low, high).first()) == (None, None)


@pytest.mark.parametrize(
    ("first", "second", "interval"),
    [
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((5, 56), (0, 29), (-0.0381, 0.1926)),
        ((0, 10), (0, 20), (-0.1611, 0.2775)),
        ((10, 10), (0, 10), (0.6075, 1.0)),
    ],
)
def test_newcombes_interval_is_that_of_his_table_ii(spark, first, second, interval):
    """Newcombe (1998), Table II, method 10, examples a, c, d, f and h."""
    frame = spark.createDataFrame([(*first, *second)], "x bigint, n bigint, y bigint, m bigint")
    (low, high), (other_low, other_high) = wilson_interval("x", "n"), wilson_interval("y", "m")
    shares = frame.select(
        (F.col("x") / F.col("n")).alias("p"), low.alias("l"), high.alias("u"),
        (F.col("y") / F.col("m")).alias("q"), other_low.alias("k"), other_high.alias("v"),
    )  # fmt: skip

    found = shares.select(*newcombe_interval("p", "l", "u", "q", "k", "v")).first()

    assert tuple(found) == pytest.approx(interval, abs=6e-5)


def test_the_sample_variance_comes_from_sums(spark):
    sums = spark.createDataFrame([(4, 16, 84), (1, 5, 25), (0, None, None)], "n bigint, s bigint, q bigint")

    found = sums.select(variance("n", "s", "q").alias("v")).collect()

    assert [row.v for row in found] == [pytest.approx(20 / 3), None, None]


def power(spark, *values):
    frame = spark.createDataFrame([values], "p double, n bigint, q double, m bigint")
    return frame.transform(power_of_two_shares("p", "n", "q", "m")).first().power


def test_the_power_is_that_of_the_formula_over_the_true_normal_distribution(spark):
    p, n, q, m = 0.0125, 21307, 0.0057, 2000
    pooled = (p * n + q * m) / (n + m)
    under_null = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    under_shares = math.sqrt(p * (1 - p) / n + q * (1 - q) / m)
    threshold = stats.norm.ppf(0.975) * under_null
    by_hand = stats.norm.sf((threshold - (p - q)) / under_shares) + stats.norm.cdf(
        (-threshold - (p - q)) / under_shares
    )

    assert power(spark, p, n, q, m) == pytest.approx(by_hand, abs=2e-7)


def test_without_a_difference_the_power_is_the_level_of_the_test(spark):
    assert power(spark, 0.3, 500, 0.3, 100) == pytest.approx(0.05, abs=1e-6)


def test_where_nothing_varies_or_a_group_is_empty_there_is_no_power(spark):
    assert (power(spark, 0.0, 10, 0.0, 10), power(spark, 0.1, 10, 0.2, 0)) == (None, None)


def test_the_detectable_difference_is_shown_in_four_tests_of_five(spark):
    frame = spark.createDataFrame([(0.5, 100_000, 100_000)], "p double, n bigint, m bigint")
    difference = frame.select(detectable_difference("p", "n", "m").alias("d")).first().d

    assert difference == pytest.approx(2.801585 * math.sqrt(0.25 * 2 / 100_000), abs=1e-8)
    assert power(spark, 0.5 + difference, 100_000, 0.5, 100_000) == pytest.approx(0.8, abs=1e-3)
