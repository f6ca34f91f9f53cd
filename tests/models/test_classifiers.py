import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customerlake.models.classifiers.inputs import Inputs, Number
from customerlake.models.classifiers.numbers import Calibration, Classifier, Gone, Linear, Standardised, Tree, Trees
from customerlake.models.lifetime.likelihood import Estimates

LINEAR = Linear(over=Standardised(means=(0.5, 10.0), deviations=(2.0, 5.0)), coefficients=(3.0, -1.0), intercept=0.25)
# column 1 <= 2.5: column 0 <= -0.5: -0.75, else 0.25; else 1.5
TREE = Tree(
    column=(1, 0, 0, 0, 0),
    at=(2.5, -0.5, 0.0, 0.0, 0.0),
    below=(1, 2, 2, 3, 4),
    above=(4, 3, 2, 3, 4),
    value=(0.0, 0.0, -0.75, 0.25, 1.5),
)
LEAF = Tree(column=(0,), at=(0.0,), below=(0,), above=(0,), value=(0.1,))
BOOSTED = Trees(trees=(TREE, LEAF), start=-0.2)
FOREST = Trees(trees=(TREE.model_copy(update={"value": (0.0, 0.0, 0.2, 0.4, 0.9)}),), says="probability")
# Fader, Hardie & Lee (2005), table 2: the CDNOW customers
GONE = Gone(
    estimates=Estimates(
        names=("r", "alpha", "a", "b"), values=(0.243, 4.414, 0.793, 2.426), bounds=(0.0,) * 4,
        covariance=((0.0,) * 4,) * 4, log_likelihood=0.0, customers=2357, rounded_to=0.0, is_weak=False,
    )
)  # fmt: skip
ROWS = np.array([[-1.0, 2.0], [0.0, 2.5], [0.0, 3.0]])
BACKGROUND = np.array([[-1.0, 0.0], [1.0, 5.0], [0.2, 2.0]])
TWO = Inputs(numbers=(Number(name="x", typical=0.0), Number(name="y", typical=2.0)), categories=())
THREE = Inputs(numbers=tuple(Number(name=name, typical=1.0) for name in ("frequency", "recency", "T")), categories=())


def classifier(decides, inputs=TWO, **settings):
    return Classifier(candidate="any", inputs=inputs, decides=decides, background=((0.0, 0.0),), **settings)


def test_the_log_odds_of_a_linear_classifier_are_those_worked_out_by_hand():
    # 3 x (0.5 - 0.5) / 2 - (20 - 10) / 5 + 0.25; 3 x (2.5 - 0.5) / 2 - (10 - 10) / 5 + 0.25
    assert LINEAR.margin(np.array([[0.5, 20.0], [2.5, 10.0]])).tolist() == [-1.75, 3.25]


def test_a_column_that_never_varied_tells_nothing():
    never_varied = Linear(
        over=Standardised(means=(1.0, 0.0), deviations=(0.0, 1.0)), coefficients=(9.0, 0.5), intercept=0
    )

    assert never_varied.margin(np.array([[1000.0, 3.0]])).tolist() == [1.5]


def test_a_linear_classifiers_reasons_are_the_distances_from_the_background_times_the_coefficients():
    background = np.array([[0.5, 0.0], [4.5, 20.0]])  # means 2.5 and 10

    found = LINEAR.contributions(np.array([[4.5, 5.0]]), background)

    assert found.tolist() == [[3.0 * 2.0 / 2.0, -1.0 * -5.0 / 5.0]]
    assert found.sum() == pytest.approx(LINEAR.margin(np.array([[4.5, 5.0]]))[0] - LINEAR.margin(background).mean())


def test_the_log_odds_of_boosted_trees_are_the_sum_of_the_leaves_and_the_start():
    found = BOOSTED.margin(ROWS)

    np.testing.assert_allclose(found, [-0.75 - 0.1, 0.25 - 0.1, 1.5 - 0.1])


def test_a_forest_tells_a_probability():
    np.testing.assert_allclose(1 / (1 + np.exp(-FOREST.margin(ROWS))), [0.2, 0.4, 0.9])


