from datetime import date
from decimal import Decimal

import duckdb
import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.gold.customer_value import customer_value
from customerlake.gold.customer_value_by_channel import CUSTOMER_VALUE_BY_CHANNEL, customer_value_by_channel
from customerlake.silver.orders import ORDERS as SILVER_ORDERS

ORDERS = (
    "customer_id string, channel string, ordered_on date, is_return boolean, amount decimal(18,4), "
    "product_amount decimal(18,4)"
)
AS_OF = date(2012, 2, 29)


def order(customer, channel, amount, *, on=AS_OF, is_return=False):
    return (customer, channel, on, is_return, Decimal(amount), Decimal(amount))


def value(spark, *orders, as_of=AS_OF):
    return customer_value_by_channel(spark.createDataFrame(orders, ORDERS), as_of=as_of)


def by_channel(df, *names):
    return {row.channel: tuple(row[name] for name in names) for row in df.collect()}


def test_purchases_and_returns_are_summed_by_channel(spark):
    found = value(
        spark,
        order("a", "web", "70"),
        order("a", "web", "5.05"),
        order("a", "store", "24.95"),
        order("a", "web", "-50.05", is_return=True),
        order("b", None, "1"),
    )

    rows = [
        ("a", "web", AS_OF, Decimal("75.05"), Decimal("50.05"), Decimal(25), 2, 0.7505, 25 / 49.95),
        ("a", "store", AS_OF, Decimal("24.95"), Decimal(0), Decimal("24.95"), 1, 0.2495, 24.95 / 49.95),
        ("b", "unknown", AS_OF, Decimal(1), Decimal(0), Decimal(1), 1, 1.0, 1.0),
    ]
    expected = spark.createDataFrame(rows, CUSTOMER_VALUE_BY_CHANNEL.schema)
    assert_df_equality(found, expected, ignore_nullable=True, ignore_row_order=True)


def test_a_channel_below_zero_makes_no_shares_of_net_spend(spark):
    found = value(spark, order("a", "web", "10"), order("a", "store", "-4", is_return=True))

    names = ("net_spend", "count_orders", "gross_spend_share", "net_spend_share")
    assert by_channel(found, *names) == {"web": (Decimal(10), 1, 1.0, None), "store": (Decimal(-4), 0, 0.0, None)}


def test_a_customer_who_only_returned_has_no_shares(spark):
    found = value(spark, order("a", "store", "-4", is_return=True))

    assert by_channel(found, "gross_spend", "gross_spend_share", "net_spend_share") == {
        "store": (Decimal(0), None, None)
    }


def test_a_customer_who_returned_all_has_no_share_of_net_spend(spark):
    found = value(spark, order("a", "web", "4"), order("a", "web", "-4", is_return=True))

    assert by_channel(found, "gross_spend_share", "net_spend_share") == {"web": (1.0, None)}


@pytest.mark.parametrize(
    "other",
    [
        order("a", "web", "5", on=date(2012, 3, 1)),
        order("a", "web", "-5", on=date(2012, 3, 1), is_return=True),
        order("a", "store", "0"),
        order(None, "web", "5"),
    ],
    ids=["later order", "later return", "gift", "anonymous"],
)
def test_what_is_not_the_customers_by_as_of_does_not_count(spark, other):
    mine = order("a", "web", "10")

    assert_df_equality(value(spark, mine, other), value(spark, mine))


def test_nothing_in_gives_nothing(spark):
    assert value(spark).isEmpty()


drawn_orders = st.lists(
    st.tuples(
        st.sampled_from("abcdef"), st.sampled_from(["web", "store", "app", None]), st.integers(-300, 900),
        st.integers(27, 31),
    ),
    max_size=50,
).map(
    lambda drawn: [
        order(who, channel, Decimal(p) / 100, on=date(2012, 1, day), is_return=p < -100)
        for who, channel, p, day in drawn
    ]
)  # fmt: skip


