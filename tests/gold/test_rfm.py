from datetime import date, timedelta
from decimal import Decimal
from itertools import product

import duckdb
import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.errors import ContractError
from customerlake.gold.rfm import RFM, SEGMENTS, Thresholds, named_segment, rfm
from customerlake.silver.orders import ORDERS as SILVER_ORDERS

ORDERS = "order_id string, customer_id string, ordered_on date, is_return boolean, amount decimal(18,4)"
AS_OF = date(2011, 3, 31)


def order(order_id, customer, month, day, amount, *, is_return=False):
    return (order_id, customer, date(2011, month, day), is_return, Decimal(amount))


def summary(spark, *orders, as_of=AS_OF):
    return rfm(spark.createDataFrame(orders, ORDERS), as_of=as_of)


def only(df, *names):
    (row,) = df.select(*names).collect()
    return tuple(row)


def test_a_customer_is_summarised_by_purchase_days(spark):
    found = summary(
        spark,
        order("1", "a", 1, 10, "100"),
        order("2", "a", 1, 20, "10.05"),
        order("3", "a", 1, 20, "20"),
        order("4", "a", 3, 1, "40"),
    )

    # days 10 Jan, 20 Jan, 1 Mar: two repeats, 50 days from first to last, 80 to 31 Mar; (30.05 + 40) / 2 = 35.025
    row = ("a", AS_OF, 2, 50, 80, Decimal("35.03"), 30, 4, Decimal("170.05"), 5, 1, 1, "New Customers", 5, 3, 2)
    assert_df_equality(found, spark.createDataFrame([row], RFM.schema), ignore_nullable=True)


def test_one_purchase_day_has_no_repeat(spark):
    found = summary(spark, order("1", "a", 3, 1, "10"), order("2", "a", 3, 1, "20"))

    assert only(found, "frequency", "recency", "T", "monetary_value", "count_orders") == (0, 0, 30, Decimal(0), 2)


@pytest.mark.parametrize(
    "other",
    [
        order("2", "a", 4, 1, "50"),
        order("2", "a", 3, 20, "-50", is_return=True),
        order("2", "a", 3, 20, "0"),
        order("2", None, 3, 20, "50"),
    ],
    ids=["after as_of", "return", "gift", "anonymous"],
)
def test_what_is_no_purchase_of_the_customer_by_as_of_does_not_count(spark, other):
    mine = order("1", "a", 3, 1, "10")

    assert_df_equality(summary(spark, mine, other), summary(spark, mine))


def test_an_order_of_as_of_itself_counts(spark):
    found = summary(spark, order("1", "a", 3, 31, "10"))

    assert only(found, "T", "days_since_last_order", "count_orders") == (0, 0, 1)


def test_a_customer_who_only_returned_is_absent(spark):
    assert summary(spark, order("1", "a", 3, 1, "-5", is_return=True)).isEmpty()


def scores(df):
    return {row.customer_id: (row.r_score, row.f_score, row.m_score) for row in df.collect()}


def test_five_customers_are_scored_in_fifths(spark):
    orders = [
        order(f"{who}{n}", who, 3, 10 * days, 10) for days, who in ((1, "a"), (2, "b"), (3, "c")) for n in range(days)
    ]
    orders += [order(f"d{n}", "d", 2, 1, 10) for n in range(4)] + [order(f"e{n}", "e", 1, 1, 10) for n in range(5)]

    found = summary(spark, *orders)

    # last orders: c 30 Mar, b 20 Mar, a 10 Mar, d 1 Feb, e 1 Jan; orders and spend rise from a to e
    assert scores(found) == {"a": (3, 1, 1), "b": (4, 2, 2), "c": (5, 3, 3), "d": (2, 4, 4), "e": (1, 5, 5)}


