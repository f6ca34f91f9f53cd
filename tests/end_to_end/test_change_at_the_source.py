"""A source changes, or sends its files late, again or grown: what is taken of it, what is not, and what is said."""

import io
import json
import os

import fastavro
import openpyxl
import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

from customerlake.bronze.files import FILES
from customerlake.bronze.sources import SOURCES
from customerlake.bronze.sources.sales import BRONZE
from customerlake.contracts.source import bronze_table
from customerlake.runtime import job
from customerlake.runtime.outcome import Counts
from customerlake.runtime.pipeline import step_named

pytestmark = pytest.mark.before_an_engine  # on JVM Spark test_bad_input.py takes a further column and a refused file

TICKETS = bronze_table(SOURCES["tickets"])
TICKET = "ticket_id,status,opened_at,updated_at\n1,open,2011-01-01 10:00:00,2011-01-01 10:00:00\n"
WAITS = (
    "Neither it nor any file after it was taken. Correct the export; or, when this is meant, correct feeds.sales in "
    "the lake file and name the column in its accepted_changes."
)


@pytest.fixture
def tickets_folder(tmp_path):
    folder = tmp_path / "tickets"
    folder.mkdir()
    return folder


@pytest.fixture
def lake_file(lake_file, tickets_folder):
    """The lake of sales, and of tickets."""
    with lake_file.open("a") as file:
        file.write(f"  tickets:\n    path: {tickets_folder}\n")
    return lake_file


@pytest.fixture
def land(sales_folder):
    """land(name, first order, **values): twenty lines of sales, one order each, whose columns hold these values."""

    def landed(name, first=1, count=20, without=(), **values):
        usual = {"StockCode": "CUP", "Description": "cup", "Quantity": "6", "InvoiceDate": "2011-01-01 10:00:00"}
        usual |= {"UnitPrice": "2.5", "CustomerID": "7", "Country": "France"} | values
        columns = [column for column in ["InvoiceNo", *usual] if column not in without]
        rows = [{"InvoiceNo": str(order)} | usual for order in range(first, first + count)]
        lines = [columns, *[[row[column] for column in columns] for row in rows]]
        file = sales_folder / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text("".join(",".join(line) + "\n" for line in lines))

    return landed


@pytest.fixture
def take_after(run, lake_file, spark, engine):
    """Lands files once more after the lake file was corrected."""

    def taken(**corrected):
        values = yaml.safe_load(lake_file.read_text())
        values["feeds"]["sales"] |= corrected
        lake_file.write_text(yaml.safe_dump(values))
        again = job.Run(root=run.root, lake_file=str(lake_file), spark=spark, engine=engine)
        return job.execute(step_named("land_files"), again)

    return taken


def landed_in(run, table=BRONZE):
    """How many records of each file and landing the lake holds."""
    counts = run.lake.read(table).groupBy("_batch", "_source_file").count().collect()
    return sorted((row["_batch"], row["_source_file"], row["count"]) for row in counts)


def test_a_new_column_is_kept_and_told_of_once(run, land, execute):
    land("a.csv")
    execute("land_files")
    land("b.csv", 21, Till="T1")

    told = execute("land_files")
    land("c.csv", 41, Till="T2")
    later = execute("land_files")

    assert (told.refused, later.refused) == ([], [])
    assert told.remarks == ["sales: 1 files taken; new columns, kept in bronze.sales._extra: Till"]
    assert later.remarks == ["sales: 1 files taken"]
    kept = {(row["_source_file"], tuple(row["_extra"] or ())) for row in run.records(BRONZE)}
    assert kept == {("a.csv", ()), ("b.csv", (("Till", "T1"),)), ("c.csv", (("Till", "T2"),))}


