from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F
from scipy.integrate import dblquad, quad
from scipy.special import beta as beta_function
from scipy.stats import beta, gamma

from customerlake.errors import ModelError
from customerlake.models.lifetime.bg_nbd import (
    Histories,
    alive_probability,
    counted_histories,
    expected_cumulative_purchases,
    expected_purchases,
    fit_bg_nbd,
    log_likelihood,
    p_alive,
    p_alive_matrix,
    purchases_if_alive,
)
from customerlake.models.lifetime.likelihood import Estimates

CDNOW = Path(__file__).parents[1] / "data" / "cdnow_sample.csv"
HISTORY = "customer_id string, frequency int, recency int, T int"
WEEK = 7.0


@pytest.fixture(scope="module")
def cdnow(spark):
    return spark.createDataFrame(pd.read_csv(CDNOW))


@pytest.fixture(scope="module")
def cdnow_estimates(cdnow):
    return fit_bg_nbd(counted_histories(cdnow))


def estimates(r, alpha, a, b, deviation=0.1):
    return Estimates(
        names=("r", "alpha", "a", "b"),
        values=(r, alpha, a, b),
        bounds=(0.0,) * 4,
        covariance=tuple(tuple(deviation**2 if i == j else 0.0 for j in range(4)) for i in range(4)),
        log_likelihood=0.0,
        customers=1,
        rounded_to=0.0,
        is_weak=False,
    )


def histories(*rows):
    x, last, age, customers = np.array(rows, dtype=float).T
    return Histories(x, last, age, customers, rounded_to_days=1)


def likelihood_of_the_story(r, alpha, a, b, x, last, age):
    """A rate and a chance to stop are drawn; then x purchases by `last`, and silence since, alive or not."""

    def of(p, rate):
        alive = (1 - p) ** x * np.exp(-rate * age)
        stopped = p * (1 - p) ** (x - 1) * np.exp(-rate * last) if x > 0 else 0.0
        return rate**x * (alive + stopped) * gamma.pdf(rate, r, scale=1 / alpha) * beta.pdf(p, a, b)

    return dblquad(of, 0, 60 / alpha, 0, 1, epsabs=0, epsrel=1e-5)[0]


def expectation_of_the_story(r, alpha, a, b, x, age, days):
    """Of a customer alive: the rate is gamma (r + x, alpha + T), the chance to stop beta (a, b + x); given both,
    (1 - exp(-rate p t)) / p purchases are expected, and the mean over the rate has a closed form."""

    later = b + x - 1
    end = min(1.0, 80 / (b + x))  # the density beyond it is none

    def of(p):  # the density's p^(a - 1), and (1 - p)^later where it matters, are weights of the quadrature
        fewer = -np.expm1(-(r + x) * np.log1p(p * days / (alpha + age)))
        left = fewer / p if p > 1e-12 else (r + x) * days / (alpha + age)
        return left if end == 1 else left * (1 - p) ** later

    weight = (a - 1, later if end == 1 else 0)
    return quad(of, 0, end, weight="alg", wvar=weight, epsabs=0, epsrel=1e-9, limit=200)[0] / beta_function(a, b + x)


def test_the_published_estimates_for_cdnow_are_found(cdnow_estimates):
    """Fader, Hardie & Lee (2005), table 2; theirs are in weeks."""
    r, alpha, a, b = cdnow_estimates.values
    assert (round(r, 3), round(alpha / WEEK, 3), round(a, 3), round(b, 3)) == (0.243, 4.414, 0.793, 2.426)
    assert cdnow_estimates.log_likelihood + 2457 * np.log(WEEK) == pytest.approx(-9582.4, abs=0.05)
    assert (cdnow_estimates.customers, cdnow_estimates.is_weak, cdnow_estimates.warning) == (2357, False, None)


def test_the_standard_errors_are_those_of_an_independent_library(cdnow_estimates):
    """Lifetimes 0.11.3, BetaGeoFitter on the same days."""
    expected = {"r": 0.012557, "alpha": 2.647569, "a": 0.185734, "b": 0.705414}
    assert cdnow_estimates.standard_errors() == pytest.approx(expected, rel=1e-3)


def test_the_published_customer_is_expected_to_buy_as_often_as_published(cdnow_estimates):
    """Fader, Hardie & Lee, "Implementing the BG/NBD model in Excel": x = 2, t_x = 30.43, T = 38.86, t = 39 weeks."""
    x, last, age = np.array([2.0]), np.array([30.43 * WEEK]), np.array([38.86 * WEEK])
    alive = alive_probability(cdnow_estimates.theta, x, last, age)
    ahead = alive * purchases_if_alive(cdnow_estimates.theta, x, age, 39 * WEEK)
    assert ahead[0] == pytest.approx(1.226, abs=5e-4)


