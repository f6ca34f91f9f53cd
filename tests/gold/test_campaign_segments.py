import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customerlake.gold.campaign_segments import segments_before_contact
from customerlake.gold.rfm import Thresholds

MEMBERS = (
    "campaign_id string, customer_id string, test_group string, email string, assigned_at timestamp, is_deleted boolean"
)
EVENTS = (
    "event_id string, message_id string, campaign_id string, email string, customer_id string, event_type string, "
    "happened_at timestamp"
)
ORDERS = "customer_id string, ordered_at timestamp, is_return boolean, amount decimal(18,4)"
AS_OF = date(2011, 3, 31)
MARCH_1 = datetime(2011, 3, 1, 8, tzinfo=UTC)


def member(customer, *, number="C1", group="treated", assigned=MARCH_1):
    return (number, customer, group, f"{customer}@x.example", assigned, False)


def mailed(customer, at, *, number="B"):
    return (f"{number}{customer}{at}", f"{number}{customer}", number, f"{customer}@x.example", customer, "sent", at)


def order(customer, at, amount=50):
    return (customer, datetime.fromisoformat(at).replace(tzinfo=UTC), amount < 0, Decimal(amount))


def segments(spark, members=(), orders=(), events=(), **settings):
    frames = (None if rows is None else spark.createDataFrame(list(rows), ddl)
              for rows, ddl in ((members, MEMBERS), (events, EVENTS), (orders, ORDERS)))  # fmt: skip
    found = segments_before_contact(*frames, as_of=AS_OF, **settings)
    return {(row.campaign_id, row.customer_id): row.segment for row in found.collect()}


def test_a_purchase_that_the_campaign_led_to_does_not_move_the_customer(spark):
    """One order of 50, 89 days before 28 February: scores of 4, 1 and 1. Without the second order, the same."""
    bought = [order("a", "2010-12-01T10:00"), order("a", "2011-03-02T10:00", 5000), order("b", "2010-12-01T10:00")]

    found = segments(spark, [member("a"), member("b", group="control")], bought)

    assert found == {("C1", "a"): "Promising", ("C1", "b"): "Promising"}


@pytest.mark.parametrize(
    ("at", "segment"), [("2011-02-28T23:59:59", "Potential Loyalists"), ("2011-03-01T00:00", "Promising")]
)
def test_the_day_of_the_contact_itself_is_left_out(spark, at, segment):
    """With the order of 300: 1 day ago or today, two orders, 350: scores of 5, 2 and 3."""
    found = segments(spark, [member("a")], [order("a", "2010-12-01T10:00"), order("a", at, 300)])

    assert found == {("C1", "a"): segment}


def test_each_campaign_finds_the_customer_as_it_was_then(spark):
    """Nine orders, 4500 in all, by 20 February: Champions on 28 February; on 1 January one of 500, 92 days old."""
    bought = [order("a", f"2011-02-{day}T10:00", 500) for day in range(13, 21)] + [order("a", "2010-10-01T10:00", 500)]
    january = datetime(2011, 1, 2, tzinfo=UTC)

    found = segments(spark, [member("a"), member("a", number="C0", assigned=january)], bought)

    # scores of 3, 1 and 3 then, whose mean of the last two is 2
    assert found == {("C1", "a"): "Champions", ("C0", "a"): "About To Sleep"}


def test_who_had_bought_nothing_is_named_so(spark):
    bought = [order("b", "2011-03-05T10:00"), order("c", "2011-01-05T10:00", -20), order(None, "2011-01-05T10:00")]

    found = segments(spark, [member(who) for who in "abc"], bought)

    assert set(found.values()) == {"No Purchase"}
    assert len(found) == 3


def test_a_broadcast_meets_its_customers_at_its_first_message(spark):
    bought = [order("a", "2010-12-01T10:00"), order("a", "2011-03-02T10:00", 300)]
    events = [mailed("a", MARCH_1), mailed("a", MARCH_1 + timedelta(days=9)), mailed(None, MARCH_1)]

    assert segments(spark, [], bought, events) == {("B", "a"): "Promising"}
    assert segments(spark, None, bought, events) == {("B", "a"): "Promising"}


def test_the_thresholds_are_an_argument(spark):
    strict = Thresholds(days_since_last_order=(1, 2, 3, 4))

    assert segments(spark, [member("a")], [order("a", "2010-12-01T10:00")], thresholds=strict) == {("C1", "a"): "Lost"}


def test_without_orders_or_without_contacts_there_are_no_segments(spark):
    members, orders = spark.createDataFrame([member("a")], MEMBERS), spark.createDataFrame([], ORDERS)

    assert segments_before_contact(members, None, None, as_of=AS_OF) is None
    assert segments_before_contact(None, None, orders, as_of=AS_OF) is None
    assert segments(spark) == {}


hours = st.integers(-24 * 400, 24 * 20)
purchases = st.lists(st.tuples(st.sampled_from("abcdef"), hours, st.integers(1, 2000)), max_size=60)


@given(bought=purchases)
def test_nothing_from_the_contact_on_shows(spark, bought):
    def orders(rows):
        return [(who, MARCH_1 + timedelta(hours=after), False, Decimal(amount)) for who, after, amount in rows]

    members = [member(who) for who in "abcdef"]

    found = segments(spark, members, orders(bought))

    assert found == segments(spark, members, orders(row for row in bought if row[1] < -8))
    assert len(found) == 6


FIXED = {
    5: ("New Customers", "Potential Loyalists", "Potential Loyalists", "Champions", "Champions"),
    4: ("Promising", "Potential Loyalists", "Potential Loyalists", "Loyal Customers", "Loyal Customers"),
    3: ("About To Sleep", "About To Sleep", "Need Attention", "Loyal Customers", "Loyal Customers"),
    2: ("Hibernating", "Hibernating", "At Risk", "At Risk", "Cannot Lose Them"),
    1: ("Lost", "Hibernating", "At Risk", "At Risk", "Cannot Lose Them"),
}


def test_thousands_of_members_are_where_plain_python_puts_them(spark):
    chance, names = random.Random(4), [f"p{n}" for n in range(500)]
    starts = {f"C{n}": MARCH_1 - timedelta(days=chance.randrange(200)) for n in range(6)}
    members = [
        member(who, number=number, assigned=start + timedelta(hours=chance.randrange(200)))
        for number, start in starts.items() for who in names if chance.random() < 0.7
    ]  # fmt: skip
    orders = [
        (chance.choice(names), MARCH_1 - timedelta(hours=chance.randrange(-400, 24 * 500)), amount < 0, amount)
        for amount in (Decimal(chance.randrange(-2000, 60_000)) / 100 for _ in range(3000))
    ]  # fmt: skip

    found = segments(spark, members, orders)

    expected = {}
    for number, who, _, _, assigned, _ in members:
        before = [o for o in orders if o[0] == who and o[1].date() < assigned.date() and o[3] > 0]
        if not before:
            expected[number, who] = "No Purchase"
            continue
        silent = (assigned.date() - max(o[1].date() for o in before)).days - 1
        spend = sum(o[3] for o in before)
        recency = 5 - sum(silent > border for border in (30, 90, 180, 365))
        frequency = 1 + sum(len(before) > border for border in (1, 2, 4, 8))
        money = 1 + sum(spend > border for border in (100, 300, 1000, 3000))
        expected[number, who] = FIXED[recency][(frequency + money + 1) // 2 - 1]
    assert found == expected
    assert len(set(found.values())) > 9
