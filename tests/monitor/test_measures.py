from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.checks import InOrder, InRange, NotNull, Plausible, Reads, RefersTo, WellFormed
from customerlake.contracts.table import Field, Table
from customerlake.monitor.measures import Measured, measured, required_columns

SHOPS = Table(
    name="silver.shops",
    grain="one row per shop",
    key=("shop",),
    columns=(Field("shop", T.StringType(), "number of the shop"),),
)
VISITS = Table(
    name="silver.visits",
    grain="one row per visit",
    key=("visit",),
    columns=(
        Field("visit", T.StringType(), "number of the visit"),
        Field("shop", T.StringType(), "where"),
        Field("came_at", T.TimestampType(), "when it began"),
        Field("left_at", T.TimestampType(), "when it ended"),
        Field("count_seen", T.IntegerType(), "things looked at"),
        Field("_batch", T.LongType(), "landing"),
    ),
    measured=(InOrder(("came_at", "left_at")), InRange("count_seen", least=0), RefersTo("shop", SHOPS)),
)
DDL = "visit string, shop string, came_at timestamp, left_at timestamp, count_seen int, _batch long"
NINE, TEN = datetime(2011, 3, 1, 9), datetime(2011, 3, 1, 10)
LATE = datetime(2011, 3, 4, 23, 59)


@pytest.fixture
def of_visits(spark):
    """What is measured in visits where there is one shop, s."""
    shops = spark.createDataFrame([("s",)], "shop string")

    def of(*rows, known=("silver.shops",), table=VISITS, event="came_at"):
        frame = spark.createDataFrame([(*row, 1) for row in rows], DDL)
        return measured(table, frame, dict.fromkeys(known, shops), event=event)

    return of


def test_missing_values_keys_and_the_newest_day_are_counted(of_visits):
    found = of_visits(
        ("a", "s", NINE, TEN, 1),
        ("b", "s", LATE, None, None),
        ("b", None, NINE, None, 0),
    )

    assert found == Measured(
        count_rows=3,
        missing={"visit": 0, "shop": 1, "came_at": 0, "left_at": 2, "count_seen": 1},
        count_keys=2,
        broken={
            "came_at and left_at are not in this order": 0,
            "count_seen is below 0": 0,
            "shop is not in silver.shops": 0,
        },
        count_inconsistent=0,
        newest_on=date(2011, 3, 4),
    )


def test_a_row_that_breaks_several_rules_counts_for_each_rule_and_once_in_all(of_visits):
    found = of_visits(
        ("a", "s", NINE, TEN, 1),
        ("b", "x", TEN, NINE, -1),
        ("c", "y", NINE, TEN, 2),
        ("d", "s", TEN, NINE, None),
    )

    assert found.broken == {
        "came_at and left_at are not in this order": 2,
        "count_seen is below 0": 1,
        "shop is not in silver.shops": 2,
    }
    assert found.count_inconsistent == 3
    assert found.count_rows == 4


def test_a_rule_that_refers_to_a_table_which_the_lake_lacks_is_not_asked(of_visits):
    found = of_visits(("a", "x", NINE, TEN, 1), known=())

    assert found.broken == {"came_at and left_at are not in this order": 0, "count_seen is below 0": 0}


def test_an_empty_table_has_nothing_and_no_newest_day(of_visits):
    found = of_visits()

    assert (found.count_rows, found.count_keys, found.count_inconsistent, found.newest_on) == (0, 0, 0, None)
    assert set(found.missing.values()) == {0}


def test_a_table_whose_rows_have_no_day_has_no_newest_one(of_visits):
    assert of_visits(("a", "s", NINE, TEN, 1), event=None).newest_on is None


def test_a_row_without_a_whole_key_has_no_key_of_its_own(of_visits):
    by_two = Table(name="silver.visits", grain="one row per visit", key=("visit", "shop"), columns=VISITS.columns)

    found = of_visits(
        ("a", "s", NINE, None, 1),
        ("a", "s", TEN, None, 1),
        ("a", "t", NINE, None, 1),
        ("a", None, NINE, None, 1),
        table=by_two,
    )

    assert (found.count_rows, found.count_keys) == (4, 2)


def test_parts_of_a_key_are_kept_apart(of_visits):
    by_two = Table(name="silver.visits", grain="one row per visit", key=("visit", "shop"), columns=VISITS.columns)

    found = of_visits(("ab", "c", NINE, None, 1), ("a", "bc", NINE, None, 1), table=by_two)

    assert found.count_keys == 2


def test_a_row_that_the_source_no_longer_has_is_left_out(spark):
    table = Table(
        name="silver.states", grain="one row per id", key=("id",),
        columns=(
            Field("id", T.StringType(), "the key"), Field("is_deleted", T.BooleanType(), "it is gone"),
            Field("size", T.IntegerType(), "how large"),
        ),
    )  # fmt: skip
    rows = spark.createDataFrame([("a", False, 1), ("b", True, None)], "id string, is_deleted boolean, size int")

    found = measured(table, rows, {}, event=None)

    assert (found.count_rows, found.missing["size"], found.count_keys) == (1, 0, 1)


def test_the_required_columns_are_those_of_the_key_and_those_that_a_check_asks_for():
    table = Table(
        name="silver.visits", grain="one row per visit", key=("visit",), columns=VISITS.columns,
        checks=(
            WellFormed("_problem"), NotNull("shop"), NotNull("received_came_at", called="came_at"),
            Reads("left_at", "received_left_at", "a time"),
        ),
    )  # fmt: skip

    assert required_columns(table) == ["visit", "shop", "came_at"]


numbers = st.none() | st.integers(0, 3)


@given(st.lists(st.tuples(numbers, numbers), max_size=15))
def test_counts_are_those_that_a_person_would_count(spark, rows):
    table = Table(
        name="silver.things", grain="one row per a", key=("a",),
        columns=(Field("a", T.IntegerType(), "the key"), Field("b", T.IntegerType(), "another")),
        measured=(Plausible("b is above a", ("a", "b"), lambda: F.col("b") <= F.col("a")),),
    )  # fmt: skip

    found = measured(table, spark.createDataFrame(rows, "a int, b int"), {}, event=None)

    assert found.count_rows == len(rows)
    assert found.missing == {"a": sum(a is None for a, _ in rows), "b": sum(b is None for _, b in rows)}
    assert found.count_keys == len({a for a, _ in rows if a is not None})
    assert found.count_inconsistent == sum(None not in (a, b) and b > a for a, b in rows)
