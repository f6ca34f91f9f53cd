import ast
from pathlib import Path

import pytest

from customerlake.errors import ConfigError
from customerlake.runtime.config import shipped
from customerlake.runtime.pipeline import LANDINGS, PIPELINE, arguments, step_named, step_of_job, steps

JOBS = Path(str(shipped("jobs")))
NAMES = [step.name for step in PIPELINE]


@pytest.mark.parametrize("step", PIPELINE, ids=lambda step: step.name)
def test_the_job_of_each_step_is_a_file_that_defines_main(step):
    job = ast.parse((JOBS / step.job).read_text(encoding="utf-8"))

    assert "main" in [node.name for node in job.body if isinstance(node, ast.FunctionDef)]


def test_every_file_under_jobs_is_the_job_of_exactly_one_step():
    files = sorted(str(file.relative_to(JOBS)) for file in JOBS.rglob("*.py"))

    assert sorted(step.job for step in PIPELINE) == files


def test_no_two_steps_have_one_name():
    assert len(NAMES) == len(set(NAMES))


def test_no_two_jobs_have_one_file_name():
    files = [Path(step.job).name for step in PIPELINE]

    assert len(files) == len(set(files))


def test_a_step_that_takes_files_may_refuse_some_and_no_other_may():
    assert [step.name for step in PIPELINE if step.may_refuse] == list(LANDINGS)


def test_a_jobs_arguments_are_its_parameters_in_one_word_each_also_where_none_is_given():
    given = arguments({"root": "/lake", "as_of": "2011-12-09", "lake": "", "catalog": ""})

    assert given == ["--root=/lake", "--as-of=2011-12-09", "--lake=", "--catalog="]


@pytest.mark.parametrize("step", PIPELINE, ids=lambda step: step.name)
def test_a_step_comes_after_earlier_steps_only(step):
    assert set(step.after) <= set(NAMES[: NAMES.index(step.name)])


def before(name):
    """Every step that must have ended before a step begins."""
    after = step_named(name).after
    return set(after).union(*[before(earlier) for earlier in after])


@pytest.mark.parametrize("step", [step.name for step in PIPELINE if step.job.startswith(("gold/", "features/"))])
def test_a_step_past_silver_waits_for_the_quality_of_silver(step):
    assert "quality" in before(step)


def test_the_quality_of_silver_is_measured_when_all_of_silver_is_made():
    silver = {step.name for step in PIPELINE if step.job.startswith("silver/")}

    assert silver <= before("quality")


def test_a_run_takes_all_steps_in_order():
    assert steps() == PIPELINE


def test_only_takes_one_step():
    assert [step.name for step in steps(only="orders")] == ["orders"]


def test_from_takes_a_step_and_all_after_it():
    assert [step.name for step in steps(start="publish_customers")] == ["publish_customers", "publish_early_warning"]


def test_only_and_from_exclude_each_other():
    with pytest.raises(ConfigError, match=r"--only and --from exclude each other\. Give one of them\."):
        steps(only="orders", start="orders")


@pytest.mark.parametrize("asked", [{"only": "order"}, {"start": "order"}])
def test_an_unknown_step_is_refused_with_the_list_of_steps(asked):
    with pytest.raises(ConfigError) as refusal:
        steps(**asked)

    assert str(refusal.value).startswith(
        "There is no step 'order'. The steps are: land_files, land_databases, land_inter"
    )


def test_a_step_is_found_by_its_name():
    assert step_named("order_lines").job == "silver/build_order_lines.py"


@pytest.mark.parametrize(
    "path",
    ["jobs/gold/build_value.py", "/opt/app/jobs/gold/build_value.py", r"C:\jobs\gold\build_value.py", "build_value.py"],
)
def test_a_step_is_found_by_its_job_wherever_the_file_lies(path):
    assert step_of_job(path).name == "value"


def test_a_file_that_is_no_job_is_refused_with_the_list_of_jobs():
    with pytest.raises(
        ConfigError, match=r"build_nothing.py is the job of no step. The jobs are: bronze/land_files.py, "
    ):
        step_of_job("jobs/gold/build_nothing.py")
