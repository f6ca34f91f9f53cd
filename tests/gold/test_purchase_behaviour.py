from datetime import date, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR, purchase_behaviour
from customerlake.gold.usual_prices import usual_prices
from customerlake.silver.cancellations import CANCELLATIONS as SILVER_CANCELLATIONS
from customerlake.silver.order_lines import ORDER_LINES as SILVER_ORDER_LINES
from customerlake.silver.orders import ORDERS as SILVER_ORDERS

ORDERS = (
    "order_id string, customer_id string, ordered_at timestamp, ordered_on date, is_return boolean, "
    "amount decimal(18,4), count_lines long, count_units long, channel string"
)
LINES = (
    "order_id string, customer_id string, ordered_on date, is_sale boolean, is_product boolean, product_id string, "
    "quantity int, amount decimal(18,4)"
)
CANCELLATIONS = "cancelled_order_id string, cancelled_on date"
PRODUCT_LIST = "product_id string, category string"
AS_OF = date(2011, 3, 31)


def order(order_id, at, amount="10", *, customer="a", lines=1, units=1, is_return=False, channel="web"):
    moment = datetime.fromisoformat(at)
    return (order_id, customer, moment, moment.date(), is_return, Decimal(amount), lines, units, channel)


def line(
    order_id, product, amount="10", *, on=date(2011, 1, 3), customer="a", is_sale=True, is_product=True, quantity=1
):
    return (order_id, customer, on, is_sale, is_product, product, quantity, Decimal(amount))


def behaviour(spark, orders, lines=(), *, cancelled=None, categories=None, priced=None, as_of=AS_OF, time_zone="UTC"):
    """`priced`: the lines of all customers, of which usual prices are made."""
    lines = spark.createDataFrame(list(lines), LINES)
    return purchase_behaviour(
        spark.createDataFrame(orders, ORDERS),
        lines,
        None if cancelled is None else spark.createDataFrame(cancelled, CANCELLATIONS),
        None if categories is None else spark.createDataFrame(categories, PRODUCT_LIST),
        None if priced is None else usual_prices(spark.createDataFrame(priced, LINES), as_of=as_of),
        as_of=as_of,
        time_zone=time_zone,
    )


def only(df, *names):
    (row,) = df.select(*names).collect()
    return tuple(row)


def test_a_customers_rhythm_baskets_and_favourites(spark):
    orders = [
        order("1", "2011-01-03T09:00", "10", lines=2, units=10),  # a Monday
        order("2", "2011-01-03T14:00", "20", lines=1, units=1),
        order("3", "2011-01-08T09:30", "30.05", lines=4, units=5),  # a Saturday
        order("4", "2011-01-18T09:59", "40", lines=1, units=4),  # a Tuesday
        order("5", "2011-01-31T14:00", "50", lines=2, units=5),  # a Monday
    ]
    lines = [line("1", "P"), line("2", "P"), line("3", "Q", "99"), line("4", "R")]

    found = behaviour(spark, orders, lines)

    # days between: 5, 10, 13; deviations from 28/3: -13/3, 2/3, 11/3, so the variance is (169 + 4 + 121) / 9 / 2 = 49/3
    row = (
        "a", AS_OF, 4, 28 / 3, 10.0, (49 / 3) ** 0.5, date(2011, 2, 10), 2.0, 5.0, Decimal("30.01"), 3,
        "P", "P, Q, R", None, 9, 1, 0.2,
        1, 14, 1, "web", 1.0, "web", "web", False, None, None, None, None,
    )  # fmt: skip
    expected = spark.createDataFrame([row], PURCHASE_BEHAVIOUR.schema)
    found_sd, expected_sd = only(found, "sd_days_between"), only(expected, "sd_days_between")
    assert found_sd == pytest.approx(expected_sd, rel=1e-12)
    assert_df_equality(found.drop("sd_days_between"), expected.drop("sd_days_between"), ignore_nullable=True)


def test_one_purchase_day_has_no_rhythm(spark):
    found = behaviour(spark, [order("1", "2011-01-03T09:00"), order("2", "2011-01-03T10:00")])

    rhythm = only(
        found, "count_purchase_days", "mean_days_between", "median_days_between", "sd_days_between", "expected_next_on"
    )
    assert rhythm == (1, None, None, None, None)


def test_two_purchase_days_have_a_mean_but_no_spread(spark):
    found = behaviour(spark, [order("1", "2011-01-03T09:00"), order("2", "2011-01-06T10:00")])

    assert only(found, "mean_days_between", "sd_days_between", "expected_next_on") == (3.0, None, date(2011, 1, 9))


