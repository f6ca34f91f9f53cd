import json
import os
import subprocess
from datetime import date, timedelta
from pathlib import Path

import altair as alt
import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customerlake.errors import ModelError
from customerlake.models.classifiers.packaged import PackagedClassifier
from customerlake.models.registry import ASKED_REGISTRY_URI, ASKED_URI, Registry, Version

JAN_1 = date(2011, 1, 1)
FEB_1 = date(2011, 2, 1)
MAR_1 = date(2011, 3, 1)
APR_1 = date(2011, 4, 1)


@pytest.fixture
def trained(registry, request):
    """Put a version into the store as a training does, its files left out: (as_of, wins) -> its number."""
    model = f"model {request.node.name}"

    def version(as_of, *, wins=False, is_judged=True, of=model):
        if not registry.client.search_registered_models(f"name = '{of}'"):
            registry.client.create_registered_model(of)
        made = registry.client.create_model_version(of, "file:///no/files", tags={"as_of": str(as_of)})
        if is_judged:
            registry.judge(Version(of, str(made.version), as_of, "", False, {}), wins=wins)
        return str(made.version)

    version.model = model
    return version


def champions(registry, model):
    return [version.number for version in registry.versions(model) if version.is_champion]


def test_a_model_that_was_never_trained_has_no_versions_and_is_due(registry):
    assert registry.versions("never trained") == []
    assert registry.usable("never trained", JAN_1) is None
    assert registry.is_due("never trained", JAN_1, retrain_after_days=30)


def test_versions_are_listed_oldest_first_also_beyond_nine(registry, trained):
    for day in range(11):
        trained(JAN_1 + timedelta(days=day))

    versions = registry.versions(trained.model)

    assert [version.number for version in versions] == [str(number) for number in range(1, 12)]
    assert [version.as_of for version in versions] == [JAN_1 + timedelta(days=day) for day in range(11)]


def test_the_version_that_wins_is_the_champion_and_the_only_one(registry, trained):
    trained(JAN_1, wins=True)
    trained(FEB_1, wins=True)

    assert champions(registry, trained.model) == ["2"]


def test_a_challenger_that_loses_does_not_take_the_alias(registry, trained):
    trained(JAN_1, wins=True)
    trained(FEB_1, wins=False)

    assert champions(registry, trained.model) == ["1"]
    assert registry.usable(trained.model, FEB_1).number == "1"


def test_a_champion_that_has_seen_later_days_scores_no_earlier_one(registry, trained):
    trained(JAN_1)
    trained(MAR_1, wins=True)

    assert registry.usable(trained.model, MAR_1).number == "2"
    assert registry.usable(trained.model, FEB_1).number == "1"
    assert registry.usable(trained.model, JAN_1 - timedelta(days=1)) is None


def test_without_a_usable_champion_the_newest_that_has_not_seen_later_days_scores(registry, trained):
    trained(FEB_1)
    trained(JAN_1)  # for a back-test: trained later, knows less
    trained(APR_1, wins=True)

    assert registry.usable(trained.model, MAR_1).number == "1"


def test_of_two_versions_of_one_day_the_later_trained_scores(registry, trained):
    trained(JAN_1)
    trained(JAN_1)

    assert registry.usable(trained.model, FEB_1).number == "2"


@given(
    trainings=st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=6),
    asked=st.integers(-5, 65),
    name=st.uuids(),
)
def test_no_version_scores_a_day_before_the_one_it_was_trained_on(registry, trained, trainings, asked, name):
    model, as_of = f"model {name}", JAN_1 + timedelta(days=asked)
    for day, wins in trainings:
        trained(JAN_1 + timedelta(days=day), wins=wins, of=model)

    usable = registry.usable(model, as_of)

    if usable is None:
        assert all(day > asked for day, _ in trainings)
    else:
        assert usable.as_of <= as_of


def test_a_model_is_due_when_its_newest_version_is_as_old_as_the_limit(registry, trained):
    trained(JAN_1, wins=True)

    assert not registry.is_due(trained.model, JAN_1, retrain_after_days=30)
    assert not registry.is_due(trained.model, JAN_1 + timedelta(days=29), retrain_after_days=30)
    assert registry.is_due(trained.model, JAN_1 + timedelta(days=30), retrain_after_days=30)


def test_a_version_that_lost_counts_as_tried(registry, trained):
    trained(JAN_1, wins=True)
    trained(MAR_1, wins=False)

    assert not registry.is_due(trained.model, MAR_1 + timedelta(days=1), retrain_after_days=30)


def test_a_version_of_later_days_does_not_spare_an_earlier_one(registry, trained):
    trained(MAR_1, wins=True)

    assert registry.is_due(trained.model, FEB_1, retrain_after_days=365)


