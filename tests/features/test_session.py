from datetime import datetime, timedelta

import pytest

from customerlake.features.session import FEATURES, sessions_at_hand
from customerlake.gold.web_sessions import WEB_SESSIONS

MONDAY = datetime(2011, 8, 1, 22, 30)  # in London 23:30


@pytest.fixture
def visits(frame_of):
    """Rows of gold.web_sessions by what is said of each, ten minutes long, looked at after two."""

    def made(*sessions):
        rows = []
        for number, session in enumerate(sessions):
            started = session.get("started_at", MONDAY + timedelta(days=number))
            base = {
                "session_id": f"s{number}",
                "visitor_id": "v",
                "started_at": started,
                "ended_at": started + timedelta(minutes=10),
                "started_on": started.date(),
                "has_cart": False,
                "has_order": False,
                "channel": "search",
                "device": "mobile",
                "country": "Malta",
                "seconds_to_named": 0.0,
            }
            rows.append(base | session)
        found = sessions_at_hand(frame_of(WEB_SESSIONS, *rows), seconds=120, time_zone="Europe/London")
        return {row["customer_id"]: row.asDict() for row in found.collect()}

    return made


def test_a_visit_that_has_ended_or_ordered_by_then_is_not_at_hand(visits):
    found = visits(
        {"session_id": "short", "ended_at": MONDAY + timedelta(seconds=119), "started_at": MONDAY},
        {"session_id": "just", "ended_at": MONDAY + timedelta(seconds=120), "started_at": MONDAY},
        {"session_id": "ordered", "has_order": True, "seconds_to_order": 120.0},
        {"session_id": "orders later", "has_order": True, "seconds_to_order": 120.5},
    )

    assert sorted(found) == ["just", "orders later"]
    assert (found["just"]["is_ordering"], found["orders later"]["is_ordering"]) == (False, True)


def test_steps_count_when_they_were_taken_by_then_and_tell_nothing_of_later(visits):
    found = visits(
        {"seconds_to_view": 5.0, "seconds_to_cart": 120.0, "seconds_to_checkout": 121.0, "has_cart": True,
         "has_order": True, "seconds_to_order": 300.0, "campaign_id": "c1"},
        {"seconds_to_view": 130.0, "seconds_to_cart": 140.0, "has_cart": True},
    )  # fmt: skip

    asked = ("has_viewed", "seconds_to_view", "has_cart", "seconds_to_cart", "has_checkout", "is_of_campaign")
    assert [found["s0"][name] for name in asked] == [1.0, 5.0, 1.0, 120.0, 0.0, 1.0]
    assert [found["s1"][name] for name in asked] == [0.0, None, 0.0, None, 0.0, 0.0]


def test_earlier_visits_of_the_same_visitor_are_told_of_and_later_ones_are_not(visits):
    found = visits(
        {"has_cart": True},
        {"has_cart": True, "has_order": True, "seconds_to_order": 200.0},
        {"started_at": MONDAY + timedelta(days=11)},
        {"visitor_id": "another"},
    )

    asked = ("earlier_visits", "earlier_orders", "earlier_carts", "days_since_visit")
    assert [found["s0"][name] for name in asked] == [0.0, 0.0, 0.0, None]
    assert [found["s2"][name] for name in asked] == [2.0, 1.0, 1.0, 10.0]
    assert [found["s3"][name] for name in asked] == [0.0, 0.0, 0.0, None]


def test_where_a_visitor_comes_from_is_known_when_it_was_named_by_then(visits):
    found = visits(
        {"seconds_to_named": 120.0, "campaign_id": "c1"}, {"seconds_to_named": 121.0, "campaign_id": "c1"},
        {"channel": None, "device": None, "country": None, "seconds_to_named": None},
    )  # fmt: skip

    asked = ("channel", "device", "country", "is_of_campaign")
    assert [found["s0"][name] for name in asked] == ["search", "mobile", "Malta", 1.0]
    assert [found["s1"][name] for name in asked] == [None, None, None, 0.0]
    assert [found["s2"][name] for name in asked] == [None, None, None, 0.0]


def test_the_hour_and_the_day_of_the_week_are_those_of_the_lake(visits):
    found = visits({})["s0"]  # 22:30 UTC is 23:30 in London's summer

    assert (found["hour"], found["weekday"]) == (23.0, 1.0)


def test_what_a_visitor_does_after_the_moment_changes_no_feature(visits):
    calm = {"seconds_to_view": 5.0}
    eager = calm | {
        "has_cart": True, "seconds_to_cart": 121.0, "has_checkout": True, "seconds_to_checkout": 150.0,
        "has_order": True, "seconds_to_order": 180.0, "count_events": 90, "customer_id": "17850",
    }  # fmt: skip

    names = [feature.name for feature in FEATURES]
    assert [visits(calm)["s0"][name] for name in names] == [visits(eager)["s0"][name] for name in names]
