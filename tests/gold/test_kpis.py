import random
from datetime import date, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest
from chispa import assert_approx_df_equality
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.gold.kpis import KPIS, kpis
from customerlake.silver.orders import ORDERS as SILVER_ORDERS

ORDERS = "customer_id string, ordered_on date, is_return boolean, amount decimal(18,4)"
ANSWERS = (
    "survey string, score int, invited_at timestamp, answered_at timestamp, updated_at timestamp, is_deleted boolean"
)
TICKETS = (
    "status string, opened_at timestamp, first_response_at timestamp, solved_at timestamp, updated_at timestamp, "
    "count_reopened int, is_deleted boolean"
)
AS_OF = date(2011, 3, 31)


def order(customer, month, day, amount="10", *, year=2011, is_return=False):
    return (customer, date(year, month, day), is_return, Decimal(amount))


def answer(survey, score, at="2011-01-05T10:00", *, is_deleted=False):
    invited = datetime(2011, 1, 1)
    answered = at and datetime.fromisoformat(at)
    return (survey, score, invited, answered, answered or invited, is_deleted)


def ticket(*instants, is_deleted=False):
    """When it was opened, first answered and solved, as far as it was."""
    given = [datetime.fromisoformat(at) for at in instants]
    status = "solved" if len(given) == 3 else "open"
    return (status, *given, *[None] * (3 - len(given)), given[-1], 0, is_deleted)


def figures(spark, *orders, answers=None, tickets=None, as_of=AS_OF):
    return kpis(
        spark.createDataFrame(list(orders), ORDERS),
        None if answers is None else spark.createDataFrame(answers, ANSWERS),
        None if tickets is None else spark.createDataFrame(tickets, TICKETS),
        as_of=as_of,
    )


def of_periods(df, period, *names):
    """The named figures of each period of a kind, by its first day."""
    rows = df.where(F.col("period") == period).select("starts_on", *names).collect()
    return {row.starts_on: tuple(row[name] for name in names) for row in rows}


def by_month(df, *names):
    return {starts_on.month: found for starts_on, found in of_periods(df, "month", *names).items()}


NO_FEEDS = (None,) * 8


def test_each_month_has_its_figures(spark):
    found = figures(
        spark,
        order("a", 1, 5, "10"), order("a", 1, 31, "20"), order("b", 1, 6, "20"), order(None, 1, 7, "50"),
        order("a", 2, 1, "70"), order("c", 2, 28, "0.05"), order("a", 2, 3, "-30", is_return=True),
        order("b", 3, 1, "7"), order("a", 3, 2, "7"),
    )  # fmt: skip

    january = (
        "month", date(2011, 1, 1), AS_OF, True, 4, Decimal(100), Decimal(0), Decimal(100), Decimal(25), 0.5, 0.25,
        2, 2, 0, 0, None, None, 0.5, Decimal(25), None, None, *NO_FEEDS,
    )  # fmt: skip
    february = (
        "month", date(2011, 2, 1), AS_OF, True, 2, Decimal("70.05"), Decimal(30), Decimal("40.05"), Decimal("35.03"),
        0.0, 0.0, 2, 1, 1, 1, 0.5, 0.5, 0.5, Decimal("35.03"), -0.2995, None, *NO_FEEDS,
    )  # fmt: skip
    march = (
        "month", date(2011, 3, 1), AS_OF, True, 2, Decimal(14), Decimal(0), Decimal(14), Decimal(7), 0.0, 0.0,
        2, 0, 2, 1, 0.5, 0.5, 1.0, Decimal(7), 14 / 70.05 - 1, None, *NO_FEEDS,
    )  # fmt: skip
    expected = spark.createDataFrame([january, february, march], KPIS.schema)
    of_months = found.where("period = 'month'")
    assert_approx_df_equality(of_months, expected, 1e-12, ignore_nullable=True, ignore_row_order=True)


