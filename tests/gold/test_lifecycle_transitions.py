from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import duckdb
import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.gold.lifecycle import Rhythm, lifecycle
from customerlake.gold.lifecycle_transitions import LIFECYCLE_TRANSITIONS, lifecycle_transitions
from customerlake.silver.orders import ORDERS

LIFECYCLE = "customer_id string, month date, as_of date, stage string, previous_stage string"
JAN, FEB = date(2011, 1, 1), date(2011, 2, 1)
AS_OF = date(2011, 2, 28)


def stood(customer, month, stage, previous=None, *, as_of=AS_OF):
    return (customer, month, as_of, stage, previous)


def transitions(spark, *rows, as_of=AS_OF):
    return lifecycle_transitions(spark.createDataFrame(rows, LIFECYCLE), as_of=as_of)


def test_customers_are_counted_by_where_they_came_from_and_went(spark):
    found = transitions(
        spark,
        *[stood(customer, JAN, "new") for customer in "abc"],
        stood("d", JAN, "prospect"),
        stood("a", FEB, "new", "new"),
        stood("b", FEB, "active", "new"),
        stood("c", FEB, "active", "new"),
        stood("d", FEB, "prospect", "prospect"),
        stood("e", FEB, "new"),
    )

    rows = [
        ("newcomer", "new", JAN, AS_OF, True, 3, 0.75),
        ("newcomer", "prospect", JAN, AS_OF, True, 1, 0.25),
        ("new", "new", FEB, AS_OF, True, 1, 1 / 3),
        ("new", "active", FEB, AS_OF, True, 2, 2 / 3),
        ("prospect", "prospect", FEB, AS_OF, True, 1, 1.0),
        ("newcomer", "new", FEB, AS_OF, True, 1, 1.0),
    ]
    expected = spark.createDataFrame(rows, LIFECYCLE_TRANSITIONS.schema)
    assert_df_equality(found, expected, ignore_nullable=True, ignore_row_order=True)


def test_only_rows_of_as_of_count(spark):
    found = transitions(spark, stood("a", FEB, "new"), stood("b", FEB, "new", as_of=date(2011, 2, 27)))

    assert [row.count_customers for row in found.collect()] == [1]


@pytest.mark.parametrize(("as_of", "is_whole"), [(date(2012, 2, 28), False), (date(2012, 2, 29), True)])
def test_a_month_is_whole_when_its_last_day_is_over(spark, as_of, is_whole):
    found = transitions(spark, stood("a", date(2012, 2, 1), "new", as_of=as_of), as_of=as_of)

    assert [row.is_whole_month for row in found.collect()] == [is_whole]


def test_nothing_in_gives_nothing(spark):
    assert transitions(spark).isEmpty()


def stages_of(orders, as_of):
    return lifecycle(orders, rhythm=Rhythm(usual_days=20.0, variation=1.0), as_of=as_of)


days_of_2011 = st.integers(0, 364).map(lambda days: JAN + timedelta(days))


@given(orders=st.lists(st.tuples(st.sampled_from("abcdefghij"), days_of_2011), max_size=60), as_of=days_of_2011)
def test_all_who_stood_at_the_end_of_a_month_are_found_again_in_the_next(spark, orders, as_of):
    bought = spark.createDataFrame(
        [(customer, on, False, Decimal(5)) for customer, on in orders],
        "customer_id string, ordered_on date, is_return boolean, amount decimal(18,4)",
    )

    arrived, left, shares = Counter(), Counter(), Counter()
    for row in lifecycle_transitions(stages_of(bought, as_of), as_of=as_of).collect():
        arrived[row.month.month, row.to_stage] += row.count_customers
        left[row.month.month - 1, row.from_stage] += row.count_customers
        shares[row.month, row.from_stage] += row.share

    assert {key: n for key, n in arrived.items() if key[0] < as_of.month} == {
        key: n for key, n in left.items() if key[1] != "newcomer"
    }
    known = {customer for customer, on in orders if on <= as_of}
    assert sum(n for (month, _), n in arrived.items() if month == as_of.month) == len(known)
    assert all(share == pytest.approx(1, rel=1e-12) for share in shares.values())


@pytest.mark.full_data
def test_real_transitions_are_what_a_join_of_each_month_with_the_next_says(real_lake):
    as_of = date(2011, 12, 9)
    stages = stages_of(real_lake.lake.read(ORDERS), as_of).toArrow()

    lake = real_lake.spark.createDataFrame(stages)
    found = lifecycle_transitions(lake, as_of=as_of).toArrow()

    connection = duckdb.connect()
    connection.register("found", found)
    connection.register("stages", stages)
    expected = connection.sql(f"""
        WITH pairs AS (
            SELECT coalesce(before.stage, 'newcomer') AS from_stage, now.stage AS to_stage, now.month,
                count(*) AS customers
            FROM stages AS now LEFT JOIN stages AS before
                ON before.customer_id = now.customer_id AND before.month = now.month - INTERVAL 1 MONTH
            GROUP BY ALL
        ), starts AS (
            SELECT from_stage, month, sum(customers) AS customers FROM pairs GROUP BY ALL
        )
        SELECT from_stage, to_stage, month, DATE '{as_of}' AS as_of, month < DATE '2011-12-01' AS is_whole_month,
            pairs.customers AS count_customers, pairs.customers / starts.customers AS share
        FROM pairs JOIN starts USING (from_stage, month)
    """)
    assert len(expected) > 150
    assert connection.sql("FROM expected EXCEPT ALL FROM found").fetchall() == []
    assert connection.sql("FROM found EXCEPT ALL FROM expected").fetchall() == []