def test_a_version_whose_training_was_killed_is_never_used(registry, trained):
    trained(JAN_1, wins=True)
    trained(FEB_1, is_judged=False)

    assert [version.number for version in registry.versions(trained.model)] == ["1"]
    assert registry.usable(trained.model, FEB_1).number == "1"
    assert registry.is_due(trained.model, FEB_1 + timedelta(days=1), retrain_after_days=30)


def test_models_do_not_see_each_others_versions(registry, trained):
    trained(JAN_1, wins=True, of="model one")
    trained(FEB_1, wins=True, of="model one another")

    assert [version.as_of for version in registry.versions("model one")] == [JAN_1]


def test_a_version_whose_files_are_gone_cannot_score_and_the_message_says_what_to_do(registry, trained):
    trained(JAN_1, wins=True)

    with pytest.raises(ModelError, match=r"Version 1 of the model .* has no scoring\.json in .*--retrain"):
        registry.values(registry.usable(trained.model, JAN_1), "scoring.json")


def test_values_that_are_kept_beside_a_model_come_back(registry):
    kept = {"candidate": "trees", "typical": {"frequency": 2.5}, "names": {"0": "Rare, low-spend"}}
    with registry.run("kept values", "made", {}) as run_id:
        registry.log_values(kept, "scoring.json")

    back = registry.values(Version("kept values", "1", JAN_1, run_id, False, {}), "scoring.json")

    assert back == kept


def test_a_run_holds_parameters_metrics_tags_texts_and_figures(registry):
    chart = alt.Chart(pd.DataFrame({"x": [1, 2], "y": [3, 4]})).mark_line().encode(x="x:Q", y="y:Q")
    with registry.run("logged", "the run", {"lake": "test"}) as run_id:
        registry.log_params({"seed": 20})
        registry.log_metrics({"roc_auc": 0.75})
        registry.log_card("# A card")
        registry.log_figure(chart, "line")

    run = registry.client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"seed": "20"}
    assert run.data.metrics == {"roc_auc": 0.75}
    assert run.data.tags["lake"] == "test"
    assert run.data.tags["mlflow.runName"] == "the run"
    assert run.data.tags["mlflow.note.content"] == "# A card"  # what MLflow's page of the run begins with
    assert {file.path for file in registry.client.list_artifacts(run_id)} == {"model_card.md", "figures"}
    assert [file.path for file in registry.client.list_artifacts(run_id, "figures")] == ["figures/line.png"]


def test_a_run_holds_path_and_version_of_each_input_table(registry):
    with registry.run("inputs", "made", {}) as run_id:
        registry.log_inputs({"features.snapshot": ("/lake/features/snapshot", 3)}, "training")

    run = registry.client.get_run(run_id)
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("features.snapshot", "v3")
    assert "/lake/features/snapshot" in used.dataset.source
    assert run.data.tags["version_of.features.snapshot"] == "3"


def test_a_candidates_run_lies_inside_its_trainings_run(registry):
    with registry.run("nested", "training", {}) as parent, registry.run("nested", "trees", {}, nested=True) as child:
        pass

    assert registry.client.get_run(child).data.tags["mlflow.parentRunId"] == parent


def test_an_experiment_opens_on_the_pages_for_models(registry):
    with registry.run("kind", "training", {}):
        pass

    assert registry.client.get_experiment_by_name("kind").tags["mlflow.experimentKind"] == "custom_model_development"


def test_a_run_that_was_killed_is_shown_as_killed_after_the_next_training(registry):
    experiment = registry.client.create_experiment("killed", artifact_location=registry.artifacts)
    killed = registry.client.create_run(experiment).info.run_id

    with registry.run("killed", "next", {}) as following:
        assert registry.client.get_run(killed).info.status == "KILLED"
        assert registry.client.get_run(following).info.status == "RUNNING"


def test_a_run_that_fails_is_shown_as_failed(registry):
    with pytest.raises(ModelError), registry.run("failing", "made", {}) as run_id:
        raise ModelError("one class")

    assert registry.client.get_run(run_id).info.status == "FAILED"


def test_the_store_lies_under_the_lakes_root(registry, registry_folder):
    with registry.run("place", "made", {}) as run_id:
        registry.log_card("text")

    assert (registry_folder / "mlflow" / "mlflow.db").is_file()
    assert list((registry_folder / "mlflow" / "artifacts").glob(f"{run_id}/artifacts/model_card.md"))


def test_two_lakes_in_one_process_keep_their_stores_apart(registry, trained, tmp_path):
    other = Registry(str(tmp_path))
    trained(JAN_1, wins=True)

    with other.run("apart", "in the other", {}) as in_other:
        other.log_params({"seed": 1})
    with registry.run("apart", "in this", {}) as in_this:
        registry.log_params({"seed": 2})

    assert other.versions(trained.model) == []
    assert other.client.get_run(in_other).data.params == {"seed": "1"}
    assert registry.client.get_run(in_this).data.params == {"seed": "2"}