def test_each_week_and_each_day_has_its_figures(spark):
    found = figures(
        spark,
        order("a", 1, 3, "10"), order("a", 1, 9, "20"), order("b", 1, 9, "70"),  # Monday and Sunday of one week
        order("a", 1, 10, "50"), order(None, 1, 10, "50"), order("a", 1, 10, "-5", is_return=True),
        as_of=date(2011, 1, 15),
    )  # fmt: skip

    names = ("is_whole_period", "count_orders", "revenue", "returned_amount", "anonymous_orders_share")
    assert of_periods(found, "week", *names) == {
        date(2011, 1, 3): (True, 3, Decimal(100), Decimal(0), 0.0),
        date(2011, 1, 10): (False, 2, Decimal(100), Decimal(5), 0.5),
    }
    assert of_periods(found, "day", *names) == {
        date(2011, 1, 3): (True, 1, Decimal(10), Decimal(0), 0.0),
        date(2011, 1, 9): (True, 2, Decimal(90), Decimal(0), 0.0),
        date(2011, 1, 10): (True, 2, Decimal(100), Decimal(5), 0.5),
    }
    names = ("active_customers", "new_customers", "returning_customers", "retained_customers", "retention_share")
    assert of_periods(found, "week", *names, "churn_share", "repeat_share", "revenue_growth") == {
        date(2011, 1, 3): (2, 2, 0, 0, None, None, 0.5, None),
        date(2011, 1, 10): (1, 0, 1, 1, 0.5, 0.5, 1.0, 0.0),
    }
    assert of_periods(found, "day", *names, "churn_share", "repeat_share", "revenue_growth") == {
        date(2011, 1, 3): (1, 1, 0, None, None, None, 0.0, None),
        date(2011, 1, 9): (2, 1, 1, None, None, None, 0.5, None),
        date(2011, 1, 10): (1, 0, 1, None, None, None, 1.0, 100 / 90 - 1),
    }


def test_a_week_across_the_years_end_is_one_week(spark):
    found = figures(spark, order("a", 12, 31, year=2012), order("a", 1, 6, year=2013), as_of=date(2013, 1, 6))

    assert of_periods(found, "week", "count_orders", "is_whole_period") == {date(2012, 12, 31): (2, True)}


def test_a_year_before_is_365_days_52_weeks_or_12_months_before(spark):
    orders = [
        order("a", 2, 29, "10", year=2012), order("a", 3, 1, "20", year=2012),
        order("a", 2, 27, "40", year=2013), order("a", 2, 28, "50", year=2013), order("a", 3, 1, "60", year=2013),
    ]  # fmt: skip

    found = figures(spark, *orders, as_of=date(2013, 3, 31))

    def grown(period):
        return {
            day: growth for day, (growth,) in of_periods(found, period, "revenue_growth_year_on_year").items() if growth
        }

    assert grown("day") == {date(2013, 2, 28): 4.0, date(2013, 3, 1): 2.0}  # 2012-02-29, 2012-03-01
    assert grown("week") == {date(2013, 2, 25): 150 / 30 - 1}  # 2012-02-27
    assert grown("month") == {date(2013, 2, 1): 8.0, date(2013, 3, 1): 2.0}


def test_nothing_after_as_of_counts(spark):
    found = figures(
        spark,
        order("a", 1, 5, "10"), order("a", 1, 6, "20"), order("b", 1, 7, "-5", is_return=True),
        answers=[answer("nps", 9, "2011-01-05T23:59:59"), answer("nps", 0, "2011-01-06T00:00")],
        tickets=[
            ticket("2011-01-05T20:00", "2011-01-05T23:00", "2011-01-06T00:00"),
            ticket("2011-01-06T00:00", "2011-01-06T00:00", "2011-01-06T00:00"),
        ],
        as_of=date(2011, 1, 5),
    )  # fmt: skip

    names = ("revenue", "returned_amount", "count_orders", "repeat_share", "nps", "tickets_opened", "tickets_solved")
    assert by_month(found, *names) == {1: (Decimal(10), Decimal(0), 1, 0.0, 100.0, 1, 0)}
    hours = ("median_first_response_hours", "median_resolution_hours")
    assert by_month(found, *hours) == {1: (3.0, None)}