def test_a_forest_that_is_sure_has_finite_log_odds():
    sure = Trees(trees=(LEAF.model_copy(update={"value": (1.0,)}),), says="probability")

    assert sure.margin(np.zeros((1, 1)))[0] == pytest.approx(math.log(1e6), rel=1e-5)


def test_the_depth_of_a_tree_is_the_longest_way_to_a_leaf():
    assert (TREE.depth, LEAF.depth) == (2, 0)


def test_splits_of_single_precision_do_not_see_a_difference_beyond_it():
    border = float(np.float32(0.1))  # 0.100000001490116; the next single number is 0.100000008940697
    tree = Tree(column=(0, 0, 0), at=(border, 0.0, 0.0), below=(1, 1, 2), above=(2, 1, 2), value=(0.0, -1.0, 1.0))
    just_above = np.array([[0.100000002]])

    assert Trees(trees=(tree,), is_single=True).margin(just_above).tolist() == [-1.0]
    assert Trees(trees=(tree,)).margin(just_above).tolist() == [1.0]


def test_rows_beyond_one_array_are_told_as_each_by_itself():
    many = np.tile(ROWS, (2000, 1))  # 6,000 rows

    np.testing.assert_allclose(BOOSTED.margin(many), np.tile([-0.85, 0.15, 1.4], 2000))


def test_no_rows_have_no_log_odds():
    nothing = np.empty((0, 2))

    assert [len(one.margin(nothing)) for one in (LINEAR, BOOSTED, FOREST)] == [0, 0, 0]


@pytest.mark.parametrize("trees", [BOOSTED, FOREST], ids=["boosted", "forest"])
def test_the_trees_reasons_are_shapley_values_by_their_definition(trees):
    """Of two columns: half of what each adds alone, and half of what it adds to the other; mean over the background."""

    def said(matrix):
        return trees.margin(matrix) if trees.says == "log-odds" else 1 / (1 + np.exp(-trees.margin(matrix)))

    expected = np.zeros(ROWS.shape)
    for row, values in enumerate(ROWS):
        for other in BACKGROUND:
            own, none = said(values[None, :])[0], said(other[None, :])[0]
            first, second = said(np.array([[values[0], other[1]], [other[0], values[1]]]))
            expected[row] += [((first - none) + (own - second)) / 2, ((second - none) + (own - first)) / 2]
    expected /= len(BACKGROUND)

    found = trees.contributions(ROWS, BACKGROUND)

    np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=1), said(ROWS) - said(BACKGROUND).mean(), atol=1e-9)


def test_a_tree_that_is_one_leaf_gives_no_reason():
    assert Trees(trees=(LEAF,)).contributions(ROWS, BACKGROUND).tolist() == [[0, 0]] * 3


def test_that_a_customer_is_gone_is_one_less_p_alive_as_published():
    """Fader, Hardie & Lee (2008), "Computing P(alive) using the BG/NBD model", equation 1; time in weeks."""
    r, alpha, a, b = 0.243, 4.414, 0.793, 2.426
    x, t_x, age = 2, 30.43, 38.86
    alive = 1 / (1 + a / (b + x - 1) * ((alpha + age) / (alpha + t_x)) ** (r + x))

    found = GONE.margin(np.array([[x, t_x, age], [0.0, 0.0, 38.86]]))

    assert 1 / (1 + math.exp(-found[0])) == pytest.approx(1 - alive, rel=1e-9)
    assert found[1] < math.log(1e-9)  # by the model nobody leaves before the first repeat


def test_of_customers_who_are_surely_there_the_longer_silent_is_still_likelier_gone():
    nobody_leaves = GONE.estimates.model_copy(update={"values": (0.243, 4.414, 1e-18, 2.426)})

    found = Gone(estimates=nobody_leaves).margin(np.array([[9, 37.0, 38.0], [9, 20.0, 38.0], [9, 5.0, 38.0]]))

    assert found[0] < found[1] < found[2] < -20


