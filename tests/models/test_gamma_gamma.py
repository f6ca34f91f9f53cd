from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F
from scipy.integrate import quad
from scipy.stats import gamma

from customerlake.errors import ModelError
from customerlake.models.lifetime.gamma_gamma import (
    MeanSpends,
    counted_values,
    expected_value,
    expected_values,
    fit_gamma_gamma,
    independence,
    log_likelihood,
)
from customerlake.models.lifetime.likelihood import Estimates

CDNOW = Path(__file__).parents[1] / "data" / "cdnow_sample.csv"
VALUE = "customer_id string, frequency int, monetary_value decimal(18,2)"


@pytest.fixture(scope="module")
def cdnow(spark):
    frame = spark.createDataFrame(pd.read_csv(CDNOW))
    return frame.withColumn("monetary_value", F.col("monetary_value").cast("decimal(18,2)"))


@pytest.fixture(scope="module")
def cdnow_estimates(cdnow):
    return fit_gamma_gamma(counted_values(cdnow))


def frame(spark, *rows):
    columns = "customer_id string, frequency int, value string"
    made = spark.createDataFrame([(f"c{i}", *row) for i, row in enumerate(rows)], columns)
    return made.select("customer_id", "frequency", F.col("value").cast("decimal(18,2)").alias("monetary_value"))


def spends(*rows):
    x, mean, customers = np.array(rows, dtype=float).T
    return MeanSpends(x, mean, customers, rounded_to_share=0.0)


def over_the_story(p, q, g, x, mean, of):
    """The integral over nu, gamma (q, g), of a function times the density of the mean of x spends of gamma (p, nu)."""

    def density(nu):
        return gamma.pdf(mean, p * x, scale=1 / (nu * x)) * gamma.pdf(nu, q, scale=1 / g)

    return quad(lambda nu: of(nu) * density(nu), 0, np.inf, epsabs=0, epsrel=1e-10, limit=400)[0]


def test_the_published_estimates_for_cdnow_are_found(cdnow_estimates):
    """Fader & Hardie (2013), "The Gamma-Gamma model of monetary value", section 4."""
    assert [round(value, 2) for value in cdnow_estimates.values] == [6.25, 3.74, 15.44]
    assert cdnow_estimates.customers == 946
    assert not cdnow_estimates.is_weak


def test_the_standard_errors_are_those_of_an_independent_library(cdnow_estimates):
    """Lifetimes 0.11.3, GammaGammaFitter on the same values."""
    expected = {"p": 1.190057, "q": 0.290135, "gamma": 4.159468}
    assert cdnow_estimates.standard_errors() == pytest.approx(expected, rel=1e-3)


def test_customers_are_expected_to_spend_as_published(cdnow, cdnow_estimates):
    """The same note: 24.65 for the first customer, 18.91 for the second, and the mean of all without a repeat."""
    scored = cdnow.where("customer_id in (1, 2, 3, 6)").select(
        "customer_id", expected_value(cdnow_estimates).alias("value")
    )
    found = {row["customer_id"]: row["value"] for row in scored.collect()}
    assert found == pytest.approx({1: 24.65, 2: 18.91, 3: 35.17, 6: 71.46}, abs=0.01)


@pytest.mark.parametrize(("x", "mean"), [(1, 12.0), (3, 40.0), (20, 25.5)])
@pytest.mark.parametrize("theta", [(6.25, 3.74, 15.44), (0.8, 1.6, 30.0)])
def test_likelihood_and_expectation_are_those_of_the_story_integrated_numerically(theta, x, mean):
    p, _, _ = theta
    density = over_the_story(*theta, x, mean, lambda nu: 1.0)
    assert log_likelihood(np.array(theta), spends((x, mean, 1)))[0] == pytest.approx(np.log(density), rel=1e-6)
    expected = over_the_story(*theta, x, mean, lambda nu: p / nu) / density
    assert expected_values(np.array(theta), np.array([x]), np.array([mean]))[0] == pytest.approx(expected, rel=1e-6)


def test_the_gradient_is_that_of_differences_of_the_likelihood():
    counted, theta = spends((1, 12.5, 4), (3, 80.0, 2), (40, 22.0, 1)), np.array([2.0, 3.0, 20.0])
    differences = [
        (log_likelihood(theta + step, counted)[0] - log_likelihood(theta - step, counted)[0]) / 2e-5
        for step in 1e-5 * np.eye(3)
    ]
    assert log_likelihood(theta, counted)[1] == pytest.approx(differences, rel=1e-6)


def test_known_parameters_are_recovered_from_simulated_customers():
    random = np.random.default_rng(11)
    x = 1 + random.poisson(3, 30_000).astype(float)
    mean = random.gamma(6.0 * x) / (random.gamma(4.0, 1 / 16.0, 30_000) * x)

    found = fit_gamma_gamma(MeanSpends(x, mean, np.ones(30_000), rounded_to_share=0.0))

    for name, truth in {"p": 6.0, "q": 4.0, "gamma": 16.0}.items():
        low, high = found.intervals()[name]
        assert low < truth < high, name
        assert high / low < 1.35, name


