from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from chispa import assert_df_equality
from deltalake import DeltaTable, write_deltalake
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY, Field, Table
from customerlake.errors import StorageError
from customerlake.runtime.named_tables import NamedLake
from customerlake.runtime.tables import MOST_LEDGER_FILES, Lake, Written

THINGS = Table(
    name="silver.things",
    grain="one row per id",
    key=("id",),
    columns=(
        Field("id", T.StringType(), "the key"),
        Field("price", T.IntegerType(), "what it costs"),
        Field("_batch", T.LongType(), "landing"),
    ),
)
THINGS_DDL = "id string, price int, _batch long"

DATED = Table(
    name="gold.dated",
    grain="one row per id and as_of",
    key=("id", "as_of"),
    columns=(
        Field("id", T.StringType(), "the key"),
        Field("as_of", T.DateType(), "the day"),
        Field("price", MONEY, "what it costs"),
    ),
    partitioned_by=("as_of",),
)
DATED_DDL = "id string, as_of date, price decimal(18,4)"
MAY, JUNE, JULY = date(2011, 5, 31), date(2011, 6, 30), date(2011, 7, 31)

LEDGER = Table(
    name="ops.ledger",
    grain="one row per entry",
    key=("entry",),
    columns=(
        Field("entry", T.StringType(), "which"),
        Field("at", T.TimestampType(), "when"),
        Field("versions", T.MapType(T.StringType(), T.LongType()), "of what"),
    ),
)


@pytest.fixture(params=["folders", pytest.param("names", marks=pytest.mark.spark_only)])
def lake(request, tmp_path, spark):
    """A lake without tables: folders under a root, or names of the session's catalog."""
    if request.param == "folders":
        yield Lake(str(tmp_path / "lake"), lambda: spark)
        return
    yield NamedLake(str(tmp_path / "lake"), "spark_catalog", lambda: spark)
    for schema in ("silver", "gold", "ops"):
        spark.sql(f"DROP SCHEMA IF EXISTS spark_catalog.{schema} CASCADE")


@pytest.fixture
def folders(tmp_path, spark):
    """A lake of folders."""
    return Lake(str(tmp_path / "lake"), lambda: spark)


@pytest.fixture
def assert_holds(lake, spark):
    """Asserts that a table holds exactly these rows."""

    def exactly(table, ddl, *rows):
        found = lake.read(table)
        assert_df_equality(found, spark.createDataFrame(list(rows), ddl), ignore_nullable=True, ignore_row_order=True)

    return exactly


@pytest.fixture
def things(spark):
    return lambda *rows: spark.createDataFrame(list(rows), THINGS_DDL)


@pytest.fixture
def dated(spark):
    return lambda *rows: spark.createDataFrame([(id, day, Decimal(price)) for id, day, price in rows], DATED_DDL)


def test_a_table_is_a_folder_of_its_layer(folders, tmp_path):
    assert folders.path(THINGS) == folders.path("silver.things") == f"{tmp_path}/lake/silver/things"


def test_a_root_may_end_in_a_slash():
    assert Lake("/data/lake/", lambda: None).path(THINGS) == "/data/lake/silver/things"


def test_a_table_that_was_never_written_reads_as_no_rows(lake, assert_holds):
    assert not lake.exists(THINGS)
    assert lake.version(THINGS) == -1
    assert_holds(THINGS, THINGS_DDL)


def test_append_adds_rows(lake, assert_holds, things):
    lake.append(THINGS, things(("a", 1, 1)))
    written = lake.append(THINGS, things(("b", 2, 2), ("a", 1, 1)))

    assert written == Written("silver.things", rows=2, version=1)
    assert_holds(THINGS, THINGS_DDL, ("a", 1, 1), ("b", 2, 2), ("a", 1, 1))


def test_overwrite_leaves_only_the_new_rows(lake, assert_holds, things):
    lake.append(THINGS, things(("a", 1, 1), ("b", 2, 1)))
    written = lake.overwrite(THINGS, things(("c", 3, 2)))

    assert written == Written("silver.things", rows=1, version=1)
    assert_holds(THINGS, THINGS_DDL, ("c", 3, 2))


def test_a_merge_into_nothing_adds_all_rows(lake, assert_holds, things):
    written = lake.merge(THINGS, things(("a", 1, 1), ("b", 2, 1)))

    assert written == Written("silver.things", rows=2, version=0)
    assert_holds(THINGS, THINGS_DDL, ("a", 1, 1), ("b", 2, 1))


