import time
from datetime import UTC, datetime

import pytest

from customerlake.bronze.files import FILES, last_taken, taken, unrecorded_files, unseen, without_copies
from customerlake.bronze.landing import CheckedFile, LandedFile
from customerlake.bronze.sources.sales import BRONZE

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
