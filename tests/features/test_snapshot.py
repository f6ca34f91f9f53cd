from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from chispa import assert_approx_df_equality, assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.features.snapshot import FEATURES, SNAPSHOT, snapshot

ORDERS = (
    "order_id string, customer_id string, ordered_at timestamp, ordered_on date, is_return boolean, "
    "amount decimal(18,4), count_lines long, count_units long, country string"
)
AS_OF = date(2011, 6, 30)


def order(order_id, days_before, amount, *, customer="a", is_return=False, lines=1, units=1, country="France"):
    """An order made that many days before AS_OF, at noon; after it, when the number is negative."""
    day = AS_OF - timedelta(days=days_before)
    moment = datetime(day.year, day.month, day.day, 12)
    return (order_id, customer, moment, day, is_return, Decimal(amount), lines, units, country)


def known(spark, *orders, as_of=(AS_OF,)):
    return snapshot(spark.createDataFrame(list(orders), ORDERS), as_of=as_of)


def only(df, *names):
    (row,) = df.select(*names).collect()
    return tuple(row)


def test_a_customer_is_described_by_what_was_known(spark):
    found = known(
        spark,
        order("1", 100, "100", lines=1, units=10, country="Spain"),
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
    }
    row = ("a", AS_OF, "France", *(features[feature.name] for feature in FEATURES))
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


def orders_of(events, prefix, *, sign=1):
    return [
        order(
            f"{prefix}{number:02}", sign * days, Decimal(pence) / 100,
            customer=who, is_return=pence < 0, lines=lines, units=lines, country=country,
        )
        for number, (who, days, pence, lines, country) in enumerate(events)
    ]  # fmt: skip


past_orders = st.lists(drawn, min_size=1, max_size=30).map(lambda events: orders_of(events, "past"))
future_orders = st.lists(drawn.map(lambda event: (event[0], event[1] + 1, *event[2:])), max_size=15).map(
    lambda events: orders_of(events, "future", sign=-1)
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
