from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pyspark.sql import functions as F

from customerlake.errors import ModelError
from customerlake.gold.rfm import RFM
from customerlake.models.lifetime.numbers import Drawn, LifetimeFormula
from customerlake.models.lifetime_value import (
    LIFETIME_VALUE,
    LifetimeValue,
    lifetime_value_scores,
    value_distribution,
)
from customerlake.runtime.config import LifetimeValueConfig
from tests.models.lifetime import AS_OF, CDNOW, RFM_ROWS, formula

HOLDOUT_DAYS = 273
IN_MONTHS = LifetimeValueConfig(horizon_days=360, period_days=30, discount_rate=1.01 ** (365 / 30) - 1)


@pytest.fixture(scope="module")
def cdnow(spark):
    """Rows as of gold.rfm of the public sample, with what came in the 273 days after."""
    frame = spark.createDataFrame(pd.read_csv(CDNOW).astype({"customer_id": str}))
    money = {name: F.col(name).cast("decimal(18,2)") for name in ("monetary_value", "spend_after")}
    return frame.withColumns({"as_of": F.lit(AS_OF)} | money).cache()


@pytest.fixture(scope="module")
def cdnow_formula(cdnow):
    return LifetimeValue(IN_MONTHS).fit(cdnow)


def scores(model, with_formula, rows):
    columns = [row.asDict() for row in model.score(rows, with_formula).collect()]
    return {row["customer_id"]: row for row in columns}


def test_values_are_those_of_an_independent_library(cdnow, cdnow_formula):
    """Lifetimes 0.11.3, customer_lifetime_value over 12 times 30 days at 1 % for each."""
    found = scores(LifetimeValue(IN_MONTHS), cdnow_formula, cdnow)

    expected = {"1": 35.860592, "2": 4.587468, "3": 8.243981, "6": 280.512775}
    assert {name: found[name]["lifetime_value"] for name in expected} == pytest.approx(expected, rel=1e-4)
    assert sum(row["lifetime_value"] for row in found.values()) == pytest.approx(70726.42, rel=1e-4)


def test_every_customer_is_scored_once_in_the_declared_columns(cdnow, cdnow_formula):
    scored = lifetime_value_scores(cdnow_formula, cdnow, IN_MONTHS, model_version="3")

    assert scored.schema.simpleString() == LIFETIME_VALUE.schema.simpleString()
    rows = scored.toPandas()
    assert rows["customer_id"].is_unique
    assert len(rows) == 2357
    assert not rows.isna().any().any()
    assert (rows["lifetime_value_low"] <= rows["lifetime_value"]).all()
    assert (rows["lifetime_value"] <= rows["lifetime_value_high"]).all()
    assert rows["p_alive"].between(0, 1).all()
    assert set(rows["horizon_days"]) == {360}
    assert set(rows["_model_version"]) == {"3"}


def test_the_total_is_the_sum_over_customers_and_surer_than_their_intervals(cdnow, cdnow_formula):
    model = LifetimeValue(IN_MONTHS)
    total = model.total(cdnow, cdnow_formula)
    found = scores(model, cdnow_formula, cdnow).values()

    assert total.customers == 2357
    assert total.lifetime_value == pytest.approx(sum(row["lifetime_value"] for row in found), rel=1e-9)
    assert sum(row["lifetime_value_low"] for row in found) < total.low < total.lifetime_value
    assert total.lifetime_value < total.high < sum(row["lifetime_value_high"] for row in found)


def test_intervals_are_those_of_the_delta_method_where_parameters_are_well_known():
    """By slopes of the log value by each log parameter; their squares add up, as nothing is correlated."""
    rows = pd.DataFrame({"frequency": [0.0, 2, 7], "recency": [0.0, 213, 206], "T": [272.0] * 3,
                         "monetary_value": [0.0, 22.35, 73.74]})  # fmt: skip
    config = LifetimeValueConfig(horizon_days=360, draws=4000)

    def value(theta, of_values):
        return np.log(Drawn.at_estimate(formula(theta=theta, of_values=of_values), config).values(rows)[0])

    theta, of_values, step = np.array([0.243, 30.9, 0.793, 2.426]), np.array([6.25, 3.74, 15.44]), 1e-4
    squares = 0.0
    for i in range(4):
        moved = np.exp(step * np.eye(4)[i])
        squares = squares + ((value(theta * moved, of_values) - value(theta / moved, of_values)) / (2 * step)) ** 2
    bound = np.array([0.0, 1.0, 0.0])
    for i in range(3):
        moved = np.exp(step * np.eye(3)[i])
        up, down = bound + (of_values - bound) * moved, bound + (of_values - bound) / moved
        squares = squares + ((value(theta, up) - value(theta, down)) / (2 * step)) ** 2
    half = 1.96 * 0.02 * np.sqrt(squares)

    drawn = np.log(Drawn.by(formula(deviation=0.02), config).values(rows))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    assert (high - low) / 2 == pytest.approx(half, rel=0.05)