def test_processes_started_later_choose_a_store_of_their_own(registry):
    with registry.run("an experiment", "a run", {}):
        left = [os.environ.get(name) for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")]

    assert left == [ASKED_URI, ASKED_REGISTRY_URI]


def test_a_process_that_comes_later_finds_the_champion(registry, registry_folder, trained):
    trained(JAN_1, wins=True)

    again = Registry(str(registry_folder))

    assert again.usable(trained.model, FEB_1).number == "1"


def aliases(registry, model):
    return {name: str(number) for name, number in registry.client.get_registered_model(model).aliases.items()}


def test_the_version_that_loses_is_the_challenger(registry, trained):
    trained(JAN_1, wins=True)
    trained(FEB_1, wins=False)

    assert aliases(registry, trained.model) == {"champion": "1", "challenger": "2"}


def test_a_champion_that_was_beaten_is_the_challenger_of_the_new_one(registry, trained):
    trained(JAN_1, wins=True)
    trained(FEB_1, wins=True)

    assert aliases(registry, trained.model) == {"champion": "2", "challenger": "1"}


def test_a_challenger_that_is_promoted_changes_places_with_the_champion(registry, trained):
    trained(JAN_1, wins=True)
    trained(FEB_1, wins=False)

    registry.promote(registry.version(trained.model, "2"))

    assert aliases(registry, trained.model) == {"champion": "2", "challenger": "1"}


def test_a_first_version_that_lost_and_is_promoted_is_no_challenger_any_more(registry, trained):
    trained(JAN_1, wins=False)

    registry.promote(registry.version(trained.model, "1"))

    assert aliases(registry, trained.model) == {"champion": "1"}


def test_a_rollback_gives_the_alias_back_to_the_champion_before(registry, trained):
    trained(JAN_1, wins=True)
    trained(FEB_1, wins=True)
    trained(MAR_1, wins=True)

    back = registry.roll_back(trained.model)

    assert back.number == "2"
    assert back.is_champion
    assert aliases(registry, trained.model) == {"champion": "2", "challenger": "3"}
    assert registry.roll_back(trained.model).number == "1"


@pytest.mark.parametrize("versions", [0, 1])
def test_a_rollback_without_a_champion_before_is_refused(registry, trained, versions):
    for _ in range(versions):
        trained(JAN_1, wins=True)

    with pytest.raises(ModelError, match=r"no champion of model .* before the present one.*models list"):
        registry.roll_back(trained.model)


def test_promoting_the_champion_changes_nothing(registry, trained):
    trained(JAN_1, wins=True)
    trained(FEB_1, wins=True)

    registry.promote(registry.version(trained.model, "2"))

    assert aliases(registry, trained.model) == {"champion": "2", "challenger": "1"}
    assert registry.roll_back(trained.model).number == "1"


def test_an_unknown_version_is_refused_with_those_there_are(registry, trained):
    trained(JAN_1)
    trained(FEB_1)

    with pytest.raises(ModelError, match=r"no version 9 of .*there are: 1, 2\."):
        registry.version(trained.model, "9")


def test_all_registered_models_are_listed_by_name(registry, trained):
    trained(JAN_1, of="zebra")
    trained(JAN_1, of="aardvark")

    found = registry.models()

    assert found == sorted(found)
    assert {"zebra", "aardvark"} <= set(found)


CUSTOMERS = pd.DataFrame({"count_returns": [0.0, 4.0, np.nan], "customer_id": ["a", "b", "c"]})


@pytest.fixture(scope="module")
def registered(registry, returns_tell):
    """A version registered as a training does, and judged."""
    scorer = PackagedClassifier(returns_tell, "churn_probability")
    inputs = CUSTOMERS[["count_returns"]]
    with registry.run("packaged", "the run", {}) as run_id:
        registry.log_params({"seed": 20})
        registry.log_metrics({"roc_auc": 0.75})
        registry.log_card("# Churn: by hand\n\n**Purpose.** To rank.\n\n**Judged on** nothing.")
        version = registry.register(
            "packaged", scorer, run_id=run_id, as_of=JAN_1, inputs=inputs, output=scorer.predict(None, inputs),
            metrics={"roc_auc": 0.75},
        )  # fmt: skip
    registry.judge(version, wins=True)
    return version


def test_the_champion_scores_a_pandas_frame_without_spark(registry, registered):
    with registry.run("packaged", "to choose the store", {}):
        loaded = mlflow.pyfunc.load_model("models:/packaged@champion")

    found = loaded.predict(CUSTOMERS[["count_returns"]])

    # the log-odds are -5, 3, and -1 for the typical number
    assert found["churn_probability"].tolist() == pytest.approx([0.006693, 0.952574, 0.268941], abs=1e-6)


def test_the_beginning_of_the_card_describes_the_version_and_the_model(registry, registered):
    version = registry.client.get_model_version("packaged", registered.number)
    model = registry.client.get_registered_model("packaged")

    assert version.description == (
        "# Churn: by hand\n\n**Purpose.** To rank.\n\nThe whole model card is the description of its run."
    )
    assert model.description == "**Purpose.** To rank."


def test_the_model_carries_its_signature_example_code_and_environment(registry, registered):
    with registry.run("packaged", "to choose the store", {}):
        about = mlflow.models.get_model_info("models:/packaged/1")
        folder = Path(mlflow.artifacts.download_artifacts(about.model_uri))

    assert [column.name for column in about.signature.inputs.inputs] == ["count_returns"]
    assert [column.name for column in about.signature.outputs.inputs] == ["churn_probability"]
    example = json.loads((folder / "input_example.json").read_text())
    assert example["columns"] == ["count_returns"]
    code = folder / "code" / "customerlake"
    assert (code / "models" / "classifiers" / "numbers.py").is_file()
    assert {path.suffix for path in code.rglob("*") if path.is_file()} == {".py"}  # data are many times as large
    needed = (folder / "requirements.txt").read_text().splitlines()
    assert {line.split("==")[0] for line in needed} >= {"mlflow", "numpy", "pandas", "scipy", "pydantic"}


def test_a_process_without_the_package_installed_scores_by_the_models_own_code(
    registry, registered, python_without_customerlake, tmp_path
):
    with registry.run("packaged", "to choose the store", {}):
        folder = mlflow.artifacts.download_artifacts("models:/packaged/1")
    asked = (
        "import mlflow, pandas, sys; "
        f"loaded = mlflow.pyfunc.load_model({folder!r}); "
        "print(loaded.predict(pandas.DataFrame({'count_returns': [4.0]}))['churn_probability'][0]); "
        "import pyspark.sql; assert pyspark.sql.SparkSession.getActiveSession() is None"
    )

    done = subprocess.run(
        [python_without_customerlake, "-c", asked], capture_output=True, text=True, cwd=tmp_path, check=False
    )

    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(0.952574, abs=1e-6)


def test_a_version_knows_the_metrics_and_parameters_of_its_run(registry, registered):
    assert registry.metrics(registered) == {"roc_auc": 0.75}
    assert registry.params(registered) == {"seed": "20"}
    assert registry.version("packaged", "1").tags["holdout_roc_auc"] == "0.750000"


def test_who_approved_a_version_is_written_down_at_version_and_run(registry, registered):
    registry.approve(registered, by="Ada", on=FEB_1)

    tags = registry.version("packaged", "1").tags
    assert (tags["approved_by"], tags["approved_on"]) == ("Ada", "2011-02-01")
    of_run = registry.client.get_run(registered.run_id).data.tags
    assert (of_run["approved_by"], of_run["approved_on"]) == ("Ada", "2011-02-01")


@pytest.mark.parametrize("tiers", [[None] * 3, ["gold", None, None], ["gold"] * 3])
def test_words_that_the_example_lacks_or_has_do_not_decide_which_rows_can_be_scored(registry, returns_tell, tiers):
    inputs = CUSTOMERS[["count_returns"]].assign(loyalty_tier=pd.Series(tiers, dtype=object))
    scorer = PackagedClassifier(returns_tell, "churn_probability")
    with registry.run("words", "the run", {}) as run_id:
        version = registry.register(
            "words", scorer, run_id=run_id, as_of=JAN_1, inputs=inputs, output=scorer.predict(None, inputs), metrics={}
        )
        loaded = mlflow.pyfunc.load_model(f"models:/words/{version.number}")

    found = loaded.predict(inputs.assign(loyalty_tier=["silver", None, "gold"]))

    assert len(found) == 3


def test_a_table_beside_a_run_comes_back(registry, tmp_path):
    with registry.run("tables", "made", {}) as run_id:
        registry.log_table(pd.DataFrame({"candidate": ["a", "b"], "roc_auc": [0.5, 0.75]}), "candidates")

    path = registry.client.download_artifacts(run_id, "candidates.json", str(tmp_path))
    kept = json.loads(Path(path).read_text())
    assert kept == {"columns": ["candidate", "roc_auc"], "data": [["a", 0.5], ["b", 0.75]]}


def test_a_series_is_a_metric_with_steps(registry):
    with registry.run("series", "made", {}) as run_id:
        registry.log_series("roc_auc_by_split", [0.7, 0.8, 0.75])

    found = [(one.step, one.value) for one in registry.client.get_metric_history(run_id, "roc_auc_by_split")]
    assert sorted(found) == [(0, 0.7), (1, 0.8), (2, 0.75)]
