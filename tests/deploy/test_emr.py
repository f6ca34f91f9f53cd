"""EMR's definitions against botocore's model of the service, and as moto takes them. Nothing reaches AWS."""

import json
import re
import subprocess
from importlib import metadata
from pathlib import Path

import boto3
import botocore.session
import pytest
from botocore.validate import ParamValidator
from moto import mock_aws

from customerlake import __version__
from customerlake.errors import ConfigError
from customerlake.runtime.jars import delta_coordinates
from customerlake.runtime.session import REQUIRED
from deploy.emr import generate, submit

FOLDER = Path(generate.__file__).parent
FILES = ("cluster.json", "steps.json", "application.json", "jobs.json")
ORDER = [
    "land_files", "land_databases", "land_interfaces", "land_streams", "records", "order_lines", "customer_records",
    "identities", "orders", "cancellations", "customers", "quality", "value", "behaviour", "lifecycle", "sessions",
    "funnel", "engagement", "service", "segment_rules", "campaigns", "kpis", "before_after", "customer_360",
    "invariants", "features", "attributes", "train_segments", "train_churn", "train_purchase_intent",
    "train_session_intent", "train_lifetime_value", "train_outcome", "score_segments", "score_churn",
    "score_purchase_intent", "score_session_intent", "score_lifetime_value", "score_outcome", "publish_customers",
    "publish_early_warning",
]  # fmt: skip
VALUES = {
    "bucket": "s3://shop/crm",
    "root": "s3://shop/lake",
    "as_of": "2011-12-09",
    "lake": "",
    "catalog": "",
    "mlflow": "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/crm",
    "subnet": "subnet-1",
    "security_group": "sg-1",
    "service_role": "EMR_DefaultRole_V2",
    "instance_profile": "EMR_EC2_DefaultRole",
    "job_role": "arn:aws:iam::123456789012:role/crm",
}


def requests():
    """Each call that submit.py makes: service, operation, parameters."""
    cluster = submit.filled("cluster.json", VALUES) | {"Steps": submit.filled("steps.json", VALUES)}
    calls = [("emr", "RunJobFlow", cluster)]
    calls += [("emr", "AddJobFlowSteps", {"JobFlowId": "j-1", "Steps": submit.filled("steps.json", VALUES)})]
    calls += [("emr-serverless", "CreateApplication", {"clientToken": "t"} | submit.filled("application.json", VALUES))]
    calls += [
        ("emr-serverless", "StartJobRun", {"applicationId": "a", "clientToken": "t"} | job)
        for job in submit.filled("jobs.json", VALUES)
    ]
    return calls


def faults(service, operation, parameters):
    """What botocore's model of the service says against the parameters, its enums too, which botocore leaves out."""
    shape = botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape
    found = ParamValidator().validate(parameters, shape)
    return ([found.generate_report()] if found.has_errors() else []) + list(wrong_choices(parameters, shape, operation))


def wrong_choices(value, shape, at):
    if shape.type_name == "structure":
        for key in value.keys() & shape.members.keys():
            yield from wrong_choices(value[key], shape.members[key], f"{at}.{key}")
    elif shape.type_name == "list":
        for position, one in enumerate(value):
            yield from wrong_choices(one, shape.member, f"{at}[{position}]")
    elif shape.type_name == "map":
        for key, one in value.items():
            yield from wrong_choices(key, shape.key, f"{at}.{key}")
            yield from wrong_choices(one, shape.value, f"{at}.{key}")
    elif getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{at} is {value!r}, none of {shape.enum}"


@pytest.fixture
def aws(monkeypatch):
    for name, value in {"DEFAULT_REGION": "eu-west-1", "ACCESS_KEY_ID": "none", "SECRET_ACCESS_KEY": "none"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws():
        yield


@pytest.fixture
def subnet(aws):
    return boto3.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]


@pytest.fixture
def application(aws):
    made = submit.filled("application.json", VALUES) | {"releaseLabel": "emr-7.13.0"}  # moto knows no emr-spark-...
    return boto3.client("emr-serverless").create_application(**made)["applicationId"]


@pytest.mark.parametrize("path", ["steps.json", "jobs.json"])
def test_the_files_are_what_the_pipeline_makes_of_them_now(path):
    written = (FOLDER / path).read_text(encoding="utf-8")

    assert written == generate.files()[Path(path)], "run `make deploy`"


