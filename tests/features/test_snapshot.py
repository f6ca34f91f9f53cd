from datetime import timedelta
from decimal import Decimal

import pytest
from chispa import assert_approx_df_equality, assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.catalogue import CATALOGUE
from customerlake.features import (
    consent,
    email,
    habits,
    loyalty,
    product_groups,
    products,
    purchases,
    rhythm,
    satisfaction,
    service,
    web,
)
from customerlake.features.snapshot import FEATURES, SNAPSHOT, snapshot
from tests.features import events
from tests.features.events import (
    AS_OF,
    CONSENTS,
    EMAIL_EVENTS,
    LINES,
    LOYALTY_EVENTS,
    ORDERS,
    SURVEY_ANSWERS,
    TICKETS,
    WEB_EVENTS,
    line,
    order,
)


def known(spark, *orders, as_of=(AS_OF,), **channels):
    return snapshot(spark.createDataFrame(list(orders), ORDERS), as_of=as_of, **channels)


def only(df, *names):
    (row,) = df.select(*names).collect()
    return tuple(row)


def test_a_customer_is_described_by_what_was_known(spark):
    found = known(
        spark,
        order("1", 100, "100", lines=1, units=10, country="Spain", channel="store"),
        order("2", 60, "30", lines=2, units=1),
        order("3", 60, "20", lines=6, units=1),
        order("4", 20, "50", lines=3, units=4),
        order("5", 10, "-40", is_return=True, lines=9, units=-9, country="Eire"),
    )

    features = {
        "days_since_last_order": 20.0,
        "recency": 80.0,
        "T": 100.0,
        "frequency": 2.0,
        "count_orders": 4.0,
        "total_spend": 200.0,
        "average_order_value": 50.0,
        "days_between": 40.0,
        "overdue_ratio": 0.5,
        "orders_last_30_days": 1.0,
        "orders_last_90_days": 3.0,
        "spend_last_90_days": 100.0,
        "spend_share_last_90_days": 0.5,
        "count_returns": 1.0,
        "returned_share": 0.2,
        "mean_basket_lines": 3.0,
        "mean_basket_units": 4.0,
        "orders_change_30_days": 0.0,  # 1, and 3 in the 90 days before
        "orders_change_90_days": 2.0,  # 3, and 1 in the 90 days before
        "spend_change_90_days": 0.0,  # 100, and 100 in the 90 days before
        "spend_slope_180_days": 40 / 7,  # of 0, 0, 100, 50, 0, 50: (-100 + 50 + 5 * 50) / 35
        "sd_days_between": 0.0,
        "last_days_between": 40.0,
        "last_wait_ratio": 1.0,
        "country": "France",
        "channel": "web",
        "online_orders_share": 0.75,
        "weekend_orders_share": 0.5,  # 60 days before was a Sunday
        "evening_orders_share": 0.0,
        "month_sine": 0.5,
        "month_cosine": -0.866025,
        "fourth_quarter_orders_share": 0.0,
    }
    row = ("a", AS_OF, *(features.get(feature.name) for feature in FEATURES))
    assert_approx_df_equality(found, spark.createDataFrame([row], SNAPSHOT.schema), 1e-12, ignore_nullable=True)


def test_the_usual_wait_of_a_customer_with_one_purchase_day_is_its_age(spark):
    found = known(spark, order("1", 50, "10"))

    assert only(found, "frequency", "days_between", "overdue_ratio") == (0.0, 50.0, 1.0)


def test_a_customer_of_today_is_not_overdue(spark):
    assert only(known(spark, order("1", 0, "10")), "T", "days_between", "overdue_ratio") == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("days_before", "in_30", "in_90"), [(0, 1, 1), (29, 1, 1), (30, 0, 1), (89, 0, 1), (90, 0, 0)])
def test_the_last_30_and_90_days_end_with_as_of(spark, days_before, in_30, in_90):
    found = known(spark, order("1", days_before, "10"))

    assert only(found, "orders_last_30_days", "orders_last_90_days", "spend_last_90_days") == (in_30, in_90, in_90 * 10)