@pytest.mark.parametrize(("x", "last", "age"), [(0, 0, 40), (1, 3, 40), (4, 35, 40), (12, 39, 40), (0, 0, 0)])
@pytest.mark.parametrize("theta", [(0.8, 20.0, 1.3, 2.5), (2.5, 45.0, 1.0, 1.5)])
def test_the_likelihood_is_that_of_the_story_integrated_numerically(theta, x, last, age):
    expected = np.log(likelihood_of_the_story(*theta, x, last, age))
    assert log_likelihood(np.array(theta), histories((x, last, age, 1)))[0] == pytest.approx(expected, abs=1e-4)


def test_the_gradient_is_that_of_differences_of_the_likelihood():
    counted = histories((0, 0, 50, 4), (1, 10, 80, 2), (5, 60, 61, 3), (40, 300, 400, 1))
    theta = np.array([0.7, 30.0, 0.6, 2.0])
    differences = [
        (log_likelihood(theta + step, counted)[0] - log_likelihood(theta - step, counted)[0]) / 2e-5
        for step in 1e-5 * np.eye(4)
    ]
    assert log_likelihood(theta, counted)[1] == pytest.approx(differences, rel=1e-6)


@pytest.mark.parametrize(
    "theta",
    [
        (0.243, 30.9, 0.793, 2.426),
        (1.5, 20.0, 2.2, 3.0),
        (0.6, 60.0, 0.05, 0.4),  # a + b < 1
        (0.6, 60.0, 0.5, 0.5),  # a + b = 1, where the formula divides by zero without a repeat purchase
        (0.6, 60.0, 1.0, 0.7),  # a = 1, where it does for everyone
        (3.0, 60.0, 1.00001, 40.0),
    ],
)
@pytest.mark.parametrize(("x", "age"), [(0, 0), (0, 300), (1, 30), (7, 272), (60, 700), (2500, 3000)])
@pytest.mark.parametrize("days", [1, 90, 365])
def test_the_expectation_is_that_of_the_story_integrated_numerically(theta, x, age, days):
    found = purchases_if_alive(np.array(theta), np.array([float(x)]), np.array([float(age)]), float(days))
    assert found[0] == pytest.approx(expectation_of_the_story(*theta, x, age, days), rel=1e-4)


@pytest.mark.parametrize(("x", "age"), [(0, 0), (5, 300), (60, 400), (2500, 3000)])
@pytest.mark.parametrize("days", [1, 90, 365, 3650])
def test_where_all_stop_alike_the_expectation_is_that_of_one_chance_to_stop(x, age, days):
    """With a chance p for everyone it is (1 - ((alpha + T) / (alpha + T + p t))^(r + x)) / p; here p is near 1/4."""
    p = 3e5 / (3e5 + 9e5 + x)
    found = purchases_if_alive(np.array([0.7, 30.0, 3e5, 9e5]), np.array([float(x)]), np.array([float(age)]), days)
    expected = (1 - ((30 + age) / (30 + age + p * days)) ** (0.7 + x)) / p
    assert found[0] == pytest.approx(expected, rel=1e-4)


def test_known_parameters_are_recovered_from_simulated_customers():
    random = np.random.default_rng(7)
    number = 20_000
    rate, chance = random.gamma(0.6, 1 / 90, number), random.beta(0.7, 2.5, number)
    age = random.integers(50, 1000, number).astype(float)
    x, last, now, buys = np.zeros(number), np.zeros(number), np.zeros(number), np.full(number, True)
    while buys.any():
        now = np.where(buys, now + random.exponential(1 / np.maximum(rate, 1e-9)), now)
        buys &= now <= age
        x, last = np.where(buys, x + 1, x), np.where(buys, now, last)
        buys &= random.random(number) > chance

    found = fit_bg_nbd(Histories(x, last, age, np.ones(number), rounded_to_days=1))

    for name, truth in {"r": 0.6, "alpha": 90.0, "a": 0.7, "b": 2.5}.items():
        low, high = found.intervals()[name]
        assert low < truth < high, name
    assert found.intervals()["alpha"] == pytest.approx((86.0, 94.0), abs=4.0)


