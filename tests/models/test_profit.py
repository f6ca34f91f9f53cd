import numpy as np
import pytest

from customerlake.models.classifiers.evaluation import ScoreCounts
from customerlake.models.classifiers.profit import profit_curve
from customerlake.runtime.config import ProfitConfig

# of a hundred who are contacted and would leave, 20 stay, and half of what they spend is profit: 0.1 x the stake
CONFIG = ProfitConfig(contact_cost=5.0, margin_share=0.5, success_rate=0.2)


def counts(stake, probability=(0.9, 0.6, 0.3)):
    return ScoreCounts(
        probability=np.array(probability), rows=np.array([10.0, 20, 70]), positives=np.array([8.0, 10, 7]),
        stake=None if stake is None else np.array(stake),
    )  # fmt: skip


def test_profit_is_what_is_saved_less_what_contacts_cost():
    curve = profit_curve(counts([1000.0, 1500.0, 500.0]), CONFIG)

    # 100 - 10 x 5; 100 + 150 - 30 x 5; 100 + 150 + 50 - 100 x 5
    np.testing.assert_allclose(curve.profit, [50, 100, -200])
    assert curve.contacted.tolist() == [10, 30, 100]


def test_the_threshold_is_where_profit_is_highest():
    curve = profit_curve(counts([1000.0, 1500.0, 500.0]), CONFIG)

    assert curve.best == 1
    assert curve.threshold == 0.6


def test_of_equal_profits_fewer_are_contacted():
    curve = profit_curve(counts([1000.0, 1000.0, 500.0]), CONFIG)  # 50 and 50

    assert curve.threshold == 0.9


def test_where_no_contact_pays_nobody_reaches_the_threshold():
    curve = profit_curve(counts([100.0, 100.0, 100.0]), CONFIG)

    assert curve.threshold > 1


def test_contacts_that_cost_nothing_go_to_all_who_may_leave():
    curve = profit_curve(counts([100.0, 100.0, 100.0]), ProfitConfig(contact_cost=0.0))

    assert curve.threshold == 0.3


def test_rows_of_one_probability_reach_a_threshold_that_was_made_of_their_mean():
    mean = np.nextafter(0.6, 1)  # as the mean of many times 0.6 may come out
    curve = profit_curve(counts([1000.0, 1500.0, 500.0], (0.9, mean, 0.3)), CONFIG)

    assert curve.threshold <= 0.6
    assert curve.threshold == pytest.approx(0.6, abs=1e-4)


def test_profit_without_stakes_is_refused():
    with pytest.raises(ValueError, match="pass `stake` to score_counts"):
        profit_curve(counts(None), CONFIG)
