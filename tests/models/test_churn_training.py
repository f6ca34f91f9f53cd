import json
import re
from datetime import date, timedelta
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pyspark.sql import functions as F
from sklearn.metrics import roc_auc_score

from customerlake.errors import ModelError
from customerlake.features.snapshot import FEATURES
from customerlake.models.churn import MODEL, baselines, churn_scores
from customerlake.models.churn_training import train_churn
from customerlake.models.classifiers import training
from customerlake.models.classifiers.training import kept_classifier, without_extremes
from customerlake.models.splits import TimeSplit
from customerlake.runtime.config import ChurnConfig, ProfitConfig, SearchConfig

AS_OF = date(2011, 12, 9)
SPLITS = (
    TimeSplit(training=(date(2011, 5, 8), date(2011, 5, 29)), holdout=date(2011, 9, 3)),
    TimeSplit(training=(date(2011, 4, 17), date(2011, 5, 8)), holdout=date(2011, 8, 13)),
)
DATES = sorted({day for split in SPLITS for day in (*split.training, split.holdout)})
CONFIG = ChurnConfig(
    candidates=("logistic regression", "XGBoost"), search=SearchConfig(trials=2), splits=2, training_dates=2,
    suspicious_roc_auc=0.8, profit=ProfitConfig(contact_cost=1.0, margin_share=0.3, success_rate=0.1),
)  # fmt: skip
PLAIN = CONFIG.model_copy(update={"candidates": ("logistic regression",), "search": SearchConfig(trials=1)})
INPUTS = {"features.snapshot": ("/lake/features/snapshot", 3), "features.labels": ("/lake/features/labels", 5)}
BOUGHT, HAD_LEFT = 300, 40


def world(made_customers, *, with_cause):
    """Snapshots and labels of every date: who returns much leaves.

    Without a cause, the labels of the training dates are shuffled; the held-out ones stay true.
    """
    snapshots, labels = [], []
    for seed, day in enumerate(DATES):
        random = np.random.default_rng(100 + seed)
        customers = made_customers(day, customers=BOUGHT + HAD_LEFT, seed=200 + seed, gone=HAD_LEFT)
        customers["count_returns"] = random.integers(0, 5, len(customers)).astype(float)
        churned = random.random(len(customers)) < np.where(customers["count_returns"] > 2, 0.9, 0.1)
        if not with_cause and day not in {split.holdout for split in SPLITS}:
            churned = random.permutation(churned)
        of_day = customers[["customer_id", "as_of"]]
        labels.append(of_day.assign(horizon_days=90, gap_days=7, is_churned=churned))
        labels.append(of_day.assign(horizon_days=90, gap_days=0, is_churned=~churned))  # of other definitions:
        labels.append(of_day.assign(horizon_days=30, gap_days=7, is_churned=~churned))  # to be left alone
        snapshots.append(customers)
    return pd.concat(snapshots, ignore_index=True), pd.concat(labels, ignore_index=True)


@pytest.fixture(scope="module")
def frames(spark, made_customers):
    return {
        with_cause: tuple(spark.createDataFrame(part).cache() for part in world(made_customers, with_cause=with_cause))
        for with_cause in (True, False)
    }


@pytest.fixture(scope="module")
def people(frames):
    """Sex and region of the customers; of some the sex is not known."""
    number = F.substring("customer_id", 2, 5).cast("int")
    sex = F.when(number % 3 == 0, "f").when(number % 3 == 1, "m")
    return frames[True][0].select("customer_id", sex.alias("sex"), F.lit("France, Nord").alias("region")).distinct()


@pytest.fixture(scope="module")
def train(registry, frames, people):
    def trained(as_of, *, config=PLAIN, splits=SPLITS[:1], with_cause=True, people=None):
        shares = (0.5, 1.0) if config is CONFIG else (1.0,)  # each is a fit, and takes seconds
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training, "LEARNING_SHARES", shares)
            return train_churn(
                registry, config, *frames[with_cause], splits,
                as_of=as_of, inputs=INPUTS, tags={"lake": "test"}, progress=lambda text: None, people=people,
            )  # fmt: skip

    return trained