@given(orders=drawn_orders, shuffle=st.randoms())
def test_over_the_channels_a_customers_sums_are_those_of_customer_value(spark, orders, shuffle):
    shuffled = list(orders)
    shuffle.shuffle(shuffled)
    as_of = date(2012, 1, 30)
    names = ("gross_spend", "returned_amount", "net_spend", "count_orders")

    found = value(spark, *orders, as_of=as_of)

    assert_df_equality(value(spark, *shuffled, as_of=as_of), found, ignore_row_order=True)
    sums, shares = {}, {}
    for row in found.collect():
        total = sums.setdefault(row.customer_id, [0] * len(names))
        sums[row.customer_id] = [known + row[name] for known, name in zip(total, names, strict=True)]
        for name in ("gross_spend_share", "net_spend_share"):
            shares.setdefault((row.customer_id, name), []).append(row[name])
    whole = customer_value(spark.createDataFrame(orders, ORDERS), as_of=as_of).collect()
    assert sums == {row.customer_id: [row[name] for name in names] for row in whole}
    for parts in shares.values():
        assert set(parts) == {None} or (sum(parts) == pytest.approx(1, rel=1e-12) and min(parts) >= 0)


def assert_holds_all_of(connection, expected_sql):
    """`found` holds the rows of the SQL, which has all columns but net_spend and the shares, and these follow."""
    connection.execute(f"CREATE OR REPLACE TABLE expected AS {expected_sql}")
    kept = "SELECT * EXCLUDE (net_spend, gross_spend_share, net_spend_share) FROM found"
    assert len(connection.table("expected")) > 0
    assert connection.sql(f"FROM expected EXCEPT ALL {kept}").fetchall() == []
    assert connection.sql(f"{kept} EXCEPT ALL FROM expected").fetchall() == []
    wrong = connection.sql("""
        WITH totals AS (
            SELECT customer_id, sum(gross_spend) AS gross, sum(gross_spend - returned_amount) AS net,
                min(gross_spend) AS least_gross, min(gross_spend - returned_amount) AS least_net
            FROM expected GROUP BY customer_id
        )
        SELECT * FROM found JOIN totals USING (customer_id)
        WHERE net_spend <> gross_spend - returned_amount
            OR (gross_spend_share IS NULL) <> (gross = 0 OR least_gross < 0)
            OR (net_spend_share IS NULL) <> (net = 0 OR least_net < 0)
            OR abs(gross_spend_share - gross_spend::DOUBLE / gross::DOUBLE) > 1e-12
            OR abs(net_spend_share - net_spend::DOUBLE / net::DOUBLE) > 1e-12
    """)
    assert wrong.fetchall() == []


@pytest.mark.full_data
@pytest.mark.parametrize("as_of", [date(2011, 12, 9), date(2011, 6, 14)], ids=["last day", "in the middle"])
def test_real_value_by_channel_is_what_sql_from_the_definition_says(real_lake, as_of):
    # the real sales have one channel: their weekdays stand for more
    orders = real_lake.lake.read(SILVER_ORDERS).withColumn("channel", F.date_format("ordered_on", "E"))

    found = customer_value_by_channel(orders, as_of=as_of).toArrow()

    connection = duckdb.connect()
    connection.register("found", found)
    connection.register("orders", orders.toArrow())
    assert_holds_all_of(
        connection,
        f"""
        SELECT customer_id, channel, DATE '{as_of}' AS as_of,
            coalesce(sum(amount) FILTER (NOT is_return), 0)::DECIMAL(18, 4) AS gross_spend,
            coalesce(-sum(amount) FILTER (is_return), 0)::DECIMAL(18, 4) AS returned_amount,
            count(*) FILTER (NOT is_return) AS count_orders
        FROM orders
        WHERE customer_id IS NOT NULL AND ordered_on <= DATE '{as_of}' AND (is_return OR amount > 0)
        GROUP BY ALL
        """,
    )
