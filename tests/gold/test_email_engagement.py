import random
from datetime import date, datetime, timedelta

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from customerlake.gold.email_engagement import EMAIL_ENGAGEMENT, email_engagement

EVENTS = "message_id string, email string, customer_id string, event_type string, happened_at timestamp"
AS_OF = date(2012, 3, 30)
KINDS = ("sent", "delivered", "opened", "clicked", "bounced", "unsubscribed", "complained")


def event(message, kind, at="2012-03-01T10:00", customer="a", *, email="home@x.example"):
    return (message, email, customer, kind, datetime.fromisoformat(at))


def engagement(spark, *events, as_of=AS_OF):
    return email_engagement(spark.createDataFrame(list(events), EVENTS), as_of=as_of)


def only(df, *names):
    (row,) = df.select(*names).collect()
    return tuple(row)


SENT, DELIVERED, OPENED, CLICKED = FUNNEL = [
    f"count_emails_{done}" for done in ("sent", "delivered", "opened", "clicked")
]


def test_what_became_of_a_customers_messages(spark):
    found = engagement(
        spark,
        event("1", "sent", "2011-12-01T08:00"), event("1", "delivered", "2011-12-01T08:01"),
        event("1", "opened", "2011-12-03T08:01"),
        event("2", "sent", "2012-03-01T08:00"), event("2", "delivered", "2012-03-01T08:01"),
        event("2", "opened", "2012-03-01T09:00"), event("2", "opened", "2012-03-05T09:00"),
        event("2", "clicked", "2012-03-01T09:05"), event("2", "clicked", "2012-03-04T09:05"),
        event("2", "unsubscribed", "2012-03-06T09:00"),
        event("3", "sent", "2012-03-08T08:00"), event("3", "bounced", "2012-03-08T08:02"),
        event("4", "sent", "2012-03-09T08:00"), event("4", "delivered", "2012-03-09T08:02"),
        event("4", "complained", "2012-03-10T08:02"),
    )  # fmt: skip

    assert tuple(found.first()) == (
        "a", AS_OF, 4, 3, 2, 1, 1, 1, 1, 2 / 3, 1 / 3, 3, 1, 1,
        date(2012, 3, 9), date(2012, 3, 5), date(2012, 3, 4), date(2012, 3, 6),
    )  # fmt: skip


def test_an_event_that_is_told_twice_is_one_message(spark):
    assert only(engagement(spark, *[event("1", "sent"), event("1", "opened")] * 2), *FUNNEL) == (1, 1, 1, 0)


def test_a_click_says_that_the_message_was_opened_and_delivered(spark):
    found = engagement(spark, event("1", "clicked"))

    assert only(found, *FUNNEL, "email_open_share", "email_click_share") == (1, 1, 1, 1, 1.0, 1.0)
    assert only(found, "last_email_opened_on") == (None,)


def test_without_a_delivered_message_there_is_no_share(spark):
    found = engagement(spark, event("1", "sent"), event("1", "bounced"))

    assert only(found, *FUNNEL, "email_open_share", "email_click_share") == (1, 0, 0, 0, None, None)


def test_nothing_after_the_day_of_as_of_counts(spark):
    found = engagement(
        spark, event("1", "sent", "2012-03-30T23:59:59"), event("1", "opened", "2012-03-31T00:00"),
        event("2", "sent", "2012-03-31T00:00"),
    )  # fmt: skip

    assert only(found, *FUNNEL, "last_email_sent_on") == (1, 0, 0, 0, AS_OF)


def test_the_last_90_days_are_those_of_the_sending(spark):
    found = engagement(
        spark,
        event("1", "sent", "2011-12-31T23:59"), event("1", "clicked", "2012-03-01T00:00"),  # 91 days, with 29 February
        event("2", "sent", "2012-01-01T00:00"), event("2", "opened", "2012-01-01T00:00"),
    )  # fmt: skip

    assert only(found, *[f"{name}_last_90_days" for name in (SENT, OPENED, CLICKED)]) == (1, 1, 0)


def test_unknown_customers_and_no_events_make_no_row(spark):
    assert engagement(spark).isEmpty()
    assert engagement(spark, event("1", "sent", customer=None)).isEmpty()


def test_a_message_to_a_shared_address_is_one_customers(spark):
    """The click names the other of two who share the mailbox, the opening nobody."""
    found = engagement(
        spark, event("1", "sent", "2012-03-01T10:00"),
        event("1", "opened", "2012-03-02T10:00", None, email=" Home@x.example"),
        event("1", "clicked", "2012-03-02T10:01", "b", email="HOME@x.example"), event("2", "sent", customer="b"),
    )  # fmt: skip

    counts = {row.customer_id: tuple(row[name] for name in FUNNEL) for row in found.collect()}
    assert counts == {"a": (1, 1, 1, 1), "b": (1, 0, 0, 0)}


