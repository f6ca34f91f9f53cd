"""Trainings over customers made by known numbers. On JVM Spark features are there too, and the supervised model."""

import re
from datetime import date, timedelta
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pyspark.sql import functions as F

from customerlake.features.labels import labels
from customerlake.features.snapshot import snapshot
from customerlake.gold.rfm import rfm
from customerlake.models.lifetime.card import BOTH, PAST_RATE, SUPERVISED
from customerlake.models.lifetime.supervised import dates_learnt_from
from customerlake.models.lifetime.training import Sales, Training, kept_formula, repeat_customers
from customerlake.models.lifetime_value import MODEL, LifetimeValue
from customerlake.models.registry import Registry
from customerlake.runtime.config import LifetimeValueConfig
from tests.models.lifetime import BUYS, ORDERS, SPENDS, as_orders, made_purchases

DAYS, HOLDOUT_DAYS = 455, 90
AS_OF = date(2011, 12, 9)
HELD_OUT_ON = date(2011, 9, 10)
CONFIG = LifetimeValueConfig(holdout_days=HOLDOUT_DAYS, draws=50)
INPUTS = {"gold.rfm": ("/lake/gold/rfm", 3), "silver.orders": ("/lake/silver/orders", 5)}


@pytest.fixture(scope="module")
def orders(spark):
    return as_orders(spark, made_purchases(AS_OF, days=DAYS, customers=2500, seed=0)).cache()


@pytest.fixture(scope="module")
def others(spark):
    """Of customers who buy three times as often, and spend ten times as much."""
    seldom, cheap = (*BUYS[:1], BUYS[1] / 3, *BUYS[2:]), (*SPENDS[:2], SPENDS[2] * 10)
    purchases = made_purchases(AS_OF, days=DAYS, customers=300, seed=5, buys=seldom, spends=cheap)
    return as_orders(spark, purchases).cache()


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A store of its own: the model is always of the same name."""
    return Registry(str(tmp_path_factory.mktemp("lifetime")))


@pytest.fixture(scope="module")
def train(registry):
    def trained(orders, as_of=AS_OF, config=CONFIG, **features):
        training = Training(registry, config, as_of=as_of, tags={"lake": "test"}, progress=lambda text: None)
        return training.run(Sales(orders, rfm(orders, as_of=as_of), **features), INPUTS)

    return trained


@pytest.fixture(scope="module")
def first(train, others):
    """The first version there is, of other customers, a month before."""
    return train(others, AS_OF - timedelta(days=30))


@pytest.fixture(scope="module")
def winner(train, first, orders, engine):
    """Of the customers themselves; on JVM Spark beside the supervised model."""
    if engine == "sail":
        return train(orders)
    dates = dates_learnt_from(CONFIG, first_ordered_on=AS_OF - timedelta(days=DAYS - 1), as_of=AS_OF)
    after = labels(orders, as_of=dates, horizon_days=HOLDOUT_DAYS, observed_until=AS_OF)
    of_churn = labels(orders, as_of=dates, horizon_days=30, observed_until=AS_OF)  # of another window: to be left alone
    return train(orders, snapshot=snapshot(orders, as_of=dates), labels=after.unionByName(of_churn))


@pytest.fixture(scope="module")
def loser(train, winner, orders):
    """Of the same customers, where half of the champion's error would have to go."""
    return train(orders, config=CONFIG.model_copy(update={"promotion_margin": 0.5}))


@pytest.fixture(scope="module")
def back_test(train, loser, orders):
    return train(orders, AS_OF - timedelta(days=20))


@pytest.fixture(scope="module")
def logged(registry, winner):
    """The run of the winner."""
    return registry.client.get_run(winner.version.run_id)


def artifact(registry, winner, name, folder):
    return registry.client.download_artifacts(winner.version.run_id, name, str(folder))


def champion_of(registry):
    return registry.champion(MODEL).number


def test_the_numbers_by_which_customers_were_made_are_found_within_three_standard_errors(registry, winner):
    fitted = kept_formula(registry, winner.version)

    for estimates, truth in ((fitted.purchases, BUYS), (fitted.values, SPENDS)):
        errors = estimates.standard_errors()
        assert not estimates.is_weak
        for name, found, made in zip(estimates.names, estimates.values, truth, strict=True):
            assert abs(found - made) < 3 * errors[name], name
            assert errors[name] < made, name


def test_the_spend_of_all_in_the_held_out_days_is_foretold_within_a_tenth(winner):
    assert winner.metrics["spend_ratio"] == pytest.approx(1.0, abs=0.1)
    assert winner.metrics["purchases_ratio"] == pytest.approx(1.0, abs=0.1)


