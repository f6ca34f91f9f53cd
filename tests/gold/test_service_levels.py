import random
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customerlake.gold.service_levels import service_levels, tickets_until

TICKETS = (
    "ticket_id string, customer_id string, channel string, category string, priority string, status string, "
    "opened_at timestamp, first_response_at timestamp, solved_at timestamp, count_reopened int, updated_at timestamp, "
    "is_deleted boolean"
)
SEGMENTS = "customer_id string, segment string"
AS_OF = date(2011, 3, 31)


def at(month, day, hour=0, minute=0):
    return datetime(2011, month, day, hour, minute, tzinfo=UTC)


def ticket(
    opened,
    answered=None,
    solved=None,
    *,
    status=None,
    reopened=0,
    updated=None,
    channel="email",
    category="delivery",
    priority="normal",
    deleted=False,
    customer="a",
):
    status = status or ("solved" if solved else "open")
    changed = updated or solved or answered or opened
    of_ticket = ("t", customer, channel, category, priority, status)
    return (*of_ticket, opened, answered, solved, reopened, changed, deleted)


def levels(spark, *rows, segments=None, as_of=AS_OF, **settings):
    named = None if segments is None else spark.createDataFrame(segments, SEGMENTS)
    found = service_levels(spark.createDataFrame(rows, TICKETS), named, as_of=as_of, **settings).collect()
    return {(row.dimension, row.value, row.month.month): row for row in found}


def overall(found, *names):
    return {month: tuple(row[name] for name in names) for (cut, _, month), row in found.items() if cut == "all"}


def test_each_month_counts_what_came_in_what_was_solved_and_what_stayed(spark):
    found = levels(
        spark,
        ticket(at(1, 5), at(1, 5, 2), at(1, 6)),
        ticket(at(1, 31), at(2, 1), at(3, 1)),
        ticket(at(2, 1), at(2, 1, 5)),
    )

    counts = overall(found, "count_opened", "count_solved", "count_open_at_end")
    assert counts == {1: (2, 1, 1), 2: (1, 0, 2), 3: (0, 1, 1)}


def test_response_is_told_by_the_month_of_opening_and_resolution_by_that_of_solution(spark):
    found = levels(spark, ticket(at(1, 31), at(2, 1, 6), at(2, 2)), ticket(at(1, 31), at(1, 31, 10)))

    times = overall(found, "median_first_response_hours", "p90_first_response_hours", "median_resolution_hours")
    assert times == {1: (20.0, 28.0, None), 2: (None, None, 48.0), 3: (None, None, None)}


def test_percentiles_lie_between_the_values(spark):
    hours = [1, 2, 3, 4]

    row = levels(spark, *[ticket(at(3, 1), at(3, 1, h), at(3, 1, 2 * h)) for h in hours])["all", "all", 3]

    assert (row.median_first_response_hours, row.median_resolution_hours) == (2.5, 5.0)
    assert (row.p90_first_response_hours, row.p90_resolution_hours) == pytest.approx((3.7, 7.4))


def test_the_reopened_share_is_of_the_solved_ones(spark):
    solved = {"answered": at(3, 1, 1), "solved": at(3, 2)}

    row = levels(spark, ticket(at(3, 1), **solved, reopened=2), ticket(at(3, 1), **solved), ticket(at(3, 1)))[
        "all", "all", 3
    ]

    assert row.reopened_share == 0.5


@pytest.mark.parametrize(
    ("answered", "share"),
    [(at(3, 1, 4), 1.0), (at(3, 1, 4, 1), 0.0), (None, 0.0)],
    ids=["on the target", "a minute late", "not answered, and too late"],
)
def test_a_ticket_is_answered_in_time_within_the_target(spark, answered, share):
    row = levels(spark, ticket(at(3, 1), answered), target_hours=4.0)["all", "all", 3]

    assert (row.answered_in_time_share, row.target_hours) == (share, 4.0)


def test_a_ticket_that_can_still_be_answered_in_time_is_left_out(spark):
    opened = at(3, 31, 12)

    shares = [levels(spark, ticket(opened), target_hours=h)["all", "all", 3].answered_in_time_share for h in (12, 11)]

    assert shares == [None, 0.0]


@pytest.mark.parametrize(
    ("day", "counts"), [(29, None), (30, (1, 0, 1)), (31, (1, 1, 0))], ids=["before", "opened", "solved"]
)
def test_a_ticket_is_open_until_the_day_of_its_solution(spark, day, counts):
    solved = ticket(at(3, 30, 23), at(3, 31, 1), at(3, 31, 23, 59))

    found = levels(spark, solved, as_of=date(2011, 3, day))

    assert overall(found, "count_opened", "count_solved", "count_open_at_end").get(3) == counts


