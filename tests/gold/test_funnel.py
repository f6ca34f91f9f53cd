import random
from datetime import date, datetime, timedelta

import duckdb
import pyarrow as pa
import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.gold.funnel import FUNNEL, funnel

SESSIONS = (
    "session_id string, customer_id string, started_at timestamp, started_month date, channel string, "
    "campaign_id string, device string, seconds_to_view double, seconds_to_cart double, seconds_to_checkout double, "
    "seconds_to_order double"
)
AS_OF = date(2024, 2, 29)
STEPS = ("visit", "view", "cart", "checkout", "order")


def session(
    number, *seconds, at="2024-02-10 10:00:00", customer=None, channel="search", campaign=None, device="mobile"
):
    moment = datetime.fromisoformat(at)
    steps = (*seconds, *[None] * (4 - len(seconds)))
    return (f"s{number}", customer, moment, moment.date().replace(day=1), channel, campaign, device, *steps)


def steps_of(spark, *sessions, segments=None, as_of=AS_OF):
    named = None if segments is None else spark.createDataFrame(segments, "customer_id string, segment string")
    return funnel(spark.createDataFrame(list(sessions), SESSIONS), named, as_of=as_of)


def by_step(df, *names, dimension="all"):
    rows = df.where(f"dimension = '{dimension}'").select("value", "step", *names).collect()
    return {(value, step) if dimension != "all" else step: tuple(rest) for value, step, *rest in rows}


def counts(df, dimension="all"):
    return {key: count for key, (count,) in by_step(df, "count_sessions", dimension=dimension).items()}


def test_the_funnel_of_a_month(spark):
    found = steps_of(
        spark,
        session(1),
        session(2, 10.0),
        session(3, 20.0, 50.0),
        session(4, 31.9, 60.0, 100.0),
        session(5, 40.0, 100.5, 130.5, 150.0),
    ).where("dimension = 'all'")

    head = (AS_OF, date(2024, 2, 1), True, "all", "all")
    rows = [
        (*head, "visit", 1, 5, 1.0, None, None, None, None),
        (*head, "view", 2, 4, 0.8, 0.8, 1, 0.2, 25.5),  # 10, 20, 31, 40
        (*head, "cart", 3, 3, 0.6, 0.75, 1, 0.25, 30.0),  # 30, 28, 60
        (*head, "checkout", 4, 2, 0.4, 2 / 3, 1, 1 / 3, 35.0),  # 40, 30
        (*head, "order", 5, 1, 0.2, 0.5, 1, 0.5, 19.0),
    ]
    assert_df_equality(found, spark.createDataFrame(rows, FUNNEL.schema), ignore_nullable=True, ignore_row_order=True)


def test_a_step_is_reached_where_a_later_one_was(spark):
    found = steps_of(spark, session(1, None, None, None, 60.0), session(2, None, 30.0))

    assert counts(found) == {"visit": 2, "view": 2, "cart": 2, "checkout": 1, "order": 1}


def test_time_is_measured_where_both_steps_were_taken_in_order(spark):
    found = steps_of(spark, session(1, 50.0, 20.0), session(2, None, 30.0), session(3, 5.0, 5.0, None, 90.0))

    # the first put into the cart before it viewed, the second did not view, the third did both at once, and ordered
    # without a checkout
    seconds = by_step(found, "median_seconds_from_previous")
    assert seconds == {"visit": (None,), "view": (27.5,), "cart": (0.0,), "checkout": (None,), "order": (None,)}


def test_a_step_after_one_that_nobody_reached_has_no_rate(spark):
    found = steps_of(spark, session(1))

    assert by_step(found, "count_sessions", "reached_share", "continued_share", "count_dropped", "dropped_share") == {
        "visit": (1, 1.0, None, None, None),
        "view": (0, 0.0, 0.0, 1, 1.0),
        "cart": (0, 0.0, None, 0, None),
        "checkout": (0, 0.0, None, 0, None),
        "order": (0, 0.0, None, 0, None),
    }


def visits(df, dimension):
    return {value: count for (value, step), count in counts(df, dimension).items() if step == "visit"}


def test_each_dimension_has_its_values(spark):
    found = steps_of(
        spark,
        session(1, customer="a", channel="email", campaign="C1"),
        session(2, customer="b", channel=None, device=None),
        session(3, channel="email"),
        session(4, customer="x"),
        segments=[("a", "Champions"), ("b", "Lost"), ("c", "Lost")],
    )

    assert visits(found, "channel") == {"email": 2, "unknown": 1, "search": 1}
    assert visits(found, "campaign") == {"C1": 1, "none": 3}
    assert visits(found, "device") == {"mobile": 3, "unknown": 1}
    assert visits(found, "segment") == {"Champions": 1, "Lost": 1, "unknown": 2}


def test_without_segments_there_is_no_such_dimension(spark):
    assert visits(steps_of(spark, session(1, customer="a")), "segment") == {}


def test_without_sessions_there_is_no_funnel(spark):
    assert steps_of(spark).collect() == []


@pytest.mark.parametrize(("as_of", "is_whole"), [(date(2024, 2, 28), False), (date(2024, 2, 29), True)])
def test_a_month_is_whole_when_its_last_day_is_over(spark, as_of, is_whole):
    assert by_step(steps_of(spark, session(1), as_of=as_of), "is_whole_month")["visit"] == (is_whole,)


