from datetime import date, datetime
from decimal import Decimal

import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.checks import (
    AgreesWith,
    InOrder,
    InRange,
    Matches,
    NotNegative,
    NotNull,
    NotZero,
    OneOf,
    Plausible,
    Reads,
    RefersTo,
    Unique,
    WellFormed,
    looked_up,
)
from customerlake.contracts.table import Field, Table
from customerlake.errors import ContractError

PLACES = Table(
    name="silver.places",
    grain="one row per code",
    key=("code",),
    columns=(Field("code", T.StringType(), "code of the place"), Field("name", T.StringType(), "what it is called")),
)


def reasons(spark, check, values, ddl):
    """What `check` says of each row, in order; the frame's last column is the row's number."""
    numbered = [(*value, number) for number, value in enumerate(values)]
    frame = spark.createDataFrame(numbered, f"{ddl}, number int")
    return frame.select("number", check.reason().alias("reason"))


def expected(spark, *texts):
    return spark.createDataFrame(list(enumerate(texts)), "number int, reason string")


@pytest.mark.parametrize(("value", "text"), [("x", None), ("", None), (None, "order_id is missing")])
def test_not_null_rejects_only_a_missing_value(spark, value, text):
    found = reasons(spark, NotNull("order_id"), [(value,)], "order_id string")

    assert_df_equality(found, expected(spark, text), ignore_nullable=True)


def test_reads_rejects_a_text_that_gave_no_value_and_quotes_it(spark):
    check = Reads("quantity", "received", "a whole number")

    found = reasons(spark, check, [(6, "6"), (None, "six"), (None, None)], "quantity int, received string")

    texts = expected(spark, None, "quantity 'six' is not a whole number", None)
    assert_df_equality(found, texts, ignore_nullable=True, ignore_row_order=True)


def test_reads_quotes_no_more_than_sixty_characters(spark):
    check = Reads("quantity", "received", "a whole number")

    found = reasons(spark, check, [(None, "a" * 60 + "bcd")], "quantity int, received string")

    texts = expected(spark, "quantity '" + "a" * 60 + "' is not a whole number")
    assert_df_equality(found, texts, ignore_nullable=True)


def test_not_negative_rejects_only_values_below_zero_and_shows_them(spark):
    values = [(Decimal("-1.5"),), (Decimal(0),), (Decimal("0.01"),), (None,)]

    found = reasons(spark, NotNegative("unit_price"), values, "unit_price decimal(18,4)")

    texts = expected(spark, "unit_price -1.5000 is negative", None, None, None)
    assert_df_equality(found, texts, ignore_nullable=True, ignore_row_order=True)


def test_not_zero_rejects_only_zero(spark):
    found = reasons(spark, NotZero("quantity"), [(0,), (-1,), (1,), (None,)], "quantity int")

    texts = expected(spark, "quantity is zero", None, None, None)
    assert_df_equality(found, texts, ignore_nullable=True, ignore_row_order=True)


def test_well_formed_hands_on_the_words_of_the_reader(spark):
    found = reasons(spark, WellFormed("_problem"), [("the line repeats the header",), (None,)], "_problem string")

    texts = expected(spark, "the line repeats the header", None)
    assert_df_equality(found, texts, ignore_nullable=True, ignore_row_order=True)


def test_one_of_rejects_any_other_value_and_quotes_no_more_than_sixty_characters_of_it(spark):
    found = reasons(spark, OneOf("state", ("open", "closed")), [("open",), ("x" * 61,), (None,)], "state string")

    texts = expected(spark, None, "state '" + "x" * 60 + "' is none of open, closed", None)
    assert_df_equality(found, texts, ignore_nullable=True, ignore_row_order=True)


def said(spark, check, values, ddl):
    """The reason for each row, in order."""
    found = reasons(spark, check, values, ddl).orderBy("number").collect()
    return [row["reason"] for row in found]


def test_in_range_takes_both_bounds_in_and_shows_what_is_beyond_them(spark):
    values = [(0,), (10,), (-1,), (11,), (None,)]

    assert said(spark, InRange("score", least=0, most=10), values, "score int") == [
        None, None, "score -1 is not between 0 and 10", "score 11 is not between 0 and 10", None,
    ]  # fmt: skip


def test_in_range_may_have_one_bound_alone(spark):
    values = [(Decimal("-0.01"),), (Decimal(0),), (Decimal("999.5"),)]

    assert said(spark, InRange("cost", least=0), values, "cost decimal(9,2)") == ["cost -0.01 is below 0", None, None]
    assert said(spark, InRange("cost", most=Decimal("999.4")), values, "cost decimal(9,2)") == [
        None, None, "cost 999.50 is above 999.4",
    ]  # fmt: skip


