import zlib
from datetime import date
from math import exp

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from customerlake.errors import ModelError
from customerlake.models.classifiers.inputs import Category, Inputs, Number
from customerlake.models.classifiers.numbers import Classifier, Linear, Standardised
from customerlake.models.outcome import (
    OUTCOME,
    found_features,
    is_held_out,
    outcome_scores,
    outcome_task,
    with_attributes,
)
from customerlake.models.outcome_training import most_telling, train_outcome, usable
from customerlake.runtime.config import ClassifierConfig, SearchConfig

DAY = date(2024, 1, 1)
ROWS = "customer_id string, as_of date, numbers map<string,double>, categories map<string,string>, has_outcome boolean"
FITTED = Classifier(
    candidate="logistic regression",
    inputs=Inputs(
        numbers=(Number(name="tenure", typical=29.0),),
        categories=(Category(name="contract", levels=("monthly", "yearly")),),
    ),
    decides=Linear(
        over=Standardised(means=(0.0,) * 3, deviations=(1.0,) * 3), coefficients=(-0.1, 2.0, -1.0), intercept=1.0
    ),
    background=((29.0, 1.0, 0.0), (29.0, 1.0, 0.0), (29.0, 1.0, 0.0), (29.0, 0.0, 1.0)),
)


def sigmoid(margin):
    return 1 / (1 + exp(-margin))


def frame(spark, *rows):
    return spark.createDataFrame([(f"c{i}", DAY, *row) for i, row in enumerate(rows)], ROWS)


@pytest.fixture(scope="module")
def scores(spark):
    rows = frame(
        spark,
        ({"tenure": 29.0}, {"contract": "monthly"}, None),  # margin 1 - 2.9 + 2 = 0.1
        ({"tenure": 1.0}, {"contract": "monthly"}, True),  # 2.9
        ({"tenure": 29.0}, {"contract": "yearly"}, False),  # -2.9
        ({"tenure": 1.0}, {"contract": "by the hour"}, None),  # 0.9
        ({}, {}, None),  # as tenure 29 without a contract: -1.9
    )
    features = found_features(rows)
    return outcome_scores(FITTED, rows, ClassifierConfig(), features, threshold=0.5, model_version="3")


def test_scores_stand_under_the_tables_declaration_one_for_each_customer(scores):
    assert scores.schema.simpleString() == OUTCOME.schema.simpleString()
    assert sorted(row["customer_id"] for row in scores.collect()) == ["c0", "c1", "c2", "c3", "c4"]


def test_the_probability_is_that_of_the_customers_attributes_and_of_typical_ones_where_they_lack(scores):
    found = [row["outcome_probability"] for row in scores.orderBy("customer_id").collect()]

    assert found == pytest.approx([sigmoid(margin) for margin in (0.1, 2.9, -2.9, 0.9, -1.9)])


def test_warned_are_those_who_reach_the_threshold_with_reasons_against_other_customers(scores):
    rows = scores.orderBy("customer_id").collect()

    assert [row["is_early_warning"] for row in rows] == [True, True, False, True, False]
    # monthly and not yearly: 2 x 0.25 + 1 x 0.25 above the mean of the others; no contract known: -1.5 + 0.25
    assert [row["top_reasons"] for row in rows] == [
        ["contract is monthly"],
        ["tenure is 1 (typical 29)", "contract is monthly"],
        [],
        ["tenure is 1 (typical 29)"],
        [],
    ]


def test_what_happened_stays_beside_the_score_and_null_where_it_is_not_known(scores):
    assert [row["has_outcome"] for row in scores.orderBy("customer_id").collect()] == [None, True, False, None, None]


def test_every_attribute_that_a_customer_has_is_a_feature_numbers_first(spark):
    features = found_features(
        frame(spark, ({"b": 1.0}, {"word": "x"}, None), ({"a": None}, {}, None), ({}, {"an other": "y"}, None))
    )

    assert [(feature.name, feature.doc, feature.is_category) for feature in features] == [
        ("a", "a", False),
        ("b", "b", False),
        ("an_other", "an other", True),
        ("word", "word", True),
    ]


def test_attributes_with_names_that_are_taken_or_alike_get_columns_of_their_own(spark):
    names = ("as_of", "Has_Outcome", "is_early_warning", "label", "top-up", "top up", "Top_up", "{x}")
    rows = frame(spark, (dict.fromkeys(names, 2.0), {}, None))

    features = found_features(rows)
    columns = [feature.name for feature in features]

    assert len({column.lower() for column in columns}) == len(names)
    assert not {"as_of", "has_outcome", "is_early_warning", "label"} & {column.lower() for column in columns}
    found = rows.transform(lambda one: with_attributes(one, features)).select(*columns).collect()[0]
    assert list(found) == [2.0] * len(names)


