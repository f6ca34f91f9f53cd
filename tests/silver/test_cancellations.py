from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.silver.cancellations import CANCELLATIONS, cancellations

LINES = (
    "order_line_id string, order_id string, customer_id string, product_id string, unit_price decimal(18,4), "
    "ordered_at timestamp, ordered_on date, quantity int, amount decimal(18,4), is_return boolean, is_sale boolean, "
    "_batch long"
)
LINKS = "order_line_id string, cancelled_order_line_id string, link_rule string"


def line(line_id, day, quantity, *, is_return, customer="1", product="P", price="2.50"):
    """A line at noon of a day of January 2011; its order is named after it."""
    moment, price = datetime(2011, 1, 1, 12) + timedelta(days=day - 1), Decimal(price)
    is_sale = not is_return and quantity > 0 and price > 0
    return (
        line_id, f"order of {line_id}", customer, product, price,
        moment, moment.date(), quantity, price * quantity, is_return, is_sale, 1,
    )  # fmt: skip


def sold(line_id, day, quantity, **item):
    return line(line_id, day, quantity, is_return=False, **item)


def returned(line_id, day, quantity, **item):
    return line(line_id, day, -quantity, is_return=True, **item)


def assert_links(spark, lines, *links):
    found = cancellations(spark.createDataFrame(lines, LINES)).select(
        "order_line_id", "cancelled_order_line_id", "link_rule"
    )
    assert_df_equality(found, spark.createDataFrame(links, LINKS), ignore_nullable=True, ignore_row_order=True)


def test_a_return_of_the_same_quantity_cancels_the_sale_whole(spark):
    lines = spark.createDataFrame([sold("s", 1, 6), returned("r", 3, 6)], LINES)

    linked = cancellations(lines)

    row = ("r", "order of r", "1", "P", date(2011, 1, 3), 6, Decimal("15.0000"), "s", "order of s", "whole line", 1)
    assert_df_equality(linked, spark.createDataFrame([row], CANCELLATIONS.schema), ignore_nullable=True)


def test_the_newest_open_sale_is_cancelled_first(spark):
    lines = [sold("old", 1, 6), sold("new", 2, 6), returned("r", 3, 6)]

    assert_links(spark, lines, ("r", "new", "whole line"))


def test_two_returns_of_one_quantity_close_two_sales_like_brackets(spark):
    lines = [sold("s1", 1, 6), sold("s2", 2, 6), returned("r1", 3, 6), returned("r2", 4, 6)]

    assert_links(spark, lines, ("r1", "s2", "whole line"), ("r2", "s1", "whole line"))


def test_a_return_between_two_sales_cancels_the_one_before_it(spark):
    lines = [sold("s1", 1, 6), returned("r1", 2, 6), sold("s2", 3, 6), returned("r2", 4, 6)]

    assert_links(spark, lines, ("r1", "s1", "whole line"), ("r2", "s2", "whole line"))


def test_one_sale_is_not_cancelled_twice(spark):
    lines = [sold("s", 1, 6), returned("r1", 2, 6), returned("r2", 3, 6)]

    assert_links(spark, lines, ("r1", "s", "whole line"), ("r2", None, "no earlier sale"))


def test_a_sale_after_the_return_is_not_what_it_cancels(spark):
    lines = [returned("r", 1, 6), sold("s", 2, 6)]

    assert_links(spark, lines, ("r", None, "no earlier sale"))


def test_a_return_of_something_older_than_the_data_does_not_disturb_later_pairs(spark):
    lines = [returned("r0", 1, 6), returned("r1", 2, 6), sold("s", 3, 6), returned("r2", 4, 6)]

    assert_links(
        spark, lines, ("r0", None, "no earlier sale"), ("r1", None, "no earlier sale"), ("r2", "s", "whole line")
    )


def test_a_return_in_the_instant_of_its_sale_cancels_it(spark):
    assert_links(spark, [returned("a return", 1, 6), sold("sale", 1, 6)], ("a return", "sale", "whole line"))


def test_a_smaller_return_cancels_part_of_the_sale(spark):
    assert_links(spark, [sold("s", 1, 10), returned("r", 2, 4)], ("r", "s", "part of a line"))


def test_parts_cancel_no_more_than_what_was_sold(spark):
    lines = [sold("s", 1, 10), returned("r1", 2, 4), returned("r2", 3, 5), returned("r3", 4, 2)]

    assert_links(
        spark, lines, ("r1", "s", "part of a line"), ("r2", "s", "part of a line"), ("r3", None, "no earlier sale")
    )


def test_parts_may_add_up_to_all_that_was_sold(spark):
    lines = [sold("s", 1, 10), returned("r1", 2, 4), returned("r2", 3, 6)]

    assert_links(spark, lines, ("r1", "s", "part of a line"), ("r2", "s", "part of a line"))


def test_a_return_of_more_than_was_sold_cancels_nothing(spark):
    assert_links(spark, [sold("s", 1, 10), returned("r", 2, 11)], ("r", None, "no earlier sale"))