def test_a_median_of_half_a_day_is_rounded_up(spark):
    days = ["2011-01-01T09:00", "2011-01-03T09:00", "2011-01-06T09:00"]

    found = behaviour(spark, [order(str(n), day) for n, day in enumerate(days)])

    assert only(found, "median_days_between", "expected_next_on") == (2.5, date(2011, 1, 9))


@pytest.mark.parametrize(
    ("day", "weekday", "weekend_share"),
    [(2, 7, 1.0), (3, 1, 0.0), (4, 2, 0.0), (5, 3, 0.0), (6, 4, 0.0), (7, 5, 0.0), (8, 6, 1.0)],
)
def test_weekdays_go_from_monday_1_to_sunday_7(spark, day, weekday, weekend_share):
    found = behaviour(spark, [order("1", f"2011-01-0{day}T09:00")])  # 3 January 2011 was a Monday

    assert only(found, "favourite_weekday", "weekend_share") == (weekday, weekend_share)


def test_the_earliest_hour_and_weekday_win_a_tie(spark):
    found = behaviour(spark, [order("1", "2011-01-04T15:00"), order("2", "2011-01-10T08:00")])

    assert only(found, "favourite_hour", "favourite_weekday") == (8, 1)


@pytest.mark.parametrize(
    ("lines", "favourite"),
    [
        ([line("1", "P", "1"), line("2", "P", "1"), line("3", "Q", "99")], "P"),
        ([line("1", "P", "1"), line("1", "P", "2"), line("2", "Q", "99")], "Q"),
        ([line("1", "P", "5"), line("2", "Q", "9")], "Q"),
        ([line("1", "Q", "5"), line("2", "P", "5")], "P"),
    ],
    ids=["most orders", "two lines of one order are one order", "higher spend", "lower code"],
)
def test_the_favourite_product_is_in_most_orders(spark, lines, favourite):
    found = behaviour(spark, [order("1", "2011-01-03T09:00")], lines)

    assert only(found, "favourite_product_id") == (favourite,)


@pytest.mark.parametrize(
    "other",
    [
        line("2", "Q", on=date(2011, 4, 1)),
        line("2", "Q", is_sale=False),
        line("2", "Q", is_product=False),
        line("2", "Q", customer=None),
        line("2", "Q", customer="b"),
    ],
    ids=["after as_of", "gift", "postage", "anonymous", "somebody else's"],
)
def test_only_products_that_the_customer_bought_by_as_of_count(spark, other):
    found = behaviour(spark, [order("1", "2011-01-03T09:00")], [line("1", "P", "1"), other])

    assert only(found, "count_distinct_products", "favourite_product_id") == (1, "P")


def test_who_bought_no_product_has_no_favourite(spark):
    found = behaviour(spark, [order("1", "2011-01-03T09:00")], [line("1", "POST", is_product=False)])

    assert only(found, "count_distinct_products", "favourite_product_id") == (0, None)


@pytest.mark.parametrize(
    "other",
    [
        order("2", "2011-04-01T10:00"),
        order("2", "2011-01-09T10:00", "-10", is_return=True),
        order("2", "2011-01-09T10:00", "0"),
        order("2", "2011-01-09T10:00", customer=None),
    ],
    ids=["after as_of", "return", "gift", "anonymous"],
)
def test_what_is_no_purchase_of_the_customer_by_as_of_does_not_count(spark, other):
    mine = order("1", "2011-01-03T09:00")

    assert_df_equality(behaviour(spark, [mine, other]), behaviour(spark, [mine]))


def test_the_peak_is_an_hour_of_the_week_and_not_the_best_hour_on_the_best_weekday(spark):
    orders = [
        order("1", "2011-01-03T09:00"),  # a Monday, as are the next two
        order("2", "2011-01-10T10:00"),
        order("3", "2011-01-17T11:00"),
        order("4", "2011-01-04T11:00"),  # a Tuesday
        order("5", "2011-01-05T23:00"),  # a Wednesday, and the next
        order("6", "2011-01-12T23:30"),
    ]

    found = behaviour(spark, orders)

    assert only(found, "favourite_weekday", "favourite_hour", "peak_weekday", "peak_hour") == (1, 11, 3, 23)


def test_the_peak_of_a_tie_is_the_first_of_the_week(spark):
    found = behaviour(spark, [order("1", "2011-01-09T08:00"), order("2", "2011-01-07T23:00")])  # Sunday, Friday

    assert only(found, "peak_weekday", "peak_hour") == (5, 23)


