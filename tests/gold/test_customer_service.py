import random
from datetime import UTC, date, datetime, timedelta

import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.gold.customer_service import CUSTOMER_SERVICE, customer_service

TICKETS = (
    "customer_id string, status string, opened_at timestamp, first_response_at timestamp, solved_at timestamp, "
    "count_reopened int, updated_at timestamp, is_deleted boolean"
)
ANSWERS = (
    "invitation_id string, survey string, customer_id string, score int, invited_at timestamp, answered_at timestamp, "
    "updated_at timestamp, is_deleted boolean"
)
AS_OF = date(2011, 3, 31)


def at(month, day, hour=0):
    return datetime(2011, month, day, hour, tzinfo=UTC)


def ticket(customer, opened, solved=None, *, reopened=0):
    return (customer, "solved" if solved else "open", opened, None, solved, reopened, solved or opened, False)


def answer(customer, survey, score, answered, *, number="i"):
    return (number, survey, customer, score, answered - timedelta(days=1), answered, answered, False)


def service(spark, tickets, answers, *, as_of=AS_OF):
    return customer_service(
        None if tickets is None else spark.createDataFrame(tickets, TICKETS),
        None if answers is None else spark.createDataFrame(answers, ANSWERS),
        as_of=as_of,
    )


def expect(spark, *rows):
    return spark.createDataFrame(rows, CUSTOMER_SERVICE.schema)


def test_a_customer_has_the_figures_of_its_tickets_and_its_last_answers(spark):
    found = service(
        spark,
        [
            ticket("a", at(1, 1), at(1, 2)),
            ticket("a", at(2, 1), at(2, 1, 12), reopened=2),
            ticket("a", at(3, 1)),
        ],
        [
            answer("a", "nps", 3, at(1, 9)),
            answer("a", "nps", 8, at(3, 9)),
            answer("a", "csat", 5, at(2, 9)),
        ],
    )

    row = ("a", AS_OF, 3, 1, date(2011, 3, 1), 18.0, 1, 8, date(2011, 3, 9), 5, date(2011, 2, 9), None, None)
    assert_df_equality(found, expect(spark, row), ignore_nullable=True)


def test_a_customer_is_there_with_a_ticket_or_an_answer_alone(spark):
    found = service(spark, [ticket("a", at(1, 1), at(1, 2))], [answer("b", "ces", 7, at(2, 1))])

    only_ticket = ("a", AS_OF, 1, 0, date(2011, 1, 1), 24.0, 0, None, None, None, None, None, None)
    only_answer = ("b", AS_OF, 0, 0, None, None, 0, None, None, None, None, 7, date(2011, 2, 1))
    assert_df_equality(found, expect(spark, only_ticket, only_answer), ignore_nullable=True, ignore_row_order=True)


def test_without_tickets_their_columns_are_null(spark):
    found = service(spark, None, [answer("b", "ces", 7, at(2, 1))])

    row = ("b", AS_OF, None, None, None, None, None, None, None, None, None, 7, date(2011, 2, 1))
    assert_df_equality(found, expect(spark, row), ignore_nullable=True)


def test_without_surveys_the_answers_are_null(spark):
    found = service(spark, [ticket("a", at(1, 1))], None)

    row = ("a", AS_OF, 1, 1, date(2011, 1, 1), None, 0, None, None, None, None, None, None)
    assert_df_equality(found, expect(spark, row), ignore_nullable=True)


def test_with_neither_it_says_what_is_missing():
    with pytest.raises(ValueError, match="tickets or of survey answers"):
        customer_service(None, None, as_of=AS_OF)


@pytest.mark.parametrize(("day", "state"), [(8, None), (9, (1, 1, None)), (10, (1, 0, 5))])
def test_nothing_after_as_of_counts(spark, day, state):
    found = service(
        spark,
        [ticket("a", at(3, 9, 23), at(3, 10, 23))],
        [answer("a", "csat", 5, at(3, 10, 23))],
        as_of=date(2011, 3, day),
    ).collect()

    states = [(row.count_tickets, row.count_open_tickets, row.last_csat_answer) for row in found]
    assert states == ([state] if state else [])


