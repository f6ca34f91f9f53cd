from datetime import date, datetime
from decimal import Decimal
from tempfile import mkdtemp

import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.runtime.tables import Lake
from customerlake.silver.products import BETTER_SURVIVES, PRODUCTS, products

LINES = (
    "product_id string, line_kind string, is_sale boolean, description string, unit_price decimal(18,4), "
    "ordered_at timestamp, ordered_on date, order_line_id string, _batch long"
)


def line(line_id, day, description, *, product="P", price="2.50", is_sale=True, kind="product", batch=1):
    moment = datetime(2011, 1, day, 10)
    return (product, kind, is_sale, description, Decimal(price), moment, moment.date(), line_id, batch)


def known(spark, *lines):
    return products(spark.createDataFrame(lines, LINES))


def names(df):
    return {row.product_id: row.description for row in df.collect()}


def test_the_newest_sale_names_and_prices_the_product(spark):
    found = known(spark, line("b", 5, "LANTERN", price="2.95", batch=2), line("a", 1, "LAMP"))

    row = ("P", "LANTERN", Decimal("2.95"), True, datetime(2011, 1, 5, 10), "b", date(2011, 1, 1), date(2011, 1, 5), 2)
    assert_df_equality(found, spark.createDataFrame([row], PRODUCTS.schema), ignore_nullable=True)


def test_a_note_of_the_warehouse_names_no_product_that_was_sold(spark):
    found = known(spark, line("a", 1, "LANTERN"), line("b", 5, "damaged", is_sale=False, kind="adjustment", price="0"))

    assert names(found) == {"P": "LANTERN"}


def test_a_product_that_was_never_sold_is_named_by_its_newest_note(spark):
    notes = [
        line(line_id, day, text, is_sale=False, kind="adjustment")
        for line_id, day, text in (("a", 1, "?"), ("b", 5, "lost"))
    ]

    found = known(spark, *notes)

    assert [(row.description, row.is_sold) for row in found.collect()] == [("lost", False)]


def test_a_sale_without_a_name_names_nothing_while_another_does(spark):
    assert names(known(spark, line("a", 1, "LANTERN"), line("b", 5, None))) == {"P": "LANTERN"}


@pytest.mark.parametrize("kind", ["postage", "discount", "fee"])
def test_postage_fees_and_the_like_are_no_products(spark, kind):
    assert known(spark, line("a", 1, "POSTAGE", kind=kind)).isEmpty()


def merged(spark, *landings):
    """silver.products of a new lake that took these landings one after another."""
    lake = Lake(mkdtemp(), lambda: spark)
    for landing in landings:
        lake.merge(PRODUCTS, known(spark, *landing), update=BETTER_SURVIVES)
    return lake.read(PRODUCTS)


def test_a_later_note_leaves_the_name_and_moves_the_last_day(spark):
    found = merged(
        spark, [line("a", 1, "LANTERN")], [line("b", 5, "damaged", is_sale=False, kind="adjustment", batch=2)]
    )

    row = ("P", "LANTERN", Decimal("2.5"), True, datetime(2011, 1, 1, 10), "a", date(2011, 1, 1), date(2011, 1, 5), 2)
    assert_df_equality(found, spark.createDataFrame([row], PRODUCTS.schema), ignore_nullable=True)


def test_a_note_that_arrives_after_a_sale_without_a_name_does_not_name_the_product(spark):
    sale, note = line("a", 1, None), line("b", 5, "damaged", is_sale=False, kind="adjustment", batch=2)

    assert names(merged(spark, [sale], [note])) == names(merged(spark, [note], [sale])) == {"P": None}


drawn_lines = st.lists(
    st.tuples(
        st.sampled_from("PQR"),
        st.integers(1, 9),
        st.sampled_from(["LANTERN", "lost", None]),
        st.booleans(),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=15,
).map(
    lambda drawn: [
        (line(f"{number:02}", day, text, product=product, is_sale=is_sale, price=number), landing)
        for number, (product, day, text, is_sale, landing) in enumerate(drawn)
    ]
)


@given(lines=drawn_lines)
def test_lines_in_any_order_of_arrival_give_the_same_products(spark, lines):
    landings = [[line for line, landing in lines if landing == number] for number in range(3)]
    landings = [landing for landing in landings if landing]

    arrived, reversed_twice = merged(spark, *landings), merged(spark, *landings[::-1], *landings)

    at_once = known(spark, *[line for line, _ in lines])
    assert_df_equality(arrived, at_once, ignore_nullable=True, ignore_row_order=True)
    assert_df_equality(reversed_twice, at_once, ignore_nullable=True, ignore_row_order=True)
