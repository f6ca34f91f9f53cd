import math
import random
from datetime import date, timedelta
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.errors import ConfigError
from customerlake.gold.before_after import BEFORE_AFTER, before_after, control_groups

KPIS = (
    "period string, starts_on date, as_of date, count_orders long, revenue decimal(18,4), "
    "returned_amount decimal(18,4), net_revenue decimal(18,4), active_customers long, new_customers long, "
    "survey_answers long, tickets_opened long, tickets_solved long"
)
ORDERS = "customer_id string, ordered_on date, is_return boolean, amount decimal(18,4)"
GROUPS = "name string, customer_id string, `group` string"
AS_OF = date(2011, 12, 31)
SALE = ("sale", date(2011, 6, 10), 2)


def day(on, revenue, orders=1, *, period="day", as_of=AS_OF, tickets=None):
    amount = Decimal(revenue)
    return (period, on, as_of, orders, amount, Decimal(0), amount, orders, 0, None, tickets, tickets)


def june(number, revenue, orders=1, *, year=2011, **others):
    return day(date(year, 6, number), revenue, orders, **others)


def order(customer, number, amount, *, is_return=False):
    return (customer, date(2011, 6, number), is_return, Decimal(amount))


def compared(spark, days, dates=(SALE,), *, orders=None, groups=None, as_of=AS_OF, **settings):
    return before_after(
        spark.createDataFrame(list(days), KPIS),
        list(dates),
        None if orders is None else spark.createDataFrame(orders, ORDERS),
        None if groups is None else spark.createDataFrame(groups, GROUPS),
        as_of=as_of,
        **settings,
    )


def of(df, metric, *names):
    (row,) = df.where(f"metric = '{metric}'").select(*names).collect()
    return tuple(row)


TWO_DAYS_EACH = (june(1, "0"), june(8, "10", 1), june(9, "30", 3), june(10, "50", 2), june(11, "70", 2))
CHANGE = ("before", "after", "difference", "relative_difference")


def test_the_days_before_are_compared_with_those_from_the_date_on(spark):
    around = (june(7, "1000"), *TWO_DAYS_EACH, june(12, "1000"))

    found = compared(spark, around)

    assert of(found, "revenue", *CHANGE) == (20.0, 60.0, 40.0, 2.0)
    assert of(found, "count_orders", *CHANGE) == (2.0, 2.0, 0.0, 0.0)
    assert of(found, "revenue", "name", "happened_on", "window_days", "as_of") == (*SALE, AS_OF)


def test_the_average_order_is_that_of_the_windows_orders_not_of_its_days(spark):
    assert of(compared(spark, TWO_DAYS_EACH), "average_order_value", *CHANGE) == (10.0, 30.0, 20.0, 2.0)


def test_a_day_without_a_row_counts_as_zero(spark):
    found = compared(spark, [june(1, "5"), june(9, "30"), june(10, "50")])

    assert of(found, "revenue", *CHANGE) == (15.0, 25.0, 10.0, 10 / 15)


def test_a_window_without_sales_has_no_average_order_and_no_relative_difference(spark):
    found = compared(spark, [june(1, "5"), june(10, "50")])

    assert of(found, "revenue", *CHANGE) == (0.0, 25.0, 25.0, None)
    assert of(found, "average_order_value", *CHANGE) == (None, 50.0, None, None)


def test_a_window_that_the_data_does_not_reach_is_unknown(spark):
    found = compared(spark, [june(9, "30"), june(10, "50")])

    assert of(found, "revenue", *CHANGE) == (None, 25.0, None, None)


def test_the_year_before_shows_what_the_season_explains(spark):
    year_before = [day(on - timedelta(days=364), revenue) for _, on, _, _, revenue, *_ in TWO_DAYS_EACH[1:]]
    halved = [(*row[:4], row[4] / 2, *row[5:]) for row in year_before]
    doubled_then = [*halved[:2], *[(*row[:4], row[4] / 2, *row[5:]) for row in halved[2:]]]  # 5, 15; 12.5, 17.5

    found = compared(spark, [*doubled_then, *TWO_DAYS_EACH])

    assert of(found, "revenue", "before_year_ago", "after_year_ago", "seasonal_difference") == (10.0, 15.0, 5.0)
    assert of(found, "revenue", "adjusted_difference", "adjusted_relative_difference") == (35.0, 1.0)  # 20 * 1.5 = 30