@pytest.fixture(scope="module")
def first(train):
    """The first version there is: learnt from labels without a cause; warnings begin at a stated probability."""
    config = PLAIN.model_copy(update={"warning_probability": 0.6})
    return train(AS_OF - timedelta(days=40), config=config, with_cause=False)


@pytest.fixture(scope="module")
def hesitant(train, first):
    """Learnt from labels with the cause, under a margin of promotion that nothing can reach."""
    return train(AS_OF - timedelta(days=35), config=PLAIN.model_copy(update={"promotion_margin": 0.6}))


@pytest.fixture(scope="module")
def winner(train, hesitant, people):
    """All candidates on two splits, learnt a month later."""
    return train(AS_OF, config=CONFIG, splits=SPLITS, people=people)


@pytest.fixture(scope="module")
def back_test(train, winner):
    """Learnt from the winner's own frames, as if it were a month before; one candidate is fitted after the other."""
    return train(AS_OF - timedelta(days=30), config=PLAIN.model_copy(update={"fitted_at_once": 1}))


def champion_of(registry):
    return next(version.number for version in registry.versions(MODEL) if version.is_champion)


def table(registry, trained, name, folder):
    path = registry.client.download_artifacts(trained.version.run_id, f"{name}.json", str(folder))
    kept = json.loads(Path(path).read_text())
    return pd.DataFrame(kept["data"], columns=kept["columns"])


def card_of(registry, trained, folder):
    folder.mkdir(exist_ok=True)
    return Path(registry.client.download_artifacts(trained.version.run_id, "model_card.md", str(folder))).read_text()


def metrics_of(registry, trained):
    return registry.client.get_run(trained.version.run_id).data.metrics


@pytest.mark.parametrize("name", ["oracle", "recency rule"])
def test_a_candidate_that_is_unknown_or_a_baseline_fails_before_anything_is_fitted(registry, spark, name):
    config = CONFIG.model_copy(update={"candidates": (name,)})
    rows = spark.createDataFrame(
        [("a", AS_OF, 1.0, 90, 7, True)],
        "customer_id string, as_of date, days_since_last_order double, horizon_days int, gap_days int, "
        "is_churned boolean",
    )

    with pytest.raises(ModelError, match=rf"{name}.*(Choose from|always runs)"):
        train_churn(
            registry, config, rows.drop("horizon_days", "gap_days", "is_churned"), rows.drop("days_since_last_order"),
            SPLITS, as_of=AS_OF, inputs={}, tags={}, progress=lambda text: None,
        )  # fmt: skip


@pytest.mark.spark_only  # as all training; sail's percentile_approx tells a value between two
def test_a_single_large_customer_counts_no_more_than_the_99th_of_a_hundred(spark):
    stakes = [float(i) for i in range(1, 100)] + [10_000.0]
    rows = spark.createDataFrame([(stake,) for stake in stakes], "stake double")

    found = sorted(row["stake"] for row in without_extremes(rows).collect())

    assert found == [*stakes[:99], 99.0]


@pytest.mark.spark_only
def test_the_first_version_is_the_champion_however_weak(first):
    assert first.champion_before is None
    assert first.is_champion
    assert first.metrics["roc_auc"] < 0.62


@pytest.mark.spark_only
def test_a_challenger_that_does_not_win_by_the_margin_does_not_take_the_alias(registry, first, hesitant):
    assert hesitant.champion_before == pytest.approx(first.metrics["roc_auc"])
    assert hesitant.metrics["roc_auc"] > first.metrics["roc_auc"] + 0.2
    assert not hesitant.is_champion


@pytest.mark.spark_only
def test_a_challenger_that_beats_the_champion_on_the_held_out_date_takes_the_alias(first, winner):
    assert winner.champion_before == pytest.approx(first.metrics["roc_auc"])
    assert winner.is_champion


@pytest.mark.spark_only
def test_a_back_test_does_not_take_the_alias_and_scores_the_days_before_the_champion(registry, winner, back_test):
    assert back_test.champion_before is None  # the champion has seen what the back-test may not know
    assert not back_test.is_champion
    assert champion_of(registry) == winner.version.number
    assert registry.usable(MODEL, AS_OF - timedelta(days=1)).number == back_test.version.number


