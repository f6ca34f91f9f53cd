from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

from customerlake.errors import ModelError
from customerlake.features.feature import Feature
from customerlake.models.classifiers.candidates import GoneByBgNbd
from customerlake.models.classifiers.classification import (
    Classification,
    calibrated,
    chosen,
    margins,
    refuse_leaks,
    telling_alone,
)
from customerlake.models.classifiers.inputs import Category, Inputs, Number
from customerlake.models.classifiers.numbers import Calibration, Classifier, Linear, Standardised
from customerlake.models.classifiers.reasons import reasons_in_words

AS_OF = date(2011, 12, 9)
RETURNS = Feature("count_returns", "returns", "{value} returns (typical {typical})")
SPEND = Feature("total_spend", "spend", "spent {value} in all (typical {typical})", is_skewed=True)
COUNTRY = Feature("country", "country", "buys from {value} (typical {typical})", is_category=True)
FEATURES = (RETURNS, SPEND, COUNTRY)
ROWS = "customer_id string, as_of date, count_returns double, total_spend double, country string, is_churned boolean"

BY_HAND = Classifier(
    candidate="logistic regression",
    inputs=Inputs(
        numbers=(Number(name="count_returns", typical=1.0, is_flagged=True), Number(name="total_spend", typical=99.0)),
        categories=(Category(name="country", levels=("France",)),),
    ),
    # columns: count_returns, total_spend, count_returns is not known, country is France
    decides=Linear(
        over=Standardised(means=(0.0,) * 4, deviations=(1.0,) * 4), coefficients=(1.0, -0.01, 3.0, 0.5), intercept=-1.0
    ),
    background=((1.0, 100.0, 0.0, 1.0), (1.0, 100.0, 0.0, 0.0)),
)


def model(**settings):
    return Classification(
        **{"features": FEATURES, "label": "is_churned", "probability": "p", "candidate": "logistic regression"}
        | settings
    )


def rows_of(spark, *rows):
    return spark.createDataFrame([(f"c{i}", AS_OF, *row) for i, row in enumerate(rows)], ROWS)


def sigmoid(margin):
    return 1 / (1 + np.exp(-margin))


def test_an_unknown_candidate_is_refused_with_the_names_there_are():
    with pytest.raises(ModelError, match=r"no candidate 'oracle'.*logistic regression, random forest"):
        model(candidate="oracle")


def test_a_row_is_scored_by_its_own_values_and_the_typical_ones_where_they_are_missing(spark):
    rows = rows_of(spark, (2.0, 100.0, "France", None), (None, None, None, None), (0.0, 0.0, "Chile", None))

    scored = model().score(rows, BY_HAND).orderBy("customer_id").toPandas()

    # 2 - 1 + 0.5 - 1; typical 1 - 0.99, and 3 as the returns are not known, - 1; 0 - 1
    np.testing.assert_allclose(scored["p"], sigmoid(np.array([0.5, 2.01, -1.0])))
    assert list(scored.columns) == [*rows.columns, "p"]


def test_a_frame_without_rows_is_scored(spark):
    scored = model().score(rows_of(spark, (1.0, 1.0, None, None)).where("total_spend > 5"), BY_HAND)

    assert scored.withColumn("reasons", model().reasons(BY_HAND)).collect() == []


def test_numbers_of_other_types_are_scored_as_doubles(spark):
    rows = rows_of(spark, (2.0, 100.0, "France", None)).selectExpr(
        "int(count_returns) AS count_returns", "decimal(total_spend) AS total_spend", "country"
    )

    assert model().score(rows, BY_HAND).collect()[0]["p"] == pytest.approx(sigmoid(0.5))


def test_rows_whose_label_is_not_known_are_not_judged_by(spark):
    random = np.random.default_rng(1)
    p, y = random.random(200), random.random(200) < 0.4
    frame = pd.DataFrame({"p": p, "is_churned": [*y[:150], *[None] * 50]})

    found = model().evaluate(spark.createDataFrame(frame, "p double, is_churned boolean"))

    assert found["rows"] == 150
    assert found["roc_auc"] == pytest.approx(roc_auc_score(y[:150], p[:150]), abs=1e-3)


def test_precision_and_recall_are_at_the_models_threshold(spark):
    scored = spark.createDataFrame(
        [(0.9, True), (0.6, False), (0.6, True), (0.1, False)], "p double, is_churned boolean"
    )

    assert model(threshold=0.7).evaluate(scored)["recall"] == 0.5
    assert model(threshold=0.5).evaluate(scored)["recall"] == 1