def test_two_dates_each_know_their_own_past(spark):
    earlier = AS_OF - timedelta(days=60)

    found = known(spark, order("1", 80, "10"), order("2", 5, "30"), as_of=[AS_OF, earlier])

    spent = {row.as_of: (row["T"], row.total_spend, row.count_orders) for row in found.collect()}
    assert spent == {earlier: (20.0, 10.0, 1.0), AS_OF: (80.0, 40.0, 2.0)}


def test_the_country_is_that_of_the_newest_purchase(spark):
    found = known(
        spark,
        order("2", 9, "1", country="Spain"),
        order("3", 9, "1", country="France"),
        order("1", 20, "1", country="Eire"),
    )

    assert only(found, "country") == ("France",)


@pytest.mark.parametrize(
    "orders",
    [
        [order("1", 5, "-9", is_return=True)],
        [order("1", 5, "0")],
        [order("1", 5, "9", customer=None)],
        [order("1", -1, "9")],
    ],
    ids=["only a return", "only a gift", "anonymous", "only later"],
)
def test_who_bought_nothing_by_the_date_is_absent(spark, orders):
    assert known(spark, *orders).isEmpty()


OF_CHANNELS = {
    "order_lines": (LINES, line("1", 50, "CUP", customer="b"), products),
    "web_events": (WEB_EVENTS, events.web("1", 50, "add_to_cart", customer="b"), web),
    "email_events": (EMAIL_EVENTS, events.email("1", 50, "opened", customer="b"), email),
    "tickets": (TICKETS, events.ticket("1", 50, solved=49, customer="b"), service),
    "survey_answers": (SURVEY_ANSWERS, events.answer("1", 50, "csat", 5, answered=50, customer="b"), satisfaction),
    "loyalty_events": (LOYALTY_EVENTS, events.card("1", 50, "enrolled", customer="b"), loyalty),
    "consents": (CONSENTS, events.consent(50, True, customer="b"), consent),
}
"""What happened to customer b, 50 days before; and the part of the features that tells of it."""


@pytest.mark.parametrize("channel", OF_CHANNELS)
def test_without_an_event_a_customer_has_counts_of_zero_and_nothing_else_of_a_channel(spark, channel):
    schema, event, part = OF_CHANNELS[channel]
    frame = spark.createDataFrame([event], schema)

    found = known(spark, order("1", 90, "10"), order("2", 90, "10", customer="b"), **{channel: frame})

    counts = {feature.name for feature in part.FEATURES if feature.is_count}
    of_a, of_b = ({row.customer_id: row for row in found.collect()}[who] for who in "ab")
    assert {name: of_a[name] for name in counts} == dict.fromkeys(counts, 0.0)
    assert all(of_a[feature.name] is None for feature in part.FEATURES if feature.name not in counts)
    assert any(of_b[feature.name] for feature in part.FEATURES)


@pytest.mark.parametrize("channel", OF_CHANNELS)
def test_before_the_first_event_of_anybody_a_channel_is_not_known(spark, channel):
    schema, event, part = OF_CHANNELS[channel]
    frame, earlier = spark.createDataFrame([event], schema), AS_OF - timedelta(days=51)

    found = known(spark, order("1", 90, "10", customer="b"), as_of=[earlier], **{channel: frame})

    (row,) = found.collect()
    assert [row[feature.name] for feature in part.FEATURES] == [None] * len(part.FEATURES)


@pytest.mark.parametrize("channel", OF_CHANNELS)
def test_a_feed_that_has_sent_nothing_yet_is_not_known(spark, channel):
    schema, event, part = OF_CHANNELS[channel]
    frame = spark.createDataFrame([event], schema).limit(0)

    (row,) = known(spark, order("1", 90, "10"), **{channel: frame}).collect()

    assert [row[feature.name] for feature in part.FEATURES] == [None] * len(part.FEATURES)


def test_a_lake_of_sales_alone_knows_nothing_of_other_channels(spark):
    (row,) = known(spark, order("1", 5, "10")).collect()

    others = (products, product_groups, web, email, service, satisfaction, loyalty, consent)
    assert {row[feature.name] for part in others for feature in part.FEATURES} == {None}
    own = (rhythm, purchases, habits)
    unknown = {feature.name for part in own for feature in part.FEATURES if row[feature.name] is None}
    assert unknown == {"sd_days_between", "last_days_between", "last_wait_ratio"}  # after a single order


