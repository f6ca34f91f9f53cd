from datetime import date, datetime
from decimal import Decimal

import pytest
from chispa import assert_df_equality

from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR, purchase_behaviour

ORDERS = (
    "order_id string, customer_id string, ordered_at timestamp, ordered_on date, is_return boolean, "
    "amount decimal(18,4), count_lines long, count_units long"
)
LINES = (
    "order_id string, customer_id string, ordered_on date, is_sale boolean, is_product boolean, product_id string, "
    "amount decimal(18,4)"
)
AS_OF = date(2011, 3, 31)


def order(order_id, at, amount="10", *, customer="a", lines=1, units=1, is_return=False):
    moment = datetime.fromisoformat(at)
    return (order_id, customer, moment, moment.date(), is_return, Decimal(amount), lines, units)


def line(order_id, product, amount="10", *, on=date(2011, 1, 3), customer="a", is_sale=True, is_product=True):
    return (order_id, customer, on, is_sale, is_product, product, Decimal(amount))


def behaviour(spark, orders, lines=(), *, as_of=AS_OF):
    return purchase_behaviour(
        spark.createDataFrame(orders, ORDERS), spark.createDataFrame(list(lines), LINES), as_of=as_of
    )


def only(df, *names):
    (row,) = df.select(*names).collect()
    return tuple(row)


def test_a_customers_rhythm_baskets_and_favourites(spark):
    orders = [
        order("1", "2011-01-03T09:00", "10", lines=2, units=10),  # a Monday
        order("2", "2011-01-03T14:00", "20", lines=1, units=1),
        order("3", "2011-01-08T09:30", "30.05", lines=4, units=5),  # a Saturday
        order("4", "2011-01-18T09:59", "40", lines=1, units=4),  # a Tuesday
        order("5", "2011-01-31T14:00", "50", lines=2, units=5),  # a Monday
    ]
    lines = [line("1", "P"), line("2", "P"), line("3", "Q", "99"), line("4", "R")]

    found = behaviour(spark, orders, lines)

    # days between: 5, 10, 13; deviations from 28/3: -13/3, 2/3, 11/3, so the variance is (169 + 4 + 121) / 9 / 2 = 49/3
    row = (
        "a", AS_OF, 4, 28 / 3, 10.0, (49 / 3) ** 0.5, date(2011, 2, 10), 2.0, 5.0, Decimal("30.01"), 3, "P", 9, 1, 0.2,
    )  # fmt: skip
    expected = spark.createDataFrame([row], PURCHASE_BEHAVIOUR.schema)
    found_sd, expected_sd = only(found, "sd_days_between"), only(expected, "sd_days_between")
    assert found_sd == pytest.approx(expected_sd, rel=1e-12)
    assert_df_equality(found.drop("sd_days_between"), expected.drop("sd_days_between"), ignore_nullable=True)


def test_one_purchase_day_has_no_rhythm(spark):
    found = behaviour(spark, [order("1", "2011-01-03T09:00"), order("2", "2011-01-03T10:00")])

    rhythm = only(
        found, "count_purchase_days", "mean_days_between", "median_days_between", "sd_days_between", "expected_next_on"
    )
    assert rhythm == (1, None, None, None, None)


def test_two_purchase_days_have_a_mean_but_no_spread(spark):
    found = behaviour(spark, [order("1", "2011-01-03T09:00"), order("2", "2011-01-06T10:00")])

    assert only(found, "mean_days_between", "sd_days_between", "expected_next_on") == (3.0, None, date(2011, 1, 9))


def test_a_median_of_half_a_day_is_rounded_up(spark):
    days = ["2011-01-01T09:00", "2011-01-03T09:00", "2011-01-06T09:00"]

    found = behaviour(spark, [order(str(n), day) for n, day in enumerate(days)])

    assert only(found, "median_days_between", "expected_next_on") == (2.5, date(2011, 1, 9))


@pytest.mark.parametrize(
    ("day", "weekday", "weekend_share"),
    [(2, 7, 1.0), (3, 1, 0.0), (4, 2, 0.0), (5, 3, 0.0), (6, 4, 0.0), (7, 5, 0.0), (8, 6, 1.0)],
)
def test_weekdays_go_from_monday_1_to_sunday_7(spark, day, weekday, weekend_share):
    found = behaviour(spark, [order("1", f"2011-01-0{day}T09:00")])  # 3 January 2011 was a Monday

    assert only(found, "favourite_weekday", "weekend_share") == (weekday, weekend_share)


def test_the_earliest_hour_and_weekday_win_a_tie(spark):
    found = behaviour(spark, [order("1", "2011-01-04T15:00"), order("2", "2011-01-10T08:00")])

    assert only(found, "favourite_hour", "favourite_weekday") == (8, 1)


@pytest.mark.parametrize(
    ("lines", "favourite"),
    [
        ([line("1", "P", "1"), line("2", "P", "1"), line("3", "Q", "99")], "P"),
        ([line("1", "P", "1"), line("1", "P", "2"), line("2", "Q", "99")], "Q"),
        ([line("1", "P", "5"), line("2", "Q", "9")], "Q"),
        ([line("1", "Q", "5"), line("2", "P", "5")], "P"),
    ],
    ids=["most orders", "two lines of one order are one order", "higher spend", "lower code"],
)
def test_the_favourite_product_is_in_most_orders(spark, lines, favourite):
    found = behaviour(spark, [order("1", "2011-01-03T09:00")], lines)

    assert only(found, "favourite_product_id") == (favourite,)


@pytest.mark.parametrize(
    "other",
    [
        line("2", "Q", on=date(2011, 4, 1)),
        line("2", "Q", is_sale=False),
        line("2", "Q", is_product=False),
        line("2", "Q", customer=None),
        line("2", "Q", customer="b"),
    ],
    ids=["after as_of", "gift", "postage", "anonymous", "somebody else's"],
)
def test_only_products_that_the_customer_bought_by_as_of_count(spark, other):
    found = behaviour(spark, [order("1", "2011-01-03T09:00")], [line("1", "P", "1"), other])

    assert only(found, "count_distinct_products", "favourite_product_id") == (1, "P")


def test_who_bought_no_product_has_no_favourite(spark):
    found = behaviour(spark, [order("1", "2011-01-03T09:00")], [line("1", "POST", is_product=False)])

    assert only(found, "count_distinct_products", "favourite_product_id") == (0, None)


@pytest.mark.parametrize(
    "other",
    [
        order("2", "2011-04-01T10:00"),
        order("2", "2011-01-09T10:00", "-10", is_return=True),
        order("2", "2011-01-09T10:00", "0"),
        order("2", "2011-01-09T10:00", customer=None),
    ],
    ids=["after as_of", "return", "gift", "anonymous"],
)
def test_what_is_no_purchase_of_the_customer_by_as_of_does_not_count(spark, other):
    mine = order("1", "2011-01-03T09:00")

    assert_df_equality(behaviour(spark, [mine, other]), behaviour(spark, [mine]))
