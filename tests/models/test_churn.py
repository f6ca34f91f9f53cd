from datetime import date
from decimal import Decimal

import mlflow
import numpy as np
import pandas as pd
import pytest
from chispa import assert_df_equality
from sklearn.metrics import average_precision_score, roc_auc_score

from customerlake.errors import ModelError
from customerlake.models.churn import (
    ALL_FEATURES,
    BASELINE,
    CANDIDATES,
    CHURN,
    Churn,
    churn_scores,
    churn_split,
    risk_band,
    spend_per_horizon,
    still_buying,
    typical_values,
)
from customerlake.models.formula import Input, Linear, Standardised
from customerlake.models.splits import TimeSplit
from customerlake.runtime.config import ChurnConfig

AS_OF = date(2011, 12, 9)
CONFIG = ChurnConfig(horizon_days=90, warning_probability=0.6, high_risk_probability=0.7, medium_risk_probability=0.3)
OF_ALL_FEATURES = [name for name in CANDIDATES if name != BASELINE]


def left(customers, *, seed):
    """Who churns when nothing but many returns is a cause: two or fewer 10 %, three or more 90 %."""
    random = np.random.default_rng(seed)
    return random.random(len(customers)) < np.where(customers["count_returns"] > 2, 0.9, 0.1)


@pytest.fixture(scope="module")
def planted(spark, made_customers):
    """1,200 customers of whom those with many returns leave: two fifths have three returns or more."""
    customers = made_customers(AS_OF, customers=1200, seed=1)
    customers["count_returns"] = np.random.default_rng(2).integers(0, 5, len(customers)).astype(float)
    return spark.createDataFrame(customers.assign(is_churned=left(customers, seed=3))).cache()


@pytest.fixture(scope="module")
def later(spark, made_customers):
    """Other customers of the same world, on whom models are judged. The first hundred had left before."""
    customers = made_customers(AS_OF, customers=1000, seed=4, gone=100)
    customers["count_returns"] = np.random.default_rng(5).integers(0, 5, len(customers)).astype(float)
    return spark.createDataFrame(customers.assign(is_churned=left(customers, seed=6))).cache()


@pytest.fixture(scope="module")
def pipelines(planted):
    """Every candidate, fitted to the planted customers."""
    return {name: Churn(CONFIG, name).fit(planted) for name in CANDIDATES}


@pytest.fixture(scope="module")
def fitted(pipelines):
    """What they have learnt."""
    return {name: Churn(CONFIG, name).formula(pipeline) for name, pipeline in pipelines.items()}


RETURNS_TELL = Linear(
    over=Standardised(inputs=(Input(name="count_returns"),), means=(2.5,), deviations=(1.0,)),
    coefficients=(2.0,),
    intercept=0.0,
)
"""By hand: the log-odds are -5, -3, -1, 1 and 3 for no to four returns."""


@pytest.fixture(scope="module")
def typical(planted):
    return typical_values(planted, ALL_FEATURES)


@pytest.fixture(scope="module")
def final_scores(later, typical):
    """scores.churn of the later customers, beside what they were scored by."""
    model = Churn(CONFIG, "logistic regression")
    scored = churn_scores(model, RETURNS_TELL, later, typical=typical, model_version="7")
    return scored.join(later.drop("as_of"), on="customer_id", how="inner").toPandas()


def probabilities(name, frame, fitted):
    scored = Churn(CONFIG, name).score(frame, fitted).select("customer_id", "is_churned", "churn_probability")
    return scored.toPandas().sort_values("customer_id", ignore_index=True)


def test_an_unknown_candidate_is_refused_with_the_names_there_are():
    with pytest.raises(ModelError, match=r"no churn candidate 'oracle'.*recency rule, logistic regression"):
        Churn(CONFIG, "oracle")


def test_the_baseline_sees_recency_alone():
    assert Churn(CONFIG, BASELINE).features == ["days_since_last_order"]


def test_the_dates_come_from_the_configs_horizon_and_steps():
    config = ChurnConfig(horizon_days=30, training_dates=2, training_step_days=7)

    split = churn_split(config, first_ordered_on=date(2011, 1, 1), as_of=date(2011, 6, 30))

    assert split == TimeSplit(training=(date(2011, 4, 24), date(2011, 5, 1)), holdout=date(2011, 5, 31))


def test_customers_without_an_order_in_the_horizon_have_left_already(spark):
    known = spark.createDataFrame(
        [("a", 0.0), ("b", 89.0), ("c", 90.0)], "customer_id string, days_since_last_order double"
    )

    buying = known.transform(still_buying(CONFIG))

    expected = spark.createDataFrame([("a", 0.0), ("b", 89.0)], "customer_id string, days_since_last_order double")
    assert_df_equality(buying, expected, ignore_nullable=True, ignore_row_order=True)


