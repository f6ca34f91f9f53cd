import pytest

from customerlake.features.snapshot import snapshot
from tests.features.events import AS_OF, ORDERS, day, of_customer, order


@pytest.fixture
def habits(spark):
    def found(names, *orders, as_of=AS_OF, **settings):
        frame = snapshot(spark.createDataFrame(list(orders), ORDERS), as_of=[as_of], **settings)
        return of_customer(frame, names)

    return found


def test_the_web_shop_is_the_channels_that_the_lake_names(habits):
    orders = [order("1", 9, "1", channel="shop"), order("2", 8, "1", channel="app"), order("3", 7, "1", channel="web")]

    assert habits(["online_orders_share"], *orders, web_channels=["web", "app"]) == (pytest.approx(2 / 3),)
    assert habits(["online_orders_share"], *orders, web_channels=["shop"]) == (pytest.approx(1 / 3),)


def test_an_order_of_an_unnamed_channel_is_none_of_the_web_shop(habits):
    orders = [order("1", 9, "1", channel=None), order("2", 8, "1", channel="web")]

    assert habits(["online_orders_share"], *orders) == (0.5,)


def test_the_channel_is_that_of_the_newest_purchase(habits):
    orders = [
        order("1", 5, "1", channel="web", hour=9),
        order("3", 5, "1", channel="store", hour=11),
        order("2", 5, "1", channel="phone", hour=11),
        order("4", 1, "-1", channel="web", is_return=True),
    ]

    assert habits(["channel"], *orders) == ("store",)
    assert habits(["channel"], *orders, order("5", 0, "1", channel=None)) == (None,)


@pytest.mark.parametrize(
    ("days_before", "share"), [(4, 1), (5, 1), (6, 0), (3, 0)], ids=["Sunday", "Saturday", "Friday", "Monday"]
)
def test_the_weekend_is_saturday_and_sunday(habits, days_before, share):
    assert habits(["weekend_orders_share"], order("1", days_before, "1")) == (share,)


@pytest.mark.parametrize(("hour", "share"), [(16.99, 0), (17, 1), (21.99, 1), (22, 0)])
def test_the_evening_is_from_17_to_22_o_clock(habits, hour, share):
    assert habits(["evening_orders_share"], order("1", 5, "1", hour=hour)) == (share,)


def test_the_evening_is_that_of_the_lakes_time_zone(habits):
    """16:30 UTC is 18:30 in Helsinki in winter, 19:30 in summer."""
    assert habits(["evening_orders_share"], order("1", 5, "1", hour=16.5), time_zone="Europe/Helsinki") == (1,)


def test_shares_are_of_orders_and_not_of_days(habits):
    sunday = [order("1", 4, "1"), order("2", 4, "1"), order("3", 4, "1")]

    assert habits(["weekend_orders_share"], *sunday, order("4", 3, "1")) == (0.75,)


def test_habits_are_those_up_to_the_date(habits):
    orders = [order("1", 11, "1", channel="store", country="Spain"), order("2", 4, "1", channel="web")]

    found = habits(["country", "channel", "online_orders_share", "weekend_orders_share"], *orders, as_of=day(9))

    assert found == ("Spain", "store", 0, 1)
