import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.errors import ModelError
from customerlake.features.snapshot import SNAPSHOT
from customerlake.models.churn import CANDIDATES, Churn
from customerlake.models.formula import (
    Clusters,
    Input,
    Linear,
    Split,
    Standardised,
    Trees,
    kept_classifier,
    parsed_tree,
)
from customerlake.runtime.config import ChurnConfig

TREE = """DecisionTreeRegressionModel: uid=dtr_1, depth=2, numNodes=5, numFeatures=2
  If (feature 1 <= 2.5)
   If (feature 0 <= -1.0E-4)
    Predict: -0.75
   Else (feature 0 > -1.0E-4)
    Predict: 0.25
  Else (feature 1 > 2.5)
   Predict: 1.5
"""
PARSED = Split(input=1, at=2.5, below=Split(input=0, at=-0.0001, below=-0.75, above=0.25), above=1.5)
TWO = (Input(name="x"), Input(name="y"))


def probability_of(spark, formula, *rows):
    frame = spark.createDataFrame(rows, "x double, y double").withColumn("p", formula.probability())
    return [row["p"] for row in frame.collect()]


def test_a_linear_formula_of_a_hand_worked_row(spark):
    over = Standardised(inputs=(Input(name="x", is_logged=True), Input(name="y")), means=(0.5, 10.0), deviations=(2, 5))
    formula = Linear(over=over, coefficients=(3.0, -1.0), intercept=0.25)

    found = probability_of(spark, formula, (math.e - 1, 20.0), (-7.0, 10.0))

    # log(1 + x) = 1: 3 * 0.5 / 2 - 1 * 10 / 5 + 0.25 = -1; x below zero counts as zero: 3 * -0.5 / 2 - 0 + 0.25 = -0.5
    assert found == pytest.approx([1 / (1 + math.exp(1)), 1 / (1 + math.exp(0.5))])


def test_an_input_that_never_varied_tells_nothing(spark):
    formula = Linear(over=Standardised(inputs=TWO, means=(1, 0), deviations=(0, 1)), coefficients=(9, 0), intercept=0)

    assert probability_of(spark, formula, (1000.0, 0.0)) == [0.5]


def test_a_tree_is_read_from_mllibs_description():
    assert parsed_tree(TREE) == PARSED


def test_a_tree_that_is_a_single_leaf_is_read():
    assert parsed_tree("DecisionTreeRegressionModel: uid=dtr_1, depth=0\n  Predict: 0.5\n") == 0.5


def test_a_split_of_categories_is_refused():
    with pytest.raises(ModelError, match=r"reads 'If \(feature 0 in \{1\.0\}\)'"):
        parsed_tree("header\n If (feature 0 in {1.0})\n  Predict: 1.0\n Else\n  Predict: 0.0\n")


def test_boosted_trees_of_hand_worked_rows(spark):
    formula = Trees(inputs=TWO, weights=(1.0, 0.1), trees=(PARSED, 2.0))

    found = probability_of(spark, formula, (-1.0, 2.5), (0.0, 2.5), (0.0, 3.0))

    # margins -0.75 + 0.2, 0.25 + 0.2, 1.5 + 0.2; the log-odds are twice the margin
    assert found == pytest.approx([1 / (1 + math.exp(-2 * margin)) for margin in (-0.55, 0.45, 1.7)])


def test_a_customer_belongs_to_the_nearest_centre_and_to_the_first_of_equally_near(spark):
    clusters = Clusters(
        over=Standardised(inputs=TWO, means=(0, 0), deviations=(1, 1)), centres=((0.0, 0.0), (4.0, 0.0), (0.0, 9.0))
    )
    frame = spark.createDataFrame([(3.0, 1.0), (2.0, 0.0), (0.0, 6.0)], "x double, y double")

    rows = clusters.assign(frame).select("segment_id", "distance").collect()

    assert [(row[0], row[1]) for row in rows] == [(1, pytest.approx(math.sqrt(2))), (0, 2.0), (2, 3.0)]


@pytest.mark.parametrize(
    "formula",
    [
        Linear(over=Standardised(inputs=TWO, means=(0.1, 1e-300), deviations=(1, 3)), coefficients=(1, 2), intercept=3),
        Trees(inputs=TWO, weights=(1.0, 0.1), trees=(PARSED, -1 / 3)),
    ],
)
def test_a_formula_comes_back_from_what_was_kept_of_it(formula):
    assert kept_classifier(formula.model_dump(mode="json")) == formula


@given(st.tuples(*[st.floats(-1e6, 1e6)] * 2))
def test_a_probability_lies_between_0_and_1(spark, row):
    formula = Trees(inputs=TWO, weights=(1.0, 0.1), trees=(PARSED, 2.0))

    (found,) = probability_of(spark, formula, row)

    assert 0 <= found <= 1


@pytest.mark.spark_only
@pytest.mark.parametrize("candidate", CANDIDATES)
def test_formulas_say_what_mllib_says_of_every_customer(candidate, real_lake):
    """On the real snapshot of the last day, with made labels: who has not ordered for 45 days or returns much."""
    model = Churn(ChurnConfig(), candidate)
    snapshot = real_lake.lake.read(SNAPSHOT).where("as_of = DATE'2011-12-09' AND days_since_last_order < 90")
    labelled = snapshot.withColumn("is_churned", F.expr("days_since_last_order > 45 OR returned_share > 0.1")).cache()

    fitted = model.fit(labelled)

    by_mllib = fitted.transform(labelled).select("customer_id", "probability").toPandas().set_index("customer_id")
    by_formula = model.score(labelled, model.formula(fitted)).select("customer_id", "churn_probability").toPandas()
    expected = by_mllib["probability"].map(lambda vector: vector[1]).reindex(by_formula["customer_id"])
    assert len(expected) == 2889
    np.testing.assert_allclose(by_formula["churn_probability"], expected, rtol=1e-10)