def test_a_merge_adds_new_keys_and_updates_known_ones(lake, assert_holds, things):
    lake.merge(THINGS, things(("a", 1, 1), ("b", 2, 1)))
    written = lake.merge(THINGS, things(("b", 20, 2), ("c", 3, 2)))

    assert (written.table, written.rows) == ("silver.things", 2)
    assert_holds(THINGS, THINGS_DDL, ("a", 1, 1), ("b", 20, 2), ("c", 3, 2))


def test_a_merge_leaves_a_row_as_it_is_when_only_technical_columns_differ(lake, assert_holds, things):
    lake.merge(THINGS, things(("a", 1, 1)))
    written = lake.merge(THINGS, things(("a", 1, 2)))

    assert written.rows == 0
    assert_holds(THINGS, THINGS_DDL, ("a", 1, 1))


@pytest.mark.parametrize(("before", "after"), [(None, 2), (2, None)])
def test_a_merge_sees_a_value_that_comes_or_goes(lake, assert_holds, things, before, after):
    lake.merge(THINGS, things(("a", before, 1)))
    lake.merge(THINGS, things(("a", after, 2)))

    assert_holds(THINGS, THINGS_DDL, ("a", after, 2))


def test_a_merge_can_update_some_columns_under_a_condition(lake, assert_holds, things):
    lake.merge(THINGS, things(("a", 1, 1), ("b", 2, 2)))
    lake.merge(
        THINGS,
        things(("a", 10, 2), ("b", 20, 2)),
        when_matched="arrived._batch > known._batch",
        update={"price": "known.price + arrived.price"},
    )

    assert_holds(THINGS, THINGS_DDL, ("a", 11, 1), ("b", 2, 2))


def test_a_merge_that_never_matches_only_adds(lake, assert_holds, things):
    lake.merge(THINGS, things(("a", 1, 1)))
    lake.merge(THINGS, things(("a", 10, 2), ("b", 2, 2)), when_matched="false")

    assert_holds(THINGS, THINGS_DDL, ("a", 1, 1), ("b", 2, 2))


def test_a_merge_into_a_partitioned_table_finds_the_known_rows_of_each_partition(lake, assert_holds, dated):
    lake.merge(DATED, dated(("a", MAY, 1), ("b", MAY, 2), ("a", JUNE, 3)))
    written = lake.merge(DATED, dated(("b", MAY, 20), ("a", JUNE, 3), ("c", JULY, 4)))

    assert written.rows == 2
    rows = [("a", MAY, 1), ("b", MAY, 20), ("a", JUNE, 3), ("c", JULY, 4)]
    assert_holds(DATED, DATED_DDL, *[(id, day, Decimal(price)) for id, day, price in rows])


def test_a_merge_of_no_rows_into_a_partitioned_table_changes_nothing(lake, assert_holds, dated):
    lake.merge(DATED, dated(("a", MAY, 1)))
    written = lake.merge(DATED, dated())

    assert written.rows == 0
    assert_holds(DATED, DATED_DDL, ("a", MAY, Decimal(1)))


@given(
    st.dictionaries(st.sampled_from("abcd"), st.none() | st.integers(0, 2), min_size=1),
    st.dictionaries(st.sampled_from("abcd"), st.none() | st.integers(0, 2), min_size=1),
)
def test_a_merge_leaves_the_arrived_value_of_each_key_and_a_second_one_changes_nothing(
    tmp_path_factory, spark, known, arrived
):
    lake = Lake(str(tmp_path_factory.mktemp("lake")), lambda: spark)
    lake.merge(THINGS, spark.createDataFrame([(key, price, 1) for key, price in known.items()], THINGS_DDL))
    frame = spark.createDataFrame([(key, price, 2) for key, price in arrived.items()], THINGS_DDL)

    lake.merge(THINGS, frame)
    once = {row["id"]: row["price"] for row in lake.records(THINGS)}
    again = lake.merge(THINGS, frame)

    assert once == known | arrived
    assert again.rows == 0
    assert {row["id"]: row["price"] for row in lake.records(THINGS)} == once


def test_replacing_one_day_keeps_the_others(lake, assert_holds, dated):
    lake.append(DATED, dated(("a", MAY, 1), ("a", JUNE, 2), ("b", JUNE, 3)))
    written = lake.replace(DATED, dated(("c", JUNE, 4)), where="as_of = DATE'2011-06-30'")

    assert written == Written("gold.dated", rows=1, version=1)
    assert_holds(DATED, DATED_DDL, ("a", MAY, Decimal(1)), ("c", JUNE, Decimal(4)))