def test_margin_discount_and_horizon_do_what_they_say(spark):
    rows = spark.createDataFrame([("a", AS_OF, 2, 213, 272, Decimal(22))], RFM_ROWS)

    def value(**settings):
        model = LifetimeValue(LifetimeValueConfig(draws=20, **settings))
        return scores(model, formula(), rows)["a"]

    whole = value(discount_rate=0.0, horizon_days=90)
    assert whole["lifetime_value"] == pytest.approx(whole["expected_purchases"] * whole["expected_value"])
    assert whole["expected_purchases"] == pytest.approx(whole["expected_purchases_90_days"])
    margin = value(discount_rate=0.0, horizon_days=90, margin_share=0.3)
    assert margin["lifetime_value"] == pytest.approx(0.3 * whole["lifetime_value"])
    year = value(discount_rate=0.1, horizon_days=365, period_days=365)
    assert year["expected_purchases"] == pytest.approx(year["expected_purchases_365_days"])
    at_once = year["expected_purchases_365_days"] * year["expected_value"]
    assert year["lifetime_value"] == pytest.approx(at_once / 1.1)
    monthly = value(discount_rate=0.1, horizon_days=365)
    assert year["lifetime_value"] < monthly["lifetime_value"] < at_once


def test_the_same_seed_draws_the_same_intervals_and_a_row_depends_on_itself_alone(spark, cdnow, cdnow_formula):
    model = LifetimeValue(IN_MONTHS)
    whole = scores(model, cdnow_formula, cdnow)
    alone = scores(model, cdnow_formula, cdnow.where("customer_id = '6'"))["6"]

    assert alone["lifetime_value_low"] == pytest.approx(whole["6"]["lifetime_value_low"], rel=1e-12)
    assert alone["lifetime_value_high"] == pytest.approx(whole["6"]["lifetime_value_high"], rel=1e-12)


def test_what_is_remembered_of_purchases_ahead_does_not_change_them(monkeypatch):
    monkeypatch.setattr("customerlake.models.lifetime.numbers.MOST_REMEMBERED", 2)
    config = LifetimeValueConfig(draws=20)
    remembering = Drawn.by(formula(), config)
    for first in ((0, 1, 2), (2, 3, 0), (1, 1, 4)):
        rows = pd.DataFrame({"frequency": first, "recency": first, "T": 40.0, "monetary_value": 20.0}).astype(float)
        fresh = Drawn.by(formula(), config).values(rows)
        assert remembering.values(rows) == pytest.approx(fresh, rel=1e-12)


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 400), st.floats(0, 1), st.integers(1, 3000), st.floats(0.01, 1e5)),
        min_size=20, max_size=60,
    )
)  # fmt: skip
def test_no_customer_is_worth_less_than_nothing_or_out_of_their_interval(spark, rows):
    made = []
    for number, (x, share, age, value) in enumerate(rows):
        frequency = min(x, age)
        recency = max(frequency, round(share * age)) if frequency else 0
        made.append((str(number), AS_OF, frequency, recency, age, round(value, 2) if frequency else 0.0))
    columns = RFM_ROWS.replace("decimal(18,2)", "double")
    model = LifetimeValue(LifetimeValueConfig(draws=20))

    for row in scores(model, formula(), spark.createDataFrame(made, columns)).values():
        assert 0 <= row["lifetime_value_low"] <= row["lifetime_value"] <= row["lifetime_value_high"] < float("inf")
        assert 0 <= row["expected_purchases_90_days"] <= row["expected_purchases_365_days"] <= 365 * 20


def test_the_holdout_of_cdnow_is_foretold_better_than_by_past_rates(cdnow, cdnow_formula):
    model = LifetimeValue(LifetimeValueConfig(horizon_days=HOLDOUT_DAYS, draws=20))

    found = model.evaluate(model.score(cdnow, cdnow_formula))

    assert found["rows"] == 2357
    for measure in ("purchases_mae", "purchases_rmse", "spend_mae", "spend_rmse"):
        assert found[measure] < 0.8 * found[f"baseline_{measure}"], measure
    assert found["purchases_ratio"] == pytest.approx(0.88, abs=0.01)


