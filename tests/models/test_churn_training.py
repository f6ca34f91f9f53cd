import re
from datetime import date, timedelta

import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from customerlake.models.churn import ALL_FEATURES, BASELINE, CANDIDATES, Churn
from customerlake.models.churn_training import MODEL, train_churn
from customerlake.models.formula import kept_classifier
from customerlake.models.splits import TimeSplit
from customerlake.runtime.config import ChurnConfig

pytestmark = pytest.mark.spark_only

AS_OF = date(2011, 12, 9)
SPLIT = TimeSplit(training=(date(2011, 5, 22), date(2011, 6, 12)), holdout=date(2011, 9, 10))
CONFIG = ChurnConfig(horizon_days=90, training_dates=2)
INPUTS = {"features.snapshot": ("/lake/features/snapshot", 3), "features.labels": ("/lake/features/labels", 5)}
BOUGHT, HAD_LEFT = 500, 60


def world(made_customers, *, with_cause):
    """Snapshots and labels of both training dates and the held-out one: who returns much leaves.

    Without a cause, the labels of the training dates are shuffled; the held-out ones stay true.
    """
    snapshots, labels = [], []
    for seed, day in enumerate((*SPLIT.training, SPLIT.holdout)):
        random = np.random.default_rng(100 + seed)
        customers = made_customers(day, customers=BOUGHT + HAD_LEFT, seed=200 + seed, gone=HAD_LEFT)
        customers["count_returns"] = random.integers(0, 5, len(customers)).astype(float)
        churned = random.random(len(customers)) < np.where(customers["count_returns"] > 2, 0.9, 0.1)
        if not with_cause and day != SPLIT.holdout:
            churned = random.permutation(churned)
        of_day = customers[["customer_id", "as_of"]]
        labels.append(of_day.assign(horizon_days=90, is_churned=churned))
        labels.append(of_day.assign(horizon_days=30, is_churned=~churned))  # of another definition: to be left alone
        snapshots.append(customers)
    return pd.concat(snapshots, ignore_index=True), pd.concat(labels, ignore_index=True)


@pytest.fixture(scope="module")
def train(spark, registry, made_customers):
    frames = {
        with_cause: tuple(spark.createDataFrame(part).cache() for part in world(made_customers, with_cause=with_cause))
        for with_cause in (True, False)
    }

    def trained(as_of, *, with_cause=True):
        return train_churn(
            registry, CONFIG, *frames[with_cause], SPLIT,
            as_of=as_of, inputs=INPUTS, tags={"lake": "test"}, progress=lambda text: None,
        )  # fmt: skip

    return trained


@pytest.fixture(scope="module")
def first(train):
    """The first version there is: learnt from labels without a cause."""
    return train(AS_OF - timedelta(days=40), with_cause=False)


@pytest.fixture(scope="module")
def winner(train, first):
    """Learnt a month later from labels with the cause."""
    return train(AS_OF)


@pytest.fixture(scope="module")
def loser(train, winner):
    """Learnt yet later, from labels without a cause."""
    return train(AS_OF + timedelta(days=40), with_cause=False)


@pytest.fixture(scope="module")
def back_test(train, winner):
    """Learnt from the winner's own frames, as if it were a month before."""
    return train(AS_OF - timedelta(days=30))


def champion_of(registry):
    return next(version.number for version in registry.versions(MODEL) if version.is_champion)


def test_the_first_version_is_the_champion_however_weak(first):
    assert first.champion_before is None
    assert first.is_champion
    assert first.metrics["roc_auc"] < 0.6


def test_the_best_candidate_beats_the_baseline_where_recency_tells_nothing(winner):
    assert winner.best != BASELINE
    assert winner.metrics["roc_auc"] > 0.85
    assert winner.baseline["roc_auc"] < 0.6
    assert winner.metrics["log_loss"] < winner.baseline["log_loss"]


def test_models_are_judged_on_the_held_out_customers_still_buying(winner):
    assert winner.metrics["rows"] == winner.baseline["rows"] == BOUGHT


def test_a_challenger_that_beats_the_champion_on_the_held_out_date_takes_the_alias(first, winner):
    assert winner.champion_before == pytest.approx(first.metrics["roc_auc"])
    assert winner.is_champion


def test_a_challenger_that_loses_does_not_take_the_alias(registry, winner, loser):
    assert loser.champion_before == pytest.approx(winner.metrics["roc_auc"])
    assert not loser.is_champion
    assert champion_of(registry) == winner.version.number
    assert registry.usable(MODEL, loser.version.as_of).number == winner.version.number


def test_a_back_test_does_not_take_the_alias_from_a_model_that_has_seen_more(registry, winner, back_test):
    assert not back_test.is_champion
    assert champion_of(registry) == winner.version.number


def test_a_day_between_is_scored_by_the_back_tests_model_and_never_by_the_later_champion(registry, winner, back_test):
    usable = registry.usable(MODEL, AS_OF - timedelta(days=1))

    assert usable.number == back_test.version.number


def test_training_twice_on_the_same_rows_gives_the_same_metrics(winner, back_test):
    assert back_test.metrics == winner.metrics
    assert back_test.baseline == winner.baseline


