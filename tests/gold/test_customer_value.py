from datetime import date
from decimal import Decimal

import pytest
from chispa import assert_df_equality

from customerlake.gold.customer_value import CUSTOMER_VALUE, customer_value

ORDERS = "customer_id string, ordered_on date, is_return boolean, amount decimal(18,4), product_amount decimal(18,4)"
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
        date(2011, 1, 1), date(2011, 2, 1), "100.05",
    )  # fmt: skip
    assert_df_equality(found, row, ignore_nullable=True, allow_nan_equality=True)


def test_a_customer_who_only_returned_has_a_value_below_zero_and_no_order(spark):
    found = value(spark, order("a", date(2011, 3, 1), "-25", is_return=True))

    row = expected(spark, "a", AS_OF, "0", "25", "-25", "0", 0, 1, None, None, None, None, "0")
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
