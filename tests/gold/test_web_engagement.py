import random
from datetime import date, datetime, timedelta

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from customerlake.gold.web_engagement import WEB_ENGAGEMENT, web_engagement

EVENTS = "customer_id string, event_type string, happened_at timestamp"
AS_OF = date(2012, 3, 30)
KINDS = ("page_view", "product_view", "search", "add_to_cart", "remove_from_cart", "checkout", "order", "login")


def event(kind, at, customer="a"):
    return (customer, kind, datetime.fromisoformat(at))


def engagement(spark, *events, as_of=AS_OF):
    return web_engagement(spark.createDataFrame(list(events), EVENTS), as_of=as_of)


def only(df, *names):
    (row,) = df.select(*names).collect()
    return tuple(row)


def test_a_customers_visits_views_and_carts(spark):
    found = engagement(
        spark,
        event("login", "2011-12-01T10:00"), event("product_view", "2011-12-01T10:01"),
        event("add_to_cart", "2011-12-01T10:02"), event("add_to_cart", "2011-12-01T10:03"),
        event("order", "2011-12-01T10:09"),
        event("product_view", "2012-02-29T08:00"), event("product_view", "2012-02-29T20:00"),
        event("add_to_cart", "2012-02-29T20:05"),
        event("add_to_cart", "2012-03-15T20:05"),
    )  # fmt: skip

    assert tuple(found.first()) == (
        "a", AS_OF, date(2011, 12, 1), date(2012, 3, 15), 15, 3, 1, 2, 3, 0, 2, 3, 1, 2, 2, 1, 2, date(2012, 3, 15),
    )  # fmt: skip


def test_the_last_30_and_90_days_end_with_as_of(spark):
    first_of = {30: "2012-03-01T00:00", 90: "2012-01-01T00:00"}  # 30 March is the thirtieth and the ninetieth day
    day_before = {30: "2012-02-29T23:59", 90: "2011-12-31T23:59"}
    names = ("count_web_visits_last_30_days", "count_web_visits_last_90_days")

    inside = engagement(spark, *[event("login", at) for at in first_of.values()])
    outside = engagement(spark, *[event("login", at) for at in day_before.values()])

    assert only(inside, *names) == (1, 2)
    assert only(outside, *names) == (0, 1)


def test_the_last_instant_of_as_of_counts_and_the_next_day_does_not(spark):
    found = engagement(spark, event("product_view", "2012-03-30T23:59:59"), event("product_view", "2012-03-31T00:00"))

    assert only(found, "last_web_visit_on", "days_since_last_web_visit", "count_product_views") == (AS_OF, 0, 1)


def test_a_cart_is_abandoned_on_a_day_without_an_order(spark):
    found = engagement(
        spark,
        event("add_to_cart", "2012-03-01T23:00"), event("order", "2012-03-02T00:10"),
        event("order", "2012-03-03T09:00"), event("add_to_cart", "2012-03-03T10:00"),
    )  # fmt: skip

    assert only(found, "count_web_carts", "count_abandoned_carts", "last_cart_abandoned_on") == (2, 1, date(2012, 3, 1))


def test_who_never_filled_a_cart_abandoned_none(spark):
    found = engagement(spark, event("page_view", "2012-03-01T23:00"))

    assert only(found, "count_product_views", "count_web_carts", "count_abandoned_carts") == (0, 0, 0)
    assert only(found, "last_cart_abandoned_on") == (None,)


def test_unknown_visitors_and_no_events_make_no_row(spark):
    assert engagement(spark).isEmpty()
    assert engagement(spark, event("login", "2012-03-01T10:00", None)).isEmpty()
    assert engagement(spark, event("login", "2012-04-01T10:00")).isEmpty()


events = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(KINDS),
        st.datetimes(datetime(2011, 12, 20), datetime(2012, 4, 2)),
    ),
    min_size=1,
    max_size=60,
)


@given(rows=events)
def test_a_part_is_never_more_than_the_whole_and_each_customer_stands_alone(spark, rows):
    found = engagement(spark, *rows).collect()
    alone = engagement(spark, *[row for row in rows if row[0] == "a"]).collect()

    for row in found:
        for name in ("web_visits", "product_views", "web_carts", "abandoned_carts"):
            assert row[f"count_{name}_last_30_days"] <= row[f"count_{name}_last_90_days"] <= row[f"count_{name}"]
        assert row.count_abandoned_carts <= row.count_web_carts <= row.count_web_visits
        assert row.first_web_visit_on <= row.last_web_visit_on <= AS_OF
    assert alone == [row for row in found if row.customer_id == "a"]


def test_thousands_of_events_are_counted_as_sql_says_from_the_definitions(spark):
    chance = random.Random(11)
    rows = [
        (
            chance.choice([None, *[f"c{n}" for n in range(300)]]),
            chance.choice(KINDS),
            datetime(2011, 11, 1) + timedelta(seconds=chance.randint(0, 160 * 86_400)),
        )
        for _ in range(9000)
    ]
    counted = {
        "count_web_visits": "count(DISTINCT day) FILTER ({recent})",
        "count_product_views": "count(*) FILTER (event_type = 'product_view' AND {recent})",
        "count_web_carts": "count(DISTINCT day) FILTER (event_type = 'add_to_cart' AND {recent})",
        "count_abandoned_carts": "count(DISTINCT day) FILTER (event_type = 'add_to_cart' AND NOT ordered AND {recent})",
    }
    since = {"": "true", "_last_30_days": "day > DATE '2012-02-29'", "_last_90_days": "day > DATE '2011-12-31'"}
    counts = [
        f"{sql.format(recent=recent)} AS {name}{of}" for name, sql in counted.items() for of, recent in since.items()
    ]
    definition = f"""
        WITH dated AS (
            SELECT *, happened_at::DATE AS day, (customer_id, happened_at::DATE) IN (
                SELECT (customer_id, happened_at::DATE) FROM events
                WHERE event_type = 'order' AND customer_id IS NOT NULL
            ) AS ordered
            FROM events WHERE customer_id IS NOT NULL AND happened_at < TIMESTAMP '2012-03-31'
        )
        SELECT customer_id, DATE '2012-03-30' AS as_of, min(day) AS first_web_visit_on, max(day) AS last_web_visit_on,
            DATE '2012-03-30' - max(day) AS days_since_last_web_visit, {", ".join(counts)},
            max(day) FILTER (event_type = 'add_to_cart' AND NOT ordered) AS last_cart_abandoned_on
        FROM dated GROUP BY customer_id
    """

    found = engagement(spark, *rows)

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("events", spark.createDataFrame(rows, EVENTS).toArrow())
        connection.register("found", found.toArrow())
        names = ", ".join(WEB_ENGAGEMENT.column_names)
        expected = connection.sql(f"SELECT {names} FROM ({definition}) ORDER BY customer_id").fetchall()
        assert len(expected) == 300
        assert connection.sql(f"SELECT {names} FROM found ORDER BY customer_id").fetchall() == expected
