"""Trends of orders and spend; what else is said of purchases is in test_snapshot.py."""

import pytest

from customerlake.features.snapshot import snapshot
from tests.features.events import AS_OF, ORDERS, of_customer, order


@pytest.fixture
def of_a(spark):
    """The named features of customer a after these orders."""

    def found(names, *orders):
        return of_customer(snapshot(spark.createDataFrame(list(orders), ORDERS), as_of=[AS_OF]), names)

    return found


@pytest.mark.parametrize(
    ("days_before", "change_30", "change_90"),
    [(0, 1, 1), (29, 1, 1), (30, -1 / 3, 1), (89, -1 / 3, 1), (90, -1 / 3, -1), (119, -1 / 3, -1), (120, 0, -1),
     (179, 0, -1), (180, 0, 0)],
)  # fmt: skip
def test_orders_of_the_last_days_are_held_against_those_of_the_90_days_before(of_a, days_before, change_30, change_90):
    found = of_a(["orders_change_30_days", "orders_change_90_days"], order("1", days_before, "10"))

    assert found == pytest.approx((change_30, change_90), abs=1e-12)


def test_spend_of_the_last_90_days_is_held_against_that_of_the_90_days_before(of_a):
    orders = [order("1", 10, "30.5"), order("2", 89, "1"), order("3", 90, "100"), order("4", 180, "7")]

    assert of_a(["spend_change_90_days"], *orders) == (-68.5,)


@pytest.mark.parametrize(
    ("spends", "slope"),
    [
        ([0, 10, 20, 30, 40, 50], 10.0),  # from the oldest 30 days to the newest
        ([50, 40, 30, 20, 10, 5], -325 / 35),  # (-250 - 120 - 30 + 20 + 30 + 25) / 35
        ([7, 7, 7, 7, 7, 7], 0.0),
    ],
)
def test_the_slope_is_the_change_of_spend_from_month_to_month(of_a, spends, slope):
    bought = [(150 - 30 * place, spend) for place, spend in enumerate(spends) if spend]
    orders = [order(f"{days}", days, str(spend)) for days, spend in bought]

    assert of_a(["spend_slope_180_days"], *orders, order("old", 180, "999")) == pytest.approx((slope,), abs=1e-12)


def test_what_was_given_back_changes_no_trend(of_a):
    trends = ["orders_change_30_days", "orders_change_90_days", "spend_change_90_days", "spend_slope_180_days"]
    bought = order("1", 40, "70")

    assert of_a(trends, bought, order("2", 10, "-70", is_return=True)) == of_a(trends, bought)
