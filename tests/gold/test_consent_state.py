import random
from datetime import date, datetime, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customerlake.gold.consent_state import CONSENT_STATE, consent_state

DECISIONS = "customer_id string, purpose string, channel string, is_granted boolean, changed_at timestamp"
AS_OF = date(2012, 3, 30)
PURPOSES, CHANNELS = ("marketing", "profiling", "service", "research"), ("email", "phone", "sms", "post", "any")


def decision(channel, is_granted, at="2012-03-01T10:00", *, purpose="marketing", customer="a"):
    return (customer, purpose, channel, is_granted, datetime.fromisoformat(at))


def state(spark, *decisions, as_of=AS_OF):
    return consent_state(spark.createDataFrame(list(decisions), DECISIONS), as_of=as_of)


def only(df, *names):
    (row,) = df.select(*names).collect()
    return tuple(row)


MARKETING = [f"is_{channel}_marketing_allowed" for channel in CHANNELS[:4]]


def test_a_customers_decisions_by_purpose_and_channel(spark):
    found = state(
        spark,
        decision("email", True, "2011-01-01T10:00"), decision("email", False, "2012-02-29T10:00"),
        decision("sms", True, "2011-01-01T10:00"),
        decision("any", True, "2011-01-01T10:00", purpose="service"),
        decision("any", False, "2011-01-01T10:00", purpose="profiling"),
        decision("email", True, "2011-01-01T10:00", purpose="research"),
    )  # fmt: skip

    assert tuple(found.first()) == (
        "a", AS_OF, False, None, True, None, True, True, True, True, True, None, None, None, False,
        date(2011, 1, 1), date(2012, 2, 29),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("decisions", "allowed"),
    [
        ([("any", True, "2012-01-01T10:00")], (True, True, True, True)),
        ([("any", True, "2012-01-01T10:00"), ("sms", False, "2012-01-02T10:00")], (True, True, False, True)),
        ([("sms", False, "2012-01-01T10:00"), ("any", True, "2012-01-02T10:00")], (True, True, True, True)),
        ([("email", True, "2012-01-01T10:00"), ("any", False, "2012-01-02T10:00")], (False, False, False, False)),
    ],
    ids=["any is each", "a later one for a channel", "a later one for any", "a later refusal of any"],
)
def test_the_newest_decision_for_the_channel_or_for_any_holds(spark, decisions, allowed):
    assert only(state(spark, *[decision(*one) for one in decisions]), *MARKETING) == allowed


@pytest.mark.parametrize("channels", [("email", "email"), ("email", "any"), ("any", "email")])
def test_of_two_decisions_at_one_instant_the_refusal_holds(spark, channels):
    granted, refused = decision(channels[0], True), decision(channels[1], False)

    for decisions in ((granted, refused), (refused, granted)):
        assert only(state(spark, *decisions), "is_email_marketing_allowed") == (False,)


def test_profiling_is_allowed_by_any_channel(spark):
    found = state(spark, decision("email", True, purpose="profiling"))

    assert only(found, "is_profiling_allowed", *MARKETING) == (True, None, None, None, None)


def test_nothing_after_the_day_of_as_of_counts(spark):
    found = state(
        spark, decision("email", True, "2012-03-30T23:59:59"), decision("email", False, "2012-03-31T00:00"),
        decision("sms", True, "2012-03-31T00:00"),
    )  # fmt: skip

    assert only(found, *MARKETING, "last_consent_decided_on") == (True, None, None, None, AS_OF)


def test_unknown_customers_and_no_decisions_make_no_row(spark):
    assert state(spark).isEmpty()
    assert state(spark, decision("email", True, customer=None)).isEmpty()


decisions = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(PURPOSES),
        st.sampled_from(CHANNELS),
        st.booleans(),
        st.integers(0, 5).map(lambda days: datetime(2012, 3, 27) + timedelta(days=days)),
    ),
    min_size=1,
    max_size=40,
)


@given(rows=decisions)
def test_the_order_of_decisions_does_not_show_and_each_customer_stands_alone(spark, rows):
    found = state(spark, *rows).orderBy("customer_id").collect()
    alone = state(spark, *[row for row in rows if row[0] == "a"]).collect()

    assert found == state(spark, *rows[::-1]).orderBy("customer_id").collect()
    assert alone == [row for row in found if row.customer_id == "a"]


def test_thousands_of_decisions_are_read_as_sql_says_from_the_definitions(spark):
    chance = random.Random(17)
    rows = [
        (
            chance.choice([None, *[f"c{n}" for n in range(400)]]),
            chance.choice(PURPOSES),
            chance.choice(CHANNELS),
            chance.random() < 0.5,
            datetime(2012, 1, 1) + timedelta(days=chance.randint(0, 99)),
        )
        for _ in range(6000)
    ]
    allowed = [
        f"first(is_granted ORDER BY changed_at DESC, is_granted) FILTER (purpose = '{purpose}' "
        f"AND channel IN ('{channel}', 'any')) AS is_{channel}_{purpose}_allowed"
        for purpose in ("marketing", "service", "research")
        for channel in CHANNELS[:4]
    ]
    definition = f"""
        SELECT customer_id, DATE '2012-03-30' AS as_of, {", ".join(allowed)},
            first(is_granted ORDER BY changed_at DESC, is_granted)
                FILTER (purpose = 'profiling') AS is_profiling_allowed,
            min(changed_at)::DATE AS first_consent_decided_on, max(changed_at)::DATE AS last_consent_decided_on
        FROM decisions WHERE customer_id IS NOT NULL AND changed_at < TIMESTAMP '2012-03-31' GROUP BY customer_id
    """

    found = state(spark, *rows)

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("decisions", spark.createDataFrame(rows, DECISIONS).toArrow())
        connection.register("found", found.toArrow())
        names = ", ".join(CONSENT_STATE.column_names)
        expected = connection.sql(f"SELECT {names} FROM ({definition}) ORDER BY customer_id").fetchall()
        assert len(expected) == 400
        assert connection.sql(f"SELECT {names} FROM found ORDER BY customer_id").fetchall() == expected