@pytest.mark.parametrize(("as_of", "is_whole"), [(date(2011, 1, 30), False), (date(2011, 1, 31), True)])
def test_a_month_is_whole_when_its_last_day_is_over(spark, as_of, is_whole):
    assert by_month(figures(spark, order("a", 1, 5), as_of=as_of), "is_whole_period") == {1: (is_whole,)}


def test_after_a_month_without_orders_there_is_nothing_to_compare_with(spark):
    found = figures(spark, order("a", 1, 5, "10"), order("a", 3, 5, "20"))

    names = ("retention_share", "churn_share", "revenue_growth", "returning_customers", "retained_customers")
    assert by_month(found, *names) == {1: (None, None, None, 0, 0), 3: (None, None, None, 1, 0)}


def test_a_month_with_returns_alone_has_its_figures(spark):
    found = figures(spark, order("a", 1, 5, "10"), order("a", 2, 5, "-4", is_return=True), order("a", 3, 5, "20"))

    names = ("count_orders", "returned_amount", "net_revenue", "average_order_value", "revenue_growth")
    assert by_month(found, *names) == {
        1: (1, Decimal(0), Decimal(10), Decimal(10), None),
        2: (0, Decimal(4), Decimal(-4), None, -1.0),
        3: (1, Decimal(0), Decimal(20), Decimal(20), None),
    }


def test_a_month_of_anonymous_orders_has_no_customers(spark):
    found = figures(spark, order(None, 1, 5, "10"), order("a", 2, 5, "20"))

    names = ("active_customers", "new_customers", "revenue_per_customer", "anonymous_revenue_share", "retention_share")
    assert by_month(found, *names, "anonymous_orders_share", "repeat_share") == {
        1: (0, 0, None, 1.0, None, 1.0, None),
        2: (1, 1, Decimal(20), 0.0, None, 0.0, 0.0),
    }


def test_january_follows_december(spark):
    found = figures(spark, order("a", 12, 31, "10", year=2010), order("a", 1, 1, "20"))

    assert by_month(found, "retention_share", "revenue_growth") == {12: (None, None), 1: (1.0, 1.0)}


def test_a_gift_is_no_order_and_makes_no_customer(spark):
    found = figures(spark, order("a", 1, 5, "10"), order("b", 1, 5, "0"))

    assert by_month(found, "count_orders", "active_customers") == {1: (1, 1)}


def test_two_orders_on_one_day_repeat(spark):
    found = figures(spark, order("a", 1, 5), order("a", 1, 5), order("b", 1, 5))

    assert by_month(found, "active_customers", "new_customers", "repeat_share") == {1: (2, 2, 0.5)}


def test_a_customer_repeats_in_a_period_when_the_second_order_is_in_it_or_before(spark):
    found = figures(spark, order("a", 1, 5), order("a", 2, 5), order("a", 3, 5))

    assert by_month(found, "repeat_share") == {1: (0.0,), 2: (1.0,), 3: (1.0,)}


def test_answers_give_the_satisfaction_of_the_period_in_which_they_were_given(spark):
    answers = [
        *[answer("nps", score) for score in (10, 9, 8, 7, 6)],  # 2 promote, 1 detracts
        *[answer("csat", score) for score in (5, 4, 3, 1)],
        *[answer("ces", score) for score in (7, 2)],
        answer("nps", None, None), answer("nps", 0, is_deleted=True), answer("nps", 0, "2011-02-01T00:00"),
    ]  # fmt: skip

    found = figures(spark, order("a", 1, 5), answers=answers)

    assert by_month(found, "survey_answers", "nps", "csat_share", "ces", "tickets_opened") == {
        1: (11, 20.0, 0.5, 4.5, None),
        2: (1, -100.0, None, None, None),
    }