def test_an_answer_after_as_of_has_not_come_yet(spark):
    row = levels(spark, ticket(at(3, 1), at(4, 1), at(4, 2)))["all", "all", 3]

    assert (row.median_first_response_hours, row.answered_in_time_share, row.count_open_at_end) == (None, 0.0, 1)


def test_the_backlog_stays_in_months_without_tickets(spark):
    found = levels(spark, ticket(at(1, 5)))

    assert overall(found, "count_opened", "count_open_at_end") == {1: (1, 1), 2: (0, 1), 3: (0, 1)}


def test_times_that_run_backwards_are_left_out(spark):
    row = levels(spark, ticket(at(3, 2), at(3, 1), at(3, 1)))["all", "all", 3]

    assert (row.count_solved, row.median_resolution_hours, row.answered_in_time_share) == (1, None, None)


def test_values_stand_apart_and_a_missing_one_is_unknown(spark):
    found = levels(spark, ticket(at(3, 1), channel=None), ticket(at(3, 1), priority="urgent"))

    assert {key[:2]: row.count_opened for key, row in found.items()} == {
        ("all", "all"): 2,
        ("channel", "unknown"): 1,
        ("channel", "email"): 1,
        ("category", "delivery"): 2,
        ("priority", "normal"): 1,
        ("priority", "urgent"): 1,
    }


@pytest.mark.parametrize(
    ("row", "is_open", "times"),
    [
        (ticket(at(3, 1), solved=at(3, 2), status="open", reopened=1, updated=at(3, 3)), True, 1),
        (ticket(at(3, 1), solved=at(3, 2), status="open", reopened=1, updated=at(4, 3)), False, 0),
        (ticket(at(3, 1), solved=at(4, 5), reopened=1), True, 0),
        (ticket(at(3, 1), status="closed", updated=at(3, 9)), False, 0),
        (ticket(at(3, 1), solved=at(3, 2), status="closed", reopened=1, updated=at(4, 9)), False, 1),
    ],
    ids=["opened again", "opened again later", "solved later", "solved without an instant", "closed later"],
)
def test_a_ticket_is_seen_as_it_stood(spark, row, is_open, times):
    (found,) = spark.createDataFrame([row], TICKETS).transform(tickets_until(AS_OF)).collect()

    assert (found.ended_at is None, found.times_reopened) == (is_open, times)


def test_what_the_source_took_back_is_left_out(spark):
    assert levels(spark, ticket(at(3, 1), deleted=True)) == {}


def test_without_tickets_there_are_no_rows(spark):
    assert levels(spark) == {}


def test_tickets_are_cut_by_the_segment_of_their_customer(spark):
    found = levels(
        spark,
        ticket(at(3, 1), at(3, 1, 2), at(3, 1, 10)),
        ticket(at(3, 1), at(3, 1, 4), at(3, 1, 20), reopened=1),
        ticket(at(3, 2), at(3, 2, 9), customer="b"),
        ticket(at(3, 2), customer="c"),
        ticket(at(3, 2), customer=None),
        segments=[("a", "Champions"), ("b", "Lost"), ("d", "Loyal")],
    )

    names = ("count_opened", "median_first_response_hours", "median_resolution_hours", "reopened_share")
    assert {key[1]: tuple(row[name] for name in names) for key, row in found.items() if key[0] == "segment"} == {
        "Champions": (2, 3.0, 15.0, 0.5),
        "Lost": (1, 9.0, None, None),
        "unknown": (2, None, None, None),
    }
    assert found["all", "all", 3].count_opened == 5


def test_without_segments_there_are_no_rows_of_them(spark):
    assert {key[0] for key in levels(spark, ticket(at(3, 1)))} == {"all", "channel", "category", "priority"}


moments = st.integers(0, 24 * 90 - 1).map(lambda hours: at(1, 1) + timedelta(hours=hours))
tickets = st.builds(
    lambda opened, wait, work, channel, reopened, customer: ticket(
        opened,
        wait and opened + timedelta(hours=wait),
        work and opened + timedelta(hours=(wait or 0) + work),
        channel=channel,
        reopened=reopened,
        customer=customer,
    ),
    moments, st.none() | st.integers(1, 90), st.none() | st.integers(1, 900), st.sampled_from(["web", "phone", None]),
    st.integers(0, 2), st.sampled_from(["a", "b", None]),
)  # fmt: skip