def test_customers_of_one_history_are_counted_together(spark):
    rows = [("a", 2, 10, 30), ("b", 2, 10, 30), ("c", 0, 0, 30)]

    counted = counted_histories(spark.createDataFrame(rows, HISTORY))

    assert counted.frequency.tolist() == [0, 2]
    assert counted.recency.tolist() == [0, 10]
    assert counted.customers.tolist() == [1, 2]
    assert counted.rounded_to_days == 1


def test_too_many_histories_are_rounded_to_the_nearest_weeks(spark):
    rows = [("a", 2, 10, 31), ("b", 2, 11, 32), ("c", 2, 9, 30), ("d", 1, 3, 4)]

    counted = counted_histories(spark.createDataFrame(rows, HISTORY), most=3)

    found = list(zip(counted.frequency, counted.recency, counted.T, counted.customers, strict=True))
    assert found == [(1, 0, 7, 1), (2, 7, 28, 2), (2, 14, 35, 1)]
    assert counted.rounded_to_days == 7


def test_weeks_hardly_move_the_estimates_beside_their_standard_errors(cdnow, cdnow_estimates):
    by_weeks = fit_bg_nbd(counted_histories(cdnow, most=700))

    assert by_weeks.rounded_to == 7
    for name, error in cdnow_estimates.standard_errors().items():
        moved = by_weeks.values[by_weeks.names.index(name)] - cdnow_estimates.values[by_weeks.names.index(name)]
        assert abs(moved) < 0.1 * error, name


def test_histories_that_are_too_many_in_any_unit_are_refused(spark):
    rows = [("a", 2, 10, 30), ("b", 2, 100, 200), ("c", 0, 0, 90)]
    with pytest.raises(ModelError, match="more than 2 distinct histories even in units of 28 days"):
        counted_histories(spark.createDataFrame(rows, HISTORY), most=2)


def test_the_order_of_the_customers_does_not_show(cdnow, cdnow_estimates):
    shuffled = cdnow.orderBy(F.xxhash64("customer_id"))
    assert fit_bg_nbd(counted_histories(shuffled)) == cdnow_estimates


@pytest.mark.parametrize(
    ("history", "problem"),
    [
        ((2, 40, 30), "recency is above T"),
        ((-1, 0, 30), "frequency is negative"),
        ((1, 5, None), "T is missing"),
        ((0, 5, 30), "one of frequency and recency is 0 alone"),
        ((3, 0, 30), "one of frequency and recency is 0 alone"),
    ],
)
def test_a_history_that_cannot_be_is_refused_with_its_reason_and_number(spark, history, problem):
    rows = [("a", 1, 5, 30), ("b", *history), ("c", *history)]
    with pytest.raises(ModelError, match=rf"{problem} \(2 customers\)\. Build gold\.rfm again"):
        counted_histories(spark.createDataFrame(rows, HISTORY))


def test_without_a_customer_nothing_is_learnt(spark):
    with pytest.raises(ModelError, match="there is no customer to learn from"):
        counted_histories(spark.createDataFrame([], HISTORY))


def test_where_nobody_repeats_nothing_is_learnt(spark):
    rows = [("a", 0, 0, 30), ("b", 0, 0, 40)]
    with pytest.raises(ModelError, match="none of 2 customers has bought on a second day"):
        counted_histories(spark.createDataFrame(rows, HISTORY))


def test_where_nobody_stops_the_estimates_say_that_they_are_weak():
    random = np.random.default_rng(3)
    rate, age = random.gamma(2.0, 1 / 20, 3000), np.full(3000, 200.0)
    x = random.poisson(rate * age).astype(float)
    last = np.where(x > 0, age * random.random(3000) ** (1 / np.maximum(x, 1)), 0.0)

    found = fit_bg_nbd(Histories(x, last, age, np.ones(3000), rounded_to_days=1))

    r, alpha, a, b = found.values
    assert (r, alpha) == pytest.approx((2.0, 20.0), rel=0.1)
    assert a / (a + b) < 0.001
    assert found.is_weak
    assert "hardly anyone is seen to stop" in found.warning
    assert np.isfinite(found.draws(200, seed=1)).all()


def test_the_columns_of_scores_are_the_formulas_of_the_row(spark, cdnow, cdnow_estimates):
    """P(alive) and expectation in 90 days as Lifetimes 0.11.3 has them."""
    scored = cdnow.where("customer_id in (1, 2, 3, 6)").select(
        "customer_id", p_alive(cdnow_estimates).alias("alive"), expected_purchases(cdnow_estimates, 90).alias("ahead")
    )
    found = {row["customer_id"]: (row["alive"], row["ahead"]) for row in scored.collect()}
    assert found[1] == pytest.approx((0.726620, 0.452483), abs=2e-6)
    assert found[2] == pytest.approx((0.212391, 0.073983), abs=2e-6)
    assert found[3] == pytest.approx((1.0, 0.069079), abs=2e-6)
    assert found[6] == pytest.approx((0.641835, 1.266384), abs=2e-6)


