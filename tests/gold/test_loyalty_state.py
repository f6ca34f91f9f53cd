import random
from datetime import date, datetime, timedelta

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from customerlake.gold.loyalty_state import LOYALTY_STATE, loyalty_state

EVENTS = (
    "event_id string, card_id string, customer_id string, event_type string, points int, tier string, "
    "happened_at timestamp"
)
AS_OF = date(2012, 3, 30)


def event(kind, at="2012-03-01T10:00", points=None, tier=None, *, card="1", customer="a", number="e"):
    return (number, card, customer, kind, points, tier, datetime.fromisoformat(at))


def state(spark, *events, as_of=AS_OF):
    return loyalty_state(spark.createDataFrame(list(events), EVENTS), as_of=as_of)


def only(df, *names):
    (row,) = df.select(*names).collect()
    return tuple(row)


MEMBERSHIP = ("is_loyalty_member", "count_loyalty_cards", "loyalty_member_since_on", "loyalty_left_on")
POINTS = ("loyalty_points_balance", "loyalty_points_earned", "loyalty_points_redeemed")


def test_a_customers_card_its_points_and_its_tier(spark):
    found = state(
        spark,
        event("enrolled", "2011-01-05T10:00", 50, "basic"),
        event("earned", "2011-02-05T10:00", 100, "basic"), event("earned", "2012-02-29T10:00", 70, "silver"),
        event("tier_changed", "2012-02-29T10:05", None, "gold"),
        event("redeemed", "2012-03-02T10:00", -200), event("redeemed", "2012-03-01T10:00", -5),
    )  # fmt: skip

    assert tuple(found.first()) == (
        "a", AS_OF, True, 1, date(2011, 1, 5), None, "gold", 15, 220, 205, date(2012, 2, 29), date(2012, 3, 2),
    )  # fmt: skip


def test_the_points_of_a_closed_card_lapse(spark):
    found = state(
        spark, event("enrolled", "2011-01-05T10:00", 0, "gold"), event("earned", "2011-01-05T10:00", 100, "gold"),
        event("closed", "2011-06-01T10:00"),
    )  # fmt: skip

    assert only(found, *MEMBERSHIP) == (False, 0, date(2011, 1, 5), date(2011, 6, 1))
    assert only(found, *POINTS, "loyalty_tier") == (0, 100, 0, None)


def test_a_card_that_is_enrolled_again_is_open(spark):
    found = state(
        spark, event("enrolled", "2011-01-05T10:00", 0, "gold"), event("closed", "2011-06-01T10:00"),
        event("enrolled", "2011-07-05T10:00", 0, "basic"), event("earned", "2011-07-06T10:00", 7, "basic"),
    )  # fmt: skip

    assert only(found, *MEMBERSHIP, *POINTS, "loyalty_tier") == (True, 1, date(2011, 1, 5), None, 7, 7, 0, "basic")


def test_an_open_card_stands_beside_a_closed_one(spark):
    found = state(
        spark,
        event("earned", "2011-01-05T10:00", 40, "silver", card="1"),
        event("earned", "2011-03-05T10:00", 100, "gold", card="2"), event("closed", "2011-06-01T10:00", card="2"),
    )  # fmt: skip

    assert only(found, *MEMBERSHIP, *POINTS, "loyalty_tier") == (True, 1, date(2011, 1, 5), None, 40, 140, 0, "silver")


def test_of_two_tiers_at_one_instant_that_of_the_higher_event_number_holds(spark):
    events = [event("earned", points=1, tier="gold", number="1"), event("tier_changed", tier="basic", number="2")]

    assert (
        only(state(spark, *events), "loyalty_tier") == only(state(spark, *events[::-1]), "loyalty_tier") == ("basic",)
    )


def test_nothing_after_the_day_of_as_of_counts(spark):
    found = state(
        spark, event("earned", "2012-03-30T23:59:59", 1, "basic"), event("earned", "2012-03-31T00:00", 2, "gold"),
        event("closed", "2012-03-31T00:00"),
    )  # fmt: skip

    assert only(found, *POINTS, "loyalty_tier", "is_loyalty_member") == (1, 1, 0, "basic", True)


def test_unknown_customers_and_no_events_make_no_row(spark):
    assert state(spark).isEmpty()
    assert state(spark, event("enrolled", customer=None)).isEmpty()