@pytest.mark.spark_only
def test_what_is_learnt_does_not_hang_on_how_many_candidates_are_fitted_at_once(registry, hesitant, back_test):
    together, alone = (kept_classifier(registry, trained.version) for trained in (hesitant, back_test))

    assert together == alone
    assert hesitant.metrics == back_test.metrics


@pytest.mark.spark_only
def test_a_rollback_lets_the_champion_before_score_again(registry, first, winner, back_test):
    back = registry.roll_back(MODEL)

    assert back.number == first.version.number
    assert registry.usable(MODEL, AS_OF).number == first.version.number
    registry.promote(registry.version(MODEL, winner.version.number))
    assert champion_of(registry) == winner.version.number


@pytest.mark.spark_only
def test_the_best_candidate_beats_the_baseline_where_recency_tells_nothing(winner):
    assert winner.best in CONFIG.candidates
    assert winner.metrics["roc_auc"] > 0.82
    assert winner.baseline["roc_auc"] < 0.62
    assert winner.metrics["log_loss"] < winner.baseline["log_loss"]


@pytest.mark.spark_only
def test_models_are_judged_on_the_held_out_customers_still_buying(winner):
    assert winner.metrics["rows"] == winner.baseline["rows"] == BOUGHT


@pytest.mark.spark_only
def test_a_result_too_good_to_be_true_is_warned_of_on_the_screen_and_in_the_card(registry, winner, tmp_path):
    (warning,) = winner.warnings

    assert re.fullmatch(r"ROC AUC 0\.\d{3} is above 0\.8: .* Look in the importance figure .*", warning)
    assert f"**Look at this.** {warning}" in card_of(registry, winner, tmp_path)


@pytest.mark.spark_only
def test_the_registered_model_earns_the_metrics_that_it_is_registered_with(spark, registry, winner, made_customers):
    snapshot, labels = world(made_customers, with_cause=True)
    labels = labels[(labels["horizon_days"] == 90) & (labels["gap_days"] == 7)]
    held_out = snapshot[snapshot["as_of"] == SPLITS[0].holdout].merge(labels, on=["customer_id", "as_of"])
    held_out = held_out[held_out["days_since_last_order"] < 90]
    fitted, _ = kept_classifier(registry, winner.version)

    found = roc_auc_score(held_out["is_churned"].astype(bool), fitted.probability(held_out))

    assert winner.metrics["roc_auc"] == pytest.approx(found, abs=1e-3)
    assert float(winner.version.tags["holdout_roc_auc"]) == pytest.approx(found, abs=1e-3)


@pytest.mark.spark_only
def test_the_jobs_scores_are_those_of_the_registered_model_without_spark(registry, winner, frames):
    fitted, threshold = kept_classifier(registry, winner.version)
    snapshot = frames[True][0].where(F.col("as_of") == F.lit(SPLITS[0].holdout))
    loaded = mlflow.pyfunc.load_model(f"models:/{MODEL}/{winner.version.number}")

    scored = churn_scores(fitted, snapshot, CONFIG, threshold=threshold, model_version=winner.version.number)

    by_job = scored.orderBy("customer_id").toPandas()
    customers = snapshot.where("days_since_last_order < 90").orderBy("customer_id").toPandas()
    assert len(by_job) == BOUGHT
    by_registry = loaded.predict(customers[fitted.inputs.features])["churn_probability"]
    np.testing.assert_allclose(by_job["churn_probability"], by_registry, rtol=1e-12)
    pays = by_job["expected_profit"].astype(float) > 0
    flagged = (by_job["churn_probability"] >= threshold) & (customers["frequency"] > 0) & pays
    assert by_job["is_early_warning"].tolist() == flagged.tolist()
    assert any("returns (typical" in reason for reasons in by_job["top_reasons"] for reason in reasons)


