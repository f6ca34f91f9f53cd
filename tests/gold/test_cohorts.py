from datetime import date
from decimal import Decimal

import duckdb
import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.gold.cohorts import COHORTS, cohorts
from customerlake.silver.orders import ORDERS as SILVER_ORDERS

ORDERS = "customer_id string, ordered_on date, is_return boolean, amount decimal(18,4)"
AS_OF = date(2011, 3, 30)


def order(customer, month, day, amount, *, is_return=False, year=2011):
    return (customer, date(year, month, day), is_return, Decimal(amount))


def triangle(spark, *orders, as_of=AS_OF):
    return cohorts(spark.createDataFrame(orders, ORDERS), as_of=as_of)


def cells(df, *names):
    return {(row.cohort_month.month, row.months_since): tuple(row[name] for name in names) for row in df.collect()}


def test_each_cohort_is_followed_month_by_month(spark):
    found = triangle(
        spark,
        order("a", 1, 5, "10"), order("a", 1, 31, "20"), order("b", 1, 6, "20"), order("c", 1, 6, "0.01"),
        order("a", 3, 1, "70"), order("b", 3, 2, "-5", is_return=True),
        order("d", 2, 28, "8"),
    )  # fmt: skip

    def cell(cohort, since, is_whole, customers, active, share, orders, *money):
        months = date(2011, cohort, 1), since, AS_OF, date(2011, cohort + since, 1)
        return (*months, is_whole, customers, active, share, orders, *map(Decimal, money))

    rows = [  # revenue, returned, net, cumulative, per customer
        cell(1, 0, True, 3, 3, 1.0, 4, "50.01", "0", "50.01", "50.01", "16.67"),
        cell(1, 1, True, 3, 0, 0.0, 0, "0", "0", "0", "50.01", "16.67"),
        cell(1, 2, False, 3, 1, 1 / 3, 1, "70", "5", "65", "115.01", "38.34"),
        cell(2, 0, True, 1, 1, 1.0, 1, "8", "0", "8", "8", "8"),
        cell(2, 1, False, 1, 0, 0.0, 0, "0", "0", "0", "8", "8"),
    ]
    assert_df_equality(found, spark.createDataFrame(rows, COHORTS.schema), ignore_nullable=True, ignore_row_order=True)


def test_months_in_which_nobody_bought_are_zeros_up_to_as_of_over_the_turn_of_the_year(spark):
    found = triangle(spark, order("a", 11, 30, "10"), as_of=date(2012, 2, 1))

    assert cells(found, "month", "active_customers", "revenue") == {
        (11, 0): (date(2011, 11, 1), 1, Decimal(10)),
        (11, 1): (date(2011, 12, 1), 0, Decimal(0)),
        (11, 2): (date(2012, 1, 1), 0, Decimal(0)),
        (11, 3): (date(2012, 2, 1), 0, Decimal(0)),
    }


def test_a_month_with_returns_alone_has_no_active_customer(spark):
    found = triangle(spark, order("a", 2, 1, "10"), order("a", 3, 1, "-12", is_return=True))

    names = ("active_customers", "count_orders", "net_revenue", "cumulative_net_revenue_per_customer")
    assert cells(found, *names)[2, 1] == (0, 0, Decimal(-12), Decimal(-2))


def test_what_was_returned_before_the_first_purchase_counts_in_month_0(spark):
    found = triangle(spark, order("a", 1, 1, "-4", is_return=True), order("a", 3, 1, "10"))

    assert cells(found, "revenue", "returned_amount", "count_customers") == {(3, 0): (Decimal(10), Decimal(4), 1)}


@pytest.mark.parametrize(("as_of", "is_whole"), [(date(2012, 2, 28), False), (date(2012, 2, 29), True)])
def test_a_month_is_whole_when_its_last_day_is_over(spark, as_of, is_whole):
    found = triangle(spark, order("a", 2, 1, "1", year=2012), as_of=as_of)

    assert cells(found, "is_whole_month") == {(2, 0): (is_whole,)}


@pytest.mark.parametrize(
    "other",
    [
        order("a", 3, 31, "5"),
        order("a", 3, 31, "-5", is_return=True),
        order("a", 2, 1, "0"),
        order(None, 3, 1, "5"),
        order("b", 3, 1, "-5", is_return=True),
    ],
    ids=["later order", "later return", "gift", "anonymous", "somebody who only returned"],
)
def test_what_is_no_cohorts_by_as_of_does_not_count(spark, other):
    mine = order("a", 3, 30, "10")

    assert_df_equality(triangle(spark, mine, other), triangle(spark, mine))


def test_nothing_in_gives_nothing(spark):
    assert triangle(spark).isEmpty()


drawn_orders = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 6), st.integers(1, 28), st.integers(-300, 900)), max_size=60
).map(lambda drawn: [order(who, month, day, Decimal(p) / 100, is_return=p < -100) for who, month, day, p in drawn])