def test_replacing_a_day_twice_leaves_it_once(lake, assert_holds, dated):
    for _ in range(2):
        lake.replace(DATED, dated(("a", JUNE, 1)), where="as_of = DATE'2011-06-30'")

    assert_holds(DATED, DATED_DDL, ("a", JUNE, Decimal(1)))


def test_replacing_a_day_with_nothing_empties_that_day(lake, assert_holds, dated):
    lake.append(DATED, dated(("a", MAY, 1), ("a", JUNE, 2)))
    lake.replace(DATED, dated(), where="as_of = DATE'2011-06-30'")

    assert_holds(DATED, DATED_DDL, ("a", MAY, Decimal(1)))


def test_a_table_is_partitioned_as_declared(folders, dated):
    folders.append(DATED, dated(("a", MAY, 1), ("b", JUNE, 2)))

    folders = {file.parent.name for file in Path(folders.path(DATED)).rglob("*.parquet")}
    assert folders == {"as_of=2011-05-31", "as_of=2011-06-30"}


def test_the_log_counts_the_rows_of_all_writes(lake, things):
    assert lake.count(THINGS) == 0

    lake.append(THINGS, things(("a", 1, 1), ("b", 2, 1)))
    lake.append(THINGS, things(("c", 3, 2)))
    lake.merge(THINGS, things(("c", 30, 3), ("d", 4, 3)))

    assert lake.count(THINGS) == 4


def test_the_log_tells_the_largest_and_smallest_value_of_all_writes(lake, things):
    lake.append(THINGS, things(("b", 5, 1), ("c", None, 1)))
    lake.append(THINGS, things(("a", -3, 2)))

    assert (lake.smallest(THINGS, "id"), lake.largest(THINGS, "id")) == ("a", "c")
    assert (lake.smallest(THINGS, "price"), lake.largest(THINGS, "price")) == (-3, 5)
    assert lake.largest(THINGS, "_batch") == 2


def test_the_log_tells_first_and_last_days_as_dates(lake, spark):
    days = Table("silver.days", "one row per day", ("day",), (Field("day", T.DateType(), "the day"),))
    lake.append(days, spark.createDataFrame([(JUNE,), (MAY,)], "day date"))

    assert (lake.smallest(days, "day"), lake.largest(days, "day")) == (MAY, JUNE)


def test_the_log_tells_no_largest_value_where_there_is_none(lake, things):
    assert lake.largest(THINGS, "price") is None

    lake.append(THINGS, things(("a", None, 1)))

    assert lake.largest(THINGS, "price") is None
    assert lake.smallest(THINGS, "price") is None


@pytest.mark.parametrize("columns_then", ["0", "32"], ids=["none of all files", "none of one file"])
def test_the_largest_value_is_that_of_the_rows_where_there_are_no_statistics(folders, things, columns_then):
    folders.append(THINGS, things(("b", 5, 1)))
    log = DeltaTable(folders.path(THINGS))
    log.alter.set_table_properties({"delta.dataSkippingNumIndexedCols": "0"})
    write_deltalake(log, things(("a", 9, 2), ("c", 1, 2)).toArrow(), mode="append")
    log.alter.set_table_properties({"delta.dataSkippingNumIndexedCols": columns_then})

    lake = Lake(folders.root, lambda: pytest.fail("no engine is needed to look at a lake"))
    assert (lake.smallest(THINGS, "price"), lake.largest(THINGS, "price")) == (1, 9)
    assert (lake.smallest(THINGS, "id"), lake.largest(THINGS, "_batch")) == ("a", 2)
    assert lake.count(THINGS) == 3


def test_a_ledger_is_read_as_it_was_recorded(lake):
    first = {"entry": "a", "at": datetime(2011, 1, 1, 12, tzinfo=UTC), "versions": [("gold.rfm", 3)]}
    second = {"entry": "b", "at": None, "versions": []}

    assert lake.records(LEDGER) == []
    lake.record(LEDGER, [first])
    written = lake.record(LEDGER, [second])

    assert written == Written("ops.ledger", rows=1, version=1)
    assert sorted(lake.records(LEDGER), key=lambda row: row["entry"]) == [first, second]


def entry(name):
    return {"entry": name, "at": datetime(2011, 1, 1, 12, tzinfo=UTC), "versions": [("gold.rfm", 3)]}