def test_reasons_say_the_values_that_raise_the_probability_strongest_first(spark):
    rows = rows_of(
        spark,
        (3.0, 20.0, "France", None),  # returns 3 - 1 = 2; spend -0.01 x (20 - 100) = 0.8; France 0.5 x (1 - 0.5)
        (1.0, 100.0, "Chile", None),  # nothing is unusual but the country, which lowers
        (None, 100.0, "France", None),  # the returns are typical, but that they are not known is 3
    )

    told = model().score(rows, BY_HAND).withColumn("reasons", model().reasons(BY_HAND)).orderBy("customer_id").collect()

    assert [row["reasons"] for row in told] == [
        ["3 returns (typical 1)", "spent 20 in all (typical 99)", "buys from France"],
        [],
        ["count returns is not known", "buys from France"],
    ]


def test_no_more_reasons_are_told_than_asked_for(spark):
    rows = rows_of(spark, (3.0, 20.0, "France", None))

    told = rows.select(model().reasons(BY_HAND, most=1).alias("reasons")).collect()

    assert told[0]["reasons"] == ["3 returns (typical 1)"]


def test_an_effect_too_small_to_matter_is_no_reason():
    rows = pd.DataFrame({"count_returns": [1.01, 1.03], "total_spend": 100.0, "country": "Chile"})

    told = reasons_in_words(rows, BY_HAND, {one.name: one for one in FEATURES}, {"count_returns": 1.0}, 3)

    assert told == [[], ["1.0 returns (typical 1)"]]


def test_large_numbers_are_told_in_groups_of_three_digits_without_cents():
    rows = pd.DataFrame({"count_returns": [12345.678], "total_spend": 100.0, "country": "Chile"})

    told = reasons_in_words(rows, BY_HAND, {one.name: one for one in FEATURES}, {"count_returns": 1.5}, 3)

    assert told == [["12,346 returns (typical 1.5)"]]


def test_the_probability_is_put_right_as_platt_does():
    """Against scipy's own minimum of the log loss over slope and shift, on rows that are not rounded nor counted."""
    random = np.random.default_rng(5)
    margin = random.normal(size=3000)
    label = random.random(3000) < sigmoid(0.5 * margin - 1)

    def log_loss(of):
        odds = of[0] * margin + of[1]
        return np.mean(np.logaddexp(0, odds) - label * odds)

    expected = minimize(log_loss, [1.0, 0.0]).x
    counted = (
        pd.DataFrame({"margin": margin.round(2), "label": label.astype(float)}).value_counts().reset_index(name="rows")
    )

    found = calibrated(counted)

    assert (found.slope, found.shift) == pytest.approx(tuple(expected), abs=2e-3)


def test_counted_rows_calibrate_as_each_by_itself():
    counted = pd.DataFrame({"margin": [-1.0, 1.0, -1.0, 1.0], "label": [0.0, 0, 1, 1], "rows": [30, 10, 10, 40]})

    found = calibrated(counted)

    # 10 of 40 at -1 and 40 of 50 at 1: the log-odds are log(1/3) and log(4)
    np.testing.assert_allclose(found.probability(np.array([-1.0, 1.0])), [0.25, 0.8], atol=1e-4)


def test_margins_that_order_rows_the_wrong_way_end_in_the_share_of_all():
    counted = pd.DataFrame({"margin": [-1.0, 1.0, -1.0, 1.0], "label": [0.0, 0, 1, 1], "rows": [10, 40, 40, 10]})

    found = calibrated(counted)

    assert found.slope > 0  # the order of rows stays
    np.testing.assert_allclose(found.probability(np.array([-1.0, 1.0])), 0.5, atol=1e-3)


def test_one_class_cannot_be_calibrated_by():
    assert calibrated(pd.DataFrame({"margin": [-1.0, 1.0], "label": [1.0, 1.0], "rows": [3, 4]})) == Calibration()


