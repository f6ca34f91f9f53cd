import pytest

from customerlake.features.email import FEATURES, email_features
from tests.features.events import AS_OF, EMAIL_EVENTS, day, email

NAMES = [feature.name for feature in FEATURES]


@pytest.fixture
def messages(spark):
    """What is known of a customer by e-mail, in the order of FEATURES; None: nothing."""

    def found(*events, customer="a", as_of=AS_OF):
        made = spark.createDataFrame(list(events), EMAIL_EVENTS).transform(email_features(sorted({as_of, AS_OF})))
        rows = made.where(f"customer_id = '{customer}' AND as_of = DATE'{as_of}'").select(*NAMES).collect()
        return tuple(rows[0]) if rows else None

    return found


HISTORY = [
    email("1", 120, "sent", "old"),
    email("2", 120, "bounced", "old"),
    email("3", 60, "sent", "m1"),
    email("4", 60, "delivered", "m1"),
    email("5", 58, "opened", "m1"),
    email("6", 57, "opened", "m1"),
    email("7", 40, "sent", "m2"),
    email("8", 40, "delivered", "m2"),
    email("9", 30, "sent", "m3"),
    email("10", 29, "clicked", "m3"),
    email("11", 10, "sent", "m4"),
    email("12", 10, "delivered", "m4"),
    email("13", 8, "unsubscribed", "m4"),
]


def test_messages_are_counted_by_what_became_of_them(messages):
    """m1 to m4 were delivered, as a click says so too; m1 and m3 opened, m3 clicked."""
    assert messages(*HISTORY) == (4, 0.5, 0.25, 29, 1)


def test_on_an_earlier_date_what_happens_to_a_message_later_is_not_known(messages):
    assert messages(*HISTORY, as_of=day(30)) == (3, 0.5, 0, 28, 0)  # m1 and m2 were delivered, m1 opened
    assert messages(*HISTORY, as_of=day(59)) == (2, 0, 0, None, 0)
    assert messages(*HISTORY, as_of=day(100)) == (1, None, None, None, 0)
    assert messages(*HISTORY, as_of=day(121)) is None


@pytest.mark.parametrize(("days_before", "sent"), [(0, 1), (89, 1), (90, 0)])
def test_the_last_90_days_end_with_as_of(messages, days_before, sent):
    assert messages(email("1", days_before, "sent"))[0] == sent


def test_events_that_name_nobody_are_of_the_customer_of_their_message(messages):
    events = [
        email("1", 20, "sent"),
        email("2", 19, "delivered", customer=None),
        email("3", 15, "opened", customer=None),
    ]

    assert messages(*events) == (1, 1, 0, 15, 0)


def test_a_message_counts_from_the_first_event_that_names_its_customer(messages):
    events = [
        email("1", 20, "sent", customer=None),
        email("2", 19, "delivered", customer=None),
        email("3", 9, "opened"),
    ]

    assert messages(*events) == (1, 1, 0, 9, 0)
    assert messages(*events, as_of=day(10)) is None


def test_a_message_is_of_the_customer_who_is_named_first(messages):
    events = [email("1", 20, "sent"), email("2", 9, "clicked", customer="b")]

    assert messages(*events) == (1, 1, 1, 9, 0)
    assert messages(*events, customer="b") is None


def test_one_number_to_two_addresses_is_two_messages(messages):
    assert messages(email("1", 9, "sent"), email("2", 9, "sent", address="b@b.example"))[0] == 2
    assert messages(email("1", 9, "sent"), email("2", 9, "sent", address=" A@b.example"))[0] == 1
