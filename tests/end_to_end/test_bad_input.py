"""Sales as they should not be, taken through the real steps: what is said of them, and that the good ones are taken."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from customerlake.bronze.files import FILES
from customerlake.bronze.sources.sales import BRONZE as SALES
from customerlake.errors import ConfigError, StorageError
from customerlake.runtime import job
from customerlake.runtime.outcome import Counts
from customerlake.runtime.pipeline import step_named
from customerlake.silver.order_lines import ORDER_LINES, REJECTED_ORDER_LINES

pytestmark = pytest.mark.before_an_engine  # what JVM Spark makes of bad rows is in tests/silver, and by spark-submit
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
CUP = "1,CUP,a cup,6,2011-01-01 10:00:00,1.5,7,France"
MUG = "1,MUG,a mug,2,2011-01-01 10:00:00,2.5,7,France"
BOWL = "2,BOWL,a bowl,1,2011-01-31 12:30:00,4,8,Spain"
GOOD_FILE = [HEADER, CUP, MUG]
NOT_TAKEN = "None of its rows was taken."


def as_text(*lines):
    return "".join(f"{line}\n" for line in lines).encode()


@pytest.fixture
def land(sales_folder):
    def landed(content, name="bad.csv"):
        (sales_folder / name).write_bytes(content if isinstance(content, bytes) else as_text(*content))

    return landed


@pytest.fixture
def take(execute):
    """Takes what is landed through land_files and order_lines: (refusals, what became of the rows)."""

    def taken():
        refused = execute("land_files").refused
        outcome = execute("order_lines")
        assert outcome.state == "succeeded", outcome.message
        return refused, outcome.counts["silver.order_lines"]

    return taken


@pytest.fixture
def take_beside_a_good_file(land, take):
    def taken(content, name="bad.csv"):
        land(GOOD_FILE, "good.csv")
        land(content, name)
        return take()

    return taken


def products(run):
    return sorted(row["product_id"] for row in run.records(ORDER_LINES))


def quarantined(run):
    """(file, line, received product, reasons) of each row in quarantine."""
    return [
        (row["source_file"], row["line_number"], json.loads(row["raw"])["product_id"], row["reasons"])
        for row in run.records(REJECTED_ORDER_LINES)
    ]


def test_a_file_without_a_column_is_refused(run, take_beside_a_good_file):
    without_price = [",".join(line.split(",")[:5] + line.split(",")[6:]) for line in (HEADER, BOWL)]

    refused, counts = take_beside_a_good_file(without_price)

    assert refused == [
        "sales: bad.csv: column UnitPrice is missing; its header has InvoiceNo, StockCode, Description, Quantity, "
        "InvoiceDate, CustomerID, Country. Correct the export, or feeds.sales.columns in the lake file: null stands "
        f"for a column that there is not. {NOT_TAKEN}"
    ]
    assert counts == Counts(received=2, accepted=2, quarantined=0, duplicates=0)
    assert products(run) == ["CUP", "MUG"]


def test_a_file_with_a_further_column_is_taken_and_the_column_kept(run, take_beside_a_good_file):
    refused, counts = take_beside_a_good_file([f"{HEADER},Till", f"{BOWL},T3"])

    assert refused == []
    assert counts == Counts(received=3, accepted=3, quarantined=0, duplicates=0)
    kept = {row["product_id"]: row["_extra"] for row in run.records(SALES)}
    assert kept == {"CUP": None, "MUG": None, "BOWL": [("Till", "T3")]}


def test_a_file_with_another_delimiter_is_refused_with_the_key_to_set(run, take_beside_a_good_file):
    refused, counts = take_beside_a_good_file(as_text(HEADER, BOWL).replace(b",", b";"))

    assert refused == [
        f"sales: bad.csv: its header is one column '{HEADER.replace(',', ';')}' when cut at ','; it looks cut at ';'. "
        f"Set feeds.sales.delimiter in the lake file. {NOT_TAKEN}"
    ]
    assert counts == Counts(received=2, accepted=2, quarantined=0, duplicates=0)


def test_a_refused_file_is_taken_once_the_lake_file_is_corrected(land, run, take, lake_file, spark, engine):
    land(as_text(*GOOD_FILE).replace(b",", b";"))
    assert run.lake.exists(SALES) is False
    refused_at_first, *_ = job.execute(step_named("land_files"), run).refused
    lake_file.write_text(lake_file.read_text().replace("    columns:", "    delimiter: ';'\n    columns:"))
    corrected = job.Run(root=run.root, lake_file=str(lake_file), spark=spark, engine=engine)

    outcome = job.execute(step_named("land_files"), corrected)

    assert "Set feeds.sales.delimiter" in refused_at_first
    assert outcome.refused == []
    assert run.lake.count(SALES) == 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (BOWL.replace(",1,", ",one,"), "quantity 'one' is not a whole number"),
        (BOWL.replace(",1,", ",1.5,"), "quantity '1.5' is not a whole number"),
        (BOWL.replace(",4,", ",four,"), "unit_price 'four' is not a number"),
        (
            BOWL.replace("2011-01-31", "2011-02-30"),
            "ordered_at '2011-02-30 12:30:00' is not a date and time that exists",
        ),
        (BOWL.replace("2011-01-31 12:30:00", "31.1.2011"), "ordered_at '31.1.2011' is not a date and time that exists"),
        (BOWL.replace(",4,", ",-4,"), "unit_price -4.0000 is negative"),
        (BOWL.replace(",1,", ",0,"), "quantity is zero"),
        (BOWL.replace("2,BOWL", ",BOWL"), "order_id is missing"),
        (BOWL.replace("Spain", " "), "country is missing"),
    ],
    ids=lambda value: value if " is " in value else "",
)
def test_a_bad_row_goes_to_quarantine_with_its_reason_and_the_rows_beside_it_are_taken(
    run, take_beside_a_good_file, line, reason
):
    refused, counts = take_beside_a_good_file([HEADER, BOWL.replace("BOWL", "POT"), line])

    ((file, line_number, product, (told,)),) = quarantined(run)
    assert refused == []
    assert counts == Counts(received=4, accepted=3, quarantined=1, duplicates=0)
    assert products(run) == ["CUP", "MUG", "POT"]
    assert (file, line_number, product) == ("bad.csv", 3, "BOWL")
    assert told.startswith(reason)


def test_a_row_that_breaks_several_rules_is_told_all_of_them(run, take_beside_a_good_file):
    _, counts = take_beside_a_good_file([HEADER, "2,BOWL,a bowl,0,2011-13-01 12:30:00,-4,8,"])

    ((_, _, _, reasons),) = quarantined(run)
    assert counts.quarantined == 1
    assert sorted(reasons) == [
        "country is missing",
        "ordered_at '2011-13-01 12:30:00' is not a date and time that exists",
        "quantity is zero",
        "unit_price -4.0000 is negative",
    ]


def test_a_row_in_quarantine_is_kept_as_it_was_received(run, take_beside_a_good_file):
    take_beside_a_good_file([f"{HEADER},Till", '2,bowl," a ""big"" bowl ",one,2011-01-31 12:30:00,4,,Spain,T3'])

    (row,) = run.records(REJECTED_ORDER_LINES)
    assert json.loads(row["raw"]) == {
        "order_id": "2", "product_id": "bowl", "description": ' a "big" bowl ', "quantity": "one",
        "ordered_at": "2011-01-31 12:30:00", "unit_price": "4", "customer_id": "", "country": "Spain",
        "_extra": {"Till": "T3"},
    }  # fmt: skip
    assert row["run_id"] == run.run_id


@pytest.mark.parametrize("content", [b"", gzip.compress(b"")], ids=["no bytes", "nothing compressed"])
def test_an_empty_file_is_refused(take_beside_a_good_file, content):
    refused, counts = take_beside_a_good_file(content)

    assert refused == [
        f"sales: bad.csv: it is empty, without even a header; land it again when it is complete. {NOT_TAKEN}"
    ]
    assert counts == Counts(received=2, accepted=2, quarantined=0, duplicates=0)


def test_a_file_with_a_header_alone_is_taken_and_holds_no_rows(take_beside_a_good_file):
    refused, counts = take_beside_a_good_file([HEADER])

    assert refused == []
    assert counts == Counts(received=2, accepted=2, quarantined=0, duplicates=0)


def test_a_compressed_file_that_is_cut_short_is_refused_whole_and_taken_when_it_is_complete(
    run, land, execute, take_beside_a_good_file
):
    packed = gzip.compress(as_text(HEADER, BOWL, *[MUG.replace("MUG", f"MUG{number}") for number in range(500)]))

    refused, counts = take_beside_a_good_file(packed[: len(packed) // 2], "bad.csv.gz")
    land(packed, "bad.csv.gz")
    refused_later = execute("land_files").refused
    later = execute("order_lines").counts["silver.order_lines"]

    assert refused[0].startswith("sales: bad.csv.gz: it cannot be read to its end (")
    assert refused[0].endswith(f"; copy it again from where it came. {NOT_TAKEN}")
    assert counts == Counts(received=2, accepted=2, quarantined=0, duplicates=0)
    assert refused_later == []
    assert later == Counts(received=503, accepted=503, quarantined=0, duplicates=0)


def test_a_line_with_latin_1_bytes_in_a_utf_8_file_goes_to_quarantine(run, take_beside_a_good_file):
    refused, counts = take_beside_a_good_file(
        as_text(HEADER, BOWL, MUG) + b"2,POT,a caf\xe9 pot,1,2011-01-31 12:30:00,4,8,Spain\n"
    )

    (row,) = run.records(REJECTED_ORDER_LINES)
    assert refused == []
    assert counts == Counts(received=5, accepted=3, quarantined=1, duplicates=1)
    assert (row["source_file"], row["line_number"]) == ("bad.csv", 4)
    assert row["raw"] == r"2,POT,a caf\xe9 pot,1,2011-01-31 12:30:00,4,8,Spain"
    assert row["reasons"][0] == (
        "the line holds bytes that are not utf-8: 0xE9; "
        "set feeds.sales.encoding in the lake file, or export the file again"
    )


def test_a_header_that_stands_there_twice_goes_to_quarantine_once(run, take_beside_a_good_file):
    refused, counts = take_beside_a_good_file([HEADER, BOWL, HEADER, BOWL.replace("BOWL", "POT")])

    (row,) = run.records(REJECTED_ORDER_LINES)
    assert refused == []
    assert counts == Counts(received=5, accepted=4, quarantined=1, duplicates=0)
    assert (row["line_number"], row["raw"], row["reasons"][0]) == (3, HEADER, "the line repeats the header")


def test_a_line_with_too_few_values_goes_to_quarantine_as_it_stands(run, take_beside_a_good_file):
    _, counts = take_beside_a_good_file([HEADER, "2,BOWL,a bowl", BOWL])

    (row,) = run.records(REJECTED_ORDER_LINES)
    assert counts == Counts(received=4, accepted=3, quarantined=1, duplicates=0)
    assert (row["raw"], row["reasons"][0]) == ("2,BOWL,a bowl", "the line has 3 columns, the header has 8")


def test_a_stray_quote_takes_only_its_own_line_to_quarantine(run, take_beside_a_good_file):
    stray = CUP.replace("a cup", '"a big cup')

    _, counts = take_beside_a_good_file([HEADER, stray, BOWL, BOWL.replace("BOWL", "POT").replace("a bowl", '"a pot"')])

    (row,) = run.records(REJECTED_ORDER_LINES)
    assert counts == Counts(received=5, accepted=4, quarantined=1, duplicates=0)
    assert products(run) == ["BOWL", "CUP", "MUG", "POT"]
    assert (row["line_number"], row["raw"]) == (2, stray)


def test_a_folder_where_a_file_should_be_is_refused(sales_folder, take_beside_a_good_file):
    (sales_folder / "january.csv").mkdir()

    refused, counts = take_beside_a_good_file([HEADER, BOWL])

    assert refused == [
        "sales: january.csv: a file is expected, a folder is there; move its files up or correct feeds.sales.pattern. "
        f"{NOT_TAKEN}"
    ]
    assert counts == Counts(received=3, accepted=3, quarantined=0, duplicates=0)


def test_several_bad_files_are_each_refused_in_one_run(land, take):
    land(GOOD_FILE, "good.csv")
    land(b"", "empty.csv")
    land(["a,b"], "other.csv")

    refused, counts = take()

    assert [text.split(": ")[1] for text in refused] == ["empty.csv", "other.csv"]
    assert counts == Counts(received=2, accepted=2, quarantined=0, duplicates=0)


def test_a_run_in_which_every_file_is_refused_takes_nothing(land, run, execute):
    land(b"")

    outcome = execute("land_files")

    assert len(outcome.refused) == 1
    assert outcome.written == []
    assert not run.lake.exists(SALES)


def test_a_landing_folder_that_is_missing_stops_that_feed(sales_folder, execute):
    sales_folder.rmdir()

    outcome = execute("land_files")

    assert outcome.state == "refused"
    assert outcome.refused == [
        f"sales: The landing folder {sales_folder} holds the files of sales; nothing is there. "
        "Correct feeds.sales.path."
    ]


def test_a_file_copied_again_under_its_name_is_taken_once(sales_folder, land, run, take, execute):
    land(GOOD_FILE)
    take()
    os.utime(sales_folder / "bad.csv", (1_300_000_000, 1_300_000_000))

    outcome = execute("land_files")

    assert outcome.refused == []
    assert run.lake.count(SALES) == 2
    assert sorted(row["is_copy"] for row in run.records(FILES)) == [False, True]


@pytest.mark.parametrize("together", [True, False], ids=["in one run", "in a later run"])
def test_a_file_under_a_second_name_is_taken_once(run, land, take, together):
    land(GOOD_FILE, "a.csv")
    if not together:
        take()
    land(GOOD_FILE, "b.csv")
    land([HEADER, BOWL], "c.csv")

    refused, counts = take()

    assert refused == []
    assert counts == Counts(received=3, accepted=3, quarantined=0, duplicates=0)
    copies = [(row["source_file"], row["is_copy"]) for row in run.records(FILES)]
    assert sorted(copies) == [("a.csv", False), ("b.csv", True), ("c.csv", False)]


def test_the_lines_of_a_file_that_has_grown_are_duplicates_and_the_new_ones_are_taken(land, take):
    land(GOOD_FILE)
    take()
    land([*GOOD_FILE, BOWL])

    _, counts = take()

    assert counts == Counts(received=5, accepted=3, quarantined=0, duplicates=2)


def test_a_root_that_cannot_be_written_is_refused_before_anything_starts(lake_file):
    with pytest.raises(
        StorageError, match=r"^The lake's root /proc/customerlake cannot be written: .* Choose another folder"
    ):
        job.Run(root="/proc/customerlake", lake_file=str(lake_file))


def test_a_lake_file_with_an_unknown_key_is_refused_before_anything_starts(tmp_path, lake_file):
    lake_file.write_text(lake_file.read_text().replace("line_kinds", "line_kind"))

    with pytest.raises(ConfigError, match=r"feeds\.sales\.line_kind: unknown key; did you mean line_kinds\?$"):
        job.Run(root=str(tmp_path / "lake"), lake_file=str(lake_file))


@pytest.fixture
def customerlake():
    """The installed command, as a person calls it: (exit code, what it printed, what it complained of)."""

    def called(*words):
        command = Path(sys.executable).with_name("customerlake")
        wide = os.environ | {"COLUMNS": "1000", "NO_COLOR": "1"}
        ended = subprocess.run([command, *map(str, words)], capture_output=True, text=True, check=False, env=wide)
        return ended.returncode, ended.stdout, ended.stderr

    return called


def test_the_command_ends_with_2_when_the_lake_file_has_an_unknown_key(tmp_path, lake_file, customerlake):
    lake_file.write_text(lake_file.read_text() + "curency: EUR\n")

    code, _, complaint = customerlake("run", "--lake", lake_file, "--root", tmp_path / "lake", "--only", "land_files")

    assert code == 2
    assert complaint == (
        f"customerlake: The lake file {lake_file} cannot be used:\n  - curency: unknown key; did you mean currency?\n"
    )


def test_the_command_ends_with_2_when_the_root_cannot_be_written(tmp_path, lake_file, customerlake):
    code, _, complaint = customerlake("run", "--lake", lake_file, "--root", lake_file / "lake", "--only", "land_files")

    assert code == 2
    assert complaint == (
        f"customerlake: The lake's root {lake_file}/lake cannot be written: Not a directory. "
        "Choose another folder with --root, or give yourself the right to write there.\n"
    )


def test_the_command_ends_with_2_when_there_is_no_such_step(tmp_path, lake_file, customerlake):
    code, _, complaint = customerlake("run", "--lake", lake_file, "--root", tmp_path / "lake", "--only", "land_sale")

    assert code == 2
    assert complaint.startswith(
        "customerlake: There is no step 'land_sale'. The steps are: land_files, land_databases, "
    )


def test_the_command_ends_with_2_when_as_of_is_no_day(tmp_path, lake_file, customerlake):
    code, _, complaint = customerlake("run", "--lake", lake_file, "--root", tmp_path / "lake", "--as-of", "2011-02-30")

    assert code == 2
    assert "2011-02-30" in complaint


def test_the_command_ends_with_1_when_as_of_is_before_the_data(land, take, run, lake_file, customerlake):
    land([HEADER, CUP, BOWL])
    take()

    code, said, _ = customerlake(
        "run", "--lake", lake_file, "--root", run.root, "--only", "value", "--as-of", "2010-12-31"
    )

    assert code == 1
    assert (
        f"--as-of 2010-12-31 is before the first order in {run.root}, which is of 2011-01-01; "
        "the last is of 2011-01-31. Choose a day from 2011-01-01 on."
    ) in said


@pytest.mark.spark_only
def test_the_command_ends_with_3_when_a_file_was_refused_and_the_others_were_taken(
    tmp_path, land, lake_file, customerlake
):
    land(GOOD_FILE, "good.csv")
    land(b"", "empty.csv")

    code, said, _ = customerlake("run", "--lake", lake_file, "--root", tmp_path / "lake", "--only", "land_files")

    assert code == 3
    assert "refused sales: empty.csv: it is empty, without even a header; land it again when it is complete." in said
    assert "1 files taken, 0 known by content, 1 refused" in said


@pytest.mark.spark_only
def test_the_command_ends_with_0_when_all_is_well(tmp_path, land, lake_file, customerlake):
    land(GOOD_FILE, "good.csv")

    code, said, complaint = customerlake(
        "run", "--lake", lake_file, "--root", tmp_path / "lake", "--only", "land_files"
    )

    assert (code, complaint) == (0, "")
    assert "bronze.sales 2" in said


@pytest.mark.spark_only
def test_the_command_ends_with_1_when_the_landing_folder_is_missing(tmp_path, sales_folder, lake_file, customerlake):
    sales_folder.rmdir()

    code, said, _ = customerlake("run", "--lake", lake_file, "--root", tmp_path / "lake", "--only", "land_files")

    assert code == 1
    assert f"The landing folder {sales_folder} holds the sales files; nothing is there." in said
