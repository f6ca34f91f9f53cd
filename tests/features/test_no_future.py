"""Over events of every channel: a date knows what happened by then, and nothing of what came after it."""

from datetime import timedelta

import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.features.snapshot import SNAPSHOT, snapshot
from tests.features import events as made
from tests.features.events import AS_OF, day

CUSTOMERS = st.sampled_from(["a", "b", "c"])
ANYBODY = st.sampled_from(["a", "b", "c", None])
DAYS = st.integers(0, 130)
PRODUCTS = ("CUP", "PAN", "LAMP", "ROPE")
LISTED = [("CUP", "kitchen"), ("pan", "kitchen"), ("LAMP", "light"), ("ROPE", None)]
SCHEMAS = {
    "orders": made.ORDERS,
    "order_lines": made.LINES,
    "web_events": made.WEB_EVENTS,
    "email_events": made.EMAIL_EVENTS,
    "tickets": made.TICKETS,
    "survey_answers": made.SURVEY_ANSWERS,
    "loyalty_events": made.LOYALTY_EVENTS,
    "consents": made.CONSENTS,
}
KINDS = {
    "web_events": ["page_view", "product_view", "add_to_cart", "order", "login"],
    "email_events": ["sent", "delivered", "opened", "clicked", "unsubscribed"],
    "loyalty_events": ["enrolled", "earned", "redeemed", "tier_changed", "closed"],
}


@st.composite
def histories(draw, days):
    """Some events of each channel, each so many days before AS_OF as drawn of `days`; below zero: after it."""

    def drawn(row, *more, of=ANYBODY, most=10):
        facts = draw(st.lists(st.tuples(days, of, *more), max_size=most))
        return [row(f"{draw(days)}-{place}", *fact) for place, fact in enumerate(facts)]

    number, kind = st.integers(1, 9), {name: st.sampled_from(names) for name, names in KINDS.items()}
    product, yes = st.sampled_from(PRODUCTS), st.booleans()
    return {
        "orders": drawn(
            lambda n, ago, who, x, is_return, hour: made.order(
                n, ago, -x if is_return else x, customer=who, is_return=is_return, lines=x, units=x, hour=2 * hour,
                channel="web" if hour % 2 else "store",
            ),
            number, yes, number, most=15,
        ),
        "order_lines": drawn(
            lambda n, ago, who, x, what: made.line(n, ago, what, str(x), customer=who), number, product, most=15
        ),
        "web_events": drawn(
            lambda n, ago, who, what, device: made.web(n, ago, what, customer=who, visitor=str(device)),
            kind["web_events"], st.integers(1, 2), most=20,
        ),
        "email_events": drawn(
            lambda n, ago, who, what, message: made.email(n, ago, what, str(message), customer=who),
            kind["email_events"], number, most=20,
        ),
        "tickets": drawn(
            lambda n, ago, who, x, took: made.ticket(
                n, ago, customer=who, reopened=x % 3, solved=None if x == 9 else ago - took
            ),
            number, st.integers(0, 30),
        ),
        "survey_answers": drawn(
            lambda n, ago, who, x, took: made.answer(
                n, ago, "csat" if x > 5 else "nps", None if x == 9 else x % 5 + 1, customer=who, answered=ago - took
            ),
            number, st.integers(0, 30),
        ),
        "loyalty_events": drawn(
            lambda n, ago, who, what, x: made.card(
                n, ago, what, x, card_id=f"{who}{x % 2}", customer=who, tier=str(x) if x > 4 else None
            ),
            kind["loyalty_events"], number,
        ),
        "consents": drawn(lambda n, ago, who, is_granted: made.consent(ago, is_granted, customer=who), yes),
    }  # fmt: skip


