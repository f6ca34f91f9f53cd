"""Write what the bundle says of each step, from the pipeline's one declaration. `make deploy` runs it."""

from pathlib import Path
from typing import Any, Literal

import yaml

from customerlake.runtime.pipeline import PARAMETERS, PIPELINE, Step, arguments, step_named

Compute = Literal["serverless", "cluster"]

BUNDLE = Path(__file__).parent
JOB, COMPUTE = Path("resources/job.yml"), Path("resources/compute.yml")
TASKS_BEGIN = "      tasks:\n"  # the last key of the job
WHEEL = "../../../dist/*.whl"
COMPUTE_HEAD = """\
# Written by `make deploy`: where each task runs in each target. Serverless, where the target's compute_of_tables in
# databricks.yml says so and the step needs no MLlib; else the job cluster, which takes the wheel as a library.
"""


def files() -> dict[Path, str]:
    """The text of each file that this script writes, by its path in the bundle."""
    by_hand, _, _ = (BUNDLE / JOB).read_text(encoding="utf-8").partition(TASKS_BEGIN)
    tasks = _yaml([task(step) for step in PIPELINE])
    indented = "".join(f"        {line}\n" for line in tasks.splitlines())
    targets = {name: _in_job({"tasks": places(where)}) for name, where in compute_of_targets().items()}
    return {JOB: by_hand + TASKS_BEGIN + indented, COMPUTE: COMPUTE_HEAD + _yaml({"targets": targets})}


def task(step: Step) -> dict[str, Any]:
    """What a step's task does, after which, wherever it runs."""
    described: dict[str, Any] = {"task_key": step.name, "description": step.makes}
    if step.after:
        described["depends_on"] = [{"task_key": name} for name in step.after]
    if any(step_named(name).may_refuse for name in step.after):
        described["run_if"] = "ALL_DONE"
    described["spark_python_task"] = {
        "python_file": f"../../../jobs/{step.job}",
        "parameters": arguments({name: f"{{{{job.parameters.{name}}}}}" for name in PARAMETERS}),
    }
    if step.may_refuse:  # later tasks go on, so the job may succeed, and then tells nobody
        described["email_notifications"] = {"on_failure": ["${var.alerts_to}"]}
    return described | {"max_retries": 2, "min_retry_interval_millis": 60000, "timeout_seconds": 7200}


def places(tables: Compute) -> list[dict[str, Any]]:
    """Where each task runs, when those without MLlib run on `tables`."""
    return [_on_cluster(step) if step.needs_jvm or tables == "cluster" else _on_serverless(step) for step in PIPELINE]


def _on_cluster(step: Step) -> dict[str, Any]:
    return {"task_key": step.name, "job_cluster_key": "spark", "libraries": [{"whl": WHEEL}]}


def _on_serverless(step: Step) -> dict[str, Any]:
    return {"task_key": step.name, "environment_key": "tables"}


def compute_of_targets() -> dict[str, Compute]:
    """compute_of_tables of each target in databricks.yml.

    Raises: ValueError on a value that is neither serverless nor cluster.
    """
    bundle = yaml.safe_load((BUNDLE / "databricks.yml").read_text(encoding="utf-8"))
    default = bundle["variables"]["compute_of_tables"]["default"]
    return {
        name: _compute(name, target.get("variables", {}).get("compute_of_tables", default))
        for name, target in bundle["targets"].items()
    }


def _compute(target: str, value: str) -> Compute:
    if value == "serverless":
        return "serverless"
    if value == "cluster":
        return "cluster"
    raise ValueError(
        f"databricks.yml, target {target}: compute_of_tables is {value!r}. Make it 'serverless' or 'cluster'."
    )


def _in_job(settings: dict[str, Any]) -> dict[str, Any]:
    return {"resources": {"jobs": {"customerlake": settings}}}


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=118, allow_unicode=True)


if __name__ == "__main__":
    for path, text in files().items():
        (BUNDLE / path).write_text(text, encoding="utf-8")
