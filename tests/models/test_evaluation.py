import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from customerlake.errors import ModelError
from customerlake.models.classifiers.evaluation import (
    ScoreCounts,
    calibration,
    calibration_error,
    classification_metrics,
    gain_curve,
    intervals,
    paired_differences,
    precision_recall_curve,
    roc_curve,
    score_counts,
    together,
)

THRESHOLD = 0.6


def counts_of(probability, label):
    """Each row by itself, riskiest first; equal probabilities in one group, as the definitions of the curves ask."""
    rows = pd.DataFrame({"p": np.asarray(probability, dtype=float), "y": np.asarray(label, dtype=float)})
    grouped = rows.groupby("p")["y"].agg(["size", "sum"]).sort_index(ascending=False)
    return ScoreCounts(
        probability=grouped.index.to_numpy(),
        rows=grouped["size"].to_numpy(dtype=float),
        positives=grouped["sum"].to_numpy(dtype=float),
    )


def by_scikit_learn(probability, label):
    flagged = np.asarray(probability) >= THRESHOLD
    return {
        "roc_auc": reference.roc_auc_score(label, probability),
        "pr_auc": reference.average_precision_score(label, probability),
        "log_loss": reference.log_loss(label, probability),
        "brier": reference.brier_score_loss(label, probability),
        "accuracy": reference.accuracy_score(label, flagged),
        "precision": reference.precision_score(label, flagged, zero_division=0),
        "recall": reference.recall_score(label, flagged),
        "f1": reference.f1_score(label, flagged, zero_division=0),
    }


def random_scores(seed, rows=3000):
    """Scores that tell something of the label but not all, with ties among them."""
    random = np.random.default_rng(seed)
    label = random.random(rows) < 0.35
    raw = 1 / (1 + np.exp(-(random.normal(size=rows) + label * 1.2 - 0.8)))
    return np.where(random.random(rows) < 0.3, raw.round(2), raw), label


@pytest.fixture
def hand_worked():
    """Four groups: probability 0.9 (2 rows, both positive), 0.7 (4 rows, 2), 0.4 (2 rows, 1), 0.1 (2 rows, 0)."""
    return ScoreCounts(
        probability=np.array([0.9, 0.7, 0.4, 0.1]), rows=np.array([2.0, 4, 2, 2]), positives=np.array([2.0, 2, 1, 0])
    )


def test_hand_worked_metrics(hand_worked):
    found = classification_metrics(hand_worked, threshold=THRESHOLD)

    # 5 positives, 5 negatives. Of 25 pairs: 0.9 beats all 5 negatives (10); 0.7 beats 3 and ties 2 (2 x 4 = 8);
    # 0.4 beats 2 and ties 1 (2.5) = 20.5
    assert found["roc_auc"] == pytest.approx(20.5 / 25)
    # recall steps 0.4, 0.4, 0.2 with precision 2/2, 4/6, 5/8
    assert found["pr_auc"] == pytest.approx(0.4 * 1 + 0.4 * 4 / 6 + 0.2 * 5 / 8)
    # flagged from 0.6 on: 6 rows, 4 of them right; 1 positive missed, 3 negatives kept
    assert found["precision"] == pytest.approx(4 / 6)
    assert found["recall"] == pytest.approx(4 / 5)
    assert found["f1"] == pytest.approx(2 * (4 / 6) * (4 / 5) / (4 / 6 + 4 / 5))
    assert found["accuracy"] == pytest.approx((4 + 3) / 10)
    # squares: 2 x .01; 2 x .09 + 2 x .49; .36 + .16; 2 x .01
    assert found["brier"] == pytest.approx((0.02 + 1.16 + 0.52 + 0.02) / 10)
    assert found["log_loss"] == pytest.approx(
        -(2 * np.log(0.9) + 2 * np.log(0.7) + 2 * np.log(0.3) + np.log(0.4) + np.log(0.6) + 2 * np.log(0.9)) / 10
    )
    # the top tenth is one row of the first group: 1 of 5 positives in 1 of 10 rows
    assert found["lift_top_tenth"] == pytest.approx(2.0)
    assert found["positive_share"] == 0.5
    assert found["rows"] == 10


def test_the_border_itself_is_flagged(hand_worked):
    at_border = classification_metrics(hand_worked, threshold=0.7)
    above = classification_metrics(hand_worked, threshold=0.71)

    assert at_border["recall"] == pytest.approx(4 / 5)
    assert above["recall"] == pytest.approx(2 / 5)