def test_the_registered_model_earns_the_metrics_that_it_is_registered_with(spark, registry, winner, made_customers):
    snapshot, labels = world(made_customers, with_cause=True)
    held_out = snapshot[snapshot["as_of"] == SPLIT.holdout].merge(
        labels[labels["horizon_days"] == 90], on=["customer_id", "as_of"]
    )
    kept = registry.values(winner.version, "scoring.json")
    model = Churn(CONFIG, kept["candidate"])

    scored = model.score(spark.createDataFrame(held_out), kept_classifier(kept["formula"])).toPandas()

    found = roc_auc_score(scored["is_churned"], scored["churn_probability"])
    assert winner.metrics["roc_auc"] == pytest.approx(found, abs=1e-3)
    assert float(winner.version.tags["holdout_roc_auc"]) == pytest.approx(found, abs=1e-3)


def test_what_scoring_needs_is_kept_beside_the_model(registry, winner, made_customers):
    kept = registry.values(winner.version, "scoring.json")

    snapshot, _ = world(made_customers, with_cause=True)
    learnt_from = snapshot[snapshot["as_of"].isin(SPLIT.training) & (snapshot["days_since_last_order"] < 90)]
    assert kept["candidate"] == winner.best
    assert kept["typical"] == pytest.approx(learnt_from[ALL_FEATURES].median().to_dict())


def test_the_run_holds_the_settings_and_the_dates(registry, winner):
    params = registry.client.get_run(winner.version.run_id).data.params

    assert params["horizon_days"] == "90"
    assert params["seed"] == str(CONFIG.seed)
    assert params["as_of"] == "2011-12-09"
    assert params["training_on"] == "2011-05-22, 2011-06-12"
    assert params["held_out_on"] == "2011-09-10"
    assert params["decided_by"] == "roc_auc"
    assert params["best"] == winner.best
    assert params["became_champion"] == "True"


def test_the_run_holds_the_metrics_beside_those_of_the_baseline(registry, winner):
    metrics = registry.client.get_run(winner.version.run_id).data.metrics

    for name in ("roc_auc", "pr_auc", "log_loss", "brier", "lift_top_tenth", "precision", "recall", "f1"):
        assert metrics[name] == winner.metrics[name]
        assert metrics[f"baseline_{name}"] == winner.baseline[name]


def test_the_run_holds_the_delta_version_of_every_input(registry, winner):
    run = registry.client.get_run(winner.version.run_id)

    datasets = {one.dataset.name: one.dataset.digest for one in run.inputs.dataset_inputs}
    assert datasets == {"features.snapshot": "v3", "features.labels": "v5"}
    assert run.data.tags["version_of.features.snapshot"] == "3"
    assert run.data.tags["version_of.features.labels"] == "5"
    assert run.data.tags["lake"] == "test"


def test_the_run_holds_a_figure_of_all_candidates(registry, winner, tmp_path):
    path = registry.client.download_artifacts(winner.version.run_id, "figures/held_out_date.png", str(tmp_path))

    with Image.open(path) as picture:
        assert picture.width > 800
        assert len(picture.convert("RGB").getcolors(maxcolors=1_000_000)) > 50


def test_the_run_holds_a_model_card_with_purpose_dates_limits_and_both_metrics(registry, winner, tmp_path):
    path = registry.client.download_artifacts(winner.version.run_id, "model_card.md", str(tmp_path))

    with open(path, encoding="utf-8") as file:
        card = file.read()
    assert card.startswith(f"# Churn: {winner.best}")
    for part in ("**Purpose.**", "**Who is scored.**", "**Limits.**", "2011-05-22, 2011-06-12", "2011-09-10"):
        assert part in card
    assert f"| roc_auc | {winner.metrics['roc_auc']:.4f} | {winner.baseline['roc_auc']:.4f} |" in card
    described = registry.client.get_run(winner.version.run_id).data.tags["mlflow.note.content"]
    assert described == card  # what MLflow's page of the run begins with


def test_the_registered_model_holds_a_signature_and_its_environment(winner):
    about = mlflow.models.get_model_info(f"models:/{MODEL}/{winner.version.number}")

    assert [column.name for column in about.signature.inputs.inputs] == ALL_FEATURES
    assert [column.name for column in about.signature.outputs.inputs] == ["churn_probability"]
    with open(mlflow.artifacts.download_artifacts(f"{about.model_uri}/requirements.txt"), encoding="utf-8") as file:
        assert any(line.startswith("pyspark==") for line in file)


def test_every_candidate_has_a_run_of_its_own_with_its_metrics(registry, winner):
    experiment = registry.client.get_run(winner.version.run_id).info.experiment_id
    runs = registry.client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{winner.version.run_id}'")

    by_name = {run.data.params["candidate"]: run.data.metrics["roc_auc"] for run in runs}
    assert set(by_name) == set(CANDIDATES)
    assert by_name[BASELINE] == winner.baseline["roc_auc"]
    assert by_name[winner.best] == winner.metrics["roc_auc"] == max(by_name.values())


def test_neither_run_nor_files_hold_a_customer(registry, winner, registry_folder):
    run = registry.client.get_run(winner.version.run_id)
    texts = [str(run.data.to_dictionary())]
    for file in (registry_folder / "mlflow" / "artifacts").rglob("*"):
        if file.suffix in {".md", ".json", ".yaml", ".txt"}:
            texts.append(file.read_text(encoding="utf-8"))

    assert len(texts) > 3
    assert not any(re.search(r"\bc\d{5}\b", text) for text in texts)  # ids of runs and models may hold "c00" too
