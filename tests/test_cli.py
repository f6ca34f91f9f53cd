import os
import subprocess
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from customerlake.catalogue import CATALOGUE
from customerlake.cli import app
from customerlake.gold.rfm import RFM
from customerlake.publish.early_warning import EARLY_WARNING
from customerlake.runtime.pipeline import PIPELINE
from customerlake.runtime.runs import RUNS
from customerlake.runtime.tables import Lake

WIDE = {"COLUMNS": "300", "TERM": "dumb", "NO_COLOR": "1"}
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
COMMAND = Path(sys.executable).with_name("customerlake")


@pytest.fixture
def invoke():
    """Run a command inside this process: fast, for what needs no process of its own."""
    return lambda *arguments: CliRunner().invoke(app, list(arguments), env=WIDE)


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """Run the installed command in a process of its own, whose only Java tells when it is started: it must not be."""
    home = tmp_path_factory.mktemp("jdk")
    started = home / "was-started"
    (home / "bin").mkdir()
    (home / "release").write_text('JAVA_VERSION="17.0.15"\n')
    (home / "bin" / "java").write_text(f"#!/bin/sh\ntouch {started}\nexit 1\n")
    (home / "bin" / "java").chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "SPARK_", "PYSPARK_"))}
    environment = kept | WIDE | {"JAVA_HOME": str(home), "PATH": str(home / "bin")}

    def run(*arguments, program=(str(COMMAND),)):
        told = subprocess.run(
            [*program, *arguments], env=environment, cwd=home, capture_output=True, text=True, check=False
        )
        assert not started.exists(), "Java was started"
        return told

    return run


@pytest.fixture(scope="module")
def failed_run(command, tmp_path_factory):
    """What the command says of a run whose first step fails, and the lake's root."""
    root = tmp_path_factory.mktemp("failed") / "lake"
    return command("run", "--from", "value", "--root", str(root)), root


@pytest.fixture
def lake(tmp_path, spark):
    """A lake with two rows of gold.rfm and one of publish.early_warning."""
    lake = Lake(str(tmp_path / "lake"), lambda: spark)
    as_of = date(2011, 12, 9)
    rfm = [
        ("12347", as_of, 6, 365, 367, Decimal("599.70"), 2, 7, Decimal("4310.0000"), 5, 5, 5, "Champions", 5, 4, 5),
        ("12348", as_of, 3, 283, 358, Decimal("301.48"), 75, 4, Decimal("1797.2400"), 2, 4, 4, "[At] Risk", 4, 3, 4),
    ]
    lake.append(RFM, spark.createDataFrame(rfm, RFM.schema))
    warning = {"rank": 1, "customer_id": "12348", "as_of": as_of, "top_reasons": ["late", "few orders"]}
    row = tuple(warning.get(name) for name in EARLY_WARNING.column_names)
    lake.append(EARLY_WARNING, spark.createDataFrame([row], EARLY_WARNING.schema))
    return lake


def test_without_arguments_the_command_explains_itself(invoke):
    told = invoke()

    assert told.exit_code == 2
    for word in ("run", "tables", "show", "steps"):
        assert f"│ {word}" in told.output


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), ()),
        (("run",), ("--root", "--as-of", "--only", "--from", "--lake", "--retrain", "Exit code")),
        (("tables",), ("--root",)),
        (("show",), ("--root", "--rows")),
        (("steps",), ()),
    ],
)
def test_help_names_every_option(invoke, arguments, options):
    told = invoke(*arguments, "--help")

    assert told.exit_code == 0
    assert all(option in told.output for option in options)


def test_an_unknown_command_is_refused_with_the_nearest(invoke):
    told = invoke("shwo")

    assert told.exit_code == 2
    assert "Did you mean 'show'?" in told.output


def test_an_unknown_option_is_refused(invoke):
    told = invoke("run", "--asof", "2011-12-09")

    assert told.exit_code == 2
    assert "--asof" in told.output


def test_steps_are_printed_in_their_order(invoke):
    told = invoke("steps")

    places = [told.output.index(f"│ {step.name} ") for step in PIPELINE]
    assert told.exit_code == 0
    assert places == sorted(places)
    assert "jobs/gold/build_value.py" in told.output


def test_tables_prints_every_table_in_path_order_with_rows_keys_and_personal_columns(invoke, lake):
    told = invoke("tables", "--root", lake.root)

    lines = {line.split("│")[1].strip(): line for line in told.output.splitlines() if line.startswith("│")}
    assert told.exit_code == 0
    assert [name for name in lines if name] == [table.name for table in CATALOGUE]  # a long row goes on below
    assert [cell.strip() for cell in lines["gold.rfm"].split("│")[2:6]] == [
        "2",
        "one row per customer_id and as_of; customers without a purchase by then are absent",
        "customer_id, as_of",
        "customer_id",
    ]
    assert lines["gold.kpis"].split("│")[2].strip() == "-"


def test_tables_of_a_lake_that_is_not_there_are_all_empty_and_none_is_made(invoke, tmp_path):
    told = invoke("tables", "--root", str(tmp_path / "nothing"))

    assert told.exit_code == 0
    assert "gold.rfm" in told.output
    assert not (tmp_path / "nothing").exists()


def test_show_prints_rows_under_their_columns(invoke, lake):
    told = invoke("show", "gold.rfm", "--root", lake.root)

    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in told.output.splitlines() if "│ 1234" in line]
    assert told.exit_code == 0
    assert "2 rows, version 0" in told.output
    assert sorted(rows) == [
        [
            "12347",
            "2011-12-09",
            "6",
            "365",
            "367",
            "599.70",
            "2",
            "7",
            "4310.0000",
            "5",
            "5",
            "5",
            "Champions",
            "5",
            "4",
            "5",
        ],
        [
            "12348",
            "2011-12-09",
            "3",
            "283",
            "358",
            "301.48",
            "75",
            "4",
            "1797.2400",
            "2",
            "4",
            "4",
            "[At] Risk",
            "4",
            "3",
            "4",
        ],
    ]