CHANGES = {
    "gone": ({"without": ["currency"]}, "column currency is gone, which the landing before still had"),
    "type": (
        {"UnitPrice": "two"},
        "unit_price was a number in 100% of the records of earlier landings, in these it is in 0%",
    ),
    "unit": (
        {"UnitPrice": "250"},
        "the unit of unit_price seems to have changed: half of its values are above 250, of those of earlier landings "
        "half were above 2.5",
    ),
    "currency": ({"currency": "EUR"}, "currency is EUR, in earlier landings it was GBP"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_source_that_changed_stops_and_another_goes_on(run, land, execute, tickets_folder, change):
    changed, said = CHANGES[change]
    land("a.csv", currency="GBP")
    execute("land_files")
    land("b.csv", 21, **({"currency": "GBP"} | changed))
    land("c.csv", 41, currency="GBP")
    (tickets_folder / "a.csv").write_text(TICKET)

    outcome = execute("land_files")

    assert outcome.refused == [f"sales: b.csv: {said}. {WAITS}"]
    assert outcome.state == "succeeded"
    assert outcome.remarks == ["tickets: 1 files taken"]
    assert landed_in(run) == [(1, "a.csv", 20)]
    assert landed_in(run, TICKETS) == [(1, "a.csv", 1)]


def test_a_source_that_stops_beside_nothing_new_is_a_step_that_refused(run, land, execute):
    land("a.csv")
    execute("land_files")
    land("b.csv", 21, UnitPrice="two")

    assert execute("land_files").state == "refused"
    assert execute("land_files").refused != []


def test_a_change_that_is_meant_is_taken_once_the_lake_file_accepts_it(run, land, execute, take_after):
    land("a.csv")
    execute("land_files")
    land("b.csv", 21, UnitPrice="250")
    land("c.csv", 41, UnitPrice="250")
    refused = execute("land_files").refused

    outcome = take_after(accepted_changes=["unit_price"])

    assert len(refused) == 1
    assert outcome.refused == []
    assert landed_in(run) == [(1, "a.csv", 20), (2, "b.csv", 20), (2, "c.csv", 20)]


def test_a_column_that_was_renamed_is_taken_once_the_lake_file_follows(run, land, execute, take_after, lake_file):
    land("a.csv")
    execute("land_files")
    land("b.csv", 21, without=["Country"], Land="France")
    refused = execute("land_files").refused
    columns = yaml.safe_load(lake_file.read_text())["feeds"]["sales"]["columns"]

    outcome = take_after(columns=columns | {"country": "Land"})

    assert refused[0].startswith("sales: b.csv: column Country is missing; its header has InvoiceNo, ")
    assert outcome.refused == []
    assert {row["country"] for row in run.records(BRONZE)} == {"France"}
    assert landed_in(run) == [(1, "a.csv", 20), (2, "b.csv", 20)]


def test_an_export_that_was_corrected_is_taken_and_what_waited_behind_it(run, land, execute):
    land("a.csv")
    execute("land_files")
    land("b.csv", 21, UnitPrice="250")
    land("c.csv", 41)
    execute("land_files")
    land("b.csv", 21, UnitPrice="2.50")

    outcome = execute("land_files")

    assert outcome.refused == []
    assert landed_in(run) == [(1, "a.csv", 20), (2, "b.csv", 20), (2, "c.csv", 20)]


def test_a_file_that_has_grown_in_place_is_taken_again_and_its_known_records_are_duplicates(run, land, execute):
    land("a.csv", count=20)
    execute("land_files")
    execute("order_lines")
    land("a.csv", count=25)

    outcome = execute("land_files")
    silver = execute("order_lines")

    assert outcome.remarks == ["sales: 1 files taken"]
    assert landed_in(run) == [(1, "a.csv", 20), (2, "a.csv", 25)]
    assert silver.counts["silver.order_lines"] == Counts(received=45, accepted=25, quarantined=0, duplicates=20)


def test_a_file_that_was_touched_or_sent_again_under_another_name_is_not_taken_again(run, land, execute, sales_folder):
    land("a.csv")
    execute("land_files")
    os.utime(sales_folder / "a.csv", (0, 0))
    (sales_folder / "again.csv").write_bytes((sales_folder / "a.csv").read_bytes())

    outcome = execute("land_files")

    assert outcome.remarks == ["sales: 0 files taken, 2 known by content"]
    assert landed_in(run) == [(1, "a.csv", 20)]
    assert sorted((row["source_file"], row["is_copy"]) for row in run.records(FILES)) == [
        ("a.csv", False), ("a.csv", True), ("again.csv", True),
    ]  # fmt: skip
    assert execute("land_files").state == "unchanged"


def test_files_in_dated_folders_are_taken_and_late_ones_with_the_next_landing(run, land, execute):
    land("2011/01/03/a.csv", 41)
    land("2011/01/01/a.csv", 1)
    execute("land_files")
    land("2011/01/02/a.csv", 21)

    outcome = execute("land_files")

    assert outcome.refused == []
    assert landed_in(run) == [(1, "2011/01/01/a.csv", 20), (1, "2011/01/03/a.csv", 20), (2, "2011/01/02/a.csv", 20)]


def test_a_second_run_with_nothing_new_writes_nothing(run, land, execute):
    land("a.csv")
    execute("land_files")
    before = {table.name: run.lake.version(table) for table in (BRONZE, FILES)}

    outcome = execute("land_files")

    assert (outcome.state, outcome.written) == ("unchanged", [])
    assert {table.name: run.lake.version(table) for table in (BRONZE, FILES)} == before


def test_a_feed_whose_folder_is_gone_stops_alone(run, land, execute, tickets_folder):
    tickets_folder.rmdir()
    land("a.csv")

    outcome = execute("land_files")

    assert outcome.refused == [
        f"tickets: The landing folder {tickets_folder} holds the files of tickets; nothing is there. "
        "Correct feeds.tickets.path."
    ]
    assert landed_in(run) == [(1, "a.csv", 20)]


def avro(record):
    file = io.BytesIO()
    fields = [{"name": name, "type": "string"} for name in record]
    fastavro.writer(file, {"type": "record", "name": "record", "fields": fields}, [record])
    return file.getvalue()


def workbook(record):
    file, book = io.BytesIO(), openpyxl.Workbook()
    book.active.append(list(record))
    book.active.append(list(record.values()))
    book.save(file)
    return file.getvalue()


def of_parquet(record):
    file = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist([record]), file)
    return file.getvalue()


def needed(name):
    """A record of a feed that holds each column that a source must have, its text the column's name in capitals."""
    return {column.name: column.name.upper() for column in SOURCES[name].columns if not column.is_optional}


def of_lines(record):
    return "".join(f"{' '.join(line)}\n" for line in (record.keys(), record.values())).encode()


def of_widths(record):
    return "".join(value.ljust(20) for value in record.values()).encode() + b"\n"


OF_FORMATS = {
    "tickets": ("json_lines", lambda record: json.dumps(record).encode()),
    "web_events": ("json", lambda record: json.dumps([record]).encode()),
    "products": ("parquet", of_parquet),
    "campaigns": ("excel", workbook),
    "loyalty_events": ("avro", avro),
    "exchange_rates": ("whitespace", of_lines),
    "consents": ("fixed_width", of_widths),
}


def test_feeds_of_every_format_are_taken_in_one_run(tmp_path, spark, engine):
    feeds = {"pos_sales": {"format": "baskets", "columns": dict.fromkeys(needed("pos_sales"))}}  # null: it has none
    feeds["pos_sales"]["columns"] |= {"order_id": "basket", "product_id": "item"}
    contents = {"pos_sales": b"bread,milk\n"}
    for name, (file_format, written) in OF_FORMATS.items():
        feeds[name] = {"format": file_format}
        contents[name] = written(needed(name))
    feeds["consents"]["widths"] = dict.fromkeys(needed("consents"), 20)
    for name, content in contents.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "file.csv").write_bytes(content)
        feeds[name]["path"] = name
    file = tmp_path / "lake.yaml"
    file.write_text(yaml.safe_dump({"name": "formats", "currency": "GBP", "feeds": feeds}, sort_keys=False))
    run = job.Run(root=str(tmp_path / "lake"), lake_file=str(file), spark=spark, engine=engine)

    outcome = job.execute(step_named("land_files"), run)

    assert outcome.refused == []
    for name in OF_FORMATS:
        (row,) = run.records(bronze_table(SOURCES[name]))
        assert {column: value for column, value in row.items() if value is not None and column[0] != "_"} == needed(
            name
        )
        assert (row["_extra"], row["_problem"], row["_source_file"], row["_batch"]) == (None, None, "file.csv", 1)
    baskets = run.records(bronze_table(SOURCES["pos_sales"]))
    assert sorted((row["order_id"], row["product_id"]) for row in baskets) == [("1", "bread"), ("1", "milk")]
