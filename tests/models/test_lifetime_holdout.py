from datetime import timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from customerlake.errors import ModelError
from customerlake.models.lifetime.holdout import (
    Foretold,
    accuracy,
    cells,
    conditional_expectations,
    gain,
    observed_after,
    order_measures,
    spend_differences,
    weekly_tracking,
    with_observed,
)
from tests.models.lifetime import AS_OF, ORDERS, RFM_ROWS, formula

JUDGED = "frequency int, purchases_after int, spend_after double, ours double, our_purchases double, theirs double"
OURS, THEIRS = Foretold(spend="ours", purchases="our_purchases"), Foretold(spend="theirs")


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


def test_who_has_not_bought_after_the_date_has_bought_nothing(spark):
    known = spark.createDataFrame([("a", 1), ("b", 2)], "customer_id string, frequency int")
    observed = spark.createDataFrame(
        [("b", 3, Decimal("7.5000"))], "customer_id string, purchases_after long, spend_after decimal(18,4)"
    )

    found = with_observed(known, observed).orderBy("customer_id").collect()

    assert [(row.customer_id, row.purchases_after, row.spend_after) for row in found] == [("a", 0, 0), ("b", 3, 7.5)]


def test_each_model_is_measured_by_what_it_foretells(spark):
    rows = spark.createDataFrame([(0, 1, 10.0, 13.0, 2.0, 10.0), (0, 3, 30.0, 26.0, 2.0, 10.0)], JUDGED)

    found = accuracy(rows, {"ours": OURS, "theirs": THEIRS})

    assert found["ours"] == pytest.approx(
        {
            "rows": 2.0, "spend_mae": 3.5, "spend_rmse": 12.5**0.5, "spend_ratio": 39 / 40,
            "purchases_mae": 1.0, "purchases_rmse": 1.0, "purchases_ratio": 1.0,
        }
    )  # fmt: skip
    assert found["theirs"] == pytest.approx(
        {"rows": 2.0, "spend_mae": 10.0, "spend_rmse": 200**0.5, "spend_ratio": 0.5}
    )


def test_where_nothing_was_bought_there_is_no_ratio(spark):
    rows = spark.createDataFrame([(0, 0, 0.0, 4.0, 1.0, 0.0)], JUDGED)

    assert accuracy(rows, {"ours": OURS})["ours"] == pytest.approx(
        {"rows": 1.0, "spend_mae": 4.0, "spend_rmse": 4.0, "purchases_mae": 1.0, "purchases_rmse": 1.0}
    )


def test_without_rows_nothing_is_judged(spark):
    with pytest.raises(ModelError, match="there is no scored customer to judge by"):
        accuracy(spark.createDataFrame([], JUDGED), {"ours": OURS})


def test_the_difference_of_two_errors_has_the_interval_of_a_mean_of_pairs(spark):
    """Errors 5 and 15 against 20 and 10: differences -15 and 5, mean -5, deviation 200**0.5; half 19.6."""
    rows = spark.createDataFrame([(0, 1, 10.0, 15.0, 1.0, 30.0), (0, 1, 30.0, 15.0, 1.0, 20.0)], JUDGED)

    found = spend_differences(rows, OURS, {"theirs": THEIRS})["theirs"]

    assert (found.value, found.low, found.high) == pytest.approx((-5.0, -24.59964, 14.59964), abs=1e-4)


def test_expectations_are_by_past_purchases_with_seven_and_more_together(spark):
    rows = [
        (0, 0, 0.0, 1.0, 0.5, 0.0), (0, 2, 20.0, 2.0, 1.5, 0.0), (2, 1, 9.0, 8.0, 1.0, 7.0),
        (7, 5, 50.0, 60.0, 6.0, 70.0), (12, 7, 90.0, 80.0, 8.0, 90.0),
    ]  # fmt: skip

    found = conditional_expectations(spark.createDataFrame(rows, JUDGED), {"ours": OURS, "theirs": THEIRS})

    expected = pd.DataFrame(
        [(0, 2, 1.0, 10.0, 1.0, 1.5, 0.0), (2, 1, 1.0, 9.0, 1.0, 8.0, 7.0), (7, 2, 6.0, 70.0, 7.0, 70.0, 80.0)],
        columns=[
            "past_purchases",
            "customers",
            "purchases",
            "spend",
            "purchases, ours",
            "spend, ours",
            "spend, theirs",
        ],
    )
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


@pytest.fixture
def uneven(spark):
    """600 customers: half spend nothing, the others very different amounts, foretold roughly."""
    random = np.random.default_rng(5)
    spent = np.where(random.random(600) < 0.5, 0.0, random.lognormal(3, 1.5, 600))
    foretold = (spent + random.lognormal(2, 1, 600)) * random.lognormal(0, 0.5, 600)
    frame = pd.DataFrame({"spend_after": spent, "ours": foretold, "theirs": 5.0})
    return frame, cells(spark.createDataFrame(frame), {"ours": OURS, "theirs": THEIRS})


def test_ranks_correlate_as_scipy_says(uneven):
    frame, counted = uneven

    found = order_measures(counted[counted["model"] == "ours"])

    expected = spearmanr(frame["ours"], frame["spend_after"]).statistic
    assert 0.4 < expected < 0.9
    assert found["spend_rank_correlation"] == pytest.approx(expected, abs=2e-4)


def test_the_top_tenth_has_spent_what_the_sixty_customers_foretold_most_have_spent(uneven):
    frame, counted = uneven

    found = order_measures(counted[counted["model"] == "ours"])

    top = frame.sort_values("ours", ascending=False)["spend_after"].head(60).sum()
    assert found["spend_share_top_tenth"] == pytest.approx(top / frame["spend_after"].sum(), abs=5e-3)


def test_a_model_that_tells_nobody_apart_has_no_rank_correlation_and_a_top_tenth_of_a_tenth(uneven):
    _, counted = uneven

    assert order_measures(counted[counted["model"] == "theirs"]) == {"spend_share_top_tenth": pytest.approx(0.1)}


def test_gain_adds_up_spend_from_those_foretold_to_spend_most(spark):
    rows = [(0.0, 9.0), (30.0, 3.0), (60.0, 7.0), (10.0, 3.0)]  # spent, foretold; two are foretold the same
    frame = spark.createDataFrame(rows, "spend_after double, ours double")
    counted = cells(frame, {"ours": OURS})

    foretold, best = gain(counted, by="foretold"), gain(counted, by="spent")

    assert foretold.to_numpy().tolist() == [[0.0, 0.0], [0.25, 0.0], [0.5, 0.6], [1.0, 1.0]]
    assert best["spend"].tolist() == pytest.approx([0.0, 0.6, 0.9, 1.0, 1.0])


def test_where_nobody_spent_there_is_no_gain(spark):
    counted = cells(spark.createDataFrame([(0.0, 9.0), (0.0, 3.0)], "spend_after double, ours double"), {"ours": OURS})

    assert order_measures(counted) == {}
    assert gain(counted, by="foretold")["spend"].tolist() == [0.0, 0.0, 0.0]
