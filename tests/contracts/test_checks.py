from decimal import Decimal

import pytest
from chispa import assert_df_equality

from customerlake.contracts.checks import NotNegative, NotNull, NotZero, Reads, WellFormed


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
