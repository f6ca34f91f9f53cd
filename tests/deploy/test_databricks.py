"""The bundle as Databricks' own typed model reads it, in each of its targets."""

import re
from pathlib import Path

import pytest
import yaml

from deploy.databricks import generate

BUNDLE = Path(generate.__file__).parent
FILES = ("databricks.yml", "resources/job.yml", "resources/compute.yml")
TRAININGS = [
    "land_databases", "land_streams", "train_segments", "train_churn", "train_purchase_intent", "train_session_intent",
    "train_lifetime_value", "train_outcome",
]  # fmt: skip


def read(file):
    return yaml.safe_load((BUNDLE / file).read_text(encoding="utf-8"))


def merged(below, above):
    """As the bundle's command line merges a target's settings: lists are joined, tasks by their key."""
    if isinstance(below, dict) and isinstance(above, dict):
        common = {key: merged(below[key], above[key]) for key in below.keys() & above.keys()}
        return below | above | common
    if isinstance(below, list) and isinstance(above, list):
        if not all("task_key" in one for one in below + above):
            return below + above
        of_above = {one["task_key"]: one for one in above}
        known = [merged(one, of_above.pop(one["task_key"], {})) for one in below]
        return known + list(of_above.values())
    return above


def job_of(target):
    job = read("resources/job.yml")["resources"]["jobs"]["customerlake"]
    for file in ("resources/compute.yml", "databricks.yml"):
        settings = read(file)["targets"][target].get("resources", {})
        job = merged(job, settings.get("jobs", {}).get("customerlake", {}))
    return job


@pytest.fixture(params=["dev", "prod"])
def job(request):
    return job_of(request.param)


@pytest.fixture
def model():
    """Databricks' typed model of a job, where its package is installed: `make bundle` installs it and runs these."""
    return pytest.importorskip("databricks.bundles.jobs", reason="databricks-bundles is for `make bundle` alone").Job


def task_of(job, name):
    (task,) = [task for task in job["tasks"] if task["task_key"] == name]
    return task


@pytest.mark.parametrize("path", ["resources/job.yml", "resources/compute.yml"])
def test_the_files_are_what_the_pipeline_makes_of_them_now(path):
    written = (BUNDLE / path).read_text(encoding="utf-8")

    assert written == generate.files()[Path(path)], "run `make deploy`"


def test_the_job_is_one_of_databricks_typed_model_and_comes_back_as_it_went_in(model, job):
    assert model.from_dict(job).as_dict() == job


@pytest.mark.parametrize("place", ["job", "task", "cluster", "environment"])
def test_a_field_that_the_typed_model_does_not_know_is_refused(model, place):
    job = job_of("prod")
    places = {"job": job, "task": job["tasks"][0], "cluster": job["job_clusters"][0]["new_cluster"]}
    places["environment"] = job["environments"][0]["spec"]
    places[place]["retry_count"] = 1

    with pytest.raises(ValueError, match="Unexpected field 'retry_count'"):
        model.from_dict(job)


@pytest.mark.parametrize(
    ("holder", "key", "wrong"),
    [
        ("schedule", "pause_status", "STOPPED"),
        ("task", "run_if", "SOMETIMES"),
        ("cluster", "data_security_mode", "ANY"),
    ],
)
def test_a_value_that_is_none_of_the_choices_is_refused(model, holder, key, wrong):
    job = job_of("prod")
    holders = {"schedule": job["schedule"], "task": job["tasks"][1], "cluster": job["job_clusters"][0]["new_cluster"]}
    holders[holder][key] = wrong

    with pytest.raises(ValueError, match=f"'{wrong}' is not a valid"):
        model.from_dict(job)


@pytest.mark.parametrize("file", FILES)
def test_every_variable_that_a_file_names_is_declared(file):
    named = set(re.findall(r"\$\{var\.(\w+)", (BUNDLE / file).read_text(encoding="utf-8")))

    assert named <= set(read("databricks.yml")["variables"])


@pytest.mark.parametrize("target", ["dev", "prod"])
def test_every_variable_that_a_target_sets_is_declared(target):
    bundle = read("databricks.yml")

    assert set(bundle["targets"][target]["variables"]) <= set(bundle["variables"])


def test_every_variable_is_used():
    text = "".join((BUNDLE / file).read_text(encoding="utf-8") for file in FILES)
    unused = {name for name in read("databricks.yml")["variables"] if f"${{var.{name}}}" not in text}

    assert unused == {"compute_of_tables"}  # generate.py reads it


