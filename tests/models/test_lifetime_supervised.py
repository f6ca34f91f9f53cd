from datetime import date

import numpy as np
import pandas as pd
import pytest
import xgboost

from customerlake.errors import ModelError
from customerlake.features.feature import Feature
from customerlake.models.classifiers.inputs import Inputs, Number
from customerlake.models.classifiers.numbers import Tree, Trees
from customerlake.models.lifetime import supervised
from customerlake.models.lifetime.supervised import SpendTrees, SupervisedSpend, dates_learnt_from
from customerlake.runtime.config import LifetimeValueConfig

FEATURES = (
    Feature("visits", "visits", "{value} visits"),
    Feature("age_of_account", "age", "{value} days"),
    Feature("channel", "channel", "by {value}", is_category=True),
)
BY_HAND = SpendTrees(
    inputs=Inputs(numbers=(Number(name="visits", typical=2.0),), categories=()),
    trees=Trees(
        trees=(Tree(column=(0, 0, 0), at=(2.5, 0.0, 0.0), below=(1, 1, 2), above=(2, 1, 2), value=(0.0, -1.0, 1.0)),),
        start=3.0,
    ),
)


def customers(number, seed):
    """Those with more than two visits spend about ten times as much, and half of the others nothing."""
    random = np.random.default_rng(seed)
    visits = random.integers(0, 6, number).astype(float)
    spent = random.gamma(2.0, np.where(visits > 2, 100.0, 10.0), number)
    spent[(visits <= 2) & (random.random(number) < 0.5)] = 0.0
    return pd.DataFrame(
        {
            "customer_id": [f"c{i:05d}" for i in range(number)],
            "visits": visits,
            "age_of_account": random.uniform(1, 900, number),
            "channel": random.choice(["web", "store"], number),
            "spend_after": spent.round(2),
        }
    )


def test_the_spend_is_e_to_the_sum_of_the_trees_on_every_engine(spark):
    rows = spark.createDataFrame([("a", 2.0), ("b", 3.0), ("c", None)], "customer_id string, visits double")

    scored = SupervisedSpend(FEATURES).score(rows, BY_HAND).orderBy("customer_id").toPandas()

    assert scored["supervised_spend"].tolist() == pytest.approx([np.e**2, np.e**4, np.e**2])


def test_what_was_learnt_can_be_kept_as_text():
    assert SpendTrees.model_validate_json(BY_HAND.model_dump_json()) == BY_HAND


@pytest.fixture(scope="module")
def rows(spark):
    return spark.createDataFrame(customers(2000, seed=1)).cache()


@pytest.fixture(scope="module")
def learnt(rows):
    """The numbers, and XGBoost's own model of them."""
    raw = []
    with pytest.MonkeyPatch.context() as patch:
        of_raw = supervised.xgboost_trees
        patch.setattr(supervised, "xgboost_trees", lambda kept: raw.append(kept) or of_raw(kept))
        fitted = SupervisedSpend(FEATURES).fit(rows)
    booster = xgboost.Booster()
    booster.load_model(bytearray(raw[0]))
    return fitted, booster


@pytest.mark.spark_only
def test_the_numbers_say_what_xgboost_says(learnt):
    fitted, booster = learnt
    fresh = customers(500, seed=2)

    expected = booster.predict(xgboost.DMatrix(fitted.inputs.matrix(fresh)))

    assert np.ptp(expected) > 100
    assert fitted.spend(fresh) == pytest.approx(expected, rel=1e-4)


@pytest.mark.spark_only
def test_a_cause_of_spend_is_found_on_fresh_customers(spark, learnt):
    """Who has visited more than twice spends 200 on average, the others 10."""
    model = SupervisedSpend(FEATURES)
    fresh = spark.createDataFrame(customers(2000, seed=3))

    scored = model.score(fresh, learnt[0])

    found = model.evaluate(scored)
    assert found["spend_ratio"] == pytest.approx(1.0, abs=0.1)
    assert found["spend_rank_correlation"] > 0.7
    means = scored.groupBy((scored.visits > 2).alias("often")).avg("supervised_spend").collect()
    assert {row[0]: row[1] for row in means} == {True: pytest.approx(200, rel=0.1), False: pytest.approx(10, rel=0.5)}


@pytest.mark.spark_only
def test_the_order_of_rows_changes_nothing(spark, learnt):
    upside_down = customers(2000, seed=1).iloc[::-1].reset_index(drop=True)

    assert SupervisedSpend(FEATURES).fit(spark.createDataFrame(upside_down)) == learnt[0]


def test_where_nobody_bought_after_the_date_nothing_is_learnt(spark):
    nothing = spark.createDataFrame(customers(50, seed=4).assign(spend_after=0.0))

    with pytest.raises(ModelError, match="none of the customers to learn from has bought after the date"):
        SupervisedSpend(FEATURES).fit(nothing)


def test_it_learns_from_one_date_whose_days_after_end_where_those_judged_begin():
    config = LifetimeValueConfig(holdout_days=90)

    found = dates_learnt_from(config, first_ordered_on=date(2010, 12, 1), as_of=date(2011, 12, 9))

    assert found == (date(2011, 6, 12), date(2011, 9, 10))


@pytest.mark.parametrize(("first", "has_dates"), [(date(2011, 3, 14), True), (date(2011, 3, 15), False)])
def test_before_its_date_there_are_as_many_days_of_sales_as_it_foretells(first, has_dates):
    config = LifetimeValueConfig(holdout_days=90)

    assert bool(dates_learnt_from(config, first_ordered_on=first, as_of=date(2011, 12, 9))) == has_dates