def test_without_a_year_of_data_nothing_is_said_of_the_season(spark):
    names = ("before_year_ago", "after_year_ago", "seasonal_difference", "adjusted_difference")
    found = compared(spark, TWO_DAYS_EACH)

    assert of(found, "revenue", *names, "adjusted_relative_difference") == (None,) * 5


def test_a_feed_that_the_lake_lacks_has_no_row(spark):
    with_tickets = [june(1, "0", tickets=0), june(9, "1", tickets=4), june(10, "1", tickets=6)]

    metrics = {row.metric for row in compared(spark, with_tickets).collect()}

    assert metrics == {
        "count_orders", "revenue", "returned_amount", "net_revenue", "active_customers", "new_customers",
        "tickets_opened", "tickets_solved", "average_order_value",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("began", "before"), [(date(2011, 6, 8), 2.0), (date(2011, 6, 9), None), (date(2011, 6, 10), None)]
)
def test_a_window_that_begins_before_its_feed_is_unknown(spark, began, before):
    """Tickets of the days before they were kept stand as zeros in gold.kpis: 0, 0, 4 on the 9th, 6 and 2 after."""
    days = [june(1, "0", tickets=0), june(8, "1", tickets=0), june(9, "1", tickets=4), june(10, "3", tickets=6),
            june(11, "3", tickets=2)]  # fmt: skip

    found = compared(spark, days, first_days={"tickets": began})

    change = None if before is None else 2.0
    assert of(found, "tickets_opened", "before", "after", "difference") == (before, 4.0, change)
    assert of(found, "tickets_solved", "before", "after") == (before, 4.0)
    assert of(found, "revenue", "before", "after") == (1.0, 3.0)


def test_a_feed_that_began_after_the_window_or_not_at_all_says_nothing_of_it(spark):
    days = [june(number, "1", tickets=0) for number in (1, 8, 9, 10, 11)]

    for began in (date(2011, 6, 11), None):
        found = compared(spark, days, first_days={"tickets": began, "survey_answers": None})
        assert of(found, "tickets_opened", *CHANGE) == (None, None, None, None)


def test_sales_that_began_after_tickets_are_unknown_before(spark):
    days = [june(1, "0", 0, tickets=3), june(8, "0", 0, tickets=3), june(9, "30"), june(10, "50"), june(11, "70")]

    found = compared(spark, days, first_days={"orders": date(2011, 6, 9), "tickets": date(2011, 6, 1)})

    assert of(found, "revenue", "before", "after") == (None, 60.0)
    assert of(found, "average_order_value", "before", "after") == (None, 60.0)
    assert of(found, "tickets_opened", "before") == (1.5,)


@pytest.mark.parametrize(("as_of", "rows"), [(date(2011, 6, 10), 0), (date(2011, 6, 11), 1)])
def test_a_date_is_compared_once_its_window_is_over(spark, as_of, rows):
    days = [(*row[:2], as_of, *row[3:]) for row in TWO_DAYS_EACH]

    assert compared(spark, days, as_of=as_of).where("metric = 'revenue'").count() == rows


def test_weeks_months_and_other_as_of_dates_do_not_count(spark):
    others = (june(9, "999", period="week"), june(9, "999", as_of=date(2011, 11, 30)))

    assert of(compared(spark, (*TWO_DAYS_EACH, *others)), "revenue", "before") == (20.0,)


def test_several_dates_are_compared_each_by_its_own_window(spark):
    found = compared(spark, TWO_DAYS_EACH, [SALE, ("price", date(2011, 6, 11), 1)])

    revenue = {row.name: (row.before, row.after) for row in found.where("metric = 'revenue'").collect()}
    assert revenue == {"sale": (20.0, 60.0), "price": (50.0, 70.0)}


def test_no_date_and_no_day_make_no_row(spark):
    assert compared(spark, TWO_DAYS_EACH, []).isEmpty()
    assert compared(spark, []).isEmpty()


