from datetime import date, datetime
from decimal import Decimal

import duckdb
import pytest
from chispa import assert_approx_df_equality, assert_df_equality
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.gold.purchase_hours import PURCHASE_HOURS, purchase_hours
from customerlake.silver.orders import ORDERS as SILVER_ORDERS

ORDERS = (
    "customer_id string, ordered_at timestamp, ordered_on date, channel string, is_return boolean, amount decimal(18,4)"
)
AS_OF = date(2011, 3, 31)


def order(at, amount="10", *, channel="web", customer="a", is_return=False):
    moment = datetime.fromisoformat(at)
    return (customer, moment, moment.date(), channel, is_return, Decimal(amount))


def hours(spark, *orders, time_zone="UTC"):
    return purchase_hours(spark.createDataFrame(list(orders), ORDERS), as_of=AS_OF, time_zone=time_zone)


def cells(df):
    return {(row.channel, row.weekday, row.hour): row.count_orders for row in df.collect()}


def test_orders_are_summed_by_hour_of_the_week_for_each_channel_and_for_all(spark):
    found = hours(
        spark,
        order("2011-01-03T09:00", "10"),  # a Monday
        order("2011-01-10T09:59:59", "20.01", customer=None),
        order("2011-01-09T23:30", "30"),  # a Sunday
        order("2011-01-03T09:30", "40", channel="store"),
    )

    rows = [
        ("web", 1, 9, AS_OF, 2, "30.01", "15.01", 2 / 3, 30.01 / 60.01),
        ("web", 7, 23, AS_OF, 1, "30", "30", 1 / 3, 30 / 60.01),
        ("store", 1, 9, AS_OF, 1, "40", "40", 1.0, 1.0),
        ("all", 1, 9, AS_OF, 3, "70.01", "23.34", 0.75, 70.01 / 100.01),
        ("all", 7, 23, AS_OF, 1, "30", "30", 0.25, 30 / 100.01),
    ]
    expected = spark.createDataFrame(
        [(*row[:5], Decimal(row[5]), Decimal(row[6]), *row[7:]) for row in rows], PURCHASE_HOURS.schema
    )
    assert_approx_df_equality(found, expected, 1e-12, ignore_nullable=True, ignore_row_order=True)


@pytest.mark.parametrize(("day", "weekday"), [(2, 7), (3, 1), (4, 2), (5, 3), (6, 4), (7, 5), (8, 6)])
def test_weekdays_go_from_monday_1_to_sunday_7(spark, day, weekday):
    assert cells(hours(spark, order(f"2011-01-0{day}T09:00")))[("all", weekday, 9)] == 1


def test_hours_are_those_of_the_time_zone(spark):
    assert ("web", 1, 10) in cells(hours(spark, order("2011-01-03T09:00"), time_zone="Europe/Berlin"))


@pytest.mark.parametrize(("zone", "cell"), [("UTC", (7, 23)), ("Europe/Berlin", (1, 0)), ("America/New_York", (7, 18))])
def test_weekday_and_hour_are_of_one_time_zone(spark, zone, cell):
    """Sunday at 23:30 in UTC is Monday at 0:30 in Berlin, whatever day the feed writes."""
    assert ("web", *cell) in cells(hours(spark, order("2011-01-09T23:30"), time_zone=zone))


def test_an_order_without_a_channel_is_of_an_unknown_one(spark):
    assert cells(hours(spark, order("2011-01-03T09:00", channel=None))) == {("unknown", 1, 9): 1, ("all", 1, 9): 1}


@pytest.mark.parametrize(
    "other",
    [
        order("2011-04-01T00:00"),
        order("2011-01-09T10:00", "-10", is_return=True),
        order("2011-01-09T10:00", "0"),
    ],
    ids=["after as_of", "return", "gift"],
)
def test_only_purchases_by_as_of_count(spark, other):
    mine = order("2011-03-31T23:59:59")

    assert_df_equality(hours(spark, mine, other), hours(spark, mine), ignore_row_order=True)


def test_no_orders_make_no_rows(spark):
    assert hours(spark).isEmpty()


moments = st.datetimes(datetime(2010, 12, 1), datetime(2011, 3, 31)).map(lambda at: at.isoformat(timespec="seconds"))


@given(st.lists(st.tuples(moments, st.integers(1, 10**6), st.sampled_from(["web", "store", "app"])), min_size=1))
def test_channels_add_up_to_all_and_shares_to_one(spark, rows):
    orders = [order(at, str(Decimal(cents) / 100), channel=channel) for at, cents, channel in rows]

    found = hours(spark, *orders)

    is_all = F.col("channel") == "all"
    off = found.groupBy("weekday", "hour").agg(
        F.sum(F.when(is_all, F.col("revenue")).otherwise(-F.col("revenue"))).alias("revenue"),
        F.sum(F.when(is_all, F.col("count_orders")).otherwise(-F.col("count_orders"))).alias("orders"),
    )
    sums = found.groupBy("channel").agg(F.sum("orders_share").alias("orders"), F.sum("revenue_share").alias("revenue"))
    assert off.where("revenue <> 0 OR orders <> 0").isEmpty()
    assert sums.where("abs(orders - 1) > 1e-9 OR abs(revenue - 1) > 1e-9").isEmpty()
    assert_df_equality(hours(spark, *orders[::-1]), found, ignore_row_order=True)


@pytest.mark.full_data
@pytest.mark.parametrize("as_of", [date(2011, 6, 14), date(2011, 12, 9)])
def test_the_hours_of_the_real_sales_are_what_sql_says_from_their_definition(real_lake, as_of):
    """Real sales know one channel: the number of the order makes two."""
    orders = real_lake.lake.read(SILVER_ORDERS).withColumn(
        "channel", F.when(F.col("order_id").endswith("7"), "store").otherwise("web")
    )

    found = purchase_hours(orders, as_of=as_of).toArrow()

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("orders", orders.toArrow())
    connection.register("found", found)
    wrong = connection.sql(f"""
        WITH bought AS (
            SELECT *, isodow(ordered_on) AS weekday, hour(ordered_at) AS hour FROM orders
            WHERE NOT is_return AND amount > 0 AND ordered_on <= DATE '{as_of}'
        ), twice AS (FROM bought UNION ALL SELECT * REPLACE ('all' AS channel) FROM bought),
        totals AS (SELECT channel, count(*) AS orders, sum(amount) AS revenue FROM twice GROUP BY channel),
        expected AS (
            SELECT channel, weekday, hour, count(*) AS n, sum(amount) AS money
            FROM twice GROUP BY channel, weekday, hour
        )
        SELECT count(*), count(*) FILTER (found.as_of = DATE '{as_of}' AND n = count_orders AND money = found.revenue
            AND abs(average_order_value - money / n) <= 0.005 + 1e-9 AND abs(orders_share - n / orders) < 1e-12
            AND abs(revenue_share - money / totals.revenue) < 1e-12)
        FROM found FULL JOIN expected USING (channel, weekday, hour) LEFT JOIN totals USING (channel)
    """).fetchall()
    assert found.num_rows > 150
    assert wrong == [(found.num_rows, found.num_rows)]
