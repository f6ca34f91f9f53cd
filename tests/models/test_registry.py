import os
from datetime import date, timedelta

import altair as alt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customerlake.errors import ModelError
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
