from datetime import date
from decimal import Decimal

import duckdb
import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.gold.customer_value import customer_value
from customerlake.gold.customer_value_by_product_group import (
    CUSTOMER_VALUE_BY_PRODUCT_GROUP,
    customer_value_by_product_group,
)
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.orders import ORDERS as SILVER_ORDERS
from tests.gold.test_customer_value_by_channel import assert_holds_all_of

ORDERS = (
    "order_id string, customer_id string, ordered_on date, is_return boolean, amount decimal(18,4), "
    "product_amount decimal(18,4)"
)
LINES = (
    "order_id string, product_id string, line_kind string, is_product boolean, is_sale boolean, is_return boolean, "
    "amount decimal(18,4)"
)
PRODUCT_LIST = "product_id string, category string"
KNOWN = [("CUP", "kitchen"), ("PAN", "kitchen"), ("BEAR", "toys"), ("BOX", None)]
AS_OF = date(2012, 2, 29)


def order(order_id, amount, *, customer="a", on=AS_OF, is_return=False):
    return (order_id, customer, on, is_return, Decimal(amount), Decimal(0))


def line(order_id, product, amount, *, kind="product", is_return=False, is_sale=None):
    return (
        order_id, product, kind, kind == "product", not is_return if is_sale is None else is_sale, is_return,
        Decimal(amount),
    )  # fmt: skip


def value(spark, orders, lines, products=KNOWN, *, as_of=AS_OF):
    product_list = None if products is None else spark.createDataFrame(products, PRODUCT_LIST)
    return customer_value_by_product_group(
        spark.createDataFrame(lines, LINES), spark.createDataFrame(orders, ORDERS), product_list, as_of=as_of
    )


def by_group(df, *names):
    return {row.product_group: tuple(row[name] for name in names) for row in df.collect()}


def test_purchases_and_returns_are_summed_by_group_of_products(spark):
    orders = [order("1", "34"), order("2", "6"), order("3", "-8", is_return=True), order("4", "3", customer="b")]
    lines = [
        line("1", "CUP", "10"), line("1", "PAN", "20"), line("1", "POST", "4", kind="postage"),
        line("2", "CUP", "2"), line("2", "BEAR", "3"), line("2", "BOX", "1"),
        line("3", "PAN", "-8", is_return=True),
        line("4", "NEVER SEEN", "3"),
    ]  # fmt: skip

    found = value(spark, orders, lines)

    def row(customer, group, gross, returned, net, *rest):
        return (customer, group, AS_OF, Decimal(gross), Decimal(returned), Decimal(net), *rest)

    rows = [
        row("a", "kitchen", 32, 8, 24, 2, 0.8, 0.75),
        row("a", "postage", 4, 0, 4, 1, 0.1, 0.125),
        row("a", "toys", 3, 0, 3, 1, 0.075, 0.09375),
        row("a", "unknown", 1, 0, 1, 1, 0.025, 0.03125),
        row("b", "unknown", 3, 0, 3, 1, 1.0, 1.0),
    ]
    expected = spark.createDataFrame(rows, CUSTOMER_VALUE_BY_PRODUCT_GROUP.schema)
    assert_df_equality(found, expected, ignore_nullable=True, ignore_row_order=True)


def test_without_a_product_list_all_products_are_unknown(spark):
    found = value(spark, [order("1", "5")], [line("1", "CUP", "4"), line("1", "F", "1", kind="fee")], None)

    assert by_group(found, "gross_spend") == {"unknown": (Decimal(4),), "fee": (Decimal(1),)}


def test_codes_of_the_product_list_are_read_in_capitals_and_count_a_line_once(spark):
    products = [("cup", "kitchen"), ("Cup", "bar"), ("CUP", None)]

    found = value(spark, [order("1", "4")], [line("1", "CUP", "4")], products)

    assert by_group(found, "gross_spend") == {"bar": (Decimal(4),)}


def test_gifts_and_stock_corrections_do_not_count(spark):
    lines = [
        line("1", "CUP", "4"),
        line("1", "BEAR", "0", is_sale=False),
        line("1", "PAN", "0", kind="adjustment", is_sale=False),
    ]

    assert by_group(value(spark, [order("1", "4")], lines), "count_orders") == {"kitchen": (1,)}


def test_a_line_taken_back_within_a_purchase_lowers_the_spend_of_its_group(spark):
    lines = [line("1", "CUP", "10"), line("1", "BEAR", "-4", is_return=True)]

    found = value(spark, [order("1", "6")], lines)

    names = ("gross_spend", "returned_amount", "gross_spend_share")
    assert by_group(found, *names) == {
        "kitchen": (Decimal(10), Decimal(0), None),
        "toys": (Decimal(-4), Decimal(0), None),
    }


@pytest.mark.parametrize(
    "other",
    [
        order("2", "5", on=date(2012, 3, 1)),
        order("2", "0"),
        order("2", "5", customer=None),
        order("3", "5"),
    ],
    ids=["after as_of", "order that comes to nothing", "anonymous", "order without lines"],
)
def test_what_is_no_purchase_of_the_customer_by_as_of_does_not_count(spark, other):
    mine, lines = order("1", "10"), [line("1", "CUP", "10"), line("2", "BEAR", "5")]

    assert_df_equality(value(spark, [mine, other], lines), value(spark, [mine], lines))