@given(rows=st.lists(tickets, min_size=1, max_size=60))
def test_what_is_open_is_what_came_less_what_was_solved_in_every_cut(spark, rows):
    found = levels(spark, *rows, segments=[("a", "Loyal")])

    for cut in ("all", "channel", "category", "priority", "segment"):
        values = {key[1] for key in found if key[0] == cut}
        total = sum(found[cut, value, 3].count_open_at_end for value in values)
        opened = sum(row.count_opened for key, row in found.items() if key[0] == cut)
        solved = sum(row.count_solved for key, row in found.items() if key[0] == cut)
        assert total == opened - solved == found["all", "all", 3].count_open_at_end
    for row in found.values():
        assert row.count_open_at_end >= 0
        assert (row.median_resolution_hours or 0) <= (row.p90_resolution_hours or 0)


BY_HAND = """
WITH kept AS (
  SELECT *, CASE WHEN first_response_at::DATE <= DATE '2011-03-31' THEN first_response_at END AS answered_at,
    CASE WHEN solved_at::DATE <= DATE '2011-03-31' THEN solved_at END AS ended_at
  FROM tickets WHERE opened_at::DATE <= DATE '2011-03-31'
), cut AS (
  SELECT kept.*, d.* FROM kept,
  LATERAL (SELECT unnest(['all', 'channel', 'category', 'priority', 'segment']) AS dimension,
    unnest(['all', coalesce(channel, 'unknown'), category, coalesce(priority, 'unknown'),
      CASE customer_id WHEN 'a' THEN 'Loyal' WHEN 'b' THEN 'Lost' ELSE 'unknown' END]) AS value) d
), months AS (
  SELECT dimension, value, unnest(generate_series(date_trunc('month', first)::TIMESTAMP, TIMESTAMP '2011-03-01',
    INTERVAL 1 MONTH))::DATE AS month
  FROM (SELECT dimension, value, min(opened_at) AS first FROM cut GROUP BY ALL)
)
SELECT m.dimension, m.value, m.month,
  count(*) FILTER (opened), count(*) FILTER (solved),
  count(*) FILTER (opened_at::DATE <= last_day(m.month) AND (ended_at IS NULL OR ended_at::DATE > last_day(m.month))),
  quantile_cont(response, 0.5) FILTER (opened), quantile_cont(response, 0.9) FILTER (opened),
  quantile_cont(resolution, 0.5) FILTER (solved), quantile_cont(resolution, 0.9) FILTER (solved),
  avg((count_reopened > 0)::INT) FILTER (solved),
  avg((coalesce(response, 1e9) <= 8)::INT) FILTER (opened AND (answered_at IS NOT NULL OR waits > 8)), 8::DOUBLE
FROM months m JOIN (
  SELECT *, epoch(answered_at - opened_at) / 3600 AS response, epoch(ended_at - opened_at) / 3600 AS resolution,
    epoch(TIMESTAMP '2011-04-01' - opened_at) / 3600 AS waits FROM cut
) c USING (dimension, value),
LATERAL (SELECT date_trunc('month', opened_at)::DATE = m.month AS opened,
  coalesce(date_trunc('month', ended_at)::DATE = m.month, false) AS solved)
GROUP BY ALL
"""


def generated(count):
    chance = random.Random(11)
    for _ in range(count):
        opened = at(1, 1) + timedelta(seconds=chance.randrange(95 * 86_400))
        answered = opened + timedelta(seconds=chance.randrange(200_000)) if chance.random() < 0.9 else None
        solved = (
            answered + timedelta(seconds=chance.randrange(2_000_000)) if answered and chance.random() < 0.9 else None
        )
        yield ticket(
            opened,
            answered,
            solved,
            reopened=chance.choice([0, 0, 0, 1, 2]),
            channel=chance.choice(["email", "phone", None]),
            category=chance.choice(["delivery", "damage"]),
            priority=chance.choice(["low", "urgent", None]),
            customer=chance.choice(["a", "b", "c", None]),
        )


def test_figures_are_those_of_the_definition_in_sql_over_3000_tickets(spark):
    rows = list(generated(3000))
    with duckdb.connect() as connection:
        ddl = TICKETS.replace("string", "varchar")
        connection.execute(f"CREATE TABLE tickets ({ddl})")
        naive = [tuple(v.replace(tzinfo=None) if isinstance(v, datetime) else v for v in row) for row in rows]
        connection.executemany(f"INSERT INTO tickets VALUES ({', '.join('?' * 12)})", naive)
        expected = {row[:3]: row[3:] for row in connection.sql(BY_HAND).fetchall()}

    segments = spark.createDataFrame([("a", "Loyal"), ("b", "Lost")], SEGMENTS)
    found = service_levels(spark.createDataFrame(rows, TICKETS), segments, as_of=AS_OF, target_hours=8.0).collect()

    assert {(row.dimension, row.value, row.month) for row in found} == set(expected)
    for row in found:
        figures = [
            value for name, value in row.asDict().items() if name not in ("dimension", "value", "month", "as_of")
        ]
        assert figures == pytest.approx(expected[row.dimension, row.value, row.month], rel=1e-6)