def test_a_part_is_taken_from_the_newest_earlier_sale(spark):
    lines = [sold("old", 1, 10), sold("new", 2, 20), returned("r", 3, 4), sold("later", 4, 30)]

    assert_links(spark, lines, ("r", "new", "part of a line"))


def test_a_sale_that_is_cancelled_whole_has_no_part_to_give(spark):
    lines = [sold("old", 1, 10), sold("new", 2, 6), returned("whole", 3, 6), returned("part", 4, 2)]

    assert_links(spark, lines, ("whole", "new", "whole line"), ("part", "old", "part of a line"))


def test_a_whole_return_goes_before_an_earlier_part(spark):
    lines = [sold("s", 1, 10), returned("part", 2, 4), returned("whole", 3, 10)]

    assert_links(spark, lines, ("whole", "s", "whole line"), ("part", None, "no earlier sale"))


@pytest.mark.parametrize("other", [{"customer": "2"}, {"product": "Q"}, {"price": "2.51"}])
@pytest.mark.parametrize("quantity", [6, 2])
def test_only_a_sale_of_the_same_customer_product_and_price_is_cancelled(spark, other, quantity):
    lines = [sold("s", 1, 6, **other), returned("r", 2, quantity)]

    assert_links(spark, lines, ("r", None, "no earlier sale"))


@pytest.mark.parametrize("quantity", [6, 2])
def test_nobody_can_tell_what_an_anonymous_return_cancels(spark, quantity):
    lines = [sold("s", 1, 6, customer=None), returned("r", 2, quantity, customer=None)]

    assert_links(spark, lines, ("r", None, "anonymous"))


@pytest.mark.parametrize("quantity", [6, 2])
def test_a_gift_is_no_sale_to_cancel(spark, quantity):
    lines = [sold("gift", 1, 6, price="0"), returned("r", 2, quantity, price="0")]

    assert_links(spark, lines, ("r", None, "no earlier sale"))


def test_a_stock_correction_is_neither_sale_nor_return(spark):
    lines = [sold("s", 1, 6), sold("correction", 2, -6)]

    assert_links(spark, lines)


def paired_by_walking(lines):
    """The links, from the definition: one walk with a stack per quantity, then one over what is left."""
    links, items = {}, defaultdict(list)
    for row in sorted(lines, key=lambda row: (row[5], row[9], row[1], row[0])):
        items[row[2:5]].append(row)
    for (customer, *_), rows in items.items():
        stacks, cancelled = defaultdict(list), set()
        for row in rows:
            line_id, quantity, is_return = row[0], row[7], row[9]
            if not is_return:
                stacks[quantity].append(line_id)
            elif stacks[-quantity] and customer:
                links[line_id] = (stacks[-quantity].pop(), "whole line")
                cancelled.add(links[line_id][0])
            else:
                links[line_id] = (None, "no earlier sale" if customer else "anonymous")
        newest, taken = None, defaultdict(int)
        for row in rows:
            line_id, quantity, is_return = row[0], row[7], row[9]
            if not is_return and customer and line_id not in cancelled:
                newest = row
            elif is_return and newest and links[line_id][0] is None:
                taken[newest[0]] -= quantity
                if taken[newest[0]] <= newest[7]:
                    links[line_id] = (newest[0], "part of a line")
    return links


sales = st.tuples(st.just(False), st.integers(3, 5))
returns = st.tuples(st.just(True), st.integers(1, 5).map(lambda units: -units))
many_lines = st.lists(
    st.tuples(st.integers(1, 8), sales | returns, st.sampled_from(["1", "1", "2", None]), st.sampled_from("PPQ")),
    min_size=30,
    max_size=60,
).map(
    lambda drawn: [
        line(f"{number:02}", day, quantity, is_return=is_return, customer=who, product=what)
        for number, (day, (is_return, quantity), who, what) in enumerate(drawn)
    ]
)


@given(lines=many_lines, shuffle=st.randoms())
def test_links_are_those_of_a_walk_through_time_in_any_order_of_rows(spark, lines, shuffle):
    shuffled = list(lines)
    shuffle.shuffle(shuffled)

    found = cancellations(spark.createDataFrame(shuffled, LINES)).collect()

    links = {row.order_line_id: (row.cancelled_order_line_id, row.link_rule) for row in found}
    assert links == paired_by_walking(lines)


@given(lines=many_lines)
def test_no_sale_is_cancelled_for_more_than_its_quantity(spark, lines):
    sold_units = {row[0]: row[7] for row in lines if row[10]}

    found = cancellations(spark.createDataFrame(lines, LINES)).collect()

    cancelled = defaultdict(int)
    for row in found:
        if row.cancelled_order_line_id:
            cancelled[row.cancelled_order_line_id] += row.quantity
    assert all(units <= sold_units[sale] for sale, units in cancelled.items())