def test_equal_values_score_alike(spark):
    orders = [order(f"{n}", f"{n}", 3, 1, 10) for n in range(7)] + [
        order("x1", "x", 3, 1, 9),
        order("x2", "x", 3, 2, 9),
    ]

    found = scores(summary(spark, *orders))

    assert {found[str(n)] for n in range(7)} == {(5, 1, 1)}
    assert found["x"] == (5, 5, 5)


def fixed_scores(df):
    return {row.customer_id: (row.r_score_fixed, row.f_score_fixed, row.m_score_fixed) for row in df.collect()}


@pytest.mark.parametrize(
    ("days", "expected"), [(0, 5), (30, 5), (31, 4), (90, 4), (91, 3), (180, 3), (181, 2), (365, 2), (366, 1)]
)
def test_a_fixed_score_of_days_ends_on_its_threshold(spark, days, expected):
    orders = [("1", "a", AS_OF - timedelta(days), False, Decimal(1))]

    assert fixed_scores(summary(spark, *orders))["a"][0] == expected


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (8, 4), (9, 5)])
def test_a_fixed_score_of_orders_ends_on_its_threshold(spark, count, expected):
    orders = [order(f"{n}", "a", 3, 1, "1") for n in range(count)]

    assert fixed_scores(summary(spark, *orders))["a"][1] == expected


@pytest.mark.parametrize(
    ("spend", "expected"),
    [("100", 1), ("100.0001", 2), ("300", 2), ("300.01", 3), ("1000", 3), ("1000.01", 4), ("3000", 4), ("3000.01", 5)],
)
def test_a_fixed_score_of_spend_ends_on_its_threshold(spark, spend, expected):
    assert fixed_scores(summary(spark, order("1", "a", 3, 1, spend)))["a"][2] == expected


def test_fixed_scores_follow_the_given_thresholds(spark):
    thresholds = Thresholds(
        days_since_last_order=(1, 2, 3, 4),
        count_orders=(1, 5, 6, 7),
        total_spend=(Decimal("0.1"), Decimal("0.2"), Decimal("0.3"), Decimal("0.4")),
    )
    orders = spark.createDataFrame([order("1", "a", 3, 28, "0.3"), order("2", "a", 3, 27, "0.05")], ORDERS)

    assert fixed_scores(rfm(orders, as_of=AS_OF, thresholds=thresholds)) == {"a": (3, 2, 4)}


@pytest.mark.parametrize("borders", [(1, 2, 3), (1, 2, 2, 3), (4, 3, 2, 1)], ids=["three", "equal", "falling"])
def test_thresholds_that_make_no_five_scores_are_refused(borders):
    with pytest.raises(ContractError, match="Four thresholds that rise"):
        Thresholds(count_orders=borders)


GRID = """
r 5: New Customers | Potential Loyalists | Potential Loyalists | Champions       | Champions
r 4: Promising     | Potential Loyalists | Potential Loyalists | Loyal Customers | Loyal Customers
r 3: About To Sleep| About To Sleep      | Need Attention      | Loyal Customers | Loyal Customers
r 2: Hibernating   | Hibernating         | At Risk             | At Risk         | Cannot Lose Them
r 1: Lost          | Hibernating         | At Risk             | At Risk         | Cannot Lose Them
"""
CELLS = {int(row[2]): [name.strip() for name in row[4:].split("|")] for row in GRID.strip().splitlines()}


def test_all_25_cells_are_named_by_exactly_eleven_names():
    cells = [name for names in SEGMENTS.values() for name in names]

    assert len(cells) == 25
    assert set(cells) == {
        "Champions", "Loyal Customers", "Potential Loyalists", "New Customers", "Promising", "Need Attention",
        "About To Sleep", "At Risk", "Cannot Lose Them", "Hibernating", "Lost",
    }  # fmt: skip


