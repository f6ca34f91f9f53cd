from datetime import date
from decimal import Decimal

import duckdb
import pytest

from customerlake.gold.favourites import favourites
from customerlake.gold.purchase_behaviour import products_bought
from customerlake.silver.identities import IDENTITIES, of_number
from customerlake.silver.order_lines import ORDER_LINES

LINES = (
    "order_id string, customer_id string, ordered_on date, product_id string, is_sale boolean, is_product boolean, "
    "amount decimal(18,4)"
)
AS_OF = date(2012, 2, 29)
KNOWN = [("CUP", "kitchen"), ("PAN", "kitchen"), ("BEAR", "toys"), ("BOX", None)]


def line(order_id, product, amount, *, customer="a", on=AS_OF, is_sale=True, is_product=True):
    return (order_id, customer, on, product, is_sale, is_product, Decimal(amount))


def liked(spark, lines, products=KNOWN):
    listed = None if products is None else spark.createDataFrame(products, "product_id string, category string")
    found = spark.createDataFrame(lines, LINES).transform(products_bought(AS_OF)).transform(favourites(listed))
    return {row.customer_id: (row.top_products, row.top_category) for row in found.collect()}


def test_products_in_most_orders_come_first_then_those_of_more_spend_then_of_lower_code(spark):
    lines = [
        line("1", "BOX", "1"), line("1", "BOX", "1"), line("2", "BOX", "1"), line("3", "BOX", "1"),
        line("1", "CUP", "2"), line("2", "CUP", "2"),
        line("1", "BEAR", "90"),
        line("1", "PAN", "5"),
        line("1", "ANT", "90"),
        line("1", "CUP", "1", customer="b"),
    ]  # fmt: skip

    assert liked(spark, lines) == {"a": ("BOX, CUP, ANT", "toys"), "b": ("CUP", "kitchen")}


def test_the_top_category_is_that_of_the_highest_spend_over_all_its_products(spark):
    lines = [line("1", "BEAR", "6"), line("2", "CUP", "4"), line("2", "PAN", "3"), line("2", "BOX", "50")]

    assert liked(spark, lines)["a"][1] == "kitchen"
    assert liked(spark, [line("1", "BEAR", "7"), line("1", "CUP", "7")])["a"][1] == "kitchen"


def test_without_a_category_there_is_no_top_category(spark):
    assert liked(spark, [line("1", "BOX", "1")]) == {"a": ("BOX", None)}
    assert liked(spark, [line("1", "CUP", "1")], None) == {"a": ("CUP", None)}


@pytest.mark.parametrize(
    "other",
    [
        line("9", "PAN", "99", on=date(2012, 3, 1)),
        line("9", "PAN", "99", customer=None),
        line("9", "POST", "99", is_product=False),
        line("9", "PAN", "-99", is_sale=False),
    ],
    ids=["later", "anonymous", "postage", "return"],
)
def test_what_the_customer_did_not_buy_by_as_of_does_not_count(spark, other):
    assert liked(spark, [line("1", "CUP", "1"), other]) == {"a": ("CUP", "kitchen")}


def test_no_lines_give_nothing(spark):
    assert liked(spark, []) == {}


@pytest.mark.full_data
@pytest.mark.parametrize("as_of", [date(2011, 12, 9), date(2011, 6, 14)], ids=["last day", "in the middle"])
def test_real_favourites_are_what_sql_from_the_definition_says(real_lake, as_of):
    read = real_lake.lake.read
    lines = read(ORDER_LINES).transform(of_number(read(IDENTITIES)))
    # the real sales come without a list of products: the last digit of a code stands for its category
    products = lines.selectExpr(
        "lower(product_id) AS product_id", "nullif(regexp_extract(product_id, '([0-9])[A-Z]*$', 1), '') AS category"
    ).distinct()

    liked = lines.transform(products_bought(as_of)).transform(favourites(products))
    found = liked.select("customer_id", "top_products", "top_category").toArrow()

    connection = duckdb.connect()
    connection.register("found", found)
    connection.register("lines", lines.toArrow())
    connection.execute(f"""
        CREATE TABLE expected AS
        WITH bought AS (
            SELECT *, nullif(regexp_extract(product_id, '([0-9])[A-Z]*$', 1), '') AS category FROM lines
            WHERE is_sale AND is_product AND customer_id IS NOT NULL AND ordered_on <= DATE '{as_of}'
        ), ranked AS (
            SELECT customer_id, product_id, row_number() OVER (
                PARTITION BY customer_id ORDER BY count(DISTINCT order_id) DESC, sum(amount) DESC, product_id
            ) AS place FROM bought GROUP BY customer_id, product_id
        ), spent AS (
            SELECT customer_id, category, row_number() OVER (
                PARTITION BY customer_id ORDER BY sum(amount) DESC, category
            ) AS place FROM bought WHERE category IS NOT NULL GROUP BY customer_id, category
        )
        SELECT customer_id, string_agg(product_id, ', ' ORDER BY ranked.place) AS top_products, any_value(category)
        FROM ranked LEFT JOIN (FROM spent WHERE place = 1) AS spent USING (customer_id)
        WHERE ranked.place <= 3 GROUP BY customer_id
    """)
    assert len(connection.table("expected")) > 1000
    assert connection.sql("FROM expected EXCEPT ALL FROM found").fetchall() == []
    assert connection.sql("FROM found EXCEPT ALL FROM expected").fetchall() == []
