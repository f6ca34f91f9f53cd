from datetime import date

import pytest
from deltalake import DeltaTable
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.runtime.changes import Changes
from customerlake.runtime.tables import Lake

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
DDL = "id string, price int, _batch long"
BY_MONTH = Table(
    name="silver.by_month",
    grain="one row per id",
    key=("id",),
    columns=(
        Field("id", T.StringType(), "the key"),
        Field("month", T.DateType(), "its month"),
        Field("price", T.IntegerType(), "what it costs"),
    ),
    partitioned_by=("month",),
)


@pytest.fixture
def lake(tmp_path, spark):
    return Lake(str(tmp_path / "lake"), lambda: spark)


@pytest.fixture
def write(lake, spark):
    """Adds rows of THINGS and gives the version that they make."""
    return lambda *rows: lake.append(THINGS, spark.createDataFrame(list(rows), DDL)).version


def rows(df):
    return sorted(tuple(row) for row in df.collect()) if df is not None else []


def test_rows_that_were_added_came(lake, write):
    version = write(("a", 1, 1))
    write(("b", 2, 2), ("c", 3, 2))
    write(("d", 4, 3))

    changes = lake.changes_since(version, THINGS)

    assert rows(changes.came) == [("b", 2, 2), ("c", 3, 2), ("d", 4, 3)]
    assert changes.went is None
    assert rows(changes.rows()) == rows(changes.came)


def test_of_a_row_that_changed_the_old_went_and_the_new_came_and_its_neighbours_in_the_file_did_not(lake, write, spark):
    version = write(("a", 1, 1), ("b", 2, 1), ("c", 3, 1))
    lake.merge(THINGS, spark.createDataFrame([("b", 9, 2), ("d", 4, 2)], DDL))

    changes = lake.changes_since(version, THINGS)

    assert rows(changes.came) == [("b", 9, 2), ("d", 4, 2)]
    assert rows(changes.went) == [("b", 2, 1)]
    assert rows(changes.rows()) == [("b", 2, 1), ("b", 9, 2), ("d", 4, 2)]


def test_a_value_that_moves_to_the_column_beside_it_is_a_change(lake, spark):
    pair = Table(
        name="silver.pairs",
        grain="one row per id",
        key=("id",),
        columns=(
            Field("id", T.StringType(), "the key"),
            Field("left", T.IntegerType(), "a value"),
            Field("right", T.IntegerType(), "another"),
        ),
    )
    ddl = "id string, left int, right int"
    version = lake.overwrite(pair, spark.createDataFrame([("a", 1, None), ("b", 2, None)], ddl)).version
    lake.overwrite(pair, spark.createDataFrame([("a", None, 1), ("b", 2, None)], ddl))

    changes = lake.changes_since(version, pair)

    assert (rows(changes.came), rows(changes.went)) == ([("a", None, 1)], [("a", 1, None)])


def test_a_deleted_row_went(lake, write):
    version = write(("a", 1, 1), ("b", 2, 1))
    lake.remove(THINGS, "id", ["b"])

    changes = lake.changes_since(version, THINGS)

    assert (rows(changes.came), rows(changes.went)) == ([], [("b", 2, 1)])


def test_a_table_written_again_with_the_same_rows_has_not_changed(lake, write, spark):
    version = write(("a", 1, 1), ("b", 2, 1))
    lake.overwrite(THINGS, spark.createDataFrame([("b", 2, 1), ("a", 1, 1)], DDL))

    changes = lake.changes_since(version, THINGS)

    assert (rows(changes.came), rows(changes.went)) == ([], [])


def test_without_a_new_version_nothing_changed(lake, write):
    assert lake.changes_since(write(("a", 1, 1)), THINGS) == Changes()


def test_since_before_there_was_a_table_all_its_rows_came(lake, write):
    assert lake.changes_since(-1, THINGS) == Changes()
    write(("a", 1, 1))
    write(("b", 2, 1))

    assert rows(lake.changes_since(-1, THINGS).came) == [("a", 1, 1), ("b", 2, 1)]


def test_of_a_partitioned_table_all_other_columns_are_told(lake, spark):
    may, june = date(2011, 5, 1), date(2011, 6, 1)
    ddl = "id string, month date, price int"
    version = lake.append(BY_MONTH, spark.createDataFrame([("a", may, 1), ("b", june, 2)], ddl)).version
    lake.merge(BY_MONTH, spark.createDataFrame([("b", june, 3), ("c", may, 4)], ddl))

    changes = lake.changes_since(version, BY_MONTH)

    assert changes.came.columns == ["id", "price"]
    assert (rows(changes.came), rows(changes.went)) == ([("b", 3), ("c", 4)], [("b", 2)])


def test_it_cannot_be_told_when_files_were_vacuumed(lake, write, spark):
    version = write(("a", 1, 1))
    lake.overwrite(THINGS, spark.createDataFrame([("b", 2, 1)], DDL))
    DeltaTable(lake.path(THINGS)).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)

    assert lake.changes_since(version, THINGS) is None


def test_it_cannot_be_told_of_a_version_whose_log_is_gone(lake, write):
    write(("a", 1, 1))

    assert lake.changes_since(7, THINGS) is None


@pytest.mark.spark_only  # sail takes no such root
def test_rows_are_told_under_a_root_with_a_space_and_an_accent(tmp_path, spark):
    lake = Lake(str(tmp_path / "my läke"), lambda: spark)
    version = lake.append(THINGS, spark.createDataFrame([("a", 1, 1)], DDL)).version
    lake.append(THINGS, spark.createDataFrame([("b", 2, 1)], DDL))
    assert rows(lake.changes_since(version, THINGS).came) == [("b", 2, 1)]

    lake.overwrite(THINGS, spark.createDataFrame([("c", 3, 1)], DDL))

    changes = lake.changes_since(version, THINGS)
    assert (rows(changes.came), rows(changes.went)) == ([("c", 3, 1)], [("a", 1, 1)])


@pytest.mark.spark_only
def test_it_cannot_be_told_when_rows_are_marked_as_deleted_within_files(lake, write, spark):
    version = write(("a", 1, 1), ("b", 2, 1))
    path = lake.path(THINGS)
    spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES (delta.enableDeletionVectors = true)")
    spark.sql(f"DELETE FROM delta.`{path}` WHERE id = 'b'")

    assert lake.changes_since(version, THINGS) is None