def test_every_combination_of_scores_has_its_segment(spark):
    half_up = {2: 1, 3: 2, 4: 2, 5: 3, 6: 3, 7: 4, 8: 4, 9: 5, 10: 5}  # f + m -> their mean
    combinations = list(product(range(1, 6), repeat=3))
    scored = spark.createDataFrame(combinations, "r_score int, f_score int, m_score int")

    named = scored.withColumn("rfm_segment", named_segment())

    expected = [(r, f, m, CELLS[r][half_up[f + m] - 1]) for r, f, m in combinations]
    assert_df_equality(
        named,
        spark.createDataFrame(expected, "r_score int, f_score int, m_score int, rfm_segment string"),
        ignore_nullable=True,
        ignore_row_order=True,
    )


drawn_orders = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 4), st.integers(1, 28), st.integers(-300, 900)), max_size=60
).map(
    lambda drawn: [
        order(f"{number:02}", who, month, day, Decimal(pence) / 100, is_return=pence < -100)
        for number, (who, month, day, pence) in enumerate(drawn)
    ]
)


@given(orders=drawn_orders, shuffle=st.randoms())
def test_the_summary_keeps_its_bounds_in_any_order_of_rows(spark, orders, shuffle):
    shuffled = list(orders)
    shuffle.shuffle(shuffled)

    found = summary(spark, *orders)

    assert_df_equality(summary(spark, *shuffled), found, ignore_row_order=True)
    for row in found.collect():
        assert 0 <= row.recency <= row["T"] == row.recency + row.days_since_last_order
        assert 0 <= row.frequency <= row.recency
        assert row.frequency < row.count_orders
        assert (row.frequency == 0) == (row.monetary_value == 0)
        assert {row.r_score, row.f_score, row.m_score} <= {1, 2, 3, 4, 5}
        assert row.rfm_segment


@given(orders=drawn_orders)
def test_fixed_scores_of_a_customer_depend_on_no_one_else(spark, orders):
    everybody, some = summary(spark, *orders), summary(spark, *[row for row in orders if row[1] < "d"])

    relative = ("r_score", "f_score", "m_score", "rfm_segment")
    assert_df_equality(
        some.drop(*relative), everybody.where("customer_id < 'd'").drop(*relative), ignore_row_order=True
    )


@given(orders=drawn_orders)
def test_all_spend_of_all_purchases_is_somebodys(spark, orders):
    bought = [amount for _, _, on, is_return, amount in orders if not is_return and amount > 0 and on <= AS_OF]

    found = summary(spark, *orders).collect()

    assert sum(row.total_spend for row in found) == sum(bought)
    assert sum(row.count_orders for row in found) == len(bought)


@pytest.mark.full_data
def test_fixed_scores_of_real_customers_are_what_sql_from_the_definition_says(real_lake):
    as_of = date(2011, 12, 9)
    orders = real_lake.lake.read(SILVER_ORDERS)

    found = rfm(orders, as_of=as_of).select("customer_id", "r_score_fixed", "f_score_fixed", "m_score_fixed").toArrow()

    connection = duckdb.connect()
    connection.register("found", found)
    connection.register("orders", orders.toArrow())
    expected = connection.sql(f"""
        SELECT customer_id,
            CASE WHEN days <= 30 THEN 5 WHEN days <= 90 THEN 4 WHEN days <= 180 THEN 3 WHEN days <= 365 THEN 2 ELSE 1
            END AS r,
            CASE WHEN times <= 1 THEN 1 WHEN times <= 2 THEN 2 WHEN times <= 4 THEN 3 WHEN times <= 8 THEN 4 ELSE 5
            END AS f,
            CASE WHEN spend <= 100 THEN 1 WHEN spend <= 300 THEN 2 WHEN spend <= 1000 THEN 3 WHEN spend <= 3000 THEN 4
            ELSE 5 END AS m
        FROM (
            SELECT customer_id, DATE '{as_of}' - max(ordered_on) AS days, count(*) AS times, sum(amount) AS spend
            FROM orders WHERE NOT is_return AND amount > 0 AND customer_id IS NOT NULL GROUP BY customer_id
        )
    """)
    assert len(expected) == len(found) == 4338
    assert connection.sql("FROM expected EXCEPT ALL FROM found").fetchall() == []
