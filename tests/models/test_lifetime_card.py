from datetime import date

import pandas as pd
import pytest

from customerlake.models.classifiers.evaluation import Difference
from customerlake.models.lifetime.card import BOTH, PAST_RATE, Report, card, estimates_table
from customerlake.models.lifetime_value import Total
from customerlake.runtime.config import LifetimeValueConfig
from tests.models.lifetime import formula

PAST = pd.DataFrame(
    [(0, 1414, 0.58, 345.7, 0.38), (7, 276, 5.22, 4664.3, 3.77)],
    columns=["past_purchases", "customers", "purchases", "spend", f"purchases, {BOTH}"],
)


def report(*, difference=(-5.0, -9.0, -1.0), ratio=1.0, fitted=None, not_supervised="there are no features."):
    measures = {"rows": 1690.0, "spend_mae": 20.0, "spend_ratio": ratio}
    nothing = pd.DataFrame()
    return Report(
        config=LifetimeValueConfig(margin_share=0.4), as_of=date(2011, 12, 9), held_out_on=date(2011, 9, 10),
        fitted=fitted or formula(),
        metrics={BOTH: measures, PAST_RATE: {"rows": 1690.0, "spend_mae": 25.0}},
        differences={PAST_RATE: Difference(*difference)}, not_supervised=not_supervised, past=PAST, cells=nothing,
        weeks=nothing, distribution=nothing, total=Total(4338, 123456.7, 100000.2, 150000.4), age_days=200,
        most_purchases=10,
    )  # fmt: skip


def weak(fitted):
    return fitted.model_copy(update={"purchases": fitted.purchases.model_copy(update={"is_weak": True})})


def dependent(fitted):
    update = {"correlation": 0.5, "low": 0.4, "high": 0.6}
    return fitted.model_copy(update={"independence": fitted.independence.model_copy(update=update)})


def test_a_model_that_is_better_and_near_the_total_is_warned_of_by_nothing():
    assert report().warnings == ()
    assert report(ratio=0.8).warnings == ()
    assert report(ratio=1.25).warnings == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"difference": (5.0, 1.0, 9.0)}, "is above that of everybody's past rate: by 5.00 (1.00 to 9.00 at 95 %)"),
        ({"difference": (-1.0, -3.0, 1.0)}, "may be no smaller than that of everybody's past rate: by -1.00 (-3.00 to"),
        ({"ratio": 0.5}, "spent 2.00 times what was foretold of the 90 days after 2011-09-10"),
        ({"ratio": 2.0}, "spent 0.50 times what was foretold"),
        ({"fitted": weak(formula())}, "customers do not tell"),
        ({"fitted": dependent(formula())}, "Customers who buy often spend more each time"),
    ],
)  # fmt: skip
def test_what_a_reviewer_must_look_at_is_said_in_the_card_too(changes, said):
    made = report(**changes)

    (warning,) = made.warnings
    assert said in warning
    assert f"**Look at this.** {warning}" in card(made)


def test_a_card_says_what_all_customers_are_worth_and_at_which_rates():
    text = card(report())

    assert (
        "**All 4,338 customers** as of 2011-12-09 are worth 123,457 (100,000 to 150,000 at 95 %) over 365 days, at a "
        "margin of 40% and discounted by 10.0% a year."
    ) in text
    assert "over the 1,690 customers known on it" in text


def test_a_card_lists_measures_of_each_competitor_and_leaves_out_those_that_nobody_has():
    text = card(report())

    assert "| spend: mean absolute error | 20.000 | 25.000 |" in text
    assert "| spend: foretold / real total | 1.000 |  |" in text
    assert "purchases: mean absolute error" not in text
    assert (
        "Against past rate, the error of spend per customer is 5.00 lower (difference -9.00 to -1.00 at 95 %)." in text
    )
    assert "| 7 and more | 276 | 5.22 | 4,664.30 | 3.77 |" in text


def test_a_card_says_whether_there_was_a_supervised_model():
    assert "No supervised model was compared: there are no features." in card(report())
    assert "supervised is XGBoost over features.snapshot" in card(report(not_supervised=None))


def test_a_card_says_that_nobody_was_seen_to_stop_and_that_the_assumption_does_not_hold():
    assert "p_alive tells little" not in card(report())
    assert "p_alive tells little" in card(report(fitted=weak(formula())))
    assert "0.100 (0.000 to 0.200 at 95 %, over 1 customers who have repeated)" in card(report())
    assert "so it does not hold." in card(report(fitted=dependent(formula())))


def test_estimates_stand_with_errors_of_their_distance_to_the_bound_and_intervals_by_its_log():
    """Of a deviation of 0.05 of the log: alpha 30.9 x 0.05, q (3.74 - 1) x 0.05; ends at e to the 1.959964 x 0.05."""
    table = estimates_table(formula()).set_index("parameter")

    assert list(table.index) == ["r", "alpha", "a", "b", "p", "q", "gamma"]
    alpha, q = (table.loc[name, ["value", "standard_error", "low", "high"]].tolist() for name in ("alpha", "q"))
    assert alpha == pytest.approx([30.9, 1.545, 28.0158, 34.0811], rel=1e-4)
    assert q == pytest.approx([3.74, 0.137, 3.48425, 4.02209], rel=1e-4)