@pytest.mark.parametrize("dates", [[SALE, SALE], [("none", date(2011, 6, 10), 0)]])
def test_names_given_twice_and_empty_windows_are_refused(spark, dates):
    with pytest.raises(ConfigError, match="cannot be used"):
        compared(spark, TWO_DAYS_EACH, dates)


EFFECT = (
    *("treated_customers", "control_customers", "treated_difference", "control_difference"),
    *("difference_in_differences", "standard_error", "ci_low", "ci_high"),
)
MEMBERS = [("sale", customer, "treated" if customer in "abc" else "control") for customer in "abcde"]


def test_the_change_of_the_treated_is_compared_with_that_of_the_control_group(spark):
    orders = [
        order("a", 8, "10"), order("a", 10, "40"),  # 30 more
        order("b", 11, "10"), order("b", 11, "8"),  # 18 more
        order("d", 9, "4"), order("e", 10, "8"),  # 4 less; 8 more; c bought nothing
    ]  # fmt: skip

    found = compared(spark, TWO_DAYS_EACH, orders=orders, groups=MEMBERS)

    # treated: 30, 18, 0, mean 16, variance (196 + 4 + 256) / 2 = 228; control: -4, 8, mean 2, variance 72
    error = math.sqrt(228 / 3 + 72 / 2) / 2  # of a day, of the two of the window
    expected = (3, 2, 8.0, 1.0, 7.0, error, 7 - 1.959963984540054 * error, 7 + 1.959963984540054 * error)
    assert of(found, "revenue", *EFFECT) == pytest.approx(expected, rel=1e-12)
    # treated: 0, 2, 0, mean 2/3, variance 4/3; control: -1, 1, mean 0, variance 2
    assert of(found, "count_orders", *EFFECT[:6]) == pytest.approx(
        (3, 2, 1 / 3, 0, 1 / 3, math.sqrt(13) / 6), rel=1e-12
    )
    assert of(found, "net_revenue", *EFFECT) == (None,) * 8


@pytest.mark.parametrize(
    "other",
    [
        order("a", 7, "99"), order("a", 12, "99"), order("a", 10, "-99", is_return=True), order("a", 10, "0"),
        order("z", 10, "99"), order(None, 10, "99"),
    ],
    ids=["before the windows", "after them", "return", "gift", "in no group", "anonymous"],
)  # fmt: skip
def test_what_is_no_purchase_of_a_member_in_a_window_does_not_count(spark, other):
    found = compared(spark, TWO_DAYS_EACH, orders=[order("a", 10, "6"), other], groups=MEMBERS)

    assert of(found, "revenue", "treated_difference", "control_difference") == (1.0, 0.0)
    assert of(found, "count_orders", "treated_difference") == pytest.approx((1 / 6,))


def test_one_customer_in_a_group_has_no_error_and_an_empty_group_no_effect(spark):
    one = compared(spark, TWO_DAYS_EACH, orders=[order("a", 10, "6")], groups=[MEMBERS[0], *MEMBERS[3:]])
    none = compared(spark, TWO_DAYS_EACH, orders=[order("a", 10, "6")], groups=[MEMBERS[0], ("sale", "x", "other")])

    assert of(one, "revenue", *EFFECT) == (1, 2, 3.0, 0.0, 3.0, None, None, None)
    assert of(none, "revenue", *EFFECT) == (1, 0, 3.0, None, None, None, None, None)


def test_a_date_without_groups_has_no_effect(spark):
    other = [("price", customer, group) for _, customer, group in MEMBERS]

    found = compared(spark, TWO_DAYS_EACH, orders=[order("a", 10, "6")], groups=other)

    assert of(found, "revenue", "after", *EFFECT) == (60.0, *(None,) * 8)


amounts = st.decimals("0.0001", "99999.9999", places=4)
bought = st.tuples(st.sampled_from("abcde"), st.integers(6, 13), amounts)