def test_nobody_flagged_is_no_precision_and_no_f1_instead_of_a_division_by_zero(hand_worked):
    found = classification_metrics(hand_worked, threshold=0.95)

    assert (found["precision"], found["recall"], found["f1"], found["accuracy"]) == (0, 0, 0, 0.5)


def test_a_top_tenth_that_ends_inside_a_group_takes_its_part_of_it():
    counts = ScoreCounts(
        probability=np.array([0.9, 0.8, 0.1]), rows=np.array([5.0, 10, 85]), positives=np.array([5.0, 4, 1])
    )

    found = classification_metrics(counts, threshold=0.5)

    assert found["lift_top_tenth"] == pytest.approx((5 + 2) / 10 / 0.1)  # 5 rows of the first group, half of the second


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_metrics_equal_scikit_learns(seed):
    probability, label = random_scores(seed)

    found = classification_metrics(counts_of(probability, label), threshold=THRESHOLD)

    expected = by_scikit_learn(probability, label)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9)


def test_curves_equal_scikit_learns():
    probability, label = random_scores(4)
    counts = counts_of(probability, label)

    true_rate, false_rate = roc_curve(counts)
    recall, precision = precision_recall_curve(counts)

    expected_false, expected_true, _ = reference.roc_curve(label, probability, drop_intermediate=False)
    expected_precision, expected_recall, _ = reference.precision_recall_curve(label, probability)
    np.testing.assert_allclose(true_rate, expected_true)
    np.testing.assert_allclose(false_rate, expected_false)
    np.testing.assert_allclose(recall, expected_recall[:-1][::-1])  # scikit-learn adds the point of no rows, last
    np.testing.assert_allclose(precision, expected_precision[:-1][::-1])


def test_the_gain_curve_goes_from_no_rows_to_all(hand_worked):
    flagged, found = gain_curve(hand_worked)

    np.testing.assert_allclose(flagged, [0, 0.2, 0.6, 0.8, 1])
    np.testing.assert_allclose(found, [0, 0.4, 0.8, 1, 1])


def test_calibration_sets_predicted_beside_observed_in_groups_of_equal_width():
    counts = ScoreCounts(
        probability=np.array([1.0, 0.95, 0.24, 0.2]), rows=np.array([1.0, 3, 1, 3]), positives=np.array([1.0, 2, 1, 0])
    )

    groups = calibration(counts)

    expected = [((0.24 + 3 * 0.2) / 4, 1 / 4, 4), ((1.0 + 3 * 0.95) / 4, 3 / 4, 4)]
    np.testing.assert_allclose(groups, expected)


def test_a_perfect_ranking_is_one_and_its_reverse_zero():
    right = classification_metrics(counts_of([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0]), threshold=0.5)
    wrong = classification_metrics(counts_of([0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1]), threshold=0.5)

    assert (right["roc_auc"], right["pr_auc"], right["accuracy"]) == (1, 1, 1)
    assert (wrong["roc_auc"], wrong["accuracy"]) == (0, 0)


def test_one_probability_for_all_is_no_ranking():
    found = classification_metrics(counts_of([0.5] * 20, [1] * 5 + [0] * 15), threshold=0.5)

    assert found["roc_auc"] == 0.5
    assert found["pr_auc"] == 0.25
    assert found["lift_top_tenth"] == pytest.approx(1.0)


def test_certainty_that_is_wrong_costs_much_but_not_infinitely():
    found = classification_metrics(counts_of([1.0, 0.0], [0, 1]), threshold=0.5)

    assert found["log_loss"] == pytest.approx(-np.log(1e-15), rel=1e-2)


scores = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=60).filter(
    lambda rows: len({label for _, label in rows}) == 2
)


@settings(max_examples=60, deadline=None)
@given(rows=scores)
def test_turning_every_score_round_turns_the_area_under_roc_round(rows):
    probability, label = np.array([p for p, _ in rows]).round(6), np.array([y for _, y in rows])

    forth = classification_metrics(counts_of(probability, label), threshold=0.5)["roc_auc"]
    back = classification_metrics(counts_of((1 - probability).round(6), label), threshold=0.5)["roc_auc"]

    assert forth + back == pytest.approx(1)