def test_extreme_customers_have_a_finite_score(spark):
    rows = [("often", 5000, 5000, 5000), ("long gone", 3000, 3000, 9000), ("new", 0, 0, 0), ("one day", 1, 1, 1)]
    scored = spark.createDataFrame(rows, HISTORY).select(
        "customer_id", p_alive(estimates(0.6, 60.0, 0.05, 0.4)).alias("alive"),
        expected_purchases(estimates(0.6, 60.0, 0.05, 0.4), 365).alias("ahead"),
    )  # fmt: skip
    found = {row["customer_id"]: row for row in scored.collect()}
    assert found["often"]["alive"] == pytest.approx(1.0, abs=1e-4)
    assert found["often"]["ahead"] == pytest.approx(359, abs=2)
    assert found["long gone"]["alive"] == pytest.approx(0.0, abs=1e-9)
    assert found["long gone"]["ahead"] == pytest.approx(0.0, abs=1e-6)
    assert found["new"]["alive"] == 1.0


@given(
    r=st.floats(0.05, 5), alpha=st.floats(1, 300), a=st.floats(0.02, 5), b=st.floats(0.02, 20),
    x=st.integers(1, 200), age=st.integers(2, 2000), silent=st.floats(0, 0.95),
)  # fmt: skip
def test_who_bought_later_is_likelier_alive_and_expectations_grow_with_time(r, alpha, a, b, x, age, silent):
    theta, one, T = np.array([r, alpha, a, b]), np.array([float(x)]), np.array([float(age)])
    earlier, later = (alive_probability(theta, one, T * share, T)[0] for share in (1 - silent, 1.0))
    assert 0 <= earlier <= later <= 1
    ahead = [purchases_if_alive(theta, one, T, days)[0] for days in (0.0, 1.0, 30.0, 365.0)]
    assert ahead[0] == pytest.approx(0, abs=1e-9)
    assert ahead == sorted(ahead)
    assert ahead[-1] <= (r + x) * 365 / (alpha + age) * (1 + 1e-6)  # as if nobody ever stopped


def test_a_cohort_is_expected_to_have_bought_what_its_customers_are_by_age():
    found = expected_cumulative_purchases(
        estimates(0.8, 20.0, 1.3, 2.5), pd.Series([10, 5], index=[30, 100]), np.array([-50, 0, 70])
    )
    by_age = {age: expectation_of_the_story(0.8, 20.0, 1.3, 2.5, 0, 0, age) for age in (30, 50, 100, 170)}
    expected = [5 * by_age[50], 10 * by_age[30] + 5 * by_age[100], 10 * by_age[100] + 5 * by_age[170]]
    assert found == pytest.approx(expected, rel=1e-6)


def test_the_matrix_holds_frequencies_that_the_days_can_hold():
    matrix = p_alive_matrix(estimates(0.243, 30.9, 0.793, 2.426), age_days=272, most_purchases=3, steps=272)

    assert matrix[matrix["frequency"] == 0][["recency", "p_alive"]].to_numpy().tolist() == [[0.0, 1.0]]
    assert matrix[matrix["frequency"] == 3]["recency"].agg(["min", "max"]).tolist() == [3, 272]
    cell = matrix[(matrix["frequency"] == 2) & (matrix["recency"] == 213)]
    assert cell["p_alive"].item() == pytest.approx(0.7266, abs=1e-3)


def test_intervals_are_symmetric_in_logs_and_draws_have_the_covariance():
    found = estimates(0.5, 60.0, 0.8, 2.0, deviation=0.2)

    assert found.intervals()["alpha"] == pytest.approx((60 / 1.4799, 60 * 1.4799), rel=1e-4)  # exp(1.96 x 0.2)
    assert found.standard_errors()["alpha"] == pytest.approx(12.0)
    logs = np.log(found.draws(20_000, seed=5)[:, :, 0])
    assert logs.mean(axis=1) == pytest.approx(np.log(found.values), abs=0.006)
    assert np.cov(logs) == pytest.approx(0.04 * np.eye(4), abs=0.0015)
    assert (found.draws(20, seed=5) == found.draws(20, seed=5)).all()