def test_in_range_compares_days(spark):
    check = InRange("born_on", least=date(1900, 1, 1), most=date(2011, 12, 31))

    assert said(spark, check, [(date(1900, 1, 1),), (date(1899, 12, 31),), (date(2012, 1, 1),)], "born_on date") == [
        None,
        "born_on 1899-12-31 is not between 1900-01-01 and 2011-12-31",
        "born_on 2012-01-01 is not between 1900-01-01 and 2011-12-31",
    ]


def test_in_range_rejects_what_is_no_number_where_there_is_an_upper_bound(spark):
    assert said(spark, InRange("share", least=0, most=1), [(float("nan"),)], "share double") == [
        "share NaN is not between 0 and 1"
    ]


def test_in_range_without_any_bound_is_refused():
    with pytest.raises(ContractError, match=r"InRange of score has no bound\. Give least, most or both\."):
        InRange("score")


@given(st.lists(st.none() | st.integers(-5, 15), min_size=1, max_size=12))
def test_in_range_rejects_exactly_the_numbers_beyond_its_bounds(spark, numbers):
    found = said(spark, InRange("n", least=0, most=10), [(number,) for number in numbers], "n int")

    assert [text is not None for text in found] == [number is not None and not 0 <= number <= 10 for number in numbers]


@pytest.mark.parametrize(
    ("text", "is_kept"),
    [("GBP", True), ("gbp", False), ("GBPX", False), ("XGBP", False), ("GBP\n", False), ("", False), (None, True)],
)
def test_matches_holds_the_pattern_against_the_whole_text(spark, text, is_kept):
    (reason,) = said(spark, Matches("currency", "[A-Z]{3}", "three capital letters"), [(text,)], "currency string")

    assert reason == (None if is_kept else f"currency '{text}' is not three capital letters")


def test_matches_takes_either_of_two_alternatives_whole(spark):
    check = Matches("size", "small|large", "small or large")

    assert said(spark, check, [("small",), ("large",), ("smallish",)], "size string") == [
        None, None, "size 'smallish' is not small or large",
    ]  # fmt: skip


def test_matches_quotes_no_more_than_sixty_characters(spark):
    (reason,) = said(spark, Matches("code", "[0-9]+", "digits"), [("a" * 61,)], "code string")

    assert reason == "code '" + "a" * 60 + "' is not digits"


def test_agrees_with_compares_the_sum_to_the_tolerance(spark):
    check = AgreesWith("gross", ("net", "tax"), tolerance=Decimal("0.01"))
    values = [("12.00", "10.00", "2.00"), ("12.01", "10.00", "2.00"), ("12.02", "10.00", "2.00"), (None, "1", "1")]
    rows = [tuple(Decimal(value) if value else None for value in row) for row in values]

    assert said(spark, check, rows, "gross decimal(9,2), net decimal(9,2), tax decimal(9,2)") == [
        None, None, "gross 12.02 is not net 10.00 + tax 2.00", None,
    ]  # fmt: skip


def test_agrees_with_wants_the_exact_sum_where_no_tolerance_is_given(spark):
    check = AgreesWith("a", ("b", "c", "d"))

    assert said(spark, check, [(6, 1, 2, 3), (7, 1, 2, 3)], "a int, b int, c int, d int") == [
        None, "a 7 is not b 1 + c 2 + d 3",
    ]  # fmt: skip


NOON, ONE, TWO = (datetime(2011, 1, 1, hour) for hour in (12, 13, 14))


@pytest.mark.parametrize(
    ("instants", "reason"),
    [
        ((NOON, ONE, TWO), None),
        ((NOON, NOON, NOON), None),
        ((ONE, NOON, TWO), "first_at 2011-01-01 12:00:00 is before opened_at 2011-01-01 13:00:00"),
        ((ONE, None, NOON), "solved_at 2011-01-01 12:00:00 is before opened_at 2011-01-01 13:00:00"),
        ((None, TWO, ONE), "solved_at 2011-01-01 13:00:00 is before first_at 2011-01-01 14:00:00"),
        ((NOON, None, None), None),
        ((None, None, None), None),
        (
            (TWO, ONE, NOON),
            "first_at 2011-01-01 13:00:00 is before opened_at 2011-01-01 14:00:00; "
            "solved_at 2011-01-01 12:00:00 is before opened_at 2011-01-01 14:00:00; "
            "solved_at 2011-01-01 12:00:00 is before first_at 2011-01-01 13:00:00",
        ),
    ],
)
def test_in_order_tells_every_pair_that_is_not(spark, instants, reason):
    ddl = "opened_at timestamp, first_at timestamp, solved_at timestamp"

    assert said(spark, InOrder(("opened_at", "first_at", "solved_at")), [instants], ddl) == [reason]