def by_the_date(history):
    """The history as it stood on AS_OF: without what happened after it, also to what had begun before."""
    end = made.moment(0, 24)
    place = {"orders": 2, "order_lines": 2, "web_events": -1, "email_events": -1, "loyalty_events": -1, "consents": -1}
    known = {
        name: [row for row in history[name] if (row[at] <= AS_OF if name == "order_lines" else row[at] < end)]
        for name, at in place.items()
    }
    known["tickets"] = [
        row if row[4] is None or row[4] < end else (*row[:2], "open", row[3], None, 0, row[3], row[7])
        for row in history["tickets"]
        if row[3] < end
    ]
    known["survey_answers"] = [
        row if row[5] < end else (*row[:3], None, row[4], None, row[4], row[7])
        for row in history["survey_answers"]
        if row[4] < end
    ]
    return known


def both(one, other):
    return {name: one[name] + other[name] for name in SCHEMAS}


BUYERS = [made.order(f"of {who}", 140, "5", customer=who) for who in "abc"]


@pytest.fixture
def known(spark):
    """The snapshot of a history. All three customers have bought, long before everything else."""

    def taken(history, *dates):
        frames = {name: spark.createDataFrame(rows, SCHEMAS[name]) for name, rows in history.items()}
        orders = frames.pop("orders").unionByName(spark.createDataFrame(BUYERS, made.ORDERS))
        listed = spark.createDataFrame(LISTED, made.PRODUCT_LIST)
        return snapshot(orders, as_of=dates or [AS_OF], product_list=listed, **frames).orderBy("customer_id", "as_of")

    return taken


past, future = histories(DAYS), histories(DAYS.map(lambda days: -1 - days))


@given(past=past, future=future, other_future=future)
def test_no_event_after_the_date_changes_a_feature_whether_added_moved_or_deleted(known, past, future, other_future):
    with_nothing_after = known(by_the_date(past))

    assert_df_equality(known(both(past, future)), with_nothing_after)
    assert_df_equality(known(both(other_future, past)), with_nothing_after)


@pytest.mark.before_an_engine
@given(history=past)
def test_several_dates_are_each_what_one_is_alone(known, history):
    dates = [day(45), AS_OF]

    together = known(history, *dates)

    for date in dates:
        alone = known(history, date)
        assert_df_equality(together.where(f"as_of = DATE'{date}'"), alone)


@pytest.mark.before_an_engine
@given(history=past)
def test_features_of_every_channel_keep_their_bounds(known, history):
    for row in known(history).collect():
        shares = {name: row[name] for name in SNAPSHOT.column_names if name.endswith("_share")}
        del shares["returned_share"]  # more may be given back than was bought
        assert all(share is None or 0 <= share <= 1 for share in shares.values()), shares
        assert row.web_visits_last_30_days is None or row.web_visits_last_30_days <= row.web_visits_last_90_days
        assert row.days_since_last_web_visit is None or row.days_since_last_web_visit >= 0
        assert row.open_tickets is None or row.tickets_last_365_days >= row.open_tickets >= 0
        assert row.is_loyalty_member in (None, 0, 1)
        assert row.may_be_emailed in (None, 0, 1)


def test_a_history_by_the_date_holds_what_happened_by_then():
    """A ticket opened 5 days before and solved 3 days after is open; an answer given later is none yet."""
    history = {name: [] for name in SCHEMAS} | {
        "tickets": [made.ticket("1", 5, solved=-3), made.ticket("2", -1)],
        "survey_answers": [made.answer("1", 5, "nps", 9, answered=-3), made.answer("2", 5, "nps", 8, answered=0)],
        "web_events": [made.web("1", 0, "order", hour=23), made.web("2", -1, "order", hour=0)],
    }

    found = by_the_date(history)

    assert found["tickets"] == [made.ticket("1", 5)]
    assert found["survey_answers"] == [made.answer("1", 5, "nps", None), made.answer("2", 5, "nps", 8, answered=0)]
    assert found["web_events"] == [made.web("1", 0, "order", hour=23)]
    assert made.moment(0, 24) - timedelta(days=1) == made.moment(0, 0)