def test_show_prints_one_column_per_line_where_the_screen_is_narrow(lake):
    told = CliRunner().invoke(app, ["show", "publish.early_warning", "--root", lake.root], env=WIDE | {"COLUMNS": "60"})

    words = [line.split(maxsplit=1) for line in told.output.splitlines()]
    assert ["customer_id", "12348"] in words
    assert ["top_reasons", "late; few orders"] in words
    assert ["country"] in words


def test_show_prints_as_many_rows_as_asked_for(invoke, lake):
    told = invoke("show", "gold.rfm", "--root", lake.root, "--rows", "1")

    assert told.output.count("│ 1234") == 1


def test_show_of_an_unknown_table_names_those_there_are(invoke, lake):
    told = invoke("show", "gold.rmf", "--root", lake.root)

    assert told.exit_code == 2
    assert "There is no table 'gold.rmf'" in told.stderr
    assert all(table.name in told.stderr for table in CATALOGUE)


def test_show_of_a_table_that_is_not_filled_yet_says_what_to_do(invoke, lake):
    told = invoke("show", "gold.kpis", "--root", lake.root)

    assert told.exit_code == 2
    assert "gold.kpis is not in the lake" in told.stderr
    assert "customerlake run" in told.stderr


@pytest.mark.parametrize("option", ["--only", "--from"])
def test_an_unknown_step_is_refused_with_the_names_there_are(invoke, option, tmp_path):
    told = invoke("run", option, "valeu", "--root", str(tmp_path / "lake"))

    assert told.exit_code == 2
    assert "There is no step 'valeu'" in told.stderr
    assert all(step.name in told.stderr for step in PIPELINE)
    assert not (tmp_path / "lake").exists()


def test_one_step_and_a_first_step_cannot_both_be_asked_for(invoke, tmp_path):
    told = invoke("run", "--only", "value", "--from", "value", "--root", str(tmp_path / "lake"))

    assert told.exit_code == 2
    assert "--only and --from exclude each other" in told.stderr


def test_a_day_that_is_no_date_is_refused(invoke, tmp_path):
    told = invoke("run", "--as-of", "2011-13-01", "--root", str(tmp_path / "lake"))

    assert told.exit_code == 2
    assert "2011-13-01" in told.output


def test_a_lake_file_that_cannot_be_used_is_refused_with_every_reason(invoke, tmp_path):
    file = tmp_path / "lake.yaml"
    file.write_text("name: test\ncurency: GBP\nfeeds: {sales: {path: landing}}\n")

    told = invoke("run", "--lake", str(file), "--root", str(tmp_path / "lake"))

    assert told.exit_code == 2
    assert "curency: unknown key; did you mean currency?" in told.stderr
    assert "currency: is missing" in told.stderr


def test_a_root_that_cannot_be_a_folder_is_refused(invoke, tmp_path):
    (tmp_path / "lake").write_text("a file")

    told = invoke("run", "--root", str(tmp_path / "lake"))

    assert told.exit_code == 2
    assert "cannot be written" in told.stderr


def test_tables_and_show_start_no_java(command, lake):
    tables = command("tables", "--root", lake.root)
    show = command("show", "gold.rfm", "--root", lake.root)

    assert (tables.returncode, tables.stderr) == (0, "")
    assert (show.returncode, show.stderr) == (0, "")
    assert "customer_id, as_of" in tables.stdout
    assert "12347" in show.stdout


def test_importing_the_command_starts_no_java_and_no_model_store(command):
    asked = "import customerlake.cli, sys; print('mlflow' in sys.modules, 'altair' in sys.modules)"

    told = command("-c", asked, program=(sys.executable,))

    assert (told.returncode, told.stdout.strip()) == (0, "False False")


def test_a_landing_folder_without_files_is_a_run_with_nothing_to_do(command, lake_file, tmp_path):
    told = command("run", "--only", "land_files", "--lake", str(lake_file), "--root", str(tmp_path / "lake"))

    assert told.returncode == 0
    assert "nothing new" in told.stdout


def test_a_refused_file_is_named_and_the_exit_code_tells(command, lake_file, sales_folder, tmp_path):
    (sales_folder / "2011-01-05.csv").write_text(HEADER.replace("UnitPrice", "Price"))

    told = command("run", "--only", "land_files", "--lake", str(lake_file), "--root", str(tmp_path / "lake"))

    assert told.returncode == 3
    assert "2011-01-05.csv" in told.stdout
    assert "column UnitPrice (did you mean Price?) is missing" in " ".join(told.stdout.split())


def test_a_step_that_fails_ends_the_run_with_its_reason(failed_run):
    told, _ = failed_run

    assert told.returncode == 1
    assert "value failed" in told.stdout
    assert "holds no order yet" in told.stdout
    assert "behaviour" not in told.stdout  # the step after it


def test_a_failed_step_is_recorded(failed_run, spark):
    _, root = failed_run

    (recorded,) = Lake(str(root), lambda: spark).records(RUNS)

    assert (recorded["step"], recorded["state"], recorded["rows_out"]) == ("value", "failed", 0)
    assert "holds no order yet" in recorded["message"]
    assert isinstance(recorded["started_at"], datetime)


def test_a_run_leaves_its_log_under_the_root(failed_run):
    _, root = failed_run

    assert len(list((root / "logs").glob("*.log"))) == 1