def test_tickets_give_the_service_level_of_the_period_of_each_of_their_events(spark):
    tickets = [
        ticket("2011-01-31T12:00", "2011-01-31T13:00", "2011-02-01T12:00"),
        ticket("2011-01-31T12:00", "2011-01-31T12:30", "2011-02-02T12:00"),
        ticket("2011-01-30T12:00", "2011-01-30T13:00", "2011-02-09T12:00"),
        ticket("2011-01-05T12:00", "2011-01-05T10:00", "2011-01-05T11:00"),  # by a wrong clock
        ticket("2011-02-01T12:00"),
        ticket("2011-02-01T12:00", "2011-02-01T12:00", "2011-02-01T12:00", is_deleted=True),
    ]

    found = figures(spark, tickets=tickets)

    names = ("tickets_opened", "tickets_solved", "median_first_response_hours", "median_resolution_hours")
    assert by_month(found, *names, "count_orders", "revenue", "survey_answers") == {
        1: (4, 1, 1.0, None, 0, Decimal(0), None),
        2: (1, 3, None, 48.0, 0, Decimal(0), None),
    }


def test_a_period_without_answers_or_tickets_has_none_of_them(spark):
    found = figures(spark, order("a", 1, 5), order("a", 2, 5), answers=[answer("csat", 5)], tickets=[])

    names = ("survey_answers", "nps", "csat_share", "tickets_opened", "tickets_solved", "median_resolution_hours")
    assert by_month(found, *names) == {1: (1, None, 1.0, 0, 0, None), 2: (0, None, None, 0, 0, None)}


def test_without_orders_there_are_no_periods(spark):
    assert figures(spark).isEmpty()
    assert figures(spark, order("a", 4, 1)).isEmpty()


purchases = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", None]),
        st.dates(date(2010, 11, 1), date(2011, 3, 31)),
        st.booleans(),
        st.decimals("0.01", "99.99", places=2),
    ),
    min_size=1,
    max_size=40,
)


@given(rows=purchases)
def test_days_sum_to_weeks_and_to_months_and_shares_are_between_0_and_1(spark, rows):
    orders = [(customer, on, is_return, -amount if is_return else amount) for customer, on, is_return, amount in rows]

    found = figures(spark, *orders)

    sums = {
        tuple(row)[1:]
        for row in found.groupBy("period")
        .agg(F.sum("revenue"), F.sum("returned_amount"), F.sum("count_orders"), F.sum("new_customers"))
        .collect()
    }
    assert len(sums) == 1
    shares = ("anonymous_revenue_share", "anonymous_orders_share", "retention_share", "churn_share", "repeat_share")
    assert found.where(" OR ".join(f"{name} < 0 OR {name} > 1" for name in shares)).isEmpty()
    assert found.where("active_customers <> new_customers + returning_customers").isEmpty()
    assert found.where("retained_customers > returning_customers").isEmpty()