def test_of_two_customers_named_at_one_instant_the_least_holds(spark):
    for rows in (
        [event("1", "sent", customer="b"), event("1", "delivered")],
        [event("1", "delivered"), event("1", "sent", customer="b")],
    ):
        assert only(engagement(spark, *rows), "customer_id", *FUNNEL) == ("a", 1, 1, 0, 0)


def test_one_number_of_messages_to_two_addresses_is_two_messages(spark):
    found = engagement(spark, event("1", "sent"), event("1", "sent", customer="b", email="b@x.example"))

    assert sorted((row.customer_id, row[SENT]) for row in found.collect()) == [("a", 1), ("b", 1)]


events = st.lists(
    st.builds(
        lambda message, customer, *rest: (customer + message, f"{customer}@x.example", customer, *rest),
        st.sampled_from("12345"),
        st.sampled_from("abc"),
        st.sampled_from(KINDS),
        st.datetimes(datetime(2011, 12, 20), datetime(2012, 4, 2)),
    ),
    min_size=1,
    max_size=60,
)


@given(rows=events)
def test_each_step_is_part_of_the_one_before_and_each_customer_stands_alone(spark, rows):
    found = engagement(spark, *rows).collect()
    alone = engagement(spark, *[row for row in rows if row[2] == "a"]).collect()

    for row in found:
        assert row[CLICKED] <= row[OPENED] <= row[DELIVERED] <= row[SENT]
        assert all(row[f"{name}_last_90_days"] <= row[name] for name in (SENT, OPENED, CLICKED))
        assert row.email_open_share is None or 0 <= row.email_click_share <= row.email_open_share <= 1
    assert alone == [row for row in found if row.customer_id == "a"]


DEFINITION = """
    WITH known AS (
        SELECT *, happened_at::DATE AS day FROM events
        WHERE customer_id IS NOT NULL AND happened_at < TIMESTAMP '2012-03-31'
    ), m AS (
        SELECT customer_id, message_id, min(day) AS sent, list_distinct(list(event_type)) AS happened
        FROM known GROUP BY ALL
    ), counts AS (
        SELECT customer_id, count(*) AS count_emails_sent,
            count(*) FILTER (list_has_any(happened, ['delivered', 'opened', 'clicked'])) AS count_emails_delivered,
            count(*) FILTER (list_has_any(happened, ['opened', 'clicked'])) AS count_emails_opened,
            count(*) FILTER (list_contains(happened, 'clicked')) AS count_emails_clicked,
            count(*) FILTER (list_contains(happened, 'bounced')) AS count_emails_bounced,
            count(*) FILTER (list_contains(happened, 'complained')) AS count_emails_complained_of,
            count(*) FILTER (list_contains(happened, 'unsubscribed')) AS count_emails_unsubscribed_from,
            count_emails_opened / nullif(count_emails_delivered, 0) AS email_open_share,
            count_emails_clicked / nullif(count_emails_delivered, 0) AS email_click_share,
            count(*) FILTER (sent > DATE '2011-12-31') AS count_emails_sent_last_90_days,
            count(*) FILTER (sent > DATE '2011-12-31' AND list_has_any(happened, ['opened', 'clicked']))
                AS count_emails_opened_last_90_days,
            count(*) FILTER (sent > DATE '2011-12-31' AND list_contains(happened, 'clicked'))
                AS count_emails_clicked_last_90_days,
            max(sent) AS last_email_sent_on
        FROM m GROUP BY customer_id
    ), days AS (
        SELECT customer_id, max(day) FILTER (event_type = 'opened') AS last_email_opened_on,
            max(day) FILTER (event_type = 'clicked') AS last_email_clicked_on,
            max(day) FILTER (event_type = 'unsubscribed') AS last_email_unsubscribed_on
        FROM known GROUP BY customer_id
    )
    SELECT *, DATE '2012-03-30' AS as_of FROM counts JOIN days USING (customer_id)
"""


def test_thousands_of_events_are_counted_as_sql_says_from_the_definitions(spark):
    chance = random.Random(5)
    rows = []
    for n in range(3000):
        customer, sent = chance.choice([None, *[f"c{n}" for n in range(300)]]), datetime(2011, 11, 1)
        sent += timedelta(seconds=chance.randint(0, 150 * 86_400))
        for kind in ("sent", *chance.sample(KINDS, chance.randint(0, 4))):
            rows.append(
                (f"m{n}", f"{n}@x.example", customer, kind, sent + timedelta(seconds=chance.randint(0, 20 * 86_400)))
            )

    found = engagement(spark, *rows)

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("events", spark.createDataFrame(rows, EVENTS).toArrow())
        connection.register("found", found.toArrow())
        names = ", ".join(EMAIL_ENGAGEMENT.column_names)
        expected = connection.sql(f"SELECT {names} FROM ({DEFINITION}) ORDER BY customer_id").fetchall()
        assert len(expected) == 300
        assert connection.sql(f"SELECT {names} FROM found ORDER BY customer_id").fetchall() == expected