def by_entry(records):
    return sorted(records, key=lambda row: row["entry"])


def test_a_ledger_of_many_entries_stays_a_few_files(folders, spark):
    entries = [entry(f"{number:03}") for number in range(2 * MOST_LEDGER_FILES + 5)]
    for one in entries:
        folders.record(LEDGER, [one])
    read_anew = Lake(folders.root, lambda: spark).records(LEDGER)

    assert by_entry(folders.records(LEDGER)) == by_entry(read_anew) == entries
    assert len(DeltaTable(folders.path(LEDGER)).file_uris()) <= MOST_LEDGER_FILES


def test_what_another_process_records_is_read_too(folders, spark):
    other = Lake(folders.root, lambda: spark)
    folders.record(LEDGER, [entry("a")])
    other.record(LEDGER, [entry("b")])
    folders.record(LEDGER, [entry("c")])

    assert by_entry(folders.records(LEDGER)) == by_entry(other.records(LEDGER)) == [entry(name) for name in "abc"]


def test_what_a_reader_does_to_a_ledgers_rows_list_stays_with_the_reader(folders):
    folders.record(LEDGER, [entry("a")])
    folders.records(LEDGER).clear()

    assert folders.records(LEDGER) == [entry("a")]


def test_a_ledger_can_be_read_by_the_engine(lake, spark):
    lake.record(LEDGER, [{"entry": "a", "at": datetime(2011, 1, 1, 12, tzinfo=UTC), "versions": [("gold.rfm", 3)]}])

    row = lake.read(LEDGER).selectExpr("entry", "unix_seconds(at) AS at", "versions['gold.rfm'] AS version").first()

    assert tuple(row) == ("a", 1293883200, 3)


def test_head_shows_at_most_so_many_rows_without_an_engine(folders, things):
    folders.append(THINGS, things(("a", 1, 1), ("b", 2, 1), ("c", 3, 1)))

    assert Lake(folders.root, lambda: None).head(THINGS, 2).num_rows == 2


def test_head_of_a_table_that_is_not_there_says_what_to_run(folders):
    with pytest.raises(StorageError) as refusal:
        folders.head(THINGS, 2)

    assert str(refusal.value) == f"silver.things is not in the lake {folders.root} yet. Run `customerlake run` first."


def test_batches_hold_the_rows_of_one_day(lake, dated):
    lake.append(DATED, dated(("a", MAY, 1), ("b", JUNE, 2)))

    rows = [row for batch in lake.batches(DATED, as_of=JUNE) for row in batch.to_pylist()]

    assert rows == [{"id": "b", "as_of": JUNE, "price": Decimal("2.0000")}]


@pytest.mark.spark_only  # sail 0.7 escapes such names twice and writes into another folder
@pytest.mark.parametrize("name", ["my lake (1)", "Kundé", "a=b"])
def test_a_root_may_have_an_unusual_name(tmp_path, spark, name):
    lake = Lake(str(tmp_path / name), lambda: spark)

    for batch in (1, 2):
        lake.merge(THINGS, spark.createDataFrame([("a", batch, batch)], THINGS_DDL))
    lake.append(THINGS, spark.createDataFrame([("b", 3, 3)], THINGS_DDL))

    assert sorted((row["id"], row["price"]) for row in lake.records(THINGS)) == [("a", 2), ("b", 3)]
    assert lake.read(THINGS).count() == 2
    assert [folder.name for folder in tmp_path.iterdir()] == [name]


def test_the_root_is_made_with_the_folders_above_it(tmp_path):
    Lake(str(tmp_path / "a" / "b"), lambda: None).prepare_root()

    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_root_with_a_percent_sign_is_refused_because_the_engines_read_it_differently(tmp_path):
    with pytest.raises(StorageError, match=r"holds a % sign.*Choose a folder without one"):
        Lake(str(tmp_path / "100%25"), lambda: None).prepare_root()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("root", "reason"),
    [
        ("/proc/customerlake", "No such file or directory"),
        ("{}/file/lake", "Not a directory"),
        ("{}/file", "File exists"),
    ],
)
def test_a_root_that_cannot_be_written_is_refused_with_what_to_do(tmp_path, root, reason):
    (tmp_path / "file").touch()
    root = root.format(tmp_path)

    with pytest.raises(StorageError) as refusal:
        Lake(root, lambda: None).prepare_root()

    assert str(refusal.value) == (
        f"The lake's root {root} cannot be written: {reason}. "
        "Choose another folder with --root, or give yourself the right to write there."
    )