BY_DEFINITION = """
    WITH kinds (period, step, a_year) AS (VALUES
        ('day', NULL, INTERVAL 365 DAY), ('week', INTERVAL 7 DAY, INTERVAL 364 DAY),
        ('month', INTERVAL 1 MONTH, INTERVAL 1 YEAR)
    ), dated AS (
        SELECT period, date_trunc(period, ordered_on)::DATE AS starts_on, customer_id, ordered_on, amount, is_return,
            NOT is_return AND amount > 0 AS is_bought
        FROM orders, kinds WHERE ordered_on <= DATE '{as_of}' AND (is_return OR amount > 0)
    ), sales AS (
        SELECT period, starts_on, count(*) FILTER (is_bought) AS count_orders,
            coalesce(sum(amount) FILTER (is_bought), 0) AS revenue,
            coalesce(-sum(amount) FILTER (is_return), 0) AS returned_amount,
            coalesce(sum(amount) FILTER (is_bought AND customer_id IS NULL), 0) AS anonymous,
            count(*) FILTER (is_bought AND customer_id IS NULL) AS anonymous_orders
        FROM dated GROUP BY ALL
    ), active AS (
        SELECT period, starts_on, customer_id, count(*) AS times, max(ordered_on) AS last_on
        FROM dated WHERE is_bought AND customer_id IS NOT NULL GROUP BY ALL
    ), firsts AS (
        SELECT customer_id, min(ordered_on) AS first_on FROM dated WHERE is_bought GROUP BY ALL
    ), second AS (
        SELECT customer_id, nth_value(ordered_on, 2) OVER (
            PARTITION BY customer_id ORDER BY ordered_on ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) AS second_on
        FROM dated WHERE is_bought AND period = 'day' AND customer_id IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY ordered_on) = 1
    ), customers AS (
        SELECT period, starts_on, count(*) AS active_customers,
            count(*) FILTER (date_trunc(period, first_on)::DATE = starts_on) AS new_customers,
            count(*) FILTER (EXISTS (
                FROM active AS earlier WHERE earlier.period = active.period
                AND earlier.customer_id = active.customer_id AND earlier.starts_on = active.starts_on - step
            )) AS retained,
            count(*) FILTER (second_on <= last_on) AS repeated
        FROM active JOIN kinds USING (period) JOIN firsts USING (customer_id) LEFT JOIN second USING (customer_id)
        GROUP BY ALL
    ), answers AS (
        SELECT period, date_trunc(period, answered_at::DATE)::DATE AS starts_on, count(*) AS survey_answers,
            avg(CASE WHEN score > 8 THEN 100 WHEN score < 7 THEN -100 ELSE 0 END) FILTER (survey = 'nps') AS nps,
            avg((score > 3)::INT) FILTER (survey = 'csat') AS csat_share, avg(score) FILTER (survey = 'ces') AS ces
        FROM survey_answers, kinds
        WHERE score IS NOT NULL AND NOT is_deleted AND answered_at < DATE '{as_of}' + 1 GROUP BY ALL
    ), open_tickets AS (
        SELECT period, date_trunc(period, opened_at::DATE)::DATE AS starts_on, count(*) AS tickets_opened,
            median(date_diff('second', opened_at, first_response_at) / 3600)
                FILTER (first_response_at < DATE '{as_of}' + 1) AS median_first_response_hours
        FROM tickets, kinds WHERE NOT is_deleted AND opened_at < DATE '{as_of}' + 1 GROUP BY ALL
    ), solved AS (
        SELECT period, date_trunc(period, solved_at::DATE)::DATE AS starts_on, count(*) AS tickets_solved,
            median(date_diff('second', opened_at, solved_at) / 3600) AS median_resolution_hours
        FROM tickets, kinds WHERE NOT is_deleted AND solved_at < DATE '{as_of}' + 1 GROUP BY ALL
    ), whole AS (
        SELECT * REPLACE (coalesce(count_orders, 0) AS count_orders, coalesce(revenue, 0) AS revenue,
            coalesce(returned_amount, 0) AS returned_amount, coalesce(active_customers, 0) AS active_customers,
            coalesce(new_customers, 0) AS new_customers)
        FROM sales FULL JOIN customers USING (period, starts_on) FULL JOIN answers USING (period, starts_on)
        FULL JOIN open_tickets USING (period, starts_on)
        FULL JOIN solved USING (period, starts_on) JOIN kinds USING (period)
    )
    SELECT now.period, now.starts_on, DATE '{as_of}' AS as_of,
        now.starts_on + coalesce(now.step, INTERVAL 1 DAY) - INTERVAL 1 DAY <= DATE '{as_of}' AS is_whole_period,
        now.count_orders, now.revenue, now.returned_amount, now.revenue - now.returned_amount AS net_revenue,
        now.revenue::DOUBLE / nullif(now.count_orders, 0) AS average_order_value,
        now.anonymous::DOUBLE / nullif(now.revenue::DOUBLE, 0) AS anonymous_revenue_share,
        now.anonymous_orders / nullif(now.count_orders, 0) AS anonymous_orders_share,
        now.active_customers, now.new_customers, now.active_customers - now.new_customers AS returning_customers,
        CASE WHEN now.period <> 'day' THEN coalesce(now.retained, 0) END AS retained_customers,
        CASE WHEN now.period <> 'day' THEN coalesce(now.retained, 0) / nullif(last.active_customers, 0) END
            AS retention_share,
        1 - retention_share AS churn_share,
        now.repeated / nullif(now.active_customers, 0) AS repeat_share,
        (now.revenue - coalesce(now.anonymous, 0))::DOUBLE / nullif(now.active_customers, 0) AS revenue_per_customer,
        (now.revenue - last.revenue)::DOUBLE / nullif(last.revenue::DOUBLE, 0) AS revenue_growth,
        (now.revenue - year_before.revenue)::DOUBLE / nullif(year_before.revenue::DOUBLE, 0)
            AS revenue_growth_year_on_year,
        coalesce(now.survey_answers, 0) AS survey_answers, now.nps, now.csat_share, now.ces,
        coalesce(now.tickets_opened, 0) AS tickets_opened, coalesce(now.tickets_solved, 0) AS tickets_solved,
        now.median_first_response_hours, now.median_resolution_hours
    FROM whole AS now
    LEFT JOIN whole AS last
        ON last.period = now.period AND last.starts_on = now.starts_on - coalesce(now.step, INTERVAL 1 DAY)
    LEFT JOIN whole AS year_before
        ON year_before.period = now.period AND year_before.starts_on = now.starts_on - now.a_year
"""