def test_a_brace_in_an_attributes_name_is_told_as_it_is(spark):
    (feature,) = found_features(frame(spark, ({"{x}": 2.0}, {}, None)))

    assert feature.words.format(value=2, typical=3) == "{x} is 2 (typical 3)"


def test_no_attribute_at_all_is_an_error_that_says_where_to_name_them(spark):
    with pytest.raises(ModelError, match=r"no attribute.*feeds\.customer_attributes\.attributes"):
        found_features(frame(spark, ({}, {}, True)))


def test_an_attribute_is_null_where_a_customer_has_it_not(spark):
    rows = frame(spark, ({"a": 1.0}, {}, None), ({}, {"w": "x"}, None))

    found = with_attributes(rows, found_features(rows)).orderBy("customer_id").select("a", "w").collect()

    assert [tuple(row) for row in found] == [(1.0, None), (None, "x")]


def test_three_customers_of_ten_are_held_out_always_the_same(spark):
    customers = spark.createDataFrame(pd.DataFrame({"customer_id": [f"c{i}" for i in range(5000)]}))

    held_out = customers.where(is_held_out()).toPandas()["customer_id"]

    assert 1350 < len(held_out) < 1650
    assert set(held_out) == {f"c{i}" for i in range(5000) if zlib.crc32(f"c{i}".encode()) % 10 >= 7}


def table_of(spark, seed=1, customers=400):
    """Customers whose outcome goes with a long word, and a little with their tenure."""
    random = np.random.default_rng(seed)
    contract = random.choice(["monthly", "yearly"], customers)
    tenure = random.integers(1, 70, customers).astype(float)
    happened = random.random(customers) < np.where(contract == "monthly", 0.75, 0.15) - tenure / 700
    rows = zip(tenure, contract, happened, strict=True)
    return frame(spark, *[({"tenure": float(t)}, {"contract": str(c)}, bool(h)) for t, c, h in rows])


def test_the_most_telling_attribute_is_the_baselines(spark):
    rows = table_of(spark)
    features = found_features(rows)

    name = most_telling(with_attributes(rows, features), features)
    baseline = outcome_task(features, most_telling=name).baselines["one attribute"]

    assert name == "contract"
    assert baseline.features == ("contract",)
    assert baseline.what.endswith("tells most, contract")


def test_an_outcome_that_is_one_for_all_cannot_be_learnt(spark):
    rows = frame(spark, *[({"tenure": float(i)}, {}, True) for i in range(50)])
    features = found_features(rows)

    with pytest.raises(ModelError, match=r"same for all customers.*outcome_is"):
        most_telling(with_attributes(rows, features), features)


def trained(registry, rows, **settings):
    config = ClassifierConfig(candidates=("logistic regression",), search=SearchConfig(trials=1), **settings)
    return train_outcome(
        registry, config, rows, as_of=DAY, inputs={}, tags={"lake": "test"}, progress=lambda text: None
    )  # fmt: skip


def test_too_few_customers_whose_outcome_is_known_are_refused_with_their_number(registry, spark):
    rows = table_of(spark, customers=199).unionByName(frame(spark, ({"tenure": 1.0}, {}, None)))

    with pytest.raises(ModelError, match=r"outcome of 199 customers is known, at least 200.*columns\.outcome"):
        trained(registry, rows)


@pytest.mark.spark_only
def test_what_was_trained_scores_by_the_features_as_they_were_found(registry, spark):
    rows = table_of(spark, customers=600)

    found = trained(registry, rows)

    fitted, threshold, features = usable(registry, found.version)
    assert [feature.name for feature in features] == ["tenure", "contract"]
    assert threshold == 0.5  # nothing is at stake that could be counted
    assert found.metrics["roc_auc"] > 0.7
    held_out = {f"c{i}" for i in range(600) if zlib.crc32(f"c{i}".encode()) % 10 >= 7}
    assert found.metrics["rows"] == len(held_out)
    scored = outcome_scores(fitted, rows, ClassifierConfig(), features, threshold=threshold, model_version="1")
    told = scored.toPandas()
    judged = told[told["is_held_out"]]
    assert set(judged["customer_id"]) == held_out
    area = roc_auc_score(judged["has_outcome"].astype(bool), judged["outcome_probability"])
    assert area == pytest.approx(found.metrics["roc_auc"], abs=1e-3)
