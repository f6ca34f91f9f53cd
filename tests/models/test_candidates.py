import warnings
from datetime import date

import numpy as np
import optuna
import pytest
import xgboost
from pyspark.ml.classification import GBTClassifier, LogisticRegression
from pyspark.ml.functions import vector_to_array
from pyspark.ml.regression import RandomForestRegressor
from pyspark.sql import functions as F
from xgboost.spark import SparkXGBClassifier

from customerlake.errors import ModelError
from customerlake.features.snapshot import FEATURES
from customerlake.models.churn import baselines
from customerlake.models.classifiers.candidates import CANDIDATES, candidate_named, parsed_tree, xgboost_trees
from customerlake.models.classifiers.classification import Classification
from customerlake.models.classifiers.numbers import Tree
from customerlake.runtime.config import ChurnConfig

AS_OF = date(2011, 12, 9)
SEED = 20
BASELINES = baselines(ChurnConfig())
NAMES = ("count_returns", "overdue_ratio", "total_spend", "country", "last_nps_answer")
SMALL = {
    "logistic regression": {"regParam": 0.003, "elasticNetParam": 0.5},
    "random forest": {"numTrees": 4, "maxDepth": 4, "minInstancesPerNode": 5},
    "gradient-boosted trees": {"maxIter": 4, "maxDepth": 3, "stepSize": 0.15, "subsamplingRate": 0.8},
    "XGBoost": {"n_estimators": 12, "max_depth": 3, "learning_rate": 0.2, "subsample": 0.8},
}

TREE = """DecisionTreeRegressionModel: uid=dtr_1, depth=2, numNodes=5, numFeatures=2
  If (feature 1 <= 2.5)
   If (feature 0 <= -1.0E-4)
    Predict: -0.75
   Else (feature 0 > -1.0E-4)
    Predict: 0.25
  Else (feature 1 > 2.5)
   Predict: 1.5
"""


def test_a_tree_is_read_from_mllibs_description():
    assert parsed_tree(TREE, weight=2.0) == Tree(
        column=(1, 0, 0, 0, 0),
        at=(2.5, -0.0001, 0.0, 0.0, 0.0),
        below=(1, 2, 2, 3, 4),
        above=(4, 3, 2, 3, 4),
        value=(0.0, 0.0, -1.5, 0.5, 3.0),
    )


def test_a_tree_that_is_a_single_leaf_is_read():
    found = parsed_tree("DecisionTreeRegressionModel: uid=dtr_1, depth=0\n  Predict: 0.5\n")

    assert found == Tree(column=(0,), at=(0.0,), below=(0,), above=(0,), value=(0.5,))


def test_a_split_of_categories_is_refused():
    with pytest.raises(ModelError, match=r"reads 'If \(feature 0 in \{1\.0\}\)'"):
        parsed_tree("header\n If (feature 0 in {1.0})\n  Predict: 1.0\n Else\n  Predict: 0.0\n")


def test_xgboosts_trees_say_what_xgboost_says_on_both_sides_of_every_border():
    random = np.random.default_rng(1)
    matrix = random.integers(0, 40, (500, 3)) / 7.0
    label = random.random(500) < 1 / (1 + np.exp(3 - matrix[:, 0] - matrix[:, 1] / 2))
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 4, "eta": 0.3}, xgboost.DMatrix(matrix, label), 20
    )
    trees = xgboost_trees(booster.save_raw("json"))
    borders = np.array(
        [tree.at[node] for tree in trees.trees for node, below in enumerate(tree.below) if below != node]
    )
    single = borders.astype(np.float32)
    near = np.concatenate([single, np.nextafter(single, np.float32(np.inf)), np.nextafter(single, np.float32(0))])
    tried = np.concatenate([matrix, np.tile(near[:, None], (1, 3))])

    found = trees.margin(tried)

    expected = booster.predict(xgboost.DMatrix(tried), output_margin=True)
    assert len(np.unique(expected)) > 100
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("candidate", [*CANDIDATES.values(), *BASELINES.values()], ids=[*CANDIDATES, *BASELINES])
def test_the_usual_settings_are_among_those_that_are_searched(candidate):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.enqueue_trial(dict(candidate.usual()))

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Optuna only warns of settings outside of what is searched
        first = candidate.suggested(study.ask())
        second = candidate.suggested(study.ask())

    assert first == candidate.usual()
    assert second.keys() == first.keys()
    assert not first or second != first


def test_a_candidate_is_chosen_by_name_and_a_wrong_name_lists_those_there_are():
    assert candidate_named("XGBoost") is CANDIDATES["XGBoost"]
    with pytest.raises(ModelError, match=r"no candidate 'LightGBM'\. Choose from: logistic regression, .*XGBoost\."):
        candidate_named("LightGBM")