def test_a_probability_at_a_bands_border_belongs_to_the_band(spark):
    scored = spark.createDataFrame([(0.7,), (0.699,), (0.3,), (0.299,)], "churn_probability double")

    banded = scored.withColumn("risk_band", risk_band(CONFIG))

    expected = spark.createDataFrame(
        [(0.7, "high"), (0.699, "medium"), (0.3, "medium"), (0.299, "low")],
        "churn_probability double, risk_band string",
    )
    assert_df_equality(banded, expected, ignore_nullable=True, ignore_row_order=True)


def test_spend_per_horizon_is_over_the_time_as_a_customer_and_over_one_horizon_at_least(spark):
    known = spark.createDataFrame([(1000.0, 180.0), (1000.0, 30.0), (0.0, 0.0)], "total_spend double, T double")

    found = known.withColumn("spend", spend_per_horizon(90))

    expected = spark.createDataFrame(
        [(1000.0, 180.0, 500.0), (1000.0, 30.0, 1000.0), (0.0, 0.0, 0.0)], "total_spend double, T double, spend double"
    )
    assert_df_equality(found, expected, ignore_nullable=True, ignore_row_order=True)


def test_the_typical_value_is_the_median(spark):
    known = spark.createDataFrame([(1.0, 5.0), (2.0, 6.0), (100.0, 7.0), (3.0, 8.0)], "frequency double, T double")

    assert typical_values(known, ["frequency", "T"]) == {"frequency": 2.5, "T": 6.5}


@pytest.mark.spark_only
@pytest.mark.parametrize("name", OF_ALL_FEATURES)
def test_a_candidate_finds_a_cause_that_the_recency_rule_cannot_see(name, fitted, later):
    model, baseline = Churn(CONFIG, name), Churn(CONFIG, BASELINE)

    of_model = model.evaluate(model.score(later, fitted[name]))
    of_baseline = baseline.evaluate(baseline.score(later, fitted[BASELINE]))

    assert of_model["roc_auc"] > 0.85  # knowing the returns exactly gives 0.9
    assert 0.45 < of_baseline["roc_auc"] < 0.55
    assert of_model["lift_top_tenth"] > 1.5 > of_baseline["lift_top_tenth"]


@pytest.mark.spark_only
@pytest.mark.parametrize("name", CANDIDATES)
def test_labels_without_a_cause_cannot_be_learnt(name, planted, later):
    random = np.random.default_rng(8)
    frame = planted.toPandas()
    frame["is_churned"] = random.permutation(frame["is_churned"])
    shuffled = planted.sparkSession.createDataFrame(frame)
    model = Churn(CONFIG, name)

    found = model.evaluate(model.score(later, model.formula(model.fit(shuffled))))

    assert 0.42 < found["roc_auc"] < 0.58  # 900 rows: a standard error of 0.02


@pytest.mark.spark_only
@pytest.mark.parametrize("name", CANDIDATES)
def test_metrics_equal_scikit_learns_on_the_scored_rows(name, fitted, later):
    model = Churn(CONFIG, name)
    rows = probabilities(name, later, fitted[name])

    found = model.evaluate(model.score(later, fitted[name]))

    expected = roc_auc_score(rows["is_churned"], rows["churn_probability"])
    assert found["roc_auc"] == pytest.approx(expected, abs=1e-3)
    expected = average_precision_score(rows["is_churned"], rows["churn_probability"])
    assert found["pr_auc"] == pytest.approx(expected, abs=1e-3)


@pytest.mark.spark_only
def test_the_recency_rule_rises_with_the_days_since_the_last_order(spark, made_customers):
    customers = made_customers(AS_OF, customers=400, seed=9)
    is_churned = np.random.default_rng(10).random(400) < customers["days_since_last_order"] / 90
    frame = spark.createDataFrame(customers.assign(is_churned=is_churned))
    model = Churn(CONFIG, BASELINE)

    scored = model.score(frame, model.formula(model.fit(frame))).toPandas().sort_values("days_since_last_order")

    assert scored["churn_probability"].is_monotonic_increasing
    assert scored["churn_probability"].iloc[0] < 0.3 < 0.7 < scored["churn_probability"].iloc[-1]


@pytest.mark.spark_only
@pytest.mark.parametrize("name", CANDIDATES)
def test_fitting_twice_under_one_seed_gives_the_same_probabilities(name, planted, later, fitted):
    model = Churn(CONFIG, name)
    again = model.formula(model.fit(planted))

    pd.testing.assert_frame_equal(
        probabilities(name, later, again), probabilities(name, later, fitted[name]), check_exact=True
    )


@pytest.mark.spark_only
@pytest.mark.parametrize("churned", [True, False])
def test_one_class_of_customers_cannot_be_learnt_from(spark, made_customers, churned):
    customers = made_customers(AS_OF, customers=20, seed=11).assign(is_churned=churned)

    with pytest.raises(ModelError, match=r"1 class of customers.*--as-of.*churn\.horizon_days"):
        Churn(CONFIG, BASELINE).fit(spark.createDataFrame(customers))


