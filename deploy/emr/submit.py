"""Fill in the files of this folder and hand them to EMR, which the AWS command line does not take as they are.

submit.py cluster --bucket s3://... --root s3://... ...   start a cluster, with all steps
submit.py steps --cluster-id j-... ...                    all steps once more, on a cluster that runs
submit.py application ...                                 make the EMR Serverless application
submit.py jobs --application-id ... ...                   its job runs, each after the one before has ended
--dry-run                                                 show what would be sent
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from customerlake.errors import ConfigError
from customerlake.runtime.pipeline import step_named

FOLDER = Path(__file__).parent
NOT_GIVEN = {"as_of": "", "lake": "", "catalog": ""}  # what a job may do without
VALUES = {
    "bucket": "s3://BUCKET or a folder in it: code/ lies there, logs/ are written",
    "root": "folder of the lake",
    "as_of": "last day of the observation period, YYYY-MM-DD; without it the last day with an order",
    "lake": "lake file; without it the sales that ship with the package",
    "catalog": "catalog of the tables; without it tables by path under the root",
    "mlflow": "MLflow's tracking URI",
    "subnet": "subnet of the machines",
    "security_group": "security group of EMR Serverless",
    "service_role": "role of EMR",
    "instance_profile": "instance profile of the cluster's machines",
    "job_role": "ARN of the role of a job run on EMR Serverless",
}
ENDED = ("SUCCESS", "FAILED", "CANCELLED")


def filled(file: str, values: Mapping[str, str]) -> Any:
    """A file of this folder with its values. Raises: ConfigError when one is missing."""
    text = Template((FOLDER / file).read_text(encoding="utf-8"))
    missing = [name for name in text.get_identifiers() if name not in values]
    if missing:
        options = " and ".join(f"--{name.replace('_', '-')}" for name in missing)
        raise ConfigError(f"deploy/emr/{file} has a place for what was not given. Give {options}.")
    return json.loads(text.substitute({name: json.dumps(value)[1:-1] for name, value in values.items()}))


def start_cluster(emr: Any, values: Mapping[str, str]) -> str:
    """Start a cluster that takes all steps and ends when it is idle; its id."""
    started = emr.run_job_flow(**filled("cluster.json", values), Steps=filled("steps.json", values))
    return str(started["JobFlowId"])


def add_steps(emr: Any, cluster_id: str, values: Mapping[str, str]) -> list[str]:
    """Hand all steps to a cluster that runs; their ids, in order."""
    added = emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=filled("steps.json", values))
    return list(added["StepIds"])


def make_application(serverless: Any, values: Mapping[str, str]) -> str:
    """Make the EMR Serverless application; its id."""
    return str(serverless.create_application(**filled("application.json", values))["applicationId"])


def run_jobs(serverless: Any, application_id: str, values: Mapping[str, str], *, poll_seconds: float = 15) -> list[str]:
    """Run the steps one after another until one fails; the names of those that failed.

    A step that may refuse files does not stop the others.
    """
    failed = []
    for job in filled("jobs.json", values):
        run = serverless.start_job_run(applicationId=application_id, **job)
        state = _end_of(serverless, application_id, run["jobRunId"], poll_seconds)
        sys.stdout.write(f"{job['name']} {state}\n")
        if state != "SUCCESS":
            failed.append(job["name"])
            if not step_named(job["name"]).may_refuse:
                break
    return failed


def _end_of(serverless: Any, application_id: str, run_id: str, poll_seconds: float) -> str:
    while True:
        state = str(serverless.get_job_run(applicationId=application_id, jobRunId=run_id)["jobRun"]["state"])
        if state in ENDED:
            return state
        time.sleep(poll_seconds)


def main(words: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(words)
    values = NOT_GIVEN | {name: getattr(given, name) for name in VALUES if getattr(given, name) is not None}
    try:
        if given.dry_run:
            sys.stdout.write(json.dumps(_requests(given.what, values), indent=2) + "\n")
        else:
            _send(given, values)
    except ConfigError as error:
        sys.exit(f"submit.py: {error}")


def _requests(what: str, values: Mapping[str, str]) -> dict[str, Any]:
    files = {"cluster": ("cluster.json", "steps.json"), "steps": ("steps.json",)}
    files |= {"application": ("application.json",), "jobs": ("jobs.json",)}
    return {file: filled(file, values) for file in files[what]}


def _send(given: argparse.Namespace, values: Mapping[str, str]) -> None:
    import boto3  # not a dependency of the package: whoever submits to AWS has it

    if given.what == "cluster":
        sys.stdout.write(start_cluster(boto3.client("emr"), values) + "\n")
    elif given.what == "steps":
        sys.stdout.write("\n".join(add_steps(boto3.client("emr"), given.cluster_id, values)) + "\n")
    elif given.what == "application":
        sys.stdout.write(make_application(boto3.client("emr-serverless"), values) + "\n")
    elif failed := run_jobs(boto3.client("emr-serverless"), given.application_id, values):
        sys.exit(f"submit.py: {', '.join(failed)} failed. Its log is under the bucket's logs/; run the jobs again.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Fill in the files of deploy/emr and hand them to EMR.")
    kinds = parser.add_subparsers(dest="what", required=True)
    for what in ("cluster", "steps", "application", "jobs"):
        kind = kinds.add_parser(what)
        if what == "steps":
            kind.add_argument("--cluster-id", required=True)
        if what == "jobs":
            kind.add_argument("--application-id", required=True)
        for name, meaning in VALUES.items():
            kind.add_argument(f"--{name.replace('_', '-')}", help=meaning)
        kind.add_argument("--dry-run", action="store_true", help="show what would be sent")
    return parser


if __name__ == "__main__":
    main()