@given(rows=st.lists(bought, min_size=1, max_size=30), seed=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_show(spark, rows, seed):
    orders, members = [order(*row) for row in rows], list(MEMBERS)
    days = [june(number, str(amount)) for _, number, amount in rows]

    found = compared(spark, days, orders=orders, groups=members).orderBy("metric").collect()
    for shuffled in (orders, members, days):
        seed.shuffle(shuffled)
    again = compared(spark, days, orders=orders, groups=members).orderBy("metric").collect()

    assert found == again
    assert all(row.ci_low <= row.difference_in_differences <= row.ci_high for row in found if row.ci_low is not None)


BY_DEFINITION = """
    WITH dates AS (FROM (VALUES ('spring', DATE '2011-03-08', 14), ('summer', DATE '2011-07-12', 28),
        ('winter', DATE '2011-12-01', 5), ('first', DATE '2010-02-03', 7)) AS d(name, happened_on, window_days)
    ), metrics AS (
        UNPIVOT (SELECT starts_on, count_orders::DOUBLE AS count_orders, revenue::DOUBLE AS revenue,
            returned_amount::DOUBLE AS returned_amount, net_revenue::DOUBLE AS net_revenue,
            active_customers::DOUBLE AS active_customers, new_customers::DOUBLE AS new_customers,
            tickets_opened::DOUBLE AS tickets_opened, tickets_solved::DOUBLE AS tickets_solved FROM kpis
        ) ON COLUMNS(* EXCLUDE starts_on) INTO NAME metric VALUE amount
    ), windows AS (
        SELECT dates.*, label, (happened_on + shift)::DATE AS start, (happened_on + shift + window_days)::DATE AS stop
        FROM dates, LATERAL (VALUES ('before', -window_days), ('after', 0), ('before_year_ago', -window_days - 364),
            ('after_year_ago', -364)) AS w(label, shift)
    ), sums AS (
        SELECT name, label, metric, any_value(window_days) AS days,
            sum(amount) FILTER (starts_on >= start AND starts_on < stop) AS total,
            min(starts_on) <= any_value(start) AS known
        FROM windows, metrics GROUP BY ALL
    ), means AS (
        SELECT name, label, metric, CASE WHEN known THEN coalesce(total, 0) / days END AS mean FROM sums
        UNION ALL
        SELECT name, label, 'average_order_value', CASE WHEN r.known THEN r.total / nullif(o.total, 0) END
        FROM sums AS r JOIN sums AS o USING (name, label) WHERE r.metric = 'revenue' AND o.metric = 'count_orders'
    ), wide AS (PIVOT means ON label IN ('before', 'after', 'before_year_ago', 'after_year_ago') USING any_value(mean)
    ), customers AS (
        SELECT d.name, d.window_days, g."group", g.customer_id,
            coalesce(sum(amount) FILTER (ordered_on >= happened_on AND ordered_on < happened_on + window_days), 0)
                - coalesce(sum(amount) FILTER (ordered_on < happened_on AND ordered_on >= happened_on - window_days), 0)
                AS revenue,
            count(*) FILTER (ordered_on >= happened_on AND ordered_on < happened_on + window_days)
                - count(*) FILTER (ordered_on < happened_on AND ordered_on >= happened_on - window_days) AS count_orders
        FROM dates AS d JOIN groups AS g USING (name)
        LEFT JOIN (FROM orders WHERE NOT is_return AND amount > 0) AS o USING (customer_id)
        GROUP BY ALL
    ), changes AS (
        UNPIVOT (SELECT name, "group", revenue::DOUBLE / window_days AS revenue,
            count_orders::DOUBLE / window_days AS count_orders FROM customers
        ) ON revenue, count_orders INTO NAME metric VALUE change
    ), effects AS (
        SELECT name, metric, count(*) FILTER (g = 'treated') AS treated_customers,
            count(*) FILTER (g = 'control') AS control_customers,
            avg(change) FILTER (g = 'treated') AS treated_difference,
            avg(change) FILTER (g = 'control') AS control_difference,
            treated_difference - control_difference AS difference_in_differences,
            sqrt(var_samp(change) FILTER (g = 'treated') / treated_customers
                + var_samp(change) FILTER (g = 'control') / control_customers) AS standard_error
        FROM (SELECT *, "group" AS g FROM changes) GROUP BY name, metric
    )
    SELECT name, metric, DATE '2011-12-31' AS as_of, happened_on, window_days, before, after,
        after - before AS difference, (after - before) / nullif(before, 0) AS relative_difference,
        before_year_ago, after_year_ago, after_year_ago - before_year_ago AS seasonal_difference,
        after - before - after_year_ago + before_year_ago AS adjusted_difference,
        (after / nullif(before, 0)) / nullif(after_year_ago / nullif(before_year_ago, 0), 0) - 1
            AS adjusted_relative_difference,
        treated_customers, control_customers, treated_difference, control_difference, difference_in_differences,
        standard_error, difference_in_differences - 1.959963984540054 * standard_error AS ci_low,
        difference_in_differences + 1.959963984540054 * standard_error AS ci_high
    FROM wide JOIN dates USING (name) LEFT JOIN effects USING (name, metric) ORDER BY name, metric
"""


def test_two_years_of_sales_are_compared_as_sql_says_from_the_definitions(spark):
    chance = random.Random(3)
    first = date(2010, 2, 1)
    days = [
        day(first + timedelta(days=n), f"{chance.uniform(0, 900):.4f}", chance.randint(0, 9),
            tickets=chance.randint(0, 4))
        for n in range(698) if chance.random() < 0.9 or n == 0
    ]  # fmt: skip
    customers = [f"c{n}" for n in range(400)]
    orders = [
        (chance.choice(customers), first + timedelta(days=chance.randint(0, 697)), chance.random() < 0.05,
         Decimal(f"{chance.uniform(0, 300):.4f}"))
        for _ in range(6000)
    ]  # fmt: skip
    groups = [
        (name, customer, "control" if chance.random() < 0.2 else "treated")
        for name in ("spring", "summer") for customer in customers if chance.random() < 0.7
    ]  # fmt: skip
    dates = [
        ("spring", date(2011, 3, 8), 14), ("summer", date(2011, 7, 12), 28), ("winter", date(2011, 12, 1), 5),
        ("first", date(2010, 2, 3), 7), ("not over", date(2011, 12, 31), 2),
    ]  # fmt: skip

    found = compared(spark, days, dates, orders=orders, groups=groups)

    with duckdb.connect() as connection:
        connection.register("kpis", spark.createDataFrame(days, KPIS).toArrow())
        connection.register("orders", spark.createDataFrame(orders, ORDERS).toArrow())
        connection.register("groups", spark.createDataFrame(groups, GROUPS).toArrow())
        connection.register("found", found.toArrow())
        names = ", ".join(BEFORE_AFTER.column_names)
        expected = connection.sql(f"SELECT {names} FROM ({BY_DEFINITION})").fetchall()
        rows = connection.sql(f"SELECT {names} FROM found ORDER BY name, metric").fetchall()
    assert len(rows) == len(expected) == 4 * 9
    for ours, theirs in zip(rows, expected, strict=True):
        for name, one, other in zip(BEFORE_AFTER.column_names, ours, theirs, strict=True):
            same = one == pytest.approx(other, rel=1e-9, abs=1e-9) if isinstance(one, float) else one == other
            assert same, (name, one, other, ours[:2])


def test_members_of_a_campaign_are_its_groups_and_who_is_in_both_is_in_neither(spark):
    members = spark.createDataFrame(
        [
            ("EM1", "a", "treated", False), ("EM1", "b", "control", False), ("EM2", "a", "control", None),
            ("EM1", "c", "treated", False), ("EM1", "c", "control", False), ("EM1", "d", "treated", True),
            ("EM1", None, "treated", False), ("EM1", "b", "control", False),
        ],
        "campaign_id string, customer_id string, test_group string, is_deleted boolean",
    ).withColumn("assigned_at", F.lit("2011-03-01 10:00:00").cast("timestamp"))  # fmt: skip

    assert sorted(map(tuple, control_groups(members, as_of=date(2011, 3, 1)).collect())) == [
        ("EM1", "a", "treated"), ("EM1", "b", "control"), ("EM2", "a", "control"),
    ]  # fmt: skip
    assert control_groups(members, as_of=date(2011, 2, 28)).isEmpty()