def test_held_out_customers_are_foretold_better_than_by_their_past_rates(logged, winner):
    assert winner.metrics["rows"] > 2000
    assert winner.metrics["spend_mae"] < winner.baseline["spend_mae"]
    assert winner.metrics["spend_rmse"] < winner.baseline["spend_rmse"]
    assert logged.data.metrics["spend_mae_less_past_rate_high"] < 0
    assert winner.warnings == ()


def test_metrics_are_of_the_days_after_the_held_out_date_by_a_fit_to_the_days_before(orders, winner):
    """Once more without the training: what one would do by hand."""
    known = rfm(orders, as_of=HELD_OUT_ON)
    model = LifetimeValue(LifetimeValueConfig(horizon_days=HOLDOUT_DAYS, draws=20))
    after = (
        orders.where(F.col("ordered_on") > F.lit(HELD_OUT_ON)).groupBy("customer_id").agg(F.sum("amount").alias("y"))
    )
    scored = model.score(known, model.fit(known)).join(after, on="customer_id", how="left").toPandas()

    errors = np.abs(scored["expected_spend"] - scored["y"].astype(float).fillna(0.0))
    assert winner.metrics["spend_mae"] == pytest.approx(errors.mean(), rel=1e-9)


def test_the_first_version_is_the_champion_however_it_does(first):
    assert first.champion_before is None
    assert first.is_champion


def test_who_errs_less_than_the_champion_by_the_margin_takes_its_place(first, winner):
    assert winner.champion_before > 1.5 * winner.metrics["spend_mae"]
    assert winner.is_champion


@pytest.mark.before_an_engine
def test_who_does_not_beat_the_champion_by_the_margin_is_the_challenger(registry, winner, loser):
    assert loser.champion_before == pytest.approx(winner.metrics["spend_mae"], rel=0.02)
    assert not loser.is_champion
    assert champion_of(registry) == winner.version.number


@pytest.mark.before_an_engine
def test_a_back_test_does_not_take_the_alias_from_a_model_that_has_seen_more(registry, winner, back_test):
    assert back_test.champion_before is None
    assert not back_test.is_champion
    assert champion_of(registry) == winner.version.number


@pytest.mark.before_an_engine
def test_training_twice_on_the_same_customers_gives_the_same_metrics(winner, loser):
    assert loser.metrics == pytest.approx(winner.metrics, rel=1e-12)


def test_each_competitor_has_a_run_of_its_own_below_the_trainings(registry, logged, winner, engine):
    below = f"tags.`mlflow.parentRunId` = '{logged.info.run_id}'"
    runs = registry.client.search_runs([logged.info.experiment_id], below)

    errors = {run.data.params["candidate"]: run.data.metrics["spend_mae"] for run in runs}
    assert set(errors) == {BOTH, PAST_RATE} | ({SUPERVISED} if engine == "spark" else set())
    assert errors[BOTH] == winner.metrics["spend_mae"]
    assert errors[PAST_RATE] == winner.baseline["spend_mae"]


@pytest.mark.spark_only
def test_the_supervised_model_is_compared_and_does_not_beat_the_truth(logged, winner):
    metrics = logged.data.metrics

    assert metrics["supervised_spend_mae"] > 0.95 * winner.metrics["spend_mae"]
    assert metrics["supervised_spend_rank_correlation"] > 0.8 * winner.metrics["spend_rank_correlation"]
    assert metrics["supervised_spend_ratio"] == pytest.approx(1.0, abs=0.4)
    assert metrics["spend_mae_less_supervised_low"] < metrics["spend_mae_less_supervised_high"]


def test_the_run_holds_estimates_with_errors_and_intervals_and_the_check_of_the_assumption(registry, logged, winner):
    metrics, fitted = logged.data.metrics, kept_formula(registry, winner.version)

    for name, made in zip(["r", "alpha", "a", "b", "p", "q", "gamma"], (*BUYS, *SPENDS), strict=True):
        assert metrics[f"{name}_low"] < metrics[name] < metrics[f"{name}_high"]
        assert abs(metrics[name] - made) < 3 * metrics[f"{name}_standard_error"]
    assert metrics["frequency_value_correlation"] == fitted.independence.correlation
    assert abs(metrics["frequency_value_correlation"]) < 0.1


def test_the_run_holds_settings_dates_and_the_delta_version_of_every_input(logged):
    assert logged.data.params["held_out_on"] == "2011-09-10"
    assert logged.data.params["as_of"] == "2011-12-09"
    assert logged.data.params["decided_by"] == "spend_mae"
    assert logged.data.params["holdout_days"] == "90"
    assert logged.data.params["became_champion"] == "True"
    assert {one.dataset.name: one.dataset.digest for one in logged.inputs.dataset_inputs} == {
        "gold.rfm": "v3", "silver.orders": "v5",
    }  # fmt: skip


