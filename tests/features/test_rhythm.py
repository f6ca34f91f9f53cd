import math

import pytest

from customerlake.features.snapshot import snapshot
from tests.features.events import AS_OF, ORDERS, day, of_customer, order

CADENCE = ["days_between", "sd_days_between", "last_days_between", "last_wait_ratio", "overdue_ratio"]


@pytest.fixture
def rhythm(spark):
    def found(*orders, as_of=AS_OF):
        frame = snapshot(spark.createDataFrame(list(orders), ORDERS), as_of=[as_of, AS_OF])
        return of_customer(frame.where(f"as_of = DATE'{as_of}'"), CADENCE)

    return found


FOUR = [order("1", 100, "1"), order("2", 90, "1"), order("3", 60, "1"), order("4", 10, "1")]


def test_the_rhythm_is_told_by_the_days_between_purchase_days(rhythm):
    """10, 30 and 50 days: 30 on average, with a deviation of sqrt((20^2 + 0 + 20^2) / 2)."""
    assert rhythm(*FOUR) == pytest.approx((30, 20, 50, 5 / 3, 1 / 3))


def test_on_an_earlier_date_later_waits_are_not_known(rhythm):
    """10 and 30 days, and 10 days since."""
    assert rhythm(*FOUR, as_of=day(50)) == pytest.approx((20, math.sqrt(200), 30, 1.5, 0.5))


def test_two_orders_on_one_day_are_one_purchase_day(rhythm):
    assert rhythm(*FOUR, order("5", 60, "1", hour=15)) == rhythm(*FOUR)


def test_returns_and_gifts_do_not_part_a_wait(rhythm):
    between = [order("5", 30, "-1", is_return=True), order("6", 25, "0"), order("7", 5, "-1", is_return=True)]

    assert rhythm(*FOUR, *between) == rhythm(*FOUR)


def test_one_purchase_day_has_no_wait(rhythm):
    assert rhythm(order("1", 40, "1")) == (40, None, None, None, 1)


def test_two_purchase_days_have_a_wait_without_a_deviation(rhythm):
    assert rhythm(order("1", 40, "1"), order("2", 10, "1")) == (30, None, 30, 1, pytest.approx(1 / 3))