@given(orders=drawn_orders, shuffle=st.randoms())
def test_a_triangle_is_complete_and_adds_up_in_any_order_of_rows(spark, orders, shuffle):
    shuffled = list(orders)
    shuffle.shuffle(shuffled)
    as_of = date(2011, 5, 15)

    found = triangle(spark, *orders, as_of=as_of)

    assert_df_equality(triangle(spark, *shuffled, as_of=as_of), found, ignore_row_order=True)
    rows = found.collect()
    bought = [o for o in orders if not o[2] and o[3] > 0 and o[1] <= as_of]
    buyers = {o[0] for o in bought}
    returned = [o for o in orders if o[2] and o[1] <= as_of and o[0] in buyers]
    assert sum(row.net_revenue for row in rows) == sum(o[3] for o in [*bought, *returned])
    assert sum(row.count_orders for row in rows) == len(bought)
    assert sum(row.count_customers for row in rows if row.months_since == 0) == len(buyers)
    starts = {row.cohort_month.month for row in rows}
    assert sorted((row.cohort_month.month, row.months_since) for row in rows) == [
        (start, since) for start in sorted(starts) for since in range(5 - start + 1)
    ]
    assert all(row.active_customers <= min(row.count_customers, row.count_orders) for row in rows)
    assert all(row.retention_share == 1 for row in rows if row.months_since == 0)


@pytest.mark.full_data
@pytest.mark.parametrize("as_of", [date(2011, 12, 9), date(2011, 6, 14)], ids=["last day", "in the middle"])
def test_real_cohorts_are_what_sql_from_the_definition_says(real_lake, as_of):
    orders = real_lake.lake.read(SILVER_ORDERS)

    found = cohorts(orders, as_of=as_of).toArrow()

    connection = duckdb.connect()
    connection.register("found", found)
    connection.register("orders", orders.toArrow())
    expected = connection.sql(f"""
        WITH dated AS (
            SELECT *, date_trunc('month', ordered_on)::DATE AS month, NOT is_return AND amount > 0 AS is_bought
            FROM orders WHERE ordered_on <= DATE '{as_of}'
        ), people AS (
            SELECT customer_id, min(month) AS cohort_month FROM dated
            WHERE is_bought AND customer_id IS NOT NULL GROUP BY customer_id
        ), sizes AS (
            SELECT cohort_month, count(*) AS customers FROM people GROUP BY cohort_month
        ), grid AS (
            SELECT cohort_month, customers, unnest(generate_series(
                cohort_month, DATE '{as_of}', INTERVAL 1 MONTH))::DATE AS month
            FROM sizes
        ), happened AS (
            SELECT people.*, greatest(month, cohort_month) AS month, is_bought, is_return, amount
            FROM people JOIN dated USING (customer_id)
        )
        SELECT grid.cohort_month, date_diff('month', grid.cohort_month, grid.month)::INT AS months_since,
            DATE '{as_of}' AS as_of, grid.month, last_day(grid.month) <= DATE '{as_of}' AS is_whole_month,
            any_value(customers) AS count_customers,
            count(DISTINCT customer_id) FILTER (is_bought) AS active_customers,
            count(DISTINCT customer_id) FILTER (is_bought) / any_value(customers) AS retention_share,
            count(*) FILTER (is_bought) AS count_orders,
            coalesce(sum(amount) FILTER (is_bought), 0) AS revenue,
            coalesce(-sum(amount) FILTER (is_return), 0) AS returned_amount,
            coalesce(sum(amount) FILTER (is_bought OR is_return), 0) AS net_revenue
        FROM grid LEFT JOIN happened USING (cohort_month, month)
        GROUP BY grid.cohort_month, grid.month
    """)
    exact = "SELECT * EXCLUDE (cumulative_net_revenue, cumulative_net_revenue_per_customer) FROM found"
    assert len(expected) == as_of.month * (as_of.month + 1) // 2 + as_of.month + 1  # of December 2010 one more
    assert connection.sql(f"FROM expected EXCEPT ALL {exact}").fetchall() == []
    assert connection.sql(f"{exact} EXCEPT ALL FROM expected").fetchall() == []
    wrong = connection.sql("""
        SELECT now.* FROM found AS now JOIN (
            SELECT late.cohort_month, late.months_since, sum(early.net_revenue) AS so_far,
                sum(early.net_revenue) / any_value(late.count_customers) AS by_customer
            FROM expected AS late JOIN expected AS early
                ON early.cohort_month = late.cohort_month AND early.months_since <= late.months_since
            GROUP BY ALL
        ) USING (cohort_month, months_since)
        WHERE cumulative_net_revenue IS DISTINCT FROM so_far
            OR abs(cumulative_net_revenue_per_customer::DOUBLE - by_customer::DOUBLE) > 0.005 + 1e-9
    """)
    assert wrong.fetchall() == []