@pytest.fixture(scope="module")
def prepared(spark, made_customers):
    """500 customers of whom those with many returns leave, as vectors."""
    customers = made_customers(AS_OF, customers=500, seed=1)
    random = np.random.default_rng(2)
    customers["count_returns"] = random.integers(0, 5, len(customers)).astype(float)
    customers["is_churned"] = random.random(len(customers)) < np.where(customers["count_returns"] > 2, 0.9, 0.1)
    model = Classification(
        features=[feature for feature in FEATURES if feature.name in NAMES], label="is_churned", probability="p",
        candidate="logistic regression",
    )  # fmt: skip
    found = model.prepared(spark.createDataFrame(customers))
    yield found
    found.release()


@pytest.fixture(scope="module")
def fits(prepared):
    """Each candidate as numbers, fitted once with few trees."""
    return {name: CANDIDATES[name].fit(prepared.vectors, SMALL[name], seed=SEED) for name in CANDIDATES}


def matrix_of(prepared):
    return np.stack(prepared.vectors.orderBy("customer_id").toPandas()["values"].to_list())


def told(prepared, fitted, column):
    """What MLlib's own transform says, a row each."""
    rows = fitted.transform(prepared.vectors).select("customer_id", column.alias("told")).orderBy("customer_id")
    return rows.toPandas()["told"].to_numpy()


@pytest.mark.spark_only
def test_logistic_regression_says_what_mllib_says(prepared, fits):
    """Without a penalty, and so without a scale of columns: MLlib over the raw vectors ends in the same maximum."""
    settings = {"regParam": 0.0, "elasticNetParam": 0.0}
    by_mllib = LogisticRegression(featuresCol="inputs", maxIter=200, tol=1e-10, **settings)
    expected = told(prepared, by_mllib.fit(prepared.vectors), vector_to_array("rawPrediction")[1])

    found = CANDIDATES["logistic regression"].fit(prepared.vectors, settings, seed=SEED).margin(matrix_of(prepared))

    assert len(np.unique(expected)) > 100
    np.testing.assert_allclose(found, expected, atol=0.01)


@pytest.mark.spark_only
def test_the_random_forest_says_what_mllib_says(prepared, fits):
    by_mllib = RandomForestRegressor(
        featuresCol="inputs", featureSubsetStrategy="sqrt", seed=SEED, maxBins=64,
        **SMALL["random forest"],
    )  # fmt: skip
    expected = told(prepared, by_mllib.fit(prepared.vectors), F.col("prediction"))

    found = 1 / (1 + np.exp(-fits["random forest"].margin(matrix_of(prepared))))

    assert len(np.unique(expected)) > 10
    np.testing.assert_allclose(found, np.clip(expected, 1e-6, 1 - 1e-6), rtol=1e-9)


@pytest.mark.spark_only
def test_boosted_trees_say_what_mllib_says(prepared, fits):
    by_mllib = GBTClassifier(featuresCol="inputs", seed=SEED, **SMALL["gradient-boosted trees"])
    expected = told(prepared, by_mllib.fit(prepared.vectors), vector_to_array("probability")[1])

    found = 1 / (1 + np.exp(-fits["gradient-boosted trees"].margin(matrix_of(prepared))))

    assert len(np.unique(expected)) > 10
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.spark_only
def test_xgboost_on_spark_says_what_its_own_booster_says(prepared, fits):
    by_xgboost = SparkXGBClassifier(
        features_col="inputs", label_col="label", random_state=SEED, num_workers=1,
        tree_method="hist", missing=np.nan, verbosity=0, verbose=False, **SMALL["XGBoost"],
    ).fit(prepared.vectors)  # fmt: skip
    matrix = matrix_of(prepared)
    expected = by_xgboost.get_booster().predict(xgboost.DMatrix(matrix), output_margin=True)

    found = fits["XGBoost"].margin(matrix)

    assert len(np.unique(expected)) > 100
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.spark_only
@pytest.mark.parametrize("name", CANDIDATES)
def test_shapley_values_add_up_to_the_distance_from_the_background(prepared, fits, name):
    matrix = matrix_of(prepared)
    rows, background = matrix[:60], matrix[400:]
    decides = fits[name]

    found = decides.contributions(rows, background)

    def said(of):
        return 1 / (1 + np.exp(-decides.margin(of))) if name == "random forest" else decides.margin(of)

    assert np.abs(found).max() > 0.1
    np.testing.assert_allclose(found.sum(axis=1), said(rows) - said(background).mean(), atol=1e-5)
    cause = [feature for feature, _ in prepared.inputs.columns].index("count_returns")
    assert np.abs(found).mean(axis=0).argmax() == cause
