import time
from datetime import UTC, datetime

import pytest

from customerlake.bronze.files import (
    FILES,
    last_taken,
    new_columns,
    taken,
    unchanged,
    unrecorded_files,
    unseen,
    without_copies,
)
from customerlake.bronze.landing import CheckedFile, LandedFile
from customerlake.bronze.sources.sales import BRONZE, SALES
from customerlake.contracts.change import as_text
from customerlake.runtime.feeds import SalesFeed

NEW_YEAR = datetime(2011, 1, 1, tzinfo=UTC)
LATER = datetime(2011, 1, 2, tzinfo=UTC)


def landed(name, size=10, modified_at=NEW_YEAR):
    return LandedFile(name, f"/landing/{name}", size, modified_at)


def checked(name, digest):
    return CheckedFile(landed(name), digest, ("order_id",), 10, {})


def known(name, digest="d1", size=10, modified_at=NEW_YEAR, batch=1):
    return {"source_file": name, "file_digest": digest, "size_bytes": size, "modified_at": modified_at, "batch": batch}


def test_a_file_known_by_name_size_and_time_is_not_opened_again():
    assert unseen([landed("a.csv"), landed("b.csv")], [known("a.csv")]) == [landed("b.csv")]


def test_a_known_name_with_another_size_is_opened_again():
    assert unseen([landed("a.csv", size=11)], [known("a.csv")]) == [landed("a.csv", size=11)]


def test_a_known_name_with_another_time_of_change_is_opened_again():
    assert unseen([landed("a.csv", modified_at=LATER)], [known("a.csv")]) == [landed("a.csv", modified_at=LATER)]


def test_a_file_with_the_content_of_a_known_one_is_a_copy():
    new, copies = without_copies([checked("b.csv", "d1"), checked("c.csv", "d2")], [known("a.csv", "d1")])

    assert [file.file.name for file in new] == ["c.csv"]
    assert [file.file.name for file in copies] == ["b.csv"]


def test_of_two_new_files_with_one_content_the_second_is_a_copy():
    new, copies = without_copies([checked("a.csv", "d1"), checked("b.csv", "d1")], [])

    assert [file.file.name for file in new] == ["a.csv"]
    assert [file.file.name for file in copies] == ["b.csv"]


def test_landings_are_counted_from_one():
    assert last_taken([]) == 0


def test_the_last_landing_is_the_largest_number():
    assert last_taken([known("a.csv", batch=2), known("b.csv", batch=3), known("c.csv", batch=1)]) == 3


def test_new_files_and_copies_are_listed_with_the_landing_that_took_them():
    rows = taken("sales", [checked("a.csv", "d1")], batch=4, run_id="r", received_at=LATER)
    rows += taken("sales", [checked("b.csv", "d1")], batch=4, run_id="r", received_at=LATER, is_copy=True)

    of_both = {
        "feed": "sales", "file_digest": "d1", "size_bytes": 10, "modified_at": NEW_YEAR,
        "columns": ["order_id"], "looks": "{}", "batch": 4, "run_id": "r", "received_at": LATER,
    }  # fmt: skip
    assert rows == [
        of_both | {"source_file": "a.csv", "is_copy": False},
        of_both | {"source_file": "b.csv", "is_copy": True},
    ]
    assert all(set(row) == set(FILES.column_names) for row in rows)


FEED = SalesFeed(path="landing")
COLUMNS = ("order_id", "unit_price", "currency")


def price(median, count=20):
    return {"unit_price": {"values": count, "readable": 1.0, "median": median, "codes": []}}


def of_kind(name, looks, header=COLUMNS):
    return CheckedFile(landed(name), f"digest of {name}", header, 10, looks)


def recorded(name, looks, header=COLUMNS, batch=1):
    return known(name, batch=batch) | {"columns": list(header), "looks": as_text(looks)}


def names(files):
    return [file.file.name for file in files]


def test_files_that_look_as_those_before_them_can_be_taken():
    files = [of_kind("b.csv", price(3.0)), of_kind("c.csv", price(1.5))]

    assert unchanged(files, [recorded("a.csv", price(2.0))], SALES, FEED) == (files, [])


def test_the_first_files_of_a_feed_are_held_against_each_other():
    same, (refusal,) = unchanged([of_kind("a.csv", price(2.0)), of_kind("b.csv", price(200.0))], [], SALES, FEED)

    assert names(same) == ["a.csv"]
    assert refusal == (
        "sales: b.csv: the unit of unit_price seems to have changed: half of its values are above 200, of those of "
        "earlier landings half were above 2. Neither it nor any file after it was taken. Correct the export; or, when "
        "this is meant, correct feeds.sales in the lake file and name the column in its accepted_changes."
    )


