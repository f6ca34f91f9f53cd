from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from pyspark.sql import functions as F

from customerlake.errors import ModelError
from customerlake.gold.rfm import RFM
from customerlake.models.bg_nbd import p_alive_matrix
from customerlake.models.figures import save
from customerlake.models.lifetime_figures import p_alive_figure, tracking_figure
from customerlake.models.lifetime_value import (
    LIFETIME_VALUE,
    Drawn,
    LifetimeFormula,
    LifetimeValue,
    LifetimeValueConfig,
    lifetime_value_scores,
    observed_after,
    weekly_tracking,
)
from customerlake.models.likelihood import Estimates

CDNOW = Path(__file__).parents[1] / "data" / "cdnow_sample.csv"
AS_OF = date(1997, 9, 30)
HOLDOUT_DAYS = 273
RFM_ROWS = "customer_id string, as_of date, frequency int, recency int, T int, monetary_value decimal(18,2)"
ORDERS = "customer_id string, ordered_on date, amount decimal(18,4), is_return boolean"
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


def formula(deviation=0.05, theta=(0.243, 30.9, 0.793, 2.426), of_values=(6.25, 3.74, 15.44)):
    def known(names, values, bounds):
        size = range(len(names))
        covariance = tuple(tuple(deviation**2 if i == j else 0.0 for j in size) for i in size)
        return Estimates(
            names=names, values=values, bounds=bounds, covariance=covariance,
            log_likelihood=0.0, customers=1, rounded_to=0.0, is_weak=False,
        )  # fmt: skip

    purchases = known(("r", "alpha", "a", "b"), theta, (0.0,) * 4)
    return LifetimeFormula(purchases=purchases, values=known(("p", "q", "gamma"), of_values, (0.0, 1.0, 0.0)))


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
    scored = lifetime_value_scores(LifetimeValue(IN_MONTHS), cdnow_formula, cdnow, model_version="3")

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
    monkeypatch.setattr("customerlake.models.lifetime_value.MOST_REMEMBERED", 2)
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
        [(2.0, 10.0, 1.0, 5.0, 3, 25.0), (0.0, 10.0, 1.0, 5.0, 1, 15.0)],
        "expected_purchases double, expected_value double, baseline_purchases double, baseline_spend double, "
        "purchases_after int, spend_after double",
    )
    found = LifetimeValue(LifetimeValueConfig()).evaluate(scored)

    expected = {
        "rows": 2.0,
        "purchases_mae": 1.0, "purchases_rmse": 1.0, "purchases_ratio": 0.5,
        "spend_mae": 10.0, "spend_rmse": 125**0.5, "spend_ratio": 0.5,
        "baseline_purchases_mae": 1.0, "baseline_purchases_rmse": 2**0.5, "baseline_purchases_ratio": 0.5,
        "baseline_spend_mae": 15.0, "baseline_spend_rmse": 250**0.5, "baseline_spend_ratio": 0.25,
    }  # fmt: skip
    assert found == pytest.approx(expected)


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


def test_only_purchases_in_the_days_after_the_date_are_observed(spark):
    bought = {0: 5, 1: 10, 90: 40, 91: 80}  # days after as_of: amount
    rows = [("a", AS_OF + timedelta(days=day), Decimal(amount), False) for day, amount in bought.items()]
    next_day = AS_OF + timedelta(days=1)
    rows += [
        ("a", next_day, Decimal(20), False),
        ("a", next_day, Decimal(-9), True),
        (None, next_day, Decimal(3), False),
    ]

    observed = observed_after(spark.createDataFrame(rows, ORDERS), as_of=AS_OF, days=90).collect()

    found = [(row["customer_id"], row["purchases_after"], row["spend_after"]) for row in observed]
    assert found == [("a", 2, 70)]


@pytest.fixture
def weeks(spark):
    """Customer a came 20 days before as_of and again 13 and 7 days before and 8 days after; b, 3 days before, never."""
    days = {"a": (-20, -13, -7, 8, 30), "b": (-3,), "later": (2, 5)}
    rows = [(name, AS_OF + timedelta(days=day), Decimal(10), False) for name, at in days.items() for day in at]
    known = spark.createDataFrame([("a", AS_OF, 2, 13, 20, Decimal(10)), ("b", AS_OF, 0, 0, 3, Decimal(0))], RFM_ROWS)
    orders = spark.createDataFrame(rows, ORDERS)
    return weekly_tracking(formula().purchases, known, orders, as_of=AS_OF, until=AS_OF + timedelta(days=15))


def test_weeks_count_the_repeat_purchases_of_the_customers_known_at_the_date(weeks):
    assert weeks["week_ends_on"].tolist() == [AS_OF + timedelta(days=days) for days in (-7, 0, 7, 14)]
    assert weeks["observed"].tolist() == [2, 0, 0, 1]
    assert weeks["is_holdout"].tolist() == [False, False, True, True]


def test_weeks_are_expected_to_hold_what_customers_of_that_age_buy(weeks):
    """E(20 - 7) - E(20 - 14) and so on: E(t) by numerical integration over the chance to stop, outside this code."""
    assert weeks["expected"].tolist() == pytest.approx([0.050534, 0.071077, 0.097350, 0.092418], abs=2e-6)


def test_the_figures_are_drawn_into_pngs(tmp_path, weeks):
    matrix = p_alive_matrix(formula().purchases, age_days=272, most_purchases=10)

    tracked = save(tracking_figure("Repeat purchases", weeks), tmp_path / "tracking.png")
    alive = save(p_alive_figure("Who still buys", matrix, age_days=272), tmp_path / "alive.png")

    for path, wide in ((tracked, 1500), (alive, 800)):
        with Image.open(path) as picture:
            assert picture.width >= wide
            assert len(picture.convert("RGB").getcolors(maxcolors=1_000_000)) > 50


def test_the_tracking_figure_sums_up_the_weeks_on_its_right(weeks):
    specification = tracking_figure("Repeat purchases", weeks).to_dict()

    left, right = (specification["datasets"][panel["layer"][0]["data"]["name"]] for panel in specification["hconcat"])
    observed = [[point["purchases"] for point in side if point["series"] == "observed"] for side in (left, right)]
    assert observed == [[2, 0, 0, 1], [2, 2, 2, 3]]


def test_every_real_customer_has_a_finite_value(real_lake):
    rfm = real_lake.lake.read(RFM)
    model = LifetimeValue(LifetimeValueConfig(draws=50))
    learnt = model.fit(rfm)

    rows = lifetime_value_scores(model, learnt, rfm, model_version="1").toPandas()

    assert len(rows) == 4338
    assert not rows.isna().any().any()
    assert learnt.purchases.values[0] / learnt.purchases.values[1] * 365 == pytest.approx(4.4, abs=0.5)
    total = model.total(rfm, learnt)
    assert float(rows["lifetime_value"].sum()) == pytest.approx(total.lifetime_value, rel=1e-5)
