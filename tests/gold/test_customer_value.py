from datetime import date
from decimal import Decimal

import pytest
from chispa import assert_df_equality

from customerlake.gold.customer_value import CUSTOMER_VALUE, customer_value

ORDERS = "customer_id string, ordered_on date, is_return boolean, amount decimal(18,4), product_amount decimal(18,4)"
MARGINS = "order_id string, margin decimal(18,4), sold_amount decimal(18,4), costed_amount decimal(18,4)"
AS_OF = date(2011, 12, 9)


def order(customer, on, amount, *, product_amount=None, is_return=False):
    return (customer, on, is_return, Decimal(amount), Decimal(amount if product_amount is None else product_amount))


def value(spark, *orders):
    return customer_value(spark.createDataFrame(orders, ORDERS), as_of=AS_OF)


def expected(spark, *row):
    typed = [Decimal(item) if isinstance(item, str) and item[0] in "-0123456789" else item for item in row]
    return spark.createDataFrame([tuple(typed)], CUSTOMER_VALUE.schema)


def test_purchases_and_returns_are_summed_apart(spark):
    found = value(
        spark,
        order("a", date(2011, 1, 1), "100", product_amount="90"),
        order("a", date(2011, 2, 1), "0.05"),
        order("a", date(2011, 3, 1), "-25", is_return=True),
    )

    row = expected(
        spark, "a", AS_OF, "100.05", "25", "75.05", "90.05", 2, 1, "50.03", 25 / 100.05,
        date(2011, 1, 1), date(2011, 2, 1), "100.05", None, None,
    )  # fmt: skip
    assert_df_equality(found, row, ignore_nullable=True, allow_nan_equality=True)


def test_a_customer_who_only_returned_has_a_value_below_zero_and_no_order(spark):
    found = value(spark, order("a", date(2011, 3, 1), "-25", is_return=True))

    row = expected(spark, "a", AS_OF, "0", "25", "-25", "0", 0, 1, None, None, None, None, "0", None, None)
    assert_df_equality(found, row, ignore_nullable=True)


@pytest.mark.parametrize(
    ("on", "recent"),
    [
        (date(2010, 12, 9), Decimal(0)),
        (date(2010, 12, 10), Decimal(10)),
        (date(2011, 12, 9), Decimal(10)),
    ],
)
def test_the_last_365_days_end_with_as_of(spark, on, recent):
    assert [row.spend_last_365_days for row in value(spark, order("a", on, "10")).collect()] == [recent]


@pytest.mark.parametrize(
    "other",
    [
        order("a", date(2011, 12, 10), "5"),
        order("a", date(2011, 12, 10), "-5", is_return=True),
        order(None, AS_OF, "5"),
    ],
    ids=["later order", "later return", "anonymous"],
)
def test_what_is_not_the_customers_by_as_of_does_not_count(spark, other):
    mine = order("a", AS_OF, "10")

    assert_df_equality(value(spark, mine, other), value(spark, mine))


def test_a_gift_alone_makes_no_customer(spark):
    assert value(spark, order("a", AS_OF, "0")).isEmpty()


def margin(spark, orders, margins):
    """Orders are numbered from 0; margins are (order_id, margin, sold_amount, costed_amount)."""
    numbered = [(str(number), *row) for number, row in enumerate(orders)]
    texts = [(one[0], *[None if value is None else Decimal(value) for value in one[1:]]) for one in margins]
    found = customer_value(
        spark.createDataFrame(numbered, f"order_id string, {ORDERS}"),
        spark.createDataFrame(texts, MARGINS),
        as_of=AS_OF,
    )
    return {row.customer_id: (row.product_margin, row.margin_known_share) for row in found.collect()}


def test_the_margin_is_that_of_purchases_less_that_of_returns(spark):
    orders = [
        order("a", date(2011, 1, 1), "100"),
        order("a", date(2011, 2, 1), "60"),
        order("a", date(2011, 3, 1), "-25", is_return=True),
        order("a", date(2011, 12, 10), "500"),
    ]
    margins = [("0", "30", "100", "80"), ("1", "10", "60", "40"), ("2", "-8", "0", "0"), ("3", "90", "500", "500")]

    assert margin(spark, orders, margins) == {"a": (Decimal(32), 0.75)}


def test_without_a_known_cost_there_is_no_margin_and_none_of_the_spend_is_known(spark):
    orders = [order("a", AS_OF, "100"), order("b", AS_OF, "10"), order("c", AS_OF, "4", product_amount="0")]

    assert margin(spark, orders, [("0", None, "100", "0"), ("1", "6", "10", "10")]) == {
        "a": (None, 0.0),
        "b": (Decimal(6), 1.0),
        "c": (None, None),
    }


def test_who_only_returned_has_a_margin_below_zero_and_no_share(spark):
    assert margin(spark, [order("a", AS_OF, "-5", is_return=True)], [("0", "-2", "0", "0")]) == {
        "a": (Decimal(-2), None)
    }
