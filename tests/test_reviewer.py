import re
from datetime import date

import mlflow
import pytest
from typer.testing import CliRunner

from customerlake.cli import app
from customerlake.models.registry import Registry, Version

JAN_1, FEB_1 = date(2011, 1, 1), date(2011, 2, 1)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A store with two versions of churn: the second won, each with a run that says how good it is."""
    root = str(tmp_path_factory.mktemp("reviewed"))
    registry = Registry(root)
    for as_of, area in ((JAN_1, 0.71), (FEB_1, 0.74)):
        with registry.run("churn", f"churn as of {as_of}", {"as_of": str(as_of)}) as run_id:
            registry.log_params({"candidate": "XGBoost", "as_of": str(as_of)})
            registry.log_metrics({"roc_auc": area})
            registry.log_card(f"# Churn of {as_of}\n\nFor people.")
        if not registry.client.search_registered_models("name = 'churn'"):
            registry.client.create_registered_model("churn")
        tags = {"as_of": str(as_of), "holdout_roc_auc": f"{area:.6f}"}
        made = registry.client.create_model_version("churn", "file:///no/files", run_id=run_id, tags=tags)
        registry.judge(Version("churn", str(made.version), as_of, run_id, False, {}), wins=True)
    yield root
    mlflow.end_run()


@pytest.fixture
def told(lake):
    """What a command prints, its spaces as one, and its exit code."""

    def of(*words):
        result = CliRunner().invoke(app, ["models", *words, "--root", lake])
        return re.sub(r"\s+", " ", result.output), result.exit_code

    return of


def test_the_list_shows_each_version_with_alias_and_metrics(told):
    output, code = told("list")

    assert code == 0
    assert "churn 1 2011-01-01 challenger roc_auc 0.710" in output
    assert "churn 2 2011-02-01 champion roc_auc 0.740" in output


def test_the_card_of_a_version_is_read(told):
    output, _ = told("card", "churn", "1")

    assert "Churn of 2011-01-01" in output
    assert "For people." in output


def test_two_versions_are_compared_by_what_differs(told):
    output, _ = told("compare", "churn", "1", "2")

    assert "as_of 2011-01-01 2011-02-01" in output
    assert "roc_auc 0.7100 0.7400" in output
    assert "XGBoost" not in output


def test_runs_are_searched_by_mlflows_filter(told):
    output, _ = told("search", "churn", "--where", "metrics.roc_auc > 0.72")

    assert "churn as of 2011-02-01" in output
    assert "churn as of 2011-01-01" not in output


def test_a_wrong_filter_is_refused_in_words(told):
    output, code = told("search", "churn", "--where", "roc_auc is high")

    assert code == 1
    assert "MLflow cannot filter runs by 'roc_auc is high'" in output


def test_a_version_that_is_not_there_is_refused_with_those_that_are(told):
    output, code = told("promote", "churn", "7")

    assert code == 1
    assert "There is no version 7 of churn whose training came to its end; there are: 1, 2." in output


def test_a_rollback_gives_the_alias_back_and_a_promotion_takes_it_again(told):
    assert "Version 1 of churn, as of 2011-01-01, is the champion again." in told("rollback", "churn")[0]
    assert "churn 1 2011-01-01 champion" in told("list", "churn")[0]

    assert "Version 2 of churn is the champion" in told("promote", "churn", "2")[0]
    assert "churn 2 2011-02-01 champion" in told("list", "churn")[0]


def test_an_approval_is_shown_with_the_version(told):
    told("approve", "churn", "2", "--by", "A. Reviewer")

    assert re.search(r"churn 2 2011-02-01 champion roc_auc 0.740 A. Reviewer, \d{4}-\d\d-\d\d", told("list")[0])