def test_hours_are_those_of_the_time_zone(spark):
    found = behaviour(spark, [order("1", "2011-01-03T09:00")], time_zone="Europe/Berlin")

    assert only(found, "favourite_hour", "peak_hour") == (10, 10)


def test_weekday_and_hour_are_of_one_time_zone(spark):
    """Sunday at 23:30 in UTC is Monday at 0:30 in Berlin."""
    found = behaviour(spark, [order("1", "2011-01-09T23:30")], time_zone="Europe/Berlin")

    assert only(found, "favourite_weekday", "favourite_hour", "peak_weekday", "peak_hour") == (1, 0, 1, 0)


def in_turn(*channels):
    """One order a day by each of these channels."""
    first = datetime(2011, 1, 1, 9)
    return [
        order(str(n), (first + timedelta(days=n)).isoformat(), channel=channel) for n, channel in enumerate(channels)
    ]


def test_channels_are_counted_and_shared(spark):
    found = behaviour(spark, in_turn("store", "web", "web", "app"))

    assert only(found, "count_channels", "main_channel", "main_channel_share", "first_channel", "last_channel") == (
        3, "web", 0.5, "store", "app",
    )  # fmt: skip


def test_the_first_of_the_alphabet_is_the_main_channel_of_a_tie(spark):
    assert only(behaviour(spark, in_turn("web", "store")), "main_channel", "main_channel_share") == ("store", 0.5)


def test_an_order_without_a_channel_is_of_an_unknown_one(spark):
    assert only(behaviour(spark, in_turn(None)), "main_channel", "count_channels") == ("unknown", 1)


@pytest.mark.parametrize(
    ("channels", "is_migrated"),
    [
        (("store", "store", "web", "web"), True),
        (("store", "store", "app", "web", "web"), True),
        (("store", "web", "web", "web"), False),
        (("store", "web", "store", "web"), False),
        (("web", "web", "web", "web"), False),
        (("store", "web", "web"), None),
    ],
    ids=["moved", "middle is of neither half", "even before", "back and forth", "stayed", "too few orders"],
)
def test_who_moved_from_one_channel_to_another_is_migrated(spark, channels, is_migrated):
    assert only(behaviour(spark, in_turn(*channels)), "is_migrated") == (is_migrated,)


def test_orders_of_one_instant_come_in_the_order_of_their_numbers(spark):
    orders = [order("2", "2011-01-03T09:00", channel="web"), order("1", "2011-01-03T09:00", channel="store")]

    assert only(behaviour(spark, orders), "first_channel", "last_channel") == ("store", "web")


@pytest.mark.parametrize(
    ("cancelled", "share"),
    [
        ([], 0.0),
        ([("1", date(2011, 1, 9)), ("1", date(2011, 1, 10))], 0.25),
        ([("1", AS_OF), ("2", AS_OF)], 0.5),
        ([("1", date(2011, 4, 1))], 0.0),
        ([("9", date(2011, 1, 9)), (None, date(2011, 1, 9))], 0.0),
    ],
    ids=["nothing", "one order twice", "on as_of", "after as_of", "another's, or of no known order"],
)
def test_an_order_counts_as_returned_once_something_of_it_was_taken_back(spark, cancelled, share):
    found = behaviour(spark, in_turn("web", "web", "web", "web", "web")[1:], cancelled=cancelled)

    assert only(found, "returned_orders_share") == (share,)


def test_without_their_input_returns_prices_and_categories_are_not_known(spark):
    found = behaviour(spark, in_turn("web"), [line("0", "P")])

    names = ("returned_orders_share", "low_price_units_share", "count_categories", "category_entropy")
    assert only(found, *names) == (None, None, None, None)


JANUARY, FEBRUARY, MARCH = (date(2011, month, 7) for month in (1, 2, 3))
AT_TWO = [line(f"x{n}", "P", "2", on=JANUARY, customer=None) for n in range(3)]


@pytest.mark.parametrize(
    ("mine", "share"),
    [
        ([line("1", "P", "3.80", on=FEBRUARY, quantity=2), line("2", "P", "6", on=MARCH, quantity=3)], 0.4),
        ([line("1", "P", "2", on=FEBRUARY)], 0.0),
        ([line("1", "P", "1", on=JANUARY)], None),
        ([line("1", "Q", "1", on=FEBRUARY)], None),
        ([line("1", "P", "1", on=FEBRUARY), line("2", "Q", "1", on=FEBRUARY)], 1.0),
        ([line("1", "P", "1", on=MARCH)], 1.0),
    ],
    ids=["2 of 5 units", "at the usual price", "no month before", "never sold before", "of those that have one",
         "a month without sales between"],
)  # fmt: skip
def test_a_price_is_low_below_the_median_of_the_last_month_with_sales(spark, mine, share):
    usual_in_february = [line("y", "P", "2", on=FEBRUARY, customer=None)] * 3 if len(mine) == 2 else []

    found = behaviour(spark, [order("1", "2011-02-07T09:00")], mine, priced=[*AT_TWO, *usual_in_february, *mine])

    assert only(found, "low_price_units_share") == (share,)


