import pytest

from customerlake.features.service import FEATURES, service_features
from tests.features.events import AS_OF, TICKETS, day, ticket

NAMES = [feature.name for feature in FEATURES]


@pytest.fixture
def tickets(spark):
    """What is known of a customer by the service desk, in the order of FEATURES; None: nothing."""

    def found(*rows, as_of=AS_OF):
        made = spark.createDataFrame(list(rows), TICKETS).transform(service_features([as_of, AS_OF]))
        known = made.where(f"customer_id = 'a' AND as_of = DATE'{as_of}'").select(*NAMES).collect()
        return tuple(known[0]) if known else None

    return found


HISTORY = [
    ticket("1", 370, solved=369),
    ticket("2", 200, solved=199, hours=6, reopened=2),
    ticket("3", 80, solved=79, status="closed"),
    ticket("4", 20, reopened=1),
    ticket("5", 10),
]


def test_tickets_are_told_by_when_they_were_opened_and_how_they_ended(tickets):
    """Solved after 24, 30 and 24 hours."""
    assert tickets(*HISTORY) == (3, 4, 2, 1, 26, 10)


def test_on_an_earlier_date_later_tickets_and_solutions_are_not_known(tickets):
    assert tickets(*HISTORY, as_of=day(200)) == (1, 2, 1, 0, 24, 0)  # the second is open and will be opened again
    assert tickets(*HISTORY, as_of=day(371)) is None


@pytest.mark.parametrize(
    ("days_before", "in_90", "in_365"), [(0, 1, 1), (89, 1, 1), (90, 0, 1), (364, 0, 1), (365, 0, 0)]
)
def test_the_last_days_end_with_as_of(tickets, days_before, in_90, in_365):
    assert tickets(ticket("1", days_before))[:2] == (in_90, in_365)


def test_a_ticket_solved_without_an_instant_is_solved_at_its_last_change(tickets):
    rows = [ticket("1", 20, status="solved", changed=18)]

    assert tickets(*rows) == (1, 1, 0, 0, 48, 20)
    assert tickets(*rows, as_of=day(19)) == (1, 1, 1, 0, None, 1)


def test_a_ticket_that_is_open_again_after_the_date_was_solved_by_then(tickets):
    """Its last solution was of 15 days before; it was opened again 5 days before."""
    rows = [ticket("1", 20, solved=15, status="open", changed=5, reopened=1)]

    assert tickets(*rows) == (1, 1, 1, 0, None, 20)
    assert tickets(*rows, as_of=day(10)) == (1, 1, 0, 0, 120, 10)


def test_times_that_run_backwards_are_no_time_to_solve(tickets):
    assert tickets(ticket("1", 10, solved=12), ticket("2", 9, solved=8)) == (2, 2, 0, 0, 24, 9)


@pytest.mark.parametrize("other", [ticket("9", 5, customer=None), ticket("9", 5, is_deleted=True)])
def test_tickets_of_nobody_and_those_taken_back_do_not_count(tickets, other):
    assert tickets(*HISTORY, other) == (3, 4, 2, 1, 26, 10)