@pytest.mark.spark_only
def test_the_threshold_is_where_profit_is_highest_or_the_one_that_was_asked_for(registry, first, winner):
    _, asked_for = kept_classifier(registry, first.version)
    _, most_profitable = kept_classifier(registry, winner.version)

    assert asked_for == 0.6
    assert 0 < most_profitable < 0.6  # a contact costs 1, and 3 % of what is at stake, a hundred, is won
    assert metrics_of(registry, winner)["threshold"] == most_profitable


@pytest.mark.spark_only
def test_the_run_holds_the_settings_and_the_dates(registry, winner):
    params = registry.client.get_run(winner.version.run_id).data.params

    assert params["horizon_days"] == "90"
    assert params["gap_days"] == "7"
    assert params["candidates"] == "logistic regression, XGBoost"
    assert params["search.trials"] == "2"
    assert params["profit.contact_cost"] == "1.0"
    assert params["seed"] == str(CONFIG.seed)
    assert params["as_of"] == "2011-12-09"
    assert params["training_on"] == "2011-05-08, 2011-05-29"
    assert params["held_out_on"] == "2011-09-03, 2011-08-13"
    assert params["best"] == winner.best
    assert params["became_champion"] == "True"


@pytest.mark.spark_only
def test_the_run_holds_metrics_with_intervals_beside_those_of_the_baseline(registry, winner):
    metrics = metrics_of(registry, winner)

    for name in ("roc_auc", "pr_auc", "log_loss", "brier", "lift_top_tenth", "precision", "recall", "f1", "accuracy"):
        assert metrics[name] == winner.metrics[name]
        assert metrics[f"{name}_low"] <= metrics[name] <= metrics[f"{name}_high"]
        assert metrics[f"baseline_{name}"] == winner.baseline[name]
    assert metrics["calibration_error"] == winner.metrics["calibration_error"]
    assert metrics["champion_roc_auc"] == winner.champion_before


@pytest.mark.spark_only
def test_the_run_holds_the_metric_of_every_split(registry, winner):
    history = registry.client.get_metric_history(winner.version.run_id, "roc_auc_by_split")

    values = {one.step: one.value for one in history}
    assert set(values) == {0, 1}
    assert values[0] == winner.metrics["roc_auc"]
    assert metrics_of(registry, winner)["roc_auc_mean_of_splits"] == pytest.approx((values[0] + values[1]) / 2)


@pytest.mark.spark_only
def test_the_run_holds_the_delta_version_of_every_input(registry, winner):
    run = registry.client.get_run(winner.version.run_id)

    datasets = {one.dataset.name: one.dataset.digest for one in run.inputs.dataset_inputs}
    assert datasets == {"features.snapshot": "v3", "features.labels": "v5"}
    assert run.data.tags["version_of.features.snapshot"] == "3"
    assert run.data.tags["version_of.features.labels"] == "5"
    assert run.data.tags["lake"] == "test"


@pytest.mark.spark_only
@pytest.mark.parametrize("name", ["held_out", "confusion", "importance", "learning", "profit"])
def test_the_run_holds_every_figure(registry, winner, tmp_path, name):
    path = registry.client.download_artifacts(winner.version.run_id, f"figures/{name}.png", str(tmp_path))

    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.width > 500
        assert len(picture.convert("RGB").getcolors(maxcolors=1_000_000)) > 20


@pytest.mark.spark_only
def test_the_run_lists_every_candidate_and_baseline_on_every_split(registry, winner, tmp_path):
    found = table(registry, winner, "candidates", tmp_path)

    assert sorted(zip(found["candidate"], found["split"], strict=True)) == sorted(
        (name, str(split.holdout)) for name in (*CONFIG.candidates, *baselines(CONFIG)) for split in SPLITS
    )
    best = found[(found["candidate"] == winner.best) & (found["split"] == "2011-09-03")]
    assert best["roc_auc"].tolist() == pytest.approx([winner.metrics["roc_auc"]])


@pytest.mark.spark_only
def test_the_run_lists_every_feature_with_its_meaning_and_whether_it_is_used(registry, winner, tmp_path):
    found = table(registry, winner, "features", tmp_path).set_index("feature")

    assert list(found.index) == [feature.name for feature in FEATURES]
    assert found["meaning"].str.len().min() > 3
    assert found.loc["count_returns", "is_used"]
    assert not found.loc["email_open_share", "is_used"]  # the made lake has no e-mail
    assert found.loc["email_open_share", "source"] == "silver.email_events"