def test_every_request_is_as_the_services_own_model_says():
    assert [fault for request in requests() for fault in faults(*request)] == []


def test_there_is_a_request_for_each_step_and_three_others():
    assert len(requests()) == len(ORDER) + 3


@pytest.mark.parametrize(
    ("service", "operation", "change", "said"),
    [
        ("emr", "RunJobFlow", {"ReleaseLable": "emr-spark-8.1.0"}, 'Unknown parameter in input: "ReleaseLable"'),
        ("emr", "RunJobFlow", {"Instances": {"InstanceCount": "2"}}, "Invalid type for parameter Instances.Instance"),
        ("emr", "RunJobFlow", {"ScaleDownBehavior": "NEVER"}, "RunJobFlow.ScaleDownBehavior is 'NEVER', none of"),
        ("emr-serverless", "CreateApplication", {"architecture": "ARM"}, "architecture is 'ARM', none of"),
        ("emr-serverless", "StartJobRun", {"mode": "ONCE"}, "StartJobRun.mode is 'ONCE', none of ['BATCH', 'STREAM"),
        ("emr-serverless", "StartJobRun", {"retries": 2}, 'Unknown parameter in input: "retries"'),
    ],
)
def test_what_the_services_model_does_not_know_is_found(service, operation, change, said):
    parameters = next(good for _, name, good in requests() if name == operation) | change

    (fault,) = faults(service, operation, parameters)

    assert said in fault


def test_a_wrong_choice_deep_inside_a_list_is_found_with_its_place():
    steps = submit.filled("steps.json", VALUES)
    steps[3]["ActionOnFailure"] = "STOP"

    (fault,) = faults("emr", "AddJobFlowSteps", {"JobFlowId": "j-1", "Steps": steps})

    assert fault.startswith("AddJobFlowSteps.Steps[3].ActionOnFailure is 'STOP', none of")


def test_a_cluster_is_started_with_the_steps_in_order(subnet):
    emr = boto3.client("emr")

    cluster = submit.start_cluster(emr, VALUES | {"subnet": subnet})

    told = emr.list_steps(ClusterId=cluster)["Steps"]
    assert [step["Name"] for step in reversed(told)] == ORDER  # EMR lists the newest first
    assert emr.describe_cluster(ClusterId=cluster)["Cluster"]["ReleaseLabel"] == "emr-spark-8.1.0"


def test_the_steps_go_to_a_cluster_that_runs_as_they_went_to_it_first(subnet):
    emr = boto3.client("emr")
    cluster = submit.start_cluster(emr, VALUES | {"subnet": subnet})

    added = submit.add_steps(emr, cluster, VALUES)

    steps = [emr.describe_step(ClusterId=cluster, StepId=step)["Step"] for step in added]
    assert [step["Name"] for step in steps] == ORDER
    assert steps[ORDER.index("value")]["Config"] == {
        "Jar": "command-runner.jar",
        "Args": [
            "spark-submit", "--deploy-mode", "cluster", "--name", "value",
            "--py-files", f"s3://shop/crm/code/customerlake-{__version__}-py3-none-any.whl",
            "s3://shop/crm/code/jobs/gold/build_value.py",
            "--root=s3://shop/lake", "--as-of=2011-12-09", "--lake=", "--catalog=",
        ],
        "Properties": {},
    }  # fmt: skip


def test_the_jobs_run_on_emr_serverless_in_order(application):
    serverless = boto3.client("emr-serverless")

    failed = submit.run_jobs(serverless, application, VALUES)

    runs = serverless.list_job_runs(applicationId=application)["jobRuns"]
    assert failed == []
    assert [run["name"] for run in runs] == ORDER


class Serverless:
    """EMR Serverless of which some steps fail, and each is seen once at work; moto's always succeed at once."""

    def __init__(self, *failing):
        self.failing, self.states, self.started = failing, {}, []

    def start_job_run(self, *, name, **_):
        self.started.append(name)
        self.states[name] = ["FAILED" if name in self.failing else "SUCCESS", "RUNNING"]
        return {"jobRunId": name}

    def get_job_run(self, *, jobRunId, **_):
        return {"jobRun": {"state": self.states[jobRunId].pop()}}


def test_a_step_that_fails_on_emr_serverless_is_the_last():
    serverless = Serverless("orders")

    assert submit.run_jobs(serverless, "a", VALUES, poll_seconds=0) == ["orders"]
    assert serverless.started == ORDER[: ORDER.index("orders") + 1]