def test_every_job_parameter_that_a_task_names_is_declared(job):
    named = re.findall(r"\{\{job\.parameters\.(\w+)\}\}", str(job["tasks"]))

    assert set(named) == {parameter["name"] for parameter in job["parameters"]} == {"root", "as_of", "lake", "catalog"}


def test_the_files_of_all_tasks_are_there_and_are_uploaded(job):
    uploaded = [(BUNDLE / path).resolve() for path in read("databricks.yml")["sync"]["paths"]]

    for task in job["tasks"]:
        file = (BUNDLE / "resources" / task["spark_python_task"]["python_file"]).resolve()
        assert file.is_file()
        assert any(file.is_relative_to(folder) for folder in uploaded)


def test_a_task_waits_for_the_steps_whose_tables_it_reads(job):
    steps = ("customers", "value", "behaviour", "lifecycle", "engagement", "service", "segment_rules")
    waits = [{"task_key": step} for step in steps]

    assert task_of(job, "customer_360")["depends_on"] == waits


def test_a_refused_file_fails_its_task_with_a_message_and_the_later_tasks_run_all_the_same(job):
    assert task_of(job, "land_files")["email_notifications"] == {"on_failure": ["${var.alerts_to}"]}
    assert task_of(job, "order_lines")["run_if"] == "ALL_DONE"
    assert [task["task_key"] for task in job["tasks"] if "run_if" in task] == ["records", "order_lines"]


def test_trainings_run_on_the_job_cluster_with_the_wheel_and_tables_on_serverless(job):
    for name in TRAININGS:
        task = task_of(job, name)
        assert (task["job_cluster_key"], task["libraries"]) == ("spark", [{"whl": "../../../dist/*.whl"}])
    for name in ("land_files", "value", "features"):
        assert task_of(job, name)["environment_key"] == "tables"


def test_every_task_has_one_place_to_run_that_the_job_declares(job):
    declared = {cluster["job_cluster_key"] for cluster in job["job_clusters"]}
    declared |= {environment["environment_key"] for environment in job["environments"]}
    placed = [(task.get("job_cluster_key"), task.get("environment_key")) for task in job["tasks"]]

    for cluster, environment in placed:
        assert (cluster is None) != (environment is None)
        assert (cluster or environment) in declared


def test_where_a_target_asks_for_clusters_no_task_is_serverless():
    assert {place.get("job_cluster_key") for place in generate.places("cluster")} == {"spark"}


def test_a_place_to_run_that_there_is_not_is_refused_with_the_choices(tmp_path, monkeypatch):
    bundle = read("databricks.yml")
    bundle["targets"]["prod"]["variables"]["compute_of_tables"] = "lambda"
    (tmp_path / "databricks.yml").write_text(yaml.safe_dump(bundle))
    monkeypatch.setattr(generate, "BUNDLE", tmp_path)

    with pytest.raises(ValueError, match=r"target prod: compute_of_tables is 'lambda'\. Make it 'serverless' or"):
        generate.compute_of_targets()


def test_one_run_at_a_time_writes_the_lake_also_in_development(job):
    assert job["max_concurrent_runs"] == 1
    assert read("databricks.yml")["targets"]["dev"]["presets"] == {"jobs_max_concurrent_runs": 1}


def test_the_schedule_runs_in_production_and_is_paused_in_development():
    bundle = read("databricks.yml")

    assert job_of("prod")["schedule"]["pause_status"] == "${var.schedule}"
    assert bundle["variables"]["schedule"]["default"] == "PAUSED"
    assert "schedule" not in bundle["targets"]["dev"]["variables"]
    assert bundle["targets"]["prod"]["variables"]["schedule"] == "UNPAUSED"


def test_production_runs_as_a_service_principal_and_its_operators_may_repair_runs():
    prod = read("databricks.yml")["targets"]["prod"]

    assert prod["mode"] == "production"
    assert prod["run_as"] == {"service_principal_name": "${var.service_principal}"}
    assert job_of("prod")["permissions"] == [
        {"level": "CAN_VIEW", "group_name": "${var.viewers}"},
        {"level": "CAN_MANAGE_RUN", "group_name": "${var.operators}"},
    ]


@pytest.mark.parametrize("file", FILES)
def test_no_file_names_a_host_an_address_or_a_machines_own_path(file):
    text = (BUNDLE / file).read_text(encoding="utf-8")

    assert re.findall(r"https?://|\w@\w|/home/|/Users/|\d{12}", text) == []