def test_the_run_holds_every_figure(registry, winner, tmp_path):
    for name in ("tracking", "p_alive", "past_purchases", "gain", "lifetime_value"):
        with Image.open(artifact(registry, winner, f"figures/{name}.png", tmp_path)) as picture:
            assert picture.width > 800, name


def test_the_run_holds_a_model_card_in_words(registry, logged, winner, tmp_path, engine):
    with open(artifact(registry, winner, "model_card.md", tmp_path), encoding="utf-8") as file:
        card = file.read()

    for part in ("**Purpose.**", "**Judged on** the 90 days after 2011-09-10", "**Limits.**", "holds well enough"):
        assert part in card
    assert f"| {winner.metrics['spend_mae']:,.3f} | {winner.baseline['spend_mae']:,.3f} |" in card
    assert "knows no season" in card
    assert "**Look at this.**" not in card
    assert ("there are no features" in card) == (engine == "sail")
    assert logged.data.tags["mlflow.note.content"] == card


def test_neither_run_nor_files_hold_a_customer(registry, winner):
    texts = [str(registry.client.get_run(winner.version.run_id).data.to_dictionary())]
    for file in Path(registry.artifacts).rglob("*"):
        if file.suffix in {".md", ".json", ".yaml", ".txt"}:
            texts.append(file.read_text(encoding="utf-8"))

    assert len(texts) > 5
    assert not any(re.search(r"\bc\d{5}\b", text) for text in texts)


def test_the_champion_says_without_spark_what_scoring_says(registry, orders, winner):
    customers = rfm(orders, as_of=AS_OF).limit(200)
    scored = LifetimeValue(CONFIG).score(customers, kept_formula(registry, winner.version)).toPandas()

    loaded = mlflow.pyfunc.load_model(f"models:/{MODEL}@champion")
    inputs = scored[["frequency", "recency", "T", "monetary_value"]].astype(float)
    found = loaded.predict(inputs)

    names = ["p_alive", "expected_purchases", "expected_value", "lifetime_value", "lifetime_value_low",
             "lifetime_value_high"]  # fmt: skip
    pd.testing.assert_frame_equal(found, scored[names], rtol=1e-12)


def test_the_registered_model_has_a_signature(winner):
    about = mlflow.models.get_model_info(f"models:/{MODEL}/{winner.version.number}")

    assert [column.name for column in about.signature.inputs.inputs] == ["frequency", "recency", "T", "monetary_value"]
    assert "lifetime_value" in [column.name for column in about.signature.outputs.inputs]


def test_only_customers_of_a_second_day_by_the_date_can_be_learnt_from(spark):
    rows = [
        ("once", HELD_OUT_ON, 10, False),
        ("twice a day", HELD_OUT_ON, 10, False),
        ("twice a day", HELD_OUT_ON, 12, False),
        ("too late", HELD_OUT_ON, 10, False),
        ("too late", HELD_OUT_ON + timedelta(days=1), 10, False),
        ("taken back", HELD_OUT_ON - timedelta(days=9), 10, False),
        ("taken back", HELD_OUT_ON, -10, True),
        ("again", HELD_OUT_ON - timedelta(days=1), 10, False),
        ("again", HELD_OUT_ON, 10, False),
        (None, HELD_OUT_ON, 10, False),
        (None, HELD_OUT_ON - timedelta(days=1), 10, False),
    ]
    orders = spark.createDataFrame(rows, ORDERS.replace("decimal(18,4)", "int"))

    found = repeat_customers(orders, held_out_on=HELD_OUT_ON)

    assert [row.customer_id for row in found.collect()] == ["again"]


def test_features_of_other_dates_are_said_to_be_lacking(spark, orders, registry):
    training = Training(registry, CONFIG, as_of=AS_OF, tags={}, progress=lambda text: None)
    features = spark.createDataFrame([("a", AS_OF)], "customer_id string, as_of date")
    after = spark.createDataFrame(
        [("a", AS_OF, 90, 0, 1.0)],
        "customer_id string, as_of date, horizon_days int, gap_days int, spend_after double",
    )
    known = rfm(orders, as_of=HELD_OUT_ON)

    rows, why_not = training._with_supervised(known, Sales(orders, known, features, after))

    assert rows is known
    assert why_not == "features.snapshot and features.labels of 90 days hold nothing of 2011-06-12."