def test_a_file_after_one_that_changed_waits():
    files = [of_kind("b.csv", price(2.0)), of_kind("c.csv", price(200.0)), of_kind("d.csv", price(2.0))]

    same, refusals = unchanged(files, [recorded("a.csv", price(2.0))], SALES, FEED)

    assert names(same) == ["b.csv"]
    assert len(refusals) == 1


def test_a_change_that_the_lake_file_accepts_is_taken():
    feed = SalesFeed(path="landing", accepted_changes=("unit_price", "currency"))
    files = [of_kind("b.csv", price(200.0), header=("order_id", "unit_price"))]

    assert unchanged(files, [recorded("a.csv", price(2.0))], SALES, feed) == (files, [])


def test_a_column_that_the_newest_landing_had_is_missed():
    past = [recorded("b.csv", price(2.0), batch=2), recorded("a.csv", price(2.0), header=("order_id", "unit_price"))]

    _, (refusal,) = unchanged([of_kind("c.csv", price(2.0), header=("order_id", "unit_price"))], past, SALES, FEED)

    assert refusal.startswith("sales: c.csv: column currency is gone, which the landing before still had. Neither it ")


def test_a_column_that_was_gone_before_is_not_missed_again():
    past = [recorded("b.csv", price(2.0), header=("order_id", "unit_price"), batch=2), recorded("a.csv", price(2.0))]

    assert unchanged([of_kind("c.csv", price(2.0), header=("order_id", "unit_price"))], past, SALES, FEED)[1] == []


@pytest.mark.parametrize("file_format", ["json", "json_lines"])
def test_what_no_record_of_a_json_file_holds_is_not_missed(file_format):
    feed = SalesFeed(path="landing", format=file_format)
    files = [of_kind("b.json", price(2.0), header=("order_id", "unit_price"))]

    assert unchanged(files, [recorded("a.json", price(2.0))], SALES, feed) == (files, [])


def test_a_file_without_records_is_held_against_nothing_and_the_next_against_those_before_it():
    files = [of_kind("b.csv", {}), of_kind("c.csv", price(200.0))]

    same, refusals = unchanged(files, [recorded("a.csv", price(2.0))], SALES, FEED)

    assert (names(same), len(refusals)) == (["b.csv"], 1)


def test_files_whose_looks_a_kill_took_are_passed_over():
    past = [known("a.csv") | {"columns": None, "looks": None}]

    assert unchanged([of_kind("b.csv", price(2.0))], past, SALES, FEED)[1] == []


def test_columns_that_no_file_had_before_are_told_of_once():
    past = [recorded("a.csv", {})]
    files = [of_kind("b.csv", {}, (*COLUMNS, "till", "note")), of_kind("c.csv", {}, (*COLUMNS, "till"))]

    assert new_columns(files, past, SALES, FEED) == ["new columns, kept in bronze.sales._extra: note, till"]
    assert new_columns(files, [*past, recorded("b.csv", {}, (*COLUMNS, "till", "note"))], SALES, FEED) == []


def test_a_new_column_of_the_contract_and_the_first_file_are_no_news():
    assert new_columns([of_kind("b.csv", {}, (*COLUMNS, "country"))], [recorded("a.csv", {})], SALES, FEED) == []
    assert new_columns([of_kind("a.csv", {}, (*COLUMNS, "till"))], [], SALES, FEED) == []


@pytest.fixture
def far_from_utc(monkeypatch):
    """The machine's own clock is ten hours ahead of UTC."""
    monkeypatch.setenv("TZ", "Australia/Brisbane")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_from_utc")
def test_files_of_a_landing_that_was_killed_are_found_in_bronze(spark):
    def row(file, digest, batch):
        return (None,) * 14 + (file, 2, digest, batch, f"run {batch}", datetime(2011, 1, batch, tzinfo=UTC))

    bronze = spark.createDataFrame([row("a.csv", "d1", 1), row("b.csv", "d2", 2), row("b.csv", "d2", 2)], BRONZE.schema)

    assert unrecorded_files("sales", bronze, after=1) == [
        {
            "feed": "sales",
            "source_file": "b.csv",
            "file_digest": "d2",
            "is_copy": False,
            "batch": 2,
            "run_id": "run 2",
            "received_at": LATER,
        }
    ]