def test_rows_are_counted_by_log_odds_and_label(spark):
    vectors = spark.createDataFrame(
        [([1.0, 0.0], 1.0), ([1.004, 0.0], 1.0), ([1.0, 0.0], 0.0), ([-2.0, 3.0], 0.0)],
        "values array<double>, label double",
    )
    decides = Linear(over=Standardised(means=(0, 0), deviations=(1, 1)), coefficients=(1.0, 0.5), intercept=0.25)

    counted = margins(vectors, decides)

    assert [tuple(row) for row in counted.to_numpy()] == [(-0.25, 0.0, 1), (1.25, 0.0, 1), (1.25, 1.0, 2)]


def test_a_candidate_that_names_its_features_gets_them_in_its_own_order_and_as_they_are():
    features = [Feature("T", "", ""), Feature("frequency", "", "", is_skewed=True), RETURNS, Feature("recency", "", "")]

    found = chosen(features, GoneByBgNbd())

    assert [feature.name for feature in found] == ["frequency", "recency", "T"]
    assert not any(feature.is_skewed for feature in found)


def test_a_candidate_whose_features_are_not_there_is_refused_with_their_names():
    with pytest.raises(ModelError, match=r"needs the features frequency, T\."):
        chosen([RETURNS, Feature("recency", "", "")], GoneByBgNbd())


@pytest.mark.parametrize(
    "of_the_future", ["is_churned", "count_orders_after", "spend_after", "bought_groups", "is_about_to_be_told"]
)
def test_a_feature_that_is_a_label_is_refused_by_its_name(spark, of_the_future):
    features = (*FEATURES, Feature(of_the_future, "", ""))
    label = of_the_future if of_the_future == "is_about_to_be_told" else "is_churned"

    with pytest.raises(ModelError, match=f"features {of_the_future} tell what happened after the date"):
        model(features=features, label=label).fit(rows_of(spark, (1.0, 1.0, "France", True)))


@pytest.mark.parametrize("label", [True, False])
def test_one_class_of_rows_cannot_be_learnt_from(spark, label):
    rows = rows_of(spark, *[(float(i), 1.0, "France", label) for i in range(5)], (9.0, 1.0, "France", None))

    with pytest.raises(ModelError, match=rf"is_churned is {str(label).lower()} for all rows.*--as-of"):
        model().fit(rows)


def test_rows_without_a_known_outcome_cannot_be_learnt_from(spark):
    with pytest.raises(ModelError, match="no row whose outcome is known"):
        model().fit(rows_of(spark, (1.0, 1.0, "France", None)))


def test_rows_without_a_feature_cannot_be_learnt_from_and_the_message_names_it(spark):
    rows = rows_of(spark, (1.0, 1.0, "France", True), (2.0, 1.0, "France", False)).drop("total_spend")

    with pytest.raises(ModelError, match="lack the features total_spend"):
        model().fit(rows)


def leaks(*columns, inputs):
    refuse_leaks(np.column_stack(columns), LABELS, inputs, "is_churned")


LABELS = np.array([0.0] * 70 + [1.0] * 30)
HARMLESS = np.arange(100) % 7


@pytest.mark.parametrize("column", [LABELS, -5 * LABELS, LABELS + HARMLESS / 100], ids=["copy", "turned", "noisy"])
def test_a_column_that_tells_the_label_alone_stops_the_training_with_its_name(column):
    inputs = Inputs(numbers=(Number(name="harmless", typical=0), Number(name="planted", typical=0)), categories=())

    with pytest.raises(ModelError, match=r"stopped: planted \(ROC AUC 1\.000 alone\) tells is_churned so well"):
        leaks(HARMLESS, column, inputs=inputs)


def test_a_level_or_a_gap_that_tells_the_label_is_named_as_what_it_is():
    of_gap = Inputs(numbers=(Number(name="planted", typical=0, is_flagged=True),), categories=())
    of_level = Inputs(numbers=(), categories=(Category(name="status", levels=("active", "closed")),))

    with pytest.raises(ModelError, match=r"planted is not known \(ROC AUC 1\.000"):
        leaks(HARMLESS, LABELS, inputs=of_gap)
    with pytest.raises(ModelError, match=r"status is closed \(ROC AUC 1\.000"):
        leaks(HARMLESS, LABELS, inputs=of_level)


def test_a_strong_but_believable_column_is_learnt_from():
    ninety_percent = np.where(np.arange(100) % 10 == 0, 1 - LABELS, LABELS)  # ROC AUC 0.9

    inputs = Inputs(numbers=(Number(name="strong", typical=0),), categories=())
    assert telling_alone(np.column_stack([ninety_percent]), LABELS, inputs) == {}