def some_answers(chance, count):
    scales = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}
    for _ in range(count):
        survey, invited = chance.choice(sorted(scales)), an_instant(chance)
        is_answered = chance.random() < 0.8
        score = chance.randint(*scales[survey]) if is_answered else None
        answered = later(chance, invited, 500_000) if is_answered else None
        yield (survey, score, invited, answered, answered or invited, chance.random() < 0.02)


def some_tickets(chance, count):
    for _ in range(count):
        opened = an_instant(chance)
        responded = later(chance, opened, 200_000) if chance.random() < 0.9 else None
        solved = later(chance, responded, 900_000) if responded and chance.random() < 0.9 else None
        status = "solved" if solved else "open"
        yield (status, opened, responded, solved, solved or responded or opened, 0, chance.random() < 0.02)


def later(chance, instant, seconds):
    return instant + timedelta(seconds=chance.randint(0, seconds))


def an_instant(chance):
    return datetime(2010, 11, 25) + timedelta(seconds=chance.randint(0, 380 * 86_400))


@pytest.mark.full_data
@pytest.mark.parametrize("as_of", [date(2011, 12, 9), date(2011, 6, 14)])
def test_the_figures_of_the_real_sales_are_what_sql_says_from_their_definitions(spark, real_lake, as_of):
    chance = random.Random(7)
    answers = spark.createDataFrame(list(some_answers(chance, 3000)), ANSWERS)
    tickets = spark.createDataFrame(list(some_tickets(chance, 2000)), TICKETS)
    orders = real_lake.lake.read(SILVER_ORDERS)

    found = kpis(orders, answers, tickets, as_of=as_of)

    assert_is_by_definition(
        found, BY_DEFINITION.format(as_of=as_of), orders=orders, survey_answers=answers, tickets=tickets
    )


def assert_is_by_definition(found, sql, **inputs):
    """Every row and column of both: decimals of two places to the cent, doubles to nine digits, all else exactly."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, frame in inputs.items():
            connection.register(name, frame.toArrow())
        connection.register("found", found.toArrow())
        key = ", ".join(KPIS.key)
        expected = connection.sql(f"SELECT {', '.join(KPIS.column_names)} FROM ({sql}) ORDER BY {key}").fetchall()
        rows = connection.sql(f"SELECT {', '.join(KPIS.column_names)} FROM found ORDER BY {key}").fetchall()
    assert len(rows) == len(expected) > 0
    for ours, theirs in zip(rows, expected, strict=True):
        for name, one, other in zip(KPIS.column_names, ours, theirs, strict=True):
            if name in ("average_order_value", "revenue_per_customer") and one is not None:
                assert float(one) == pytest.approx(float(other), abs=0.005 + 1e-9), (name, ours[:3])
            elif isinstance(one, float):
                assert one == pytest.approx(other, rel=1e-9, abs=1e-9), (name, ours[:3])
            else:
                assert one == other, (name, ours[:3])
