from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from chispa import assert_df_equality

from customerlake.errors import ModelError
from customerlake.features.labels import LABELS
from customerlake.models.churn import (
    CHURN,
    baselines,
    churn_model,
    churn_scores,
    churn_task,
    risk_band,
    spend_per_horizon,
    still_buying,
)
from customerlake.models.classifiers.candidates import CANDIDATES
from customerlake.runtime.config import ChurnConfig

AS_OF = date(2011, 12, 9)
CONFIG = ChurnConfig(horizon_days=90, gap_days=7, high_risk_probability=0.7, medium_risk_probability=0.3)


@pytest.fixture(scope="module")
def later(spark, made_customers):
    """A thousand customers with no to four returns. The first hundred had left before; of some the returns are not
    known."""
    customers = made_customers(AS_OF, customers=1000, seed=4, gone=100)
    customers["count_returns"] = np.random.default_rng(5).integers(0, 5, len(customers)).astype(float)
    customers.loc[customers.index % 50 == 0, "count_returns"] = np.nan
    return spark.createDataFrame(customers).cache()


@pytest.fixture(scope="module")
def final_scores(later, returns_tell):
    """scores.churn of the later customers, beside what they were scored by."""
    scored = churn_scores(returns_tell, later, CONFIG, threshold=0.6, model_version="7")
    return scored.join(later.drop("as_of"), on="customer_id", how="inner").toPandas()


def kept_per_horizon(customers):
    """All have been customers for 200 days or more."""
    return customers["total_spend"] * (1 - customers["returned_share"]) * 90 / customers["T"]


def test_an_unknown_candidate_is_refused_with_the_names_there_are():
    with pytest.raises(
        ModelError, match=r"no candidate 'oracle'.*XGBoost, recency rule, BG/NBD p\(alive\), BG/NBD no purchase"
    ):
        churn_model(CONFIG, "oracle")


def test_the_candidates_learn_from_every_feature_and_the_baselines_from_what_a_manager_looks_at():
    features = {
        name: [feature.name for feature in churn_model(CONFIG, name).features]
        for name in (*CANDIDATES, *baselines(CONFIG))
    }

    assert features.pop("recency rule") == ["days_since_last_order"]
    assert features.pop("BG/NBD p(alive)") == ["frequency", "recency", "T"]
    assert features.pop("BG/NBD no purchase") == ["frequency", "recency", "T"]
    assert len(features) == 4
    assert all(len(names) > 40 and "email_open_share" in names for names in features.values())


def test_no_label_is_a_feature_of_churn():
    of_the_future = {column.name for column in LABELS.columns} - {"customer_id", "as_of"}

    assert not of_the_future & {feature.name for feature in churn_task(CONFIG).features}


def test_the_purpose_says_the_horizon_and_the_gap():
    assert "order nothing in the 90 days that begin 7 days after the date" in churn_task(CONFIG).purpose
    assert "in the 30 days after the date" in churn_task(ChurnConfig(horizon_days=30, gap_days=0)).purpose


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


def test_spend_per_horizon_is_what_was_kept_over_the_time_as_a_customer_and_over_one_horizon_at_least(spark):
    known = spark.createDataFrame(
        [(1000.0, 180.0, 0.0, 500.0), (1000.0, 30.0, 0.25, 750.0), (1000.0, 90.0, 1.2, 0.0), (9.0, 9.0, None, 9.0)],
        "total_spend double, T double, returned_share double, expected double",
    )

    found = known.withColumn("spend", spend_per_horizon(90))

    assert [(row["spend"], row["expected"]) for row in found.collect() if row["spend"] != row["expected"]] == []


def test_scores_are_of_the_customers_still_buying_under_the_tables_declaration(later, returns_tell):
    scored = churn_scores(returns_tell, later, CONFIG, threshold=0.6, model_version="7")

    assert scored.schema.simpleString() == CHURN.schema.simpleString()
    found = [row["customer_id"] for row in scored.select("customer_id").collect()]
    assert sorted(found) == [f"c{i:05d}" for i in range(100, 1000)]


def test_the_probability_is_what_the_numbers_say_of_the_customer(final_scores):
    of_returns = {0: 0.00669, 1: 0.04743, 2: 0.26894, 3: 0.73106, 4: 0.95257}  # 1 / (1 + e^5), ... 1 / (1 + e^-3)

    expected = final_scores["count_returns"].fillna(2).map(of_returns)

    np.testing.assert_allclose(final_scores["churn_probability"], expected, atol=1e-5)


def test_every_score_tells_its_horizon_gap_and_version(final_scores):
    assert set(final_scores["horizon_days"]) == {90}
    assert set(final_scores["gap_days"]) == {7}
    assert set(final_scores["_model_version"]) == {"7"}
    assert set(final_scores["as_of"]) == {AS_OF}


def test_warned_are_repeat_customers_who_reach_the_threshold_and_whose_contact_pays(final_scores):
    reaches = final_scores["count_returns"] > 2
    saves = 0.1 * 0.3 * final_scores["churn_probability"] * kept_per_horizon(final_scores)

    expected = reaches & (final_scores["frequency"] > 0) & (saves > 4)  # what a contact costs

    assert final_scores["is_early_warning"].tolist() == expected.tolist()
    assert 20 < expected.sum() < 800
    assert (reaches & (final_scores["frequency"] == 0) & (saves > 4)).any()
    assert (reaches & (final_scores["frequency"] > 0) & (saves < 4)).any()


def test_the_expected_profit_is_what_a_contact_saves_less_its_cost(final_scores):
    loss = final_scores["churn_probability"] * kept_per_horizon(final_scores)

    np.testing.assert_allclose(final_scores["expected_profit"].astype(float), 0.03 * loss - 4, atol=0.0051)


def test_a_threshold_that_no_contact_is_worth_warns_of_nobody(later, returns_tell):
    scored = churn_scores(returns_tell, later, CONFIG, threshold=1.01, model_version="7")

    assert scored.where("is_early_warning").isEmpty()


def test_the_expected_loss_is_the_probability_of_the_spend_of_a_horizon(final_scores):
    per_horizon = kept_per_horizon(final_scores)

    loss = final_scores["expected_loss"].astype(float)

    np.testing.assert_allclose(loss, final_scores["churn_probability"] * per_horizon, atol=0.0051)
    assert all(isinstance(value, Decimal) for value in final_scores["expected_loss"])


def test_the_reason_of_every_warning_is_the_number_of_returns(final_scores):
    warned = final_scores[final_scores["is_early_warning"]]

    expected = [[f"{value:.0f} returns (typical 2)"] for value in warned["count_returns"]]
    assert [list(reasons) for reasons in warned["top_reasons"]] == expected


def test_reasons_are_told_only_for_warnings(final_scores):
    count = final_scores["top_reasons"].map(len)

    assert (count[~final_scores["is_early_warning"]] == 0).all()