events = st.lists(
    st.tuples(
        st.uuids().map(str),
        st.sampled_from("12"),
        st.sampled_from("abc"),
        st.sampled_from(["enrolled", "earned", "redeemed", "tier_changed", "closed"]),
        st.one_of(st.none(), st.integers(0, 999)),
        st.sampled_from(["basic", "gold", None]),
        st.datetimes(datetime(2012, 1, 20), datetime(2012, 4, 2)),
    ).map(lambda row: (*row[:4], -row[4] if row[3] == "redeemed" and row[4] else row[4], *row[5:])),
    min_size=1,
    max_size=40,
)


@given(rows=events)
def test_balances_add_up_and_each_customer_stands_alone(spark, rows):
    found = state(spark, *rows).orderBy("customer_id").collect()

    for row in found:
        assert row.is_loyalty_member == (row.count_loyalty_cards > 0) == (row.loyalty_left_on is None)
        if not any(event[3] == "closed" for event in rows):
            assert row.loyalty_points_balance == row.loyalty_points_earned - row.loyalty_points_redeemed
    assert found == state(spark, *rows[::-1]).orderBy("customer_id").collect()
    alone = state(spark, *[row for row in rows if row[2] == "a"]).collect()
    assert alone == [row for row in found if row.customer_id == "a"]


DEFINITION = """
    WITH known AS (FROM events WHERE customer_id IS NOT NULL AND happened_at < TIMESTAMP '2012-03-31'),
    cards AS (
        SELECT customer_id, card_id, max(happened_at) FILTER (event_type = 'closed') AS closed,
            closed IS NULL OR coalesce(max(happened_at) FILTER (event_type = 'enrolled') > closed, false) AS is_open,
            coalesce(sum(points), 0) AS balance
        FROM known GROUP BY ALL
    ), tiers AS (
        SELECT DISTINCT ON (customer_id) customer_id, tier AS loyalty_tier
        FROM known JOIN cards USING (customer_id, card_id)
        WHERE is_open AND tier IS NOT NULL ORDER BY customer_id, happened_at DESC, event_id DESC
    ), members AS (
        SELECT customer_id, bool_or(is_open) AS is_loyalty_member, count(*) FILTER (is_open) AS count_loyalty_cards,
            CASE WHEN NOT is_loyalty_member THEN max(closed)::DATE END AS loyalty_left_on,
            coalesce(sum(balance) FILTER (is_open), 0) AS loyalty_points_balance
        FROM cards GROUP BY ALL
    ), points AS (
        SELECT customer_id, min(happened_at)::DATE AS loyalty_member_since_on,
            coalesce(sum(points) FILTER (event_type <> 'redeemed'), 0) AS loyalty_points_earned,
            coalesce(-sum(points) FILTER (event_type = 'redeemed'), 0) AS loyalty_points_redeemed,
            max(happened_at) FILTER (event_type = 'earned')::DATE AS last_points_earned_on,
            max(happened_at) FILTER (event_type = 'redeemed')::DATE AS last_points_redeemed_on
        FROM known GROUP BY ALL
    )
    SELECT *, DATE '2012-03-30' AS as_of
    FROM members JOIN points USING (customer_id) LEFT JOIN tiers USING (customer_id)
"""


def test_thousands_of_events_are_summed_as_sql_says_from_the_definitions(spark):
    chance = random.Random(13)
    rows = []
    for n in range(6000):
        kind = chance.choices(["enrolled", "earned", "redeemed", "tier_changed", "closed"], [2, 6, 2, 1, 2])[0]
        points = {"earned": chance.randint(1, 300), "redeemed": -chance.randint(1, 200), "enrolled": 0}.get(kind)
        tier = (
            chance.choice(["basic", "silver", "gold", None]) if kind in ("earned", "tier_changed", "enrolled") else None
        )
        number = chance.randint(0, 700)
        at = datetime(2011, 3, 1) + timedelta(hours=chance.randint(0, 410 * 24))
        rows.append((f"e{n}", f"card{number}", f"c{number % 500}" if number else None, kind, points, tier, at))

    found = state(spark, *rows)

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("events", spark.createDataFrame(rows, EVENTS).toArrow())
        connection.register("found", found.toArrow())
        names = ", ".join(LOYALTY_STATE.column_names)
        expected = connection.sql(f"SELECT {names} FROM ({DEFINITION}) ORDER BY customer_id").fetchall()
        assert len(expected) > 490
        assert connection.sql(f"SELECT {names} FROM found ORDER BY customer_id").fetchall() == expected