def test_a_customer_who_only_returned_has_no_shares(spark):
    found = value(spark, [order("1", "-4", is_return=True)], [line("1", "CUP", "-4", is_return=True)])

    assert by_group(found, "gross_spend", "returned_amount", "count_orders", "gross_spend_share") == {
        "kitchen": (Decimal(0), Decimal(4), 0, None)
    }


def test_nothing_in_gives_nothing(spark):
    assert value(spark, [], [], []).isEmpty()


@st.composite
def drawn_baskets(draw):
    """Lines of up to 30 orders, some of them returns, and the orders that they make."""
    lines, orders = [], []
    product = st.sampled_from([("CUP", "product"), ("BEAR", "product"), ("ODD", "product"), ("POST", "postage")])
    for number in range(draw(st.integers(0, 30))):
        order_id, is_return = str(number), draw(st.booleans())
        drawn = draw(st.lists(st.tuples(product, st.integers(0, 500)), min_size=1, max_size=5))
        basket = [
            line(
                order_id,
                code,
                Decimal(-pence if is_return else pence) / 100,
                kind=kind,
                is_return=is_return,
                is_sale=pence > 0 and not is_return,
            )
            for (code, kind), pence in drawn
        ]
        customer, on = draw(st.sampled_from(["a", "b", "c", None])), date(2012, 2, draw(st.integers(25, 29)))
        orders.append(order(order_id, sum(row[-1] for row in basket), customer=customer, on=on, is_return=is_return))
        lines += basket
    return orders, lines


@given(baskets=drawn_baskets(), shuffle=st.randoms())
def test_over_the_groups_a_customers_sums_are_those_of_customer_value(spark, baskets, shuffle):
    orders, lines = baskets
    shuffled = list(lines)
    shuffle.shuffle(shuffled)
    as_of = date(2012, 2, 28)
    names = ("gross_spend", "returned_amount", "net_spend")

    found = value(spark, orders, lines, as_of=as_of)

    assert_df_equality(value(spark, orders, shuffled, as_of=as_of), found, ignore_row_order=True)
    sums = {}
    for row in found.collect():
        total = sums.setdefault(row.customer_id, [0] * len(names))
        sums[row.customer_id] = [known + row[name] for known, name in zip(total, names, strict=True)]
    whole = customer_value(spark.createDataFrame(orders, ORDERS), as_of=as_of).collect()
    of_customers = {row.customer_id: [row[name] for name in names] for row in whole}
    assert sums.keys() <= of_customers.keys()
    assert {customer: total for customer, total in of_customers.items() if any(total)} == {
        customer: total for customer, total in sums.items() if any(total)
    }


@pytest.mark.full_data
@pytest.mark.parametrize("as_of", [date(2011, 12, 9), date(2011, 6, 14)], ids=["last day", "in the middle"])
def test_real_value_by_product_group_is_what_sql_from_the_definition_says(real_lake, as_of):
    read = real_lake.lake.read
    lines, orders = read(ORDER_LINES), read(SILVER_ORDERS)
    # the real sales come without a list of products: the last digit of a code stands for its category
    products = lines.selectExpr(
        "lower(product_id) AS product_id", "nullif(regexp_extract(product_id, '([0-9])[A-Z]*$', 1), '') AS category"
    ).distinct()

    found = customer_value_by_product_group(lines, orders, products, as_of=as_of).toArrow()

    connection = duckdb.connect()
    connection.register("found", found)
    connection.register("lines", lines.toArrow())
    connection.register("orders", orders.toArrow())
    assert_holds_all_of(
        connection,
        f"""
        SELECT orders.customer_id, CASE WHEN NOT is_product THEN line_kind
                ELSE coalesce(nullif(regexp_extract(upper(product_id), '([0-9])[A-Z]*$', 1), ''), 'unknown')
            END AS product_group, DATE '{as_of}' AS as_of,
            coalesce(sum(lines.amount) FILTER (NOT orders.is_return), 0)::DECIMAL(18, 4) AS gross_spend,
            coalesce(-sum(lines.amount) FILTER (orders.is_return), 0)::DECIMAL(18, 4) AS returned_amount,
            count(DISTINCT order_id) FILTER (NOT orders.is_return) AS count_orders
        FROM lines JOIN orders USING (order_id)
        WHERE orders.customer_id IS NOT NULL AND orders.ordered_on <= DATE '{as_of}'
            AND (orders.is_return OR orders.amount > 0) AND (lines.is_sale OR lines.is_return)
        GROUP BY ALL
        """,
    )
    assert (
        connection.sql("SELECT sum(net_spend) FROM found").fetchall()
        == connection.sql(
            f"SELECT sum(amount) FROM orders WHERE customer_id IS NOT NULL AND ordered_on <= DATE '{as_of}'"
        ).fetchall()
    )
