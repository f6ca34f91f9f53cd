"""All platforms run the same steps, in the same order, with the same parameters: those of the pipeline."""

import json
import re
from pathlib import Path

import pytest
import yaml

from customerlake.runtime.pipeline import PARAMETERS, PIPELINE
from deploy.cluster.steps import Submission

DEPLOY = Path(__file__).parents[2] / "deploy"


def databricks():
    file = DEPLOY / "databricks" / "resources" / "job.yml"
    tasks = yaml.safe_load(file.read_text(encoding="utf-8"))["resources"]["jobs"]["customerlake"]["tasks"]
    return [
        (task["task_key"], job(run["python_file"]), parameters(run["parameters"]))
        for task in tasks
        for run in [task["spark_python_task"]]
    ]


def emr_cluster():
    steps = json.loads((DEPLOY / "emr" / "steps.json").read_text(encoding="utf-8"))
    submitted = [(step["Name"], step["HadoopJarStep"]["Args"]) for step in steps]
    places = [next(at for at, word in enumerate(words) if word.endswith(".py")) for _, words in submitted]
    return [
        (name, job(words[at]), parameters(words[at + 1 :])) for (name, words), at in zip(submitted, places, strict=True)
    ]


def emr_serverless():
    runs = json.loads((DEPLOY / "emr" / "jobs.json").read_text(encoding="utf-8"))
    submitted = [(run["name"], run["jobDriver"]["sparkSubmit"]) for run in runs]
    return [(name, job(run["entryPoint"]), parameters(run["entryPointArguments"])) for name, run in submitted]


def cluster():
    submission = Submission("spark://MASTER", Path("WHEEL"), "PYTHON", Path("ARCHIVE"))
    places = {name: f"${{{name}}}" for name in PARAMETERS}
    submitted = [submission.command(step, places) for step in PIPELINE]
    places_of_jobs = [next(at for at, word in enumerate(words) if word.endswith(".py")) for words in submitted]
    return [
        (words[words.index("--name") + 1], job(words[at]), parameters(words[at + 1 :]))
        for words, at in zip(submitted, places_of_jobs, strict=True)
    ]


TARGETS = {
    "databricks": databricks,
    "cluster": cluster,
    "emr cluster": emr_cluster,
    "emr serverless": emr_serverless,
}


def job(path):
    """A job's file under jobs/, of wherever a platform finds it."""
    return path.rpartition("/jobs/")[2]


def parameters(words):
    """Each option of a job and the value that stands there: {{job.parameters.as_of}} and ${as_of} are both as_of."""
    split = [re.fullmatch(r"(--[a-z-]+)=(?:\{\{job\.parameters\.|\$\{)(\w+)\}{1,2}", word) for word in words]
    return {one[1]: one[2] for one in split}


DECLARED = [
    (step.name, step.job, {"--root": "root", "--as-of": "as_of", "--lake": "lake", "--catalog": "catalog"})
    for step in PIPELINE
]


@pytest.mark.parametrize("target", TARGETS)
def test_a_platform_runs_the_pipelines_steps_in_its_order_with_its_parameters(target):
    assert TARGETS[target]() == DECLARED


def test_on_databricks_where_order_is_what_a_task_waits_for_each_waits_as_the_pipeline_says():
    file = DEPLOY / "databricks" / "resources" / "job.yml"
    tasks = yaml.safe_load(file.read_text(encoding="utf-8"))["resources"]["jobs"]["customerlake"]["tasks"]

    waits = {task["task_key"]: tuple(one["task_key"] for one in task.get("depends_on", [])) for task in tasks}

    assert waits == {step.name: step.after for step in PIPELINE}
