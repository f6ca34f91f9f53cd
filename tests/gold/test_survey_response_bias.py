import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from customerlake.gold.survey_response_bias import survey_response_bias

ANSWERS = (
    "invitation_id string, survey string, customer_id string, score int, invited_at timestamp, answered_at timestamp, "
    "updated_at timestamp, is_deleted boolean"
)
ORDERS = (
    "order_id string, customer_id string, ordered_at timestamp, ordered_on date, is_return boolean, "
    "amount decimal(18,4)"
)
TICKETS = "ticket_id string, customer_id string, opened_at timestamp, is_deleted boolean"
AS_OF = date(2011, 3, 31)
INVITED = datetime(2011, 3, 10, 9, tzinfo=UTC)


def invitation(customer, score=None, *, number=None, invited=INVITED):
    answered = None if score is None else invited + timedelta(hours=5)
    return (number or f"i{customer}", "nps", customer, score, invited, answered, answered or invited, False)


def order(customer, at, amount):
    return (f"o{customer}{at}", customer, at, at.date(), amount < 0, Decimal(str(amount)))


def ticket(customer, at):
    return (f"t{customer}{at}", customer, at, False)


def bias(spark, invitations, orders=(), tickets=(), *, as_of=AS_OF):
    found = survey_response_bias(
        spark.createDataFrame(invitations, ANSWERS),
        None if orders is None else spark.createDataFrame(orders, ORDERS),
        None if tickets is None else spark.createDataFrame(tickets, TICKETS),
        as_of=as_of,
    )
    return {(row.survey, row.trait): row for row in found.collect()}


def test_the_difference_is_in_standard_deviations(spark):
    """Spend before: answered 10 and 30 (variance 200), not answered 40 and 60 (variance 200): -30 / sqrt(200)."""
    spent = {"a": 10, "b": 30, "c": 40, "d": 60}
    found = bias(
        spark,
        [invitation("a", 9), invitation("b", 2), invitation("c"), invitation("d")],
        [order(customer, datetime(2011, 3, 1, tzinfo=UTC), amount) for customer, amount in spent.items()],
    )

    row = found["nps", "spend_before"]
    assert (row.count_answered, row.count_not_answered, row.mean_answered, row.mean_not_answered) == (2, 2, 20.0, 50.0)
    assert row.standardised_difference == pytest.approx(-30 / 200**0.5)
    assert row.is_notable
    assert found["nps", "orders_before"].standardised_difference is None


@pytest.mark.parametrize(("seconds", "counts"), [(-1, 1.0), (0, 0.0), (1, 0.0)])
def test_only_what_was_before_the_invitation_counts(spark, seconds, counts):
    at = INVITED + timedelta(seconds=seconds)

    found = bias(spark, [invitation("a", 9), invitation("b")], [order("a", at, 5)], [ticket("a", at)])

    means = {trait: found["nps", trait].mean_answered for trait in ("orders_before", "tickets_before")}
    assert means == {"orders_before": counts, "tickets_before": counts}


def test_returns_gifts_and_other_customers_orders_do_not_count(spark):
    day = datetime(2011, 3, 1, tzinfo=UTC)

    found = bias(spark, [invitation("a", 9)], [order("a", day, -5), order("a", day, 0), order("b", day, 7)])

    row = found["nps", "spend_before"]
    assert (row.mean_answered, row.count_not_answered, row.mean_not_answered) == (0.0, 0, None)


def test_days_since_the_order_are_of_those_who_had_one(spark):
    found = bias(
        spark, [invitation("a", 9), invitation("b", 9)], [order("a", datetime(2011, 2, 28, 23, tzinfo=UTC), 5)]
    )

    row = found["nps", "days_since_order"]
    assert (row.count_answered, row.mean_answered) == (1, 10.0)


def test_an_answer_after_as_of_is_not_yet_one(spark):
    late = invitation("a", 9, invited=datetime(2011, 3, 31, 22, tzinfo=UTC))

    row = bias(spark, [late])["nps", "orders_before"]

    assert (row.count_answered, row.count_not_answered) == (0, 1)


def test_without_orders_or_tickets_their_traits_are_absent(spark):
    invitations = [invitation("a", 9)]

    assert {trait for _, trait in bias(spark, invitations, None)} == {"tickets_before", "had_ticket_before"}
    assert {trait for _, trait in bias(spark, invitations, tickets=None)} == {
        "spend_before", "orders_before", "days_since_order",
    }  # fmt: skip


def test_with_neither_it_says_what_is_missing(spark):
    with pytest.raises(ValueError, match="orders or tickets"):
        bias(spark, [invitation("a", 9)], None, None)


def test_invitations_to_nobody_known_are_left_out(spark):
    assert bias(spark, [invitation(None, 9)]) == {}


def test_figures_are_those_of_numpy_over_3000_invitations(spark):
    chance, start = random.Random(3), datetime(2011, 1, 1, tzinfo=UTC)

    def instant():
        return start + timedelta(minutes=chance.randrange(120_000))

    customers = [str(n) for n in range(200)]
    invitations = [
        invitation(chance.choice(customers), chance.choice([None, None, 7]), number=str(n), invited=instant())
        for n in range(3000)
    ]
    orders = [
        (str(n), chance.choice(customers), at, at.date(), False, Decimal(chance.randrange(1, 90_000)) / 100)
        for n, at in enumerate(instant() for _ in range(2000))
    ]
    tickets = [(str(n), chance.choice(customers), instant(), False) for n in range(300)]

    found = bias(spark, invitations, orders, tickets)

    traits = {True: [], False: []}
    for _, _, customer, _, invited, answered, _, _ in invitations:
        if invited.date() > AS_OF:
            continue
        before = [o for o in orders if o[1] == customer and o[2] < invited]
        asked = [t for t in tickets if t[1] == customer and t[2] < invited]
        days = (invited.date() - max(o[3] for o in before)).days if before else None
        is_answered = answered is not None and answered.date() <= AS_OF
        traits[is_answered].append((float(sum(o[5] for o in before)), len(before), len(asked), bool(asked), days))
    names = ("spend_before", "orders_before", "tickets_before", "had_ticket_before", "days_since_order")
    assert len(found) == len(names)
    for place, name in enumerate(names):
        ours, others = (np.array([t[place] for t in traits[s] if t[place] is not None], float) for s in (True, False))
        row = found["nps", name]
        assert (row.count_answered, row.count_not_answered) == (len(ours), len(others))
        assert (row.mean_answered, row.mean_not_answered) == pytest.approx((ours.mean(), others.mean()), rel=1e-9)
        spread = np.sqrt((ours.var(ddof=1) + others.var(ddof=1)) / 2)
        assert row.standardised_difference == pytest.approx((ours.mean() - others.mean()) / spread, abs=1e-9)
        assert row.is_notable == (abs(row.standardised_difference) >= 0.1)
