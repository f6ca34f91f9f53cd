from collections import Counter
from datetime import datetime, timedelta

from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.silver.cleaning.duplicates import distinct_rows, near_duplicates, newest_by_key

NOON = datetime(2024, 1, 1, 12)


def at(seconds):
    return NOON + timedelta(seconds=seconds)


def test_of_rows_that_are_alike_the_first_stays_with_their_count(spark):
    ddl = "name string, price double, file string, line int"
    rows = spark.createDataFrame(
        [
            ("a", 1.0, "2.csv", 1),
            ("a", 1.0, "1.csv", 9),
            ("a", 1.0, "1.csv", 10),
            ("a", 2.0, "1.csv", 1),
            (None, float("nan"), "1.csv", 4),
            (None, float("nan"), "1.csv", 3),
        ],
        ddl,
    )

    distinct = rows.transform(distinct_rows(same=("name", "price"), first_by=("file", "line")))

    expected = spark.createDataFrame(
        [("a", 1.0, "1.csv", 9, 3), ("a", 2.0, "1.csv", 1, 1), (None, float("nan"), "1.csv", 3, 2)],
        f"{ddl}, count_received long",
    )
    assert_df_equality(distinct, expected, ignore_nullable=True, ignore_row_order=True, allow_nan_equality=True)


@given(names=st.lists(st.sampled_from(["a", "b", "c", None]), max_size=30))
def test_no_row_is_lost_uncounted(spark, names):
    rows = spark.createDataFrame(list(enumerate(names)), "line int, name string")

    distinct = rows.transform(distinct_rows(same=("name",), first_by=("line",))).collect()

    assert {row["name"]: row["count_received"] for row in distinct} == Counter(names)
    assert {row["name"]: row["line"] for row in distinct} == {name: names.index(name) for name in names}


def test_of_a_key_the_newest_stays_and_of_one_instant_the_last_line(spark):
    ddl = "id string, updated_at timestamp, city string, _source_file string, _line_number long"
    rows = spark.createDataFrame(
        [
            ("a", at(0), "Berlin", "9.csv", 1),
            ("a", at(5), "Bonn", "1.csv", 1),
            ("b", at(0), "Rome", "1.csv", 2),
            ("b", at(0), "Milan", "1.csv", 3),
            ("c", None, "Paris", "1.csv", 4),
        ],
        ddl,
    )

    newest = rows.transform(newest_by_key(key=("id",), at="updated_at"))

    kept = {(row["id"], row["city"], row["count_received"]) for row in newest.collect()}
    assert kept == {("a", "Bonn", 2), ("b", "Milan", 2), ("c", "Paris", 1)}


def marked(spark, events, within_seconds=10):
    """id -> duplicate_of, of events (id, customer, page, instant)."""
    ddl = "id string, customer string, page string, happened_at timestamp"
    frame = spark.createDataFrame(events, ddl)
    rows = near_duplicates(
        frame, id="id", same=("customer", "page"), at="happened_at", within_seconds=within_seconds
    ).collect()
    assert all(row["is_near_duplicate"] is (row["duplicate_of"] is not None) for row in rows)
    assert len(rows) == len(events)
    return {row["id"]: row["duplicate_of"] for row in rows}


def test_an_event_repeats_the_one_before_when_it_comes_within_the_seconds(spark):
    events = [
        ("first", "ann", "/", at(0)),
        ("in time", "ann", "/", at(10)),
        ("too late", "ann", "/", at(20.001)),
        ("other page", "ann", "/cart", at(1)),
        ("other customer", "bob", "/", at(1)),
    ]

    repeats = marked(spark, events)

    assert repeats == {
        "first": None, "in time": "first", "too late": None, "other page": None, "other customer": None,
    }  # fmt: skip


def test_a_chain_of_repeats_is_of_its_first_event(spark):
    events = [(f"{n}", "ann", "/", at(n * 9)) for n in range(5)] + [("9", "ann", "/", at(100))]

    assert marked(spark, events) == {"0": None, "1": "0", "2": "0", "3": "0", "4": "0", "9": None}


def test_events_of_one_instant_are_ordered_by_their_id(spark):
    events = [("b", "ann", "/", at(0)), ("a", "ann", "/", at(0))]

    assert marked(spark, events, within_seconds=0) == {"a": None, "b": "a"}


def test_null_is_a_value_like_another_but_no_instant(spark):
    events = [
        ("a", None, "/", at(0)),
        ("b", None, "/", at(1)),
        ("c", "ann", None, None),
        ("d", "ann", None, None),
        ("e", "ann", None, at(0)),
    ]

    assert marked(spark, events) == {"a": None, "b": "a", "c": None, "d": None, "e": None}


@given(events=st.lists(st.tuples(st.sampled_from("xy"), st.integers(0, 60)), max_size=25))
def test_repeats_are_those_that_a_walk_through_the_events_finds(spark, events):
    named = [(f"{n:02}", customer, "/", at(seconds)) for n, (customer, seconds) in enumerate(events)]
    walked, last = {}, {}
    for name, customer, _, instant in sorted(named, key=lambda event: (event[3], event[0])):
        before, first = last.get(customer, (None, None))
        is_repeat = before is not None and (instant - before).total_seconds() <= 10
        walked[name] = first if is_repeat else None
        last[customer] = (instant, first if is_repeat else name)

    assert marked(spark, named) == walked