def test_no_purchase_comes_as_often_as_among_customers_simulated_by_the_story():
    """Buyers at Gamma(r, alpha) rates who stop after a purchase with Beta(a, b) chances; time in weeks."""
    random, customers, age, ahead = np.random.default_rng(3), 200_000, 39.0, 39.0
    rate, chance = random.gamma(0.243, 1 / 4.414, customers), random.beta(0.793, 2.426, customers)
    now, count, last, later = (np.zeros(customers) for _ in range(4))
    alive = np.ones(customers, dtype=bool)
    while alive.any():
        now = np.where(alive, now + random.exponential(1, customers) / rate, now)
        known, ahead_of = alive & (now <= age), alive & (now > age) & (now <= age + ahead)
        count, last, later = count + known, np.where(known, now, last), later + ahead_of
        alive &= (now <= age + ahead) & (random.random(customers) >= chance)
    quiet = Gone(estimates=GONE.estimates, quiet_days=ahead)

    foretold = 1 / (1 + np.exp(-quiet.margin(np.column_stack([count, last, np.full(customers, age)]))))

    for group in (count == 0, count == 1, (count >= 2) & (count < 5), count >= 5, (count >= 2) & (last < 20)):
        share, rows = (later[group] == 0).mean(), group.sum()
        assert rows > 1000
        assert foretold[group].mean() == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / rows))


def test_in_a_very_long_time_only_who_is_gone_buys_nothing():
    rows = np.array([[2, 30.43, 38.86], [9.0, 5.0, 38.86]])

    found = GONE.model_copy(update={"quiet_days": 1e300}).margin(rows)

    np.testing.assert_allclose(found, GONE.margin(rows), rtol=1e-9)


def test_that_a_customer_is_gone_does_not_look_at_flags_behind_the_three_columns():
    with_flag = np.array([[2, 30.43, 38.86, 1.0]])

    assert GONE.margin(with_flag) == GONE.margin(with_flag[:, :3])


def test_a_long_silence_is_the_reason_that_a_customer_is_gone():
    background = np.array([[2.0, 35.0, 38.0]])

    found = GONE.contributions(np.array([[2.0, 5.0, 38.0]]), background)

    assert found[0, 1] > 0.5
    assert found[0, [0, 2]].tolist() == [0, 0]


def test_calibration_bends_the_log_odds():
    np.testing.assert_allclose(
        Calibration(slope=2.0, shift=-1.0).probability(np.array([0.5, 1.0])), [0.5, 1 / (1 + math.exp(-1))]
    )


def test_without_calibration_the_log_odds_are_taken_as_they_are():
    assert classifier(LINEAR).probability(pd.DataFrame({"x": [0.5], "y": [20.0]}))[0] == pytest.approx(
        1 / (1 + math.exp(1.75))
    )


@pytest.mark.parametrize(
    "kept",
    [
        classifier(LINEAR),
        classifier(BOOSTED, calibration=Calibration(slope=0.1 + 0.2, shift=-1e-300)),
        classifier(FOREST),
        classifier(GONE, THREE),
    ],
    ids=["linear", "boosted", "forest", "gone"],
)
def test_a_classifier_that_was_saved_as_json_tells_exactly_the_same(kept):
    rows = pd.DataFrame({"x": [0.1, -3.0], "y": [7.7, np.nan], "frequency": [1.0, 0], "recency": [9.0, 0], "T": 90.0})

    again = Classifier.model_validate_json(kept.model_dump_json())

    assert again == kept
    assert again.probability(rows).tolist() == kept.probability(rows).tolist()


@given(rows=st.lists(st.tuples(*[st.floats(-1e300, 1e300)] * 2), min_size=1, max_size=20))
def test_a_probability_lies_between_0_and_1(rows):
    frame = pd.DataFrame(rows, columns=["x", "y"])

    for decides in (LINEAR, BOOSTED, FOREST):
        assert ((classifier(decides).probability(frame) >= 0) & (classifier(decides).probability(frame) <= 1)).all()