def test_of_two_answers_at_one_instant_the_one_of_the_higher_number_stands(spark):
    answers = [answer("a", "nps", score, at(3, 1), number=number) for number, score in (("1", 9), ("2", 4))]

    assert [row.last_nps_answer for row in service(spark, None, answers).collect()] == [4]


def test_what_is_of_nobody_known_is_left_out(spark):
    assert service(spark, [ticket(None, at(1, 1))], [answer(None, "nps", 9, at(1, 1))]).isEmpty()


moments = st.integers(0, 24 * 100).map(lambda hours: at(1, 1) + timedelta(hours=hours))
tickets = st.builds(
    lambda customer, opened, hours: ticket(customer, opened, hours and opened + timedelta(hours=hours)),
    st.sampled_from("abcde"), moments, st.none() | st.integers(1, 500),
)  # fmt: skip
answers = st.builds(
    answer, st.sampled_from("abcde"), st.sampled_from(["nps", "csat"]), st.integers(1, 5), moments,
    number=st.uuids().map(str),
)  # fmt: skip


@given(
    of_tickets=st.lists(tickets, max_size=40),
    of_answers=st.lists(answers, max_size=40),
    customer=st.sampled_from("abc"),
)
def test_a_customers_row_depends_on_its_own_rows_alone(spark, of_tickets, of_answers, customer):
    whole = service(spark, of_tickets, of_answers).where(f"customer_id = '{customer}'").collect()

    alone = service(
        spark, [row for row in of_tickets if row[0] == customer], [row for row in of_answers if row[2] == customer]
    ).collect()

    assert whole == alone


def test_figures_are_those_of_plain_python_over_3000_tickets_and_answers(spark):
    chance = random.Random(5)
    customers = [str(n) for n in range(300)]

    def instant():
        return at(1, 1) + timedelta(seconds=chance.randrange(100 * 86_400))

    of_tickets = []
    for _ in range(3000):
        opened = instant()
        solved = opened + timedelta(seconds=chance.randrange(900_000)) if chance.random() < 0.8 else None
        of_tickets.append(ticket(chance.choice(customers), opened, solved, reopened=chance.choice([0, 0, 1])))
    of_answers = [
        answer(
            chance.choice(customers),
            chance.choice(["nps", "csat", "ces"]),
            chance.randint(1, 5),
            instant(),
            number=str(n),
        )
        for n in range(3000)
    ]

    found = {row.customer_id: row for row in service(spark, of_tickets, of_answers).collect()}

    until = {row[0]: [] for row in of_tickets if row[2].date() <= AS_OF}
    for row in of_tickets:
        if row[2].date() <= AS_OF:
            until[row[0]].append(row)
    last = {}
    for row in sorted(of_answers, key=lambda row: row[5]):
        if row[5].date() <= AS_OF:
            last.setdefault(row[2], {})[row[1]] = (row[3], row[5].date())
    assert set(found) == set(until) | set(last)
    for customer, row in found.items():
        mine = until.get(customer, [])
        solved = [t for t in mine if t[4] and t[4].date() <= AS_OF]
        counts = (row.count_tickets, row.count_open_tickets, row.count_reopened_tickets)
        # a ticket without a solution has its last change at its opening, so its count is known as well
        known = [t for t in mine if t in solved or t[4] is None]
        assert counts == (len(mine), len(mine) - len(solved), sum(t[5] > 0 for t in known))
        assert row.last_ticket_on == max((t[2].date() for t in mine), default=None)
        hours = [(t[4] - t[2]).total_seconds() / 3600 for t in solved]
        assert row.mean_resolution_hours == pytest.approx(sum(hours) / len(hours) if hours else None)
        for survey in ("nps", "csat", "ces"):
            expected = last.get(customer, {}).get(survey, (None, None))
            assert (row[f"last_{survey}_answer"], row[f"last_{survey}_on"]) == expected