def test_a_price_that_has_risen_for_all_makes_nobody_a_buyer_at_low_prices(spark):
    before = [line("1", "P", "2", on=FEBRUARY)]
    risen = [line(f"z{n}", "P", "9", on=MARCH, customer=None) for n in range(9)]

    found = behaviour(spark, [order("1", "2011-02-07T09:00")], before, priced=[*AT_TWO, *before, *risen])

    assert only(found, "low_price_units_share") == (0.0,)


@pytest.mark.parametrize(
    ("products", "count", "entropy"),
    [
        ("P", 1, 0.0),
        ("PQ", 2, 1.0),
        ("PPPQ", 2, 0.811278),
        ("PQRS", 3, 1.5),
        ("PX", 1, 0.0),
        ("X", None, None),
    ],
    ids=["one", "two equal", "three to one", "two products of one category", "one has none", "none known"],
)
def test_the_mix_of_categories_is_counted_in_bits(spark, products, count, entropy):
    categories = [("p", "bags"), ("Q", "toys"), ("R", "garden"), ("S", "garden"), ("T", "jewellery"), ("X", None)]
    lines = [line(str(n), product) for n, product in enumerate(products)]

    found = behaviour(spark, [order("1", "2011-01-03T09:00")], lines, categories=categories)

    assert only(found, "count_categories", "category_entropy") == (count, entropy)


def test_no_orders_make_no_rows(spark):
    assert behaviour(spark, [], cancelled=[], categories=[], priced=[]).isEmpty()


def test_a_customer_of_returns_alone_is_absent(spark):
    assert behaviour(spark, [order("1", "2011-01-03T09:00", "-5", is_return=True)]).isEmpty()


moments = st.datetimes(datetime(2010, 12, 1), datetime(2011, 6, 30)).map(lambda moment: moment.replace(microsecond=0))
bought = st.tuples(st.sampled_from("abcd"), moments, st.integers(1, 900), st.sampled_from(["web", "store", None]))


@given(st.lists(bought, min_size=1, max_size=60))
def test_a_customers_row_does_not_depend_on_order_or_on_other_customers(spark, rows):
    orders = [
        (str(n), customer, at, at.date(), False, Decimal(amount), 1, 1, channel)
        for n, (customer, at, amount, channel) in enumerate(rows)
    ]
    lines = [
        (order_id, customer, on, True, True, "PQR"[amount % 3], 1 + amount % 4, Decimal(amount))
        for order_id, customer, _, on, _, amount, *_ in ((*o[:5], int(o[5])) for o in orders)
    ]
    of_a = [order for order in orders if order[1] == "a"]
    categories = [("P", "bags"), ("Q", "toys")]

    whole = behaviour(spark, orders, lines, categories=categories, priced=lines)
    alone = behaviour(spark, of_a[::-1], [x for x in lines if x[1] == "a"], categories=categories, priced=lines[::-1])

    assert_df_equality(whole.where("customer_id = 'a'"), alone, ignore_nullable=True)
    assert whole.where(
        "main_channel_share > 1 OR main_channel_share * count_channels < 0.999999 OR low_price_units_share > 1 OR "
        "count_channels > 3 OR category_entropy > log2(count_categories) + 0.000001"
    ).isEmpty()