@pytest.mark.spark_only
def test_the_run_tells_how_the_model_does_for_groups_of_people(registry, winner, first, tmp_path):
    found = table(registry, winner, "fairness", tmp_path).set_index(["attribute", "group"])

    # of 300 customers from number 40 on
    assert found["rows"].to_dict() == {
        ("region", "France, Nord"): 300, ("sex", "f"): 100, ("sex", "m"): 100, ("sex", "not known"): 100,
    }  # fmt: skip
    assert found.loc[("region", "France, Nord"), "roc_auc"] == pytest.approx(winner.metrics["roc_auc"], abs=1e-6)
    card = card_of(registry, winner, tmp_path)
    assert "| sex: f | 100 |" in card
    assert "whether the model is fair to them is not shown" in card_of(registry, first, tmp_path / "first")


@pytest.mark.spark_only
def test_the_run_holds_a_model_card_in_plain_words(registry, winner, tmp_path):
    card = card_of(registry, winner, tmp_path)

    assert card.startswith(f"# Churn: {winner.best}")
    for part in ("**Purpose.** Rank the customers still buying", "**Judged on** 2011-09-03, 2011-08-13", "**Limits.**"):
        assert part in card
    assert re.search(
        rf"\| roc_auc \| {winner.metrics['roc_auc']:.4f} \(0\.\d+ to 0\.\d+\) \| {winner.baseline['roc_auc']:.4f} \|",
        card,
    )
    assert "a contact costs 1, succeeds with 10% of those it is meant for, and 30% of spend is profit" in card
    assert "**Looks at most:** count_returns" in card
    for name in (*CONFIG.candidates, *baselines(CONFIG)):
        assert f"| {name} | 0." in card
    assert "**Approved by:**" in card
    described = registry.client.get_run(winner.version.run_id).data.tags["mlflow.note.content"]
    assert described == card  # what MLflow's page of the run begins with


@pytest.mark.spark_only
def test_every_candidate_has_a_run_of_its_own_with_settings_metrics_and_search(registry, winner):
    experiment = registry.client.get_run(winner.version.run_id).info.experiment_id
    runs = registry.client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{winner.version.run_id}'")
    by_name = {run.data.params["candidate"]: run for run in runs}

    assert set(by_name) == {*CONFIG.candidates, *baselines(CONFIG)}
    assert all(run.info.run_name == name for name, run in by_name.items())
    assert by_name["recency rule"].data.metrics["roc_auc"] == winner.baseline["roc_auc"]
    assert by_name[winner.best].data.metrics["roc_auc"] == winner.metrics["roc_auc"]
    assert "regParam" in by_name["logistic regression"].data.params
    assert "learning_rate" in by_name["XGBoost"].data.params
    files = {
        name: {one.path for one in registry.client.list_artifacts(run.info.run_id)} for name, run in by_name.items()
    }
    assert {name for name, paths in files.items() if "search.json" in paths} == set(CONFIG.candidates)


@pytest.mark.spark_only
def test_the_registered_model_holds_a_signature_of_the_features_in_use(registry, winner):
    fitted, _ = kept_classifier(registry, winner.version)

    about = mlflow.models.get_model_info(f"models:/{MODEL}/{winner.version.number}")

    assert [column.name for column in about.signature.inputs.inputs] == fitted.inputs.features
    assert [column.name for column in about.signature.outputs.inputs] == ["churn_probability"]


@pytest.mark.spark_only
def test_neither_run_nor_files_hold_a_customer(registry, winner, registry_folder):
    run = registry.client.get_run(winner.version.run_id)
    texts = [str(run.data.to_dictionary())]
    for file in (registry_folder / "mlflow" / "artifacts").rglob("*"):
        if file.suffix in {".md", ".json", ".yaml", ".txt"}:
            texts.append(file.read_text(encoding="utf-8"))

    assert len(texts) > 10
    assert not any(re.search(r"\bc\d{5}\b", text) for text in texts)  # ids of runs and models may hold "c00" too