def test_who_is_met_in_other_channels_alone_is_no_customer_yet(spark):
    visits = spark.createDataFrame([events.web("1", 5, "login", customer="visitor")], WEB_EVENTS)

    found = known(spark, order("1", 5, "10"), web_events=visits)

    assert [row.customer_id for row in found.collect()] == ["a"]


def test_a_date_that_is_named_twice_is_one(spark):
    assert known(spark, order("1", 5, "10"), as_of=[AS_OF, AS_OF]).count() == 1


def test_every_feature_is_said_once_and_in_words():
    assert len({feature.name for feature in FEATURES}) == len(FEATURES)
    for feature in FEATURES:
        assert feature.words.count("{value}") == feature.words.count("{typical}") == 1, feature.name
        assert feature.doc
        assert feature.source in {table.name for table in CATALOGUE if table.layer == "silver"}, feature.name


def test_a_word_has_no_long_tail_and_is_no_count():
    assert [feature.name for feature in FEATURES if feature.is_category] == ["country", "channel", "loyalty_tier"]
    assert not any(feature.is_category and (feature.is_skewed or feature.is_count) for feature in FEATURES)


def test_no_attribute_of_a_person_is_a_feature():
    words = {word for feature in FEATURES for word in feature.name.split("_")}

    assert not words & {"age", "birth", "sex", "gender", "income", "name", "postcode", "city", "phone"}


def test_a_gift_changes_no_feature(spark):
    mine = order("1", 5, "10")

    assert_df_equality(known(spark, mine, order("2", 2, "0", lines=9, units=9, country="Spain")), known(spark, mine))


drawn = st.tuples(
    st.sampled_from(["a", "b", "c", "d", "e", None]),
    st.integers(0, 120),
    st.integers(-2000, 9000),
    st.integers(1, 9),
    st.sampled_from(["France", "Spain"]),
)


def orders_of(drawn_events, prefix, *, sign=1):
    return [
        order(
            f"{prefix}{number:02}", sign * days, Decimal(pence) / 100,
            customer=who, is_return=pence < 0, lines=lines, units=lines, country=country,
        )
        for number, (who, days, pence, lines, country) in enumerate(drawn_events)
    ]  # fmt: skip


past_orders = st.lists(drawn, min_size=1, max_size=30).map(lambda some: orders_of(some, "past"))
future_orders = st.lists(drawn.map(lambda event: (event[0], event[1] + 1, *event[2:])), max_size=15).map(
    lambda some: orders_of(some, "future", sign=-1)
)


@given(past=past_orders, future=future_orders, other_future=future_orders)
def test_no_event_after_the_date_changes_a_feature_whether_added_moved_or_deleted(spark, past, future, other_future):
    known_with_nothing_after = known(spark, *past)

    assert_df_equality(known(spark, *past, *future), known_with_nothing_after, ignore_row_order=True)
    assert_df_equality(known(spark, *other_future, *past), known_with_nothing_after, ignore_row_order=True)


@given(orders=past_orders)
def test_a_snapshot_of_a_past_date_is_what_was_known_on_that_day(spark, orders):
    """Taken later, from all orders, or taken on the day, from the orders there were: the same rows."""
    then = AS_OF - timedelta(days=60)
    on_the_day = [row for row in orders if row[3] <= then]

    taken_later = known(spark, *orders, as_of=[then, AS_OF]).where(f"as_of = DATE'{then}'")

    assert_df_equality(taken_later, known(spark, *on_the_day, as_of=[then]), ignore_row_order=True)


@given(past=past_orders, future=future_orders)
def test_features_keep_their_bounds(spark, past, future):
    for row in known(spark, *past, *future).collect():
        assert 0 <= row.recency <= row["T"] == row.recency + row.days_since_last_order
        assert 0 <= row.frequency < row.count_orders
        assert 0 <= row.orders_last_30_days <= row.orders_last_90_days <= row.count_orders
        assert 0 <= row.spend_share_last_90_days <= 1
        assert row.returned_share >= 0
        assert row.overdue_ratio >= 0
