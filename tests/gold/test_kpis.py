from datetime import date
from decimal import Decimal

import pytest
from chispa import assert_approx_df_equality

from customerlake.gold.kpis import KPIS, kpis

ORDERS = "customer_id string, ordered_on date, is_return boolean, amount decimal(18,4)"
AS_OF = date(2011, 3, 31)


def order(customer, month, day, amount, *, is_return=False):
    return (customer, date(2011, month, day), is_return, Decimal(amount))


def months(spark, *orders, as_of=AS_OF):
    return kpis(spark.createDataFrame(orders, ORDERS), as_of=as_of)


def by_month(df, *names):
    return {row.month.month: tuple(row[name] for name in names) for row in df.collect()}


def test_each_month_has_its_figures(spark):
    found = months(
        spark,
        order("a", 1, 5, "10"), order("a", 1, 31, "20"), order("b", 1, 6, "20"), order(None, 1, 7, "50"),
        order("a", 2, 1, "70"), order("c", 2, 28, "0.05"), order("a", 2, 3, "-30", is_return=True),
        order("b", 3, 1, "7"), order("a", 3, 2, "7"),
    )  # fmt: skip

    january = (
        date(2011, 1, 1), AS_OF, True, 4, Decimal(100), Decimal(0), Decimal(100), Decimal(25), 0.5,
        2, 2, 0, 0, None, Decimal(25), None,
    )  # fmt: skip
    february = (
        date(2011, 2, 1), AS_OF, True, 2, Decimal("70.05"), Decimal(30), Decimal("40.05"), Decimal("35.03"), 0.0,
        2, 1, 1, 1, 0.5, Decimal("35.03"), -0.2995,
    )  # fmt: skip
    march = (
        date(2011, 3, 1), AS_OF, True, 2, Decimal(14), Decimal(0), Decimal(14), Decimal(7), 0.0,
        2, 0, 2, 1, 0.5, Decimal(7), 14 / 70.05 - 1,
    )  # fmt: skip
    expected = spark.createDataFrame([january, february, march], KPIS.schema)
    assert_approx_df_equality(found, expected, 1e-12, ignore_nullable=True, ignore_row_order=True)


def test_nothing_after_as_of_counts(spark):
    orders = [order("a", 1, 5, "10"), order("a", 1, 6, "20"), order("b", 1, 7, "-5", is_return=True)]

    found = months(spark, *orders, as_of=date(2011, 1, 5))

    assert by_month(found, "revenue", "returned_amount", "count_orders") == {1: (Decimal(10), Decimal(0), 1)}


@pytest.mark.parametrize(("as_of", "is_whole"), [(date(2011, 1, 30), False), (date(2011, 1, 31), True)])
def test_a_month_is_whole_when_its_last_day_is_over(spark, as_of, is_whole):
    assert by_month(months(spark, order("a", 1, 5, "10"), as_of=as_of), "is_whole_month") == {1: (is_whole,)}


def test_after_a_month_without_orders_there_is_nothing_to_compare_with(spark):
    found = months(spark, order("a", 1, 5, "10"), order("a", 3, 5, "20"))

    figures = by_month(found, "retention_share", "revenue_growth", "returning_customers", "retained_customers")
    assert figures == {1: (None, None, 0, 0), 3: (None, None, 1, 0)}


def test_a_month_with_returns_alone_has_its_figures(spark):
    found = months(spark, order("a", 1, 5, "10"), order("a", 2, 5, "-4", is_return=True), order("a", 3, 5, "20"))

    figures = by_month(found, "count_orders", "returned_amount", "net_revenue", "average_order_value", "revenue_growth")
    assert figures == {
        1: (1, Decimal(0), Decimal(10), Decimal(10), None),
        2: (0, Decimal(4), Decimal(-4), None, -1.0),
        3: (1, Decimal(0), Decimal(20), Decimal(20), None),
    }


def test_a_month_of_anonymous_orders_has_no_customers(spark):
    found = months(spark, order(None, 1, 5, "10"), order("a", 2, 5, "20"))

    names = ("active_customers", "new_customers", "revenue_per_customer", "anonymous_revenue_share", "retention_share")
    assert by_month(found, *names) == {1: (0, 0, None, 1.0, None), 2: (1, 1, Decimal(20), 0.0, None)}


def test_january_follows_december(spark):
    orders = [("a", date(2010, 12, 31), False, Decimal(10)), order("a", 1, 1, "20")]

    found = months(spark, *orders)

    assert by_month(found, "retention_share", "revenue_growth") == {12: (None, None), 1: (1.0, 1.0)}


def test_a_gift_is_no_order_and_makes_no_customer(spark):
    assert by_month(
        months(spark, order("a", 1, 5, "10"), order("b", 1, 5, "0")), "count_orders", "active_customers"
    ) == {1: (1, 1)}