REAL = """
    WITH purchases AS (
        FROM orders WHERE NOT is_return AND amount > 0 AND customer_id IS NOT NULL AND ordered_on <= DATE '{as_of}'
    ), peaks AS (
        SELECT DISTINCT ON (customer_id) customer_id, isodow(ordered_on) AS peak_weekday, hour(ordered_at) AS peak_hour
        FROM purchases GROUP BY ALL ORDER BY customer_id, count(*) DESC, peak_weekday, peak_hour
    ), mains AS (
        SELECT DISTINCT ON (customer_id) customer_id, channel AS main_channel,
            count(*) / sum(count(*)) OVER (PARTITION BY customer_id) AS main_channel_share
        FROM purchases GROUP BY customer_id, channel ORDER BY customer_id, count(*) DESC, main_channel
    ), placed AS (
        SELECT customer_id, channel, count(*) OVER (PARTITION BY customer_id) AS n,
            row_number() OVER (PARTITION BY customer_id ORDER BY ordered_at, order_id) AS i FROM purchases
    ), halves AS (
        SELECT customer_id, n, channel, count(*) FILTER (i <= n // 2) > (n // 2) / 2 AS early,
            count(*) FILTER (i > n - n // 2) > (n // 2) / 2 AS late
        FROM placed GROUP BY customer_id, n, channel
    ), moves AS (
        SELECT customer_id, CASE WHEN any_value(n) >= 4 THEN coalesce(
            any_value(channel) FILTER (early) <> any_value(channel) FILTER (late), false) END AS is_migrated
        FROM halves GROUP BY customer_id
    ), channels AS (
        SELECT customer_id, count(DISTINCT channel) AS count_channels,
            arg_min(channel, (ordered_at, order_id)) AS first_channel,
            arg_max(channel, (ordered_at, order_id)) AS last_channel,
            count(*) FILTER (order_id IN (SELECT cancelled_order_id FROM cancellations
                WHERE cancelled_order_id IS NOT NULL AND cancelled_on <= DATE '{as_of}')) / count(*)
                AS returned_orders_share
        FROM purchases GROUP BY customer_id
    ), sold AS (
        SELECT *, amount / quantity AS price, date_trunc('month', ordered_on) AS month
        FROM lines WHERE is_sale AND is_product AND ordered_on <= DATE '{as_of}'
    ), medians AS (
        SELECT product_id, month, median(price::DECIMAL(18, 4)::DOUBLE) AS price FROM sold GROUP BY ALL
    ), priced AS (
        SELECT sold.*, usual.price AS usual_price
        FROM sold ASOF LEFT JOIN medians AS usual ON sold.product_id = usual.product_id AND sold.month > usual.month
        WHERE customer_id IS NOT NULL
    ), habits AS (
        SELECT customer_id, sum(CASE WHEN price::DECIMAL(18, 4)::DOUBLE < usual_price THEN quantity ELSE 0 END)
            / nullif(sum(quantity) FILTER (usual_price IS NOT NULL), 0) AS low_price_units_share
        FROM priced GROUP BY customer_id
    ), mix AS (
        SELECT customer_id, count(DISTINCT substr(product_id, 1, 3)) AS count_categories,
            entropy(substr(product_id, 1, 3)) AS category_entropy
        FROM priced GROUP BY customer_id
    )
    FROM peaks JOIN mains USING (customer_id) JOIN moves USING (customer_id) JOIN channels USING (customer_id)
    LEFT JOIN habits USING (customer_id) LEFT JOIN mix USING (customer_id)
"""


@pytest.mark.full_data
@pytest.mark.parametrize("as_of", [date(2011, 6, 14), date(2011, 12, 9)])
def test_real_channels_returns_prices_and_categories_are_what_sql_says_from_their_definitions(real_lake, as_of):
    """The rest of the columns is held against SQL in end_to_end. Real sales know one channel and no categories: the
    channel is made of the order's number, the category is the first three characters of a product's code."""
    read = real_lake.lake.read
    orders = read(SILVER_ORDERS).withColumn(
        "channel", F.when(F.col("order_id").cast("string").endswith("7"), "store").otherwise("web")
    )
    lines, cancelled = read(SILVER_ORDER_LINES), read(SILVER_CANCELLATIONS)
    product_list = lines.select("product_id", F.substring("product_id", 1, 3).alias("category")).distinct()
    usual = usual_prices(lines, as_of=as_of)

    found = purchase_behaviour(orders, lines, cancelled, product_list, usual, as_of=as_of).toArrow()

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, frame in {"orders": orders, "lines": lines, "cancellations": cancelled}.items():
        connection.register(name, frame.toArrow())
    connection.register("found", found)
    expected = connection.sql(REAL.format(as_of=as_of))
    connection.register("expected", expected.arrow().read_all())
    assert found.num_rows > 2000
    near = {"main_channel_share": 1e-12, "returned_orders_share": 1e-12, "low_price_units_share": 1e-12,
            "category_entropy": 1e-6}  # fmt: skip
    for name in expected.columns:
        same = (
            f"abs(found.{name} - expected.{name}) < {near[name]}" if name in near else f"found.{name} = expected.{name}"
        )
        both_null = f"found.{name} IS NULL AND expected.{name} IS NULL"
        differing = connection.sql(
            f"SELECT count(*) FROM found FULL JOIN expected USING (customer_id) WHERE NOT coalesce({same}, {both_null})"
        ).fetchall()
        assert (name, differing) == (name, [(0,)])