def test_a_refused_file_is_told_and_the_later_steps_run_on_emr_serverless():
    serverless = Serverless("land_files")

    assert submit.run_jobs(serverless, "a", VALUES, poll_seconds=0) == ["land_files"]
    assert serverless.started == ORDER


def test_a_refused_file_does_not_stop_a_clusters_later_steps_and_any_other_failure_does():
    does = {step["Name"]: step["ActionOnFailure"] for step in submit.filled("steps.json", VALUES)}

    landings = [name for name in ORDER if name.startswith("land_")]
    assert {does.pop(name) for name in landings} == {"CONTINUE"}
    assert set(does.values()) == {"CANCEL_AND_WAIT"}


@pytest.mark.parametrize("file", FILES)
def test_every_place_for_a_value_is_an_option_of_submit(file):
    places = re.findall(r"\$\{(\w+)\}", (FOLDER / file).read_text(encoding="utf-8"))

    assert set(places) <= set(submit.VALUES)


def test_a_value_that_is_missing_is_asked_for_by_its_option():
    with pytest.raises(ConfigError, match=r"deploy/emr/jobs.json has a place .* Give --job-role and --root\."):
        submit.filled("jobs.json", {"bucket": "s3://shop", "as_of": "", "lake": "", "catalog": ""})


def test_a_value_with_quotation_marks_stays_a_value():
    steps = submit.filled("steps.json", VALUES | {"root": 's3://shop/a "b"\\c'})

    assert '--root=s3://shop/a "b"\\c' in steps[0]["HadoopJarStep"]["Args"]


def test_a_dry_run_shows_what_would_be_sent_and_needs_no_aws(capsys):
    given = [f"--{name.replace('_', '-')}={value}" for name, value in VALUES.items() if value]

    submit.main(["jobs", "--application-id=a", "--dry-run", *given])

    assert json.loads(capsys.readouterr().out) == {"jobs.json": submit.filled("jobs.json", VALUES)}


def test_a_dry_run_without_a_value_ends_with_the_option_that_is_missing():
    with pytest.raises(SystemExit, match=r"submit\.py: deploy/emr/application\.json has a place .* --security-group"):
        submit.main(["application", "--dry-run"])


def test_a_cluster_brings_the_delta_with_which_the_suite_is_tested():
    (settings,) = submit.filled("cluster.json", VALUES)["Configurations"]

    tested = delta_coordinates(metadata.version("delta-spark"), metadata.version("pyspark"))
    assert settings["Properties"]["spark.jars.packages"] == tested


@pytest.mark.parametrize(
    ("file", "key"), [("cluster.json", "Configurations"), ("application.json", "runtimeConfiguration")]
)
def test_spark_is_set_as_every_session_of_the_suite_is(file, key):
    (settings,) = submit.filled(file, VALUES)[key]

    assert REQUIRED.items() <= settings.get("Properties", settings.get("properties")).items()


def test_a_cluster_ends_when_it_is_idle():
    cluster = submit.filled("cluster.json", VALUES)

    assert cluster["AutoTerminationPolicy"] == {"IdleTimeout": 900}
    assert cluster["Instances"]["TerminationProtected"] is False


def test_the_bootstrap_without_its_folder_says_what_it_needs():
    told = subprocess.run(["bash", str(FOLDER / "bootstrap.sh")], capture_output=True, text=True, check=False)

    assert told.returncode != 0
    assert "usage: bootstrap.sh FOLDER, which holds requirements.lock" in told.stderr


@pytest.mark.parametrize("package", ["delta-spark", "pyspark", "pytest", "databricks-bundles", "moto"])
def test_a_clusters_packages_hold_neither_its_own_spark_nor_tools_for_tests(package):
    lock = (FOLDER.parent / "requirements.lock").read_text(encoding="utf-8")

    assert f"\n{package}==" not in lock
    assert "\nmlflow==" in lock
    assert " \\\n    --hash=sha256:" in lock


@pytest.mark.parametrize("file", [*FILES, "bootstrap.sh"])
def test_no_file_names_a_bucket_an_account_or_a_machines_own_path(file):
    text = (FOLDER / file).read_text(encoding="utf-8")

    assert re.findall(r"s3://(?!BUCKET)\w|https?://|\d{12}|/home/|/Users/", text) == []