def test_customers_without_a_repeat_purchase_are_left_out_and_equal_ones_counted_together(spark):
    counted = counted_values(frame(spark, (0, "0"), (2, "10.50"), (2, "10.50"), (1, "3.00")))

    assert counted.frequency.tolist() == [1, 2]
    assert counted.monetary_value.tolist() == [3.0, 10.5]
    assert counted.customers.tolist() == [1, 2]
    assert counted.rounded_to_share == 0


def test_too_many_values_are_rounded_to_steps_of_a_share_of_themselves(spark):
    rows = [(1, f"{value / 100:.2f}") for value in range(10_000, 10_100)]  # 100 cents from 100.00 on

    counted = counted_values(frame(spark, *rows), most=5)

    assert counted.rounded_to_share == 0.005
    assert counted.customers.sum() == 100
    assert len(counted.customers) <= 4
    assert (np.abs(counted.monetary_value / 100.5 - 1) < 0.0076).all()


def test_rounding_hardly_moves_the_estimates_beside_their_standard_errors(cdnow, cdnow_estimates):
    rounded = fit_gamma_gamma(counted_values(cdnow, most=700))

    assert rounded.rounded_to == 0.005
    moved = np.array(rounded.values) - np.array(cdnow_estimates.values)
    assert (np.abs(moved) < 0.01 * np.array(list(cdnow_estimates.standard_errors().values()))).all()


def test_values_that_are_too_many_in_any_step_are_refused(spark):
    with pytest.raises(
        ModelError, match="more than 1 distinct pairs of frequency and monetary_value even in steps of 5%"
    ):
        counted_values(frame(spark, (1, "10"), (1, "1000")), most=1)


@pytest.mark.parametrize(
    ("value", "problem"), [("0", "is not above zero"), ("-5", "is not above zero"), (None, "is missing")]
)
def test_a_value_that_cannot_be_is_refused_with_its_reason_and_number(spark, value, problem):
    with pytest.raises(ModelError, match=rf"monetary_value of customers who have repeated {problem} \(1 customers\)"):
        counted_values(frame(spark, (1, "10"), (2, value)))


def test_where_nobody_repeats_nothing_is_learnt(spark):
    with pytest.raises(ModelError, match="no customer has bought on a second day"):
        counted_values(frame(spark, (0, "0")))


def test_frequency_and_spend_of_cdnow_are_hardly_correlated(cdnow):
    """0.11, as pandas' corr() has it over the 946 customers; the interval by hand: atanh(r) -+ 1.96 / sqrt(943)."""
    found = independence(counted_values(cdnow))
    assert found.correlation == pytest.approx(0.11388631, abs=1e-6)
    assert (found.low, found.high) == pytest.approx((0.0505, 0.1763), abs=1e-4)
    assert (found.customers, found.warning) == (946, None)


def test_a_strong_correlation_is_warned_of_with_its_direction():
    more = independence(spends((1, 10, 30), (2, 19, 30), (3, 33, 30)))
    less = independence(spends((1, 30, 30), (2, 21, 30), (3, 9, 30)))
    assert "Customers who buy often spend more each time: the correlation" in more.warning
    assert "Customers who buy often spend less each time: the correlation" in less.warning


@pytest.mark.parametrize("values", [spends((1, 10, 2), (2, 19, 1)), spends((2, 10, 50), (2, 30, 50))])
def test_nothing_is_known_of_the_correlation_of_few_customers_or_of_one_frequency(values):
    found = independence(values)
    assert (found.correlation, found.low, found.high, found.warning) == (0.0, -1.0, 1.0, None)


@given(
    p=st.floats(0.1, 20), q=st.floats(1.05, 20), g=st.floats(0.5, 500), x=st.integers(1, 300), mean=st.floats(0.01, 1e5)
)
def test_the_expected_value_lies_between_the_customers_own_mean_and_that_of_all(p, q, g, x, mean):
    of_all = p * g / (q - 1)
    found = expected_values(np.array([p, q, g]), np.array([float(x)]), np.array([mean]))[0]
    assert min(mean, of_all) * (1 - 1e-9) <= found <= max(mean, of_all) * (1 + 1e-9)


def test_q_stays_above_one_in_intervals_and_draws():
    found = Estimates(
        names=("p", "q", "gamma"),
        values=(2.0, 1.2, 10.0),
        bounds=(0.0, 1.0, 0.0),
        covariance=((0.01, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.01)),
        log_likelihood=0.0,
        customers=1,
        rounded_to=0.0,
        is_weak=False,
    )
    assert found.intervals()["q"] == pytest.approx((1 + 0.2 / 7.0993, 1 + 0.2 * 7.0993), rel=1e-4)  # exp(1.96)
    assert found.draws(1000, seed=2)[1].min() > 1