def test_sessions_and_steps_after_as_of_do_not_count(spark):
    found = steps_of(
        spark,
        session(1, 10.0, 60.0, at="2024-02-29 23:59:00"),
        session(2, 1.0, at="2024-03-01 00:00:00"),
    )

    assert counts(found) == {"visit": 1, "view": 1, "cart": 0, "checkout": 0, "order": 0}


def drawn_sessions(chance, count):
    made = []
    for number in range(count):
        seconds = [chance.choice([None, float(chance.randrange(4000)) / 8]) for _ in range(4)]
        at = datetime(2023, 12, 1) + timedelta(seconds=chance.randrange(100 * 24 * 60 * 60))
        made.append(
            session(
                number, *seconds, at=at.isoformat(), customer=chance.choice([None, "a", "b", "c", "d"]),
                channel=chance.choice([None, "email", "search"]), campaign=chance.choice([None, "C1", "C2"]),
                device=chance.choice([None, "mobile", "desktop"]),
            )
        )  # fmt: skip
    return made


SEGMENTS = [("a", "Champions"), ("b", "Lost"), ("c", "Lost")]

BY_DEFINITION = """
with taken as (
    select s.*, g.segment, unnest(['all', 'channel', 'device', 'campaign', 'segment']) dimension
    from sessions s left join segments g using (customer_id) where started_at < timestamp '2024-03-01'
), valued as (
    select *, case dimension when 'all' then 'all' when 'channel' then ifnull(channel, 'unknown')
        when 'device' then ifnull(device, 'unknown') when 'campaign' then ifnull(campaign_id, 'none')
        else ifnull(segment, 'unknown') end as value,
        [0.0, seconds_to_view, seconds_to_cart, seconds_to_checkout, seconds_to_order] as instants
    from taken
), long as (
    select started_month, dimension, value, unnest([1, 2, 3, 4, 5]) as n, instants from valued
), counted as (
    select started_month as month, dimension, value, n,
        count(*) filter (len(list_filter(instants[n:5], lambda x: x is not null)) > 0) count_sessions,
        median(floor(instants[n] - instants[n - 1])) filter (n > 1 and instants[n] >= instants[n - 1]) as median_seconds
    from long group by all
)
select date '2024-02-29' as_of, c.month, true is_whole_month, c.dimension, c.value,
    (['visit', 'view', 'cart', 'checkout', 'order'])[c.n] step, c.n step_number, c.count_sessions,
    c.count_sessions / v.count_sessions reached_share, c.count_sessions / nullif(p.count_sessions, 0) continued_share,
    p.count_sessions - c.count_sessions count_dropped,
    1.0::double - c.count_sessions / nullif(p.count_sessions, 0) dropped_share, c.median_seconds
from counted c
join counted v on (c.month, c.dimension, c.value, 1) = (v.month, v.dimension, v.value, v.n)
left join counted p on (c.month, c.dimension, c.value, c.n - 1) = (p.month, p.dimension, p.value, p.n)
"""


def test_the_funnel_equals_the_definition_in_sql(spark):
    # no step of theirs is taken after as_of
    drawn = [row for row in drawn_sessions(random.Random(3), 5000) if not str(row[2]).startswith("2024-02-29 23")]
    names = [column.split()[0] for column in SESSIONS.split(", ")]
    database = duckdb.connect()
    database.register("sessions", pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in drawn]))
    database.register(
        "segments", pa.table({"customer_id": [c for c, _ in SEGMENTS], "segment": [s for _, s in SEGMENTS]})
    )
    expected = {row[1:6]: row for row in database.sql(BY_DEFINITION).fetchall()}

    found = {tuple(row)[1:6]: tuple(row) for row in steps_of(spark, *drawn, segments=SEGMENTS).collect()}

    assert found.keys() == expected.keys()
    assert len(found) == 3 * 5 * (1 + 3 + 3 + 3 + 3)
    for key, row in expected.items():
        assert found[key][:6] == row[:6]
        assert without_nulls(found[key][6:]) == pytest.approx(without_nulls(row[6:]), rel=1e-12, abs=1e-12), key


def without_nulls(figures):
    """None of the figures is below zero."""
    return [-1 if figure is None else figure for figure in figures]


@given(
    sessions=st.builds(lambda seed: drawn_sessions(random.Random(seed), 60), st.integers(0, 10**6)),
    shuffle=st.randoms(),
)
def test_no_step_has_more_sessions_than_the_step_before_in_any_order_of_rows(spark, sessions, shuffle):
    shuffled = list(sessions)
    shuffle.shuffle(shuffled)

    found = steps_of(spark, *sessions, segments=SEGMENTS)

    assert_df_equality(steps_of(spark, *shuffled, segments=SEGMENTS), found, ignore_row_order=True)
    rows = {(row.month, row.dimension, row.value, row.step_number): row for row in found.collect()}
    for (*cell, number), row in rows.items():
        assert row.step == STEPS[number - 1]
        assert 0 <= row.reached_share <= 1
        if number > 1:
            assert row.count_sessions <= rows[(*cell, number - 1)].count_sessions
            assert row.count_dropped == rows[(*cell, number - 1)].count_sessions - row.count_sessions
    for dimension in ("channel", "device", "campaign", "segment"):
        of = [row.count_sessions for row in rows.values() if row.dimension == dimension]
        assert sum(of) == sum(row.count_sessions for row in rows.values() if row.dimension == "all")