@given(st.lists(st.tuples(*[st.none() | st.integers(0, 3)] * 3), min_size=1, max_size=12))
def test_in_order_keeps_exactly_the_rows_whose_known_values_are_sorted(spark, rows):
    found = said(spark, InOrder(("a", "b", "c")), rows, "a int, b int, c int")

    known = [[value for value in row if value is not None] for row in rows]
    assert [text is None for text in found] == [values == sorted(values) for values in known]


def was_born_first():
    return F.col("born_on") < F.col("ordered_on")


def test_plausible_shows_the_values_of_the_things_that_do_not_go_together(spark):
    check = Plausible("the order is older than the customer", ("born_on", "ordered_on"), was_born_first)
    rows = [
        (date(1980, 5, 1), date(2011, 1, 1)),
        (date(2011, 5, 1), date(2011, 1, 1)),
        (None, date(2011, 1, 1)),
    ]

    assert said(spark, check, rows, "born_on date, ordered_on date") == [
        None, "the order is older than the customer: born_on 2011-05-01, ordered_on 2011-01-01", None,
    ]  # fmt: skip


def test_plausible_shows_a_missing_value_as_nothing(spark):
    check = Plausible("a score has no day", ("score", "day"), lambda: F.col("day").isNotNull())

    assert said(spark, check, [(3, None)], "score int, day date") == ["a score has no day: score 3, day nothing"]


def test_unique_rejects_every_row_that_shares_its_columns_and_no_row_with_a_null_in_them(spark):
    rows = [("a", 1), ("a", 1), ("a", 2), ("b", None), ("b", None), (None, 1), (None, 1)]
    numbered = spark.createDataFrame([(*row, n) for n, row in enumerate(rows)], "shop string, receipt int, number int")
    check = Unique(("shop", "receipt"))

    found = numbered.transform(looked_up([check])).select("number", check.reason().alias("reason"))

    text = "shop a, receipt 1 is not unique: 2 rows have it"
    texts = expected(spark, text, text, None, None, None, None, None)
    assert_df_equality(found, texts, ignore_nullable=True, ignore_row_order=True)


def test_refers_to_rejects_a_value_that_is_no_key_of_the_table(spark):
    places = spark.createDataFrame([("FR", "France"), ("ES", "Spain")], "code string, name string")
    visits = spark.createDataFrame([("FR", 0), ("XX", 1), (None, 2), ("FR", 3)], "place string, number int")
    check = RefersTo("place", PLACES)

    found = visits.transform(looked_up([check], {"silver.places": places}))

    texts = expected(spark, None, "place XX is not in silver.places", None, None)
    judged = found.select("number", check.reason().alias("reason"))
    assert_df_equality(judged, texts, ignore_nullable=True, ignore_row_order=True)


def test_refers_to_takes_a_column_of_the_keys_own_name(spark):
    places = spark.createDataFrame([("FR", "France")], "code string, name string")
    check = RefersTo("code", PLACES)
    visits = spark.createDataFrame([("FR",), ("XX",)], "code string")

    found = visits.transform(looked_up([check], {"silver.places": places})).where(check.reason().isNotNull())

    assert [row["code"] for row in found.collect()] == ["XX"]


def test_refers_to_a_table_that_was_not_given_is_refused_with_what_was(spark):
    visits = spark.createDataFrame([("FR",)], "place string")

    with pytest.raises(ContractError, match=r"place refers to silver\.places, and its rows were not .*; \['a'\] were"):
        visits.transform(looked_up([RefersTo("place", PLACES)], {"a": visits}))


def test_refers_to_a_table_whose_key_is_of_several_columns_is_refused():
    of_two = Table(name="silver.pairs", grain="one row per pair", key=("code", "name"), columns=PLACES.columns)

    with pytest.raises(ContractError, match=r"place cannot refer to silver\.pairs, whose key is code, name\."):
        RefersTo("place", of_two)


def test_rows_stay_as_they_are_where_every_rule_needs_the_row_alone(spark):
    rows = spark.createDataFrame([(1,)], "n int")

    assert rows.transform(looked_up([InRange("n", least=0), NotZero("n")])).columns == ["n"]


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (InRange("score", least=0, most=10), "score is not between 0 and 10"),
        (InRange("score", least=0), "score is below 0"),
        (InRange("score", most=10), "score is above 10"),
        (Matches("code", "[0-9]+", "digits"), "code is not digits"),
        (AgreesWith("gross", ("net", "tax")), "gross is not net + tax"),
        (InOrder(("a_at", "b_at", "c_at")), "a_at, b_at and c_at are not in this order"),
        (Plausible("the age is wrong", ("born_on",), was_born_first), "the age is wrong"),
        (Unique(("shop", "receipt")), "shop, receipt is not unique"),
        (RefersTo("place", PLACES), "place is not in silver.places"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_rule_that_may_be_measured_says_in_words_what_is_wrong(check, words):
    assert str(check) == words