def test_metrics_are_of_scored_rows_beside_the_past_rate(spark):
    scored = spark.createDataFrame(
        [(2.0, 20.0, 1.0, 5.0, 3, 25.0), (0.0, 0.0, 1.0, 5.0, 1, 15.0)],
        "expected_purchases double, expected_spend double, baseline_purchases double, baseline_spend double, "
        "purchases_after int, spend_after double",
    )
    found = LifetimeValue(LifetimeValueConfig()).evaluate(scored)

    expected = {
        "rows": 2.0,
        "purchases_mae": 1.0, "purchases_rmse": 1.0, "purchases_ratio": 0.5,
        "spend_mae": 10.0, "spend_rmse": 125**0.5, "spend_ratio": 0.5,
        "baseline_purchases_mae": 1.0, "baseline_purchases_rmse": 2**0.5, "baseline_purchases_ratio": 0.5,
        "baseline_spend_mae": 15.0, "baseline_spend_rmse": 250**0.5, "baseline_spend_ratio": 0.25,
        "spend_rank_correlation": 1.0, "spend_share_top_tenth": 0.125, "baseline_spend_share_top_tenth": 0.1,
    }  # fmt: skip
    assert found == pytest.approx(expected)


def test_customers_are_counted_by_value_in_tenths_of_powers_of_ten(spark):
    worth = [(5.0,), (5.5,), (500.0,), (0.0,), (None,)]

    found = value_distribution(spark.createDataFrame(worth, "lifetime_value double"))

    expected = [(0.01, 0.012589, 1, 0.0), (3.981072, 5.011872, 1, 5.0), (5.011872, 6.309573, 1, 5.5),
                (398.107171, 501.187234, 1, 500.0)]  # fmt: skip
    assert [tuple(row) for row in found.to_numpy()] == [pytest.approx(row, rel=1e-4) for row in expected]


def test_a_customer_without_a_history_is_worth_nobody_knows_what(spark):
    rows = [("a", AS_OF, None, None, None, None), ("b", AS_OF, 2, 213, 272, Decimal(22)), ("c", AS_OF, 0, 0, 9, None)]

    scored = lifetime_value_scores(
        formula(), spark.createDataFrame(rows, RFM_ROWS), LifetimeValueConfig(draws=20), model_version="1"
    )

    found = {row.customer_id: (row.p_alive, row.lifetime_value) for row in scored.collect()}
    assert found["a"] == (None, None)
    assert found["b"][1] > 0
    assert found["c"][0] == 1
    assert found["c"][1] > 0


def test_rows_of_several_dates_are_refused(spark):
    rows = [("a", AS_OF, 1, 5, 30, Decimal(10)), ("a", date(1997, 10, 1), 1, 5, 31, Decimal(10))]
    with pytest.raises(ModelError, match="of several dates"):
        LifetimeValue(LifetimeValueConfig()).fit(spark.createDataFrame(rows, RFM_ROWS))


def test_without_customers_nothing_is_learnt_valued_or_judged(spark):
    model, none = LifetimeValue(LifetimeValueConfig()), spark.createDataFrame([], RFM_ROWS)
    with pytest.raises(ModelError, match="there is no customer to learn from"):
        model.fit(none)
    with pytest.raises(ModelError, match="there is no customer to value"):
        model.total(none, formula())
    assert model.score(none, formula()).collect() == []
    after = {"purchases_after": F.lit(0), "spend_after": F.lit(0.0)}
    with pytest.raises(ModelError, match="there is no scored customer to judge by"):
        model.evaluate(model.score(none, formula()).withColumns(after))


@pytest.mark.parametrize(
    "settings",
    [
        {"margin_share": 0.0},
        {"margin_share": 1.1},
        {"horizon_days": 0},
        {"draws": 5},
        {"discount_rate": -1.0},
        {"x": 1},
    ],
)
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(ValidationError):
        LifetimeValueConfig(**settings)


def test_what_was_learnt_can_be_kept_as_text():
    assert LifetimeFormula.model_validate_json(formula().model_dump_json()) == formula()


def test_every_real_customer_has_a_finite_value(real_lake):
    rfm = real_lake.lake.read(RFM)
    model = LifetimeValue(LifetimeValueConfig(draws=50))
    learnt = model.fit(rfm)

    rows = lifetime_value_scores(learnt, rfm, model.config, model_version="1").toPandas()

    assert len(rows) == 4338
    assert not rows.isna().any().any()
    assert learnt.purchases.values[0] / learnt.purchases.values[1] * 365 == pytest.approx(4.4, abs=0.5)
    total = model.total(rfm, learnt)
    assert float(rows["lifetime_value"].sum()) == pytest.approx(total.lifetime_value, rel=1e-5)
