import pytest

from customerlake.features.web import FEATURES, web_features
from tests.features.events import AS_OF, WEB_EVENTS, day, web

NAMES = [feature.name for feature in FEATURES]


@pytest.fixture
def visits(spark):
    """What is known of a customer by the web, by the names of features; None: nothing."""

    def found(*events, customer="a", as_of=AS_OF):
        made = spark.createDataFrame(list(events), WEB_EVENTS).transform(web_features(sorted({as_of, AS_OF})))
        rows = made.where(f"customer_id = '{customer}' AND as_of = DATE'{as_of}'").collect()
        return {name: rows[0][name] for name in NAMES} if rows else None

    return found


def test_visits_views_and_carts_are_counted_by_day(visits):
    found = visits(
        web("1", 80, "page_view"),
        web("2", 80, "add_to_cart"),
        web("3", 20, "product_view", hour=9),
        web("4", 20, "product_view", hour=10),
        web("5", 20, "add_to_cart", hour=11),
        web("6", 20, "add_to_cart", hour=11),
        web("7", 20, "order", hour=12),
        web("8", 10, "product_view"),
        web("9", 10, "add_to_cart"),
        web("10", 4, "search"),
    )

    assert found == {
        "web_visits_last_30_days": 3,
        "web_visits_last_90_days": 4,
        "product_views_last_30_days": 3,
        "carts_last_30_days": 2,
        "abandoned_carts_last_30_days": 1,
        "abandoned_carts_last_90_days": 2,
        "days_since_last_web_visit": 4,
    }


@pytest.mark.parametrize(("days_before", "in_30", "in_90"), [(0, 1, 1), (29, 1, 1), (30, 0, 1), (89, 0, 1), (90, 0, 0)])
def test_the_last_days_end_with_as_of(visits, days_before, in_30, in_90):
    found = visits(web("1", days_before, "add_to_cart", hour=23.9))

    assert (found["web_visits_last_30_days"], found["web_visits_last_90_days"]) == (in_30, in_90)
    assert (found["abandoned_carts_last_30_days"], found["abandoned_carts_last_90_days"]) == (in_30, in_90)
    assert found["days_since_last_web_visit"] == days_before


def test_on_an_earlier_date_later_visits_are_not_known(visits):
    events = [web("1", 50, "product_view"), web("2", 20, "product_view")]

    found = visits(*events, as_of=day(30))

    assert (found["product_views_last_30_days"], found["days_since_last_web_visit"]) == (1, 20)
    assert visits(*events, as_of=day(51)) is None


def test_an_order_on_one_device_ends_a_cart_begun_on_another(visits):
    found = visits(web("1", 5, "add_to_cart", visitor="phone"), web("2", 5, "order", visitor="desk", hour=20))

    assert (found["web_visits_last_30_days"], found["carts_last_30_days"]) == (1, 1)
    assert found["abandoned_carts_last_30_days"] == 0


def test_visits_before_a_login_are_the_customers_from_the_login_on(visits):
    events = [
        web("1", 40, "product_view", customer=None),
        web("2", 20, "product_view", customer=None),
        web("3", 10, "login"),
        web("4", 5, "product_view", customer=None),
    ]

    assert visits(*events)["web_visits_last_90_days"] == 4
    assert visits(*events, as_of=day(10))["web_visits_last_90_days"] == 3
    assert visits(*events, as_of=day(11)) is None  # nobody knew yet whose device it was


def test_what_nobody_was_named_for_is_nobodys_once_two_customers_were_seen_on_the_device(visits):
    events = [
        web("1", 40, "login"),
        web("2", 35, "product_view", customer=None),
        web("3", 20, "login", customer="b"),
        web("4", 10, "product_view", customer=None),
    ]

    assert visits(*events, as_of=day(21))["web_visits_last_90_days"] == 2
    assert visits(*events, as_of=day(20))["web_visits_last_90_days"] == 1  # its login, of which there is no doubt
    assert visits(*events)["days_since_last_web_visit"] == 40
    assert visits(*events, customer="b")["days_since_last_web_visit"] == 20


def test_two_customers_who_first_log_in_on_one_day_share_the_device_at_once(visits):
    events = [
        web("1", 20, "login"),
        web("2", 20, "login", customer="b"),
        web("3", 9, "product_view", customer=None),
    ]

    assert visits(*events)["days_since_last_web_visit"] == 20
    assert visits(*events, customer="b")["days_since_last_web_visit"] == 20


def test_the_named_visits_of_a_shared_device_are_of_those_who_were_named(visits):
    events = [web("1", 9, "login"), web("2", 8, "login", customer="b"), web("3", 3, "product_view")]

    assert visits(*events)["days_since_last_web_visit"] == 3
    assert visits(*events, customer="b")["days_since_last_web_visit"] == 8


def test_a_visitor_who_is_never_named_is_no_customer(spark):
    events = spark.createDataFrame([web("1", 5, "product_view", customer=None)], WEB_EVENTS)

    assert events.transform(web_features([AS_OF])).isEmpty()