@pytest.mark.spark_only
def test_customers_who_had_left_already_are_not_learnt_from(spark, made_customers):
    customers = made_customers(AS_OF, customers=20, seed=11, gone=10)
    customers["is_churned"] = customers["days_since_last_order"] >= 90  # a second class only among those who had left

    with pytest.raises(ModelError, match="1 class of customers"):
        Churn(CONFIG, BASELINE).fit(spark.createDataFrame(customers))


@pytest.mark.spark_only
@pytest.mark.parametrize("name", CANDIDATES)
def test_the_registered_pipeline_gives_the_probabilities_of_the_formula_that_scores(
    name, registry, later, pipelines, fitted
):
    kept_as = f"kept_{name.replace(' ', '_')}"
    by_formula = probabilities(name, later, fitted[name])
    with registry.run(kept_as, "made", {}) as run_id:
        version = registry.register(
            kept_as,
            pipelines[name],
            run_id=run_id,
            as_of=AS_OF,
            inputs=later.select(*ALL_FEATURES).limit(5).toPandas(),
            output=by_formula[["churn_probability"]].head(),
            metrics={"roc_auc": 0.9},
        )

    loaded = mlflow.spark.load_model(f"models:/{kept_as}/{version.number}")

    rows = loaded.transform(later.where("days_since_last_order < 90")).select("customer_id", "probability").toPandas()
    by_pipeline = rows.set_index("customer_id")["probability"].map(lambda vector: vector[1])
    expected = by_pipeline.reindex(by_formula["customer_id"])
    assert (expected.nunique() > 10) == (name != BASELINE)  # recency tells nothing of what is planted: one for all
    np.testing.assert_allclose(by_formula["churn_probability"], expected, rtol=1e-12)


def test_scores_are_of_the_customers_still_buying_under_the_tables_declaration(later, typical):
    model = Churn(CONFIG, "logistic regression")

    scored = churn_scores(model, RETURNS_TELL, later, typical=typical, model_version="7")

    assert scored.schema.simpleString() == CHURN.schema.simpleString()
    found = [row["customer_id"] for row in scored.select("customer_id").collect()]
    assert sorted(found) == [f"c{i:05d}" for i in range(100, 1000)]


def test_the_probability_is_what_the_formula_says_of_the_customer(final_scores):
    of_returns = {0: 0.00669, 1: 0.04743, 2: 0.26894, 3: 0.73106, 4: 0.95257}  # 1 / (1 + e^5), ... 1 / (1 + e^-3)

    expected = final_scores["count_returns"].map(of_returns)

    np.testing.assert_allclose(final_scores["churn_probability"], expected, atol=1e-5)


def test_every_score_tells_its_horizon_and_version(final_scores):
    assert set(final_scores["horizon_days"]) == {90}
    assert set(final_scores["_model_version"]) == {"7"}
    assert set(final_scores["as_of"]) == {AS_OF}


def test_warned_are_the_repeat_customers_whose_probability_reaches_the_border(final_scores):
    expected = (final_scores["churn_probability"] >= 0.6) & (final_scores["frequency"] > 0)

    pd.testing.assert_series_equal(final_scores["is_early_warning"], expected, check_names=False)
    assert 100 < expected.sum() < 800
    assert ((final_scores["churn_probability"] >= 0.6) & (final_scores["frequency"] == 0)).any()


def test_the_expected_loss_is_the_probability_of_the_spend_of_a_horizon(final_scores):
    per_horizon = final_scores["total_spend"] * 90 / final_scores["T"]  # all have been customers for 200 days or more

    loss = final_scores["expected_loss"].astype(float)

    np.testing.assert_allclose(loss, final_scores["churn_probability"] * per_horizon, atol=0.0051)
    assert all(isinstance(value, Decimal) for value in final_scores["expected_loss"])


def test_the_first_reason_of_every_warning_names_the_planted_cause(final_scores):
    warned = final_scores[final_scores["is_early_warning"]]

    first = [reasons[0] for reasons in warned["top_reasons"]]

    expected = [f"{value:.1f} returns (typical 2.0)" for value in warned["count_returns"]]
    assert first == expected


@pytest.mark.spark_only
def test_the_trees_reasons_name_the_planted_cause(later, fitted, typical):
    model = Churn(CONFIG, "gradient-boosted trees")

    scored = churn_scores(model, fitted[model.candidate], later, typical=typical, model_version="7")

    rightly_warned = scored.where("is_early_warning").join(later.where("count_returns > 2"), "customer_id").toPandas()
    assert len(rightly_warned) > 100
    assert all(reasons[0].endswith("returns (typical 2.0)") for reasons in rightly_warned["top_reasons"])


def test_reasons_are_three_at_most_and_only_for_warnings(final_scores):
    count = final_scores["top_reasons"].map(len)

    assert count[final_scores["is_early_warning"]].between(1, 3).all()
    assert (count[~final_scores["is_early_warning"]] == 0).all()
