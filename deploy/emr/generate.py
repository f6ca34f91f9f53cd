"""Write EMR's steps and EMR Serverless's job runs, from the pipeline's one declaration. `make deploy` runs it.

`${name}` stands for a value that submit.py fills in.
"""

import json
from pathlib import Path
from typing import Any

from customerlake import __version__
from customerlake.runtime.pipeline import PARAMETERS, PIPELINE, Step, arguments

FOLDER = Path(__file__).parent
CODE = "${bucket}/code"
WHEEL = f"{CODE}/customerlake-{__version__}-py3-none-any.whl"
ARGUMENTS = arguments({name: f"${{{name}}}" for name in PARAMETERS})


def files() -> dict[Path, str]:
    """The text of each file that this script writes, by its path in this folder."""
    return {
        Path("steps.json"): _json([cluster_step(step) for step in PIPELINE]),
        Path("jobs.json"): _json([serverless_job(step) for step in PIPELINE]),
    }


def cluster_step(step: Step) -> dict[str, Any]:
    """A step as add_job_flow_steps takes it."""
    submit = ["spark-submit", "--deploy-mode", "cluster", "--name", step.name, "--py-files", WHEEL, _job(step)]
    return {
        "Name": step.name,
        "ActionOnFailure": "CONTINUE" if step.may_refuse else "CANCEL_AND_WAIT",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": submit + ARGUMENTS},
    }


def serverless_job(step: Step) -> dict[str, Any]:
    """A step as start_job_run takes it, without its application."""
    return {
        "name": step.name,
        "executionRoleArn": "${job_role}",
        "executionTimeoutMinutes": 120,
        "mode": "BATCH",
        "retryPolicy": {"maxAttempts": 2},
        "jobDriver": {
            "sparkSubmit": {
                "entryPoint": _job(step),
                "entryPointArguments": ARGUMENTS,
                "sparkSubmitParameters": f"--py-files {WHEEL}",
            }
        },
    }


def _job(step: Step) -> str:
    return f"{CODE}/jobs/{step.job}"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for path, text in files().items():
        (FOLDER / path).write_text(text, encoding="utf-8")