@pytest.mark.parametrize("seed", [5, 6])
def test_metrics_of_a_scored_frame_equal_scikit_learns(spark, seed):
    probability, label = random_scores(seed)
    scored = spark.createDataFrame(pd.DataFrame({"p": probability, "is_churned": label}))

    found = classification_metrics(score_counts(scored, probability="p", label="is_churned"), threshold=THRESHOLD)

    expected = by_scikit_learn(probability, label)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-3)
    assert found["rows"] == 3000
    assert found["positive_share"] == pytest.approx(label.mean())


def test_rows_are_counted_by_probability_riskiest_first(spark):
    scored = spark.createDataFrame(
        [(0.2, True), (0.75, False), (1.0, True), (0.75, True), (0.0, False)], "p double, is_churned boolean"
    )

    counts = score_counts(scored, probability="p", label="is_churned")

    np.testing.assert_allclose(counts.probability, [1.0, 0.75, 0.2, 0.0])
    np.testing.assert_allclose(counts.rows, [1, 2, 1, 1])
    np.testing.assert_allclose(counts.positives, [1, 1, 1, 0])


def test_probabilities_that_differ_by_a_thousandth_are_told_apart(spark):
    scored = spark.createDataFrame([(0.500, False), (0.501, True)], "p double, is_churned boolean")

    found = classification_metrics(score_counts(scored, probability="p", label="is_churned"), threshold=0.5)

    assert found["roc_auc"] == 1


@pytest.mark.parametrize("border", [0.6, 0.29, 0.57, 0.1])
def test_rows_that_reach_the_border_exactly_are_flagged_whatever_lies_close_below_it(spark, border):
    below, at = [(border - 0.00004, False)], [(border, True)] * 41
    scored = spark.createDataFrame(below + at, "p double, is_churned boolean")

    found = classification_metrics(score_counts(scored, probability="p", label="is_churned"), threshold=border)

    assert (found["precision"], found["recall"]) == (1, 1)


@pytest.mark.parametrize(
    ("churned", "said"),
    [(True, "Of 2 rows .* is_churned is true of 2"), (False, "Of 2 rows .* is_churned is true of 0")],
)
def test_a_held_out_period_of_one_class_cannot_be_judged(spark, churned, said):
    scored = spark.createDataFrame([(0.2, churned), (0.7, churned)], "p double, is_churned boolean")

    with pytest.raises(ModelError, match=said):
        score_counts(scored, probability="p", label="is_churned")


def test_a_held_out_period_without_customers_cannot_be_judged(spark):
    scored = spark.createDataFrame([(0.2, True)], "p double, is_churned boolean").where("p > 1")

    with pytest.raises(ModelError, match=r"Of 0 rows to judge by"):
        score_counts(scored, probability="p", label="is_churned")


def test_what_is_at_stake_is_summed_over_the_positives_of_each_probability(spark):
    scored = spark.createDataFrame(
        [(0.9, True, 100.0), (0.9, True, 50.0), (0.9, False, 7.0), (0.2, False, 9.0), (0.2, True, None)],
        "p double, is_churned boolean, spend double",
    )

    counts = score_counts(scored, probability="p", label="is_churned", stake="spend")

    assert counts.stake is not None
    assert counts.stake.tolist() == [150, 0]


def test_the_calibration_error_is_the_mean_distance_of_told_and_observed_shares():
    counts = ScoreCounts(
        probability=np.array([0.95, 0.25]), rows=np.array([30.0, 10.0]), positives=np.array([24.0, 3.0])
    )

    # 30 rows are off by 0.95 - 0.8, 10 by 0.3 - 0.25
    assert calibration_error(counts) == pytest.approx((30 * 0.15 + 10 * 0.05) / 40)


@pytest.mark.parametrize("seed", [1, 2])
def test_intervals_are_those_of_resampled_rows(seed):
    """Against a plain bootstrap: rows drawn with replacement, measured by scikit-learn."""
    probability, label = random_scores(seed, rows=800)
    random = np.random.default_rng(9)
    areas, briers = [], []
    for _ in range(300):
        drawn = random.integers(0, 800, 800)
        areas.append(reference.roc_auc_score(label[drawn], probability[drawn]))
        briers.append(reference.brier_score_loss(label[drawn], probability[drawn]))

    found = intervals(counts_of(probability, label), threshold=THRESHOLD, seed=1)

    assert found["roc_auc"] == pytest.approx(tuple(np.quantile(areas, [0.025, 0.975])), abs=0.01)
    assert found["brier"] == pytest.approx(tuple(np.quantile(briers, [0.025, 0.975])), abs=0.006)


def test_intervals_hold_the_value_and_shrink_with_the_rows():
    few, many = (counts_of(*random_scores(3, rows=rows)) for rows in (400, 6400))

    of_few, of_many = (intervals(counts, threshold=THRESHOLD, seed=1) for counts in (few, many))

    for counts, found in ((few, of_few), (many, of_many)):
        metrics = classification_metrics(counts, threshold=THRESHOLD)
        assert len(found) >= 10
        for name, (low, high) in found.items():
            assert low <= metrics[name] <= high, name
    for name in ("roc_auc", "pr_auc", "brier", "log_loss"):
        narrower = (of_few[name][1] - of_few[name][0]) / (of_many[name][1] - of_many[name][0])
        assert 2.5 < narrower < 6, name  # sixteen times the rows: a quarter of the width


def test_intervals_are_the_same_under_one_seed_and_others_under_another():
    counts = counts_of(*random_scores(4, rows=300))

    assert intervals(counts, threshold=0.5, seed=1) == intervals(counts, threshold=0.5, seed=1)
    assert intervals(counts, threshold=0.5, seed=1) != intervals(counts, threshold=0.5, seed=2)


def test_resamples_of_one_class_are_left_out_of_intervals():
    found = intervals(counts_of([0.9, 0.1, 0.4], [1, 0, 0]), threshold=0.5, seed=1)

    assert 0 <= found["roc_auc"][0] <= found["roc_auc"][1] <= 1


def two_models(seed, rows=2000):
    """A label, a model that tells something of it, and another that has the same and more noise."""
    random = np.random.default_rng(seed)
    label = random.random(rows) < 0.3
    one = random.normal(size=rows) + 1.2 * label
    return pd.DataFrame({"y": label, "one": sigmoid(one), "other": sigmoid(one + random.normal(size=rows))})


def sigmoid(odds):
    return 1 / (1 + np.exp(-odds))


def test_the_difference_of_two_models_and_its_interval_are_those_of_resampled_pairs(spark):
    rows = two_models(1)
    random = np.random.default_rng(7)
    measures = {"roc_auc": reference.roc_auc_score, "pr_auc": reference.average_precision_score}

    def apart(of, measure):
        return measure(of["y"], of["one"]) - measure(of["y"], of["other"])

    resamples = [rows.iloc[random.integers(0, len(rows), len(rows))] for _ in range(200)]

    found = paired_differences(spark.createDataFrame(rows), probability="one", other="other", label="y", seed=1)

    for name, measure in measures.items():
        low, high = np.quantile([apart(resample, measure) for resample in resamples], [0.025, 0.975])
        assert found[name].value == pytest.approx(apart(rows, measure), abs=0.01)
        assert (found[name].low, found[name].high) == pytest.approx((low, high), abs=0.01)
        assert found[name].low > 0


def test_a_model_is_not_apart_from_itself(spark):
    rows = two_models(2, rows=300)

    found = paired_differences(
        spark.createDataFrame(rows.assign(same=rows["one"])), probability="one", other="same", label="y", seed=1
    )

    assert [(one.value, one.low, one.high) for one in found.values()] == [(0, 0, 0)] * 2


def test_differences_do_not_depend_on_the_order_of_rows(spark):
    rows = two_models(3, rows=400)
    upside_down = rows.iloc[::-1].reset_index(drop=True)

    found = [
        paired_differences(spark.createDataFrame(frame), probability="one", other="other", label="y", seed=1)
        for frame in (rows, upside_down)
    ]

    assert found[0] == found[1]


def test_rows_of_several_dates_are_judged_together_as_one():
    parts = [random_scores(seed, rows=300) for seed in (1, 2, 3)]
    all_of_them = tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))

    found = classification_metrics(together([counts_of(*part) for part in parts]), threshold=THRESHOLD)

    assert found == pytest.approx(classification_metrics(counts_of(*all_of_them), threshold=THRESHOLD))


def test_what_is_at_stake_stays_with_its_rows_when_dates_are_put_together():
    def counts(probability, stake):
        return ScoreCounts(np.array(probability), np.array([2.0, 2.0]), np.array([1.0, 1.0]), np.array(stake))

    found = together([counts([0.9, 0.2], [10.0, 20.0]), counts([0.8, 0.1], [40.0, 80.0])])

    assert (found.probability.tolist(), found.stake.tolist()) == ([0.9, 0.8, 0.2, 0.1], [10, 40, 20, 80])
