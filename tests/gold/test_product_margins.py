from datetime import date, datetime
from decimal import Decimal

import duckdb
import pytest

from customerlake.gold.customer_value import customer_value
from customerlake.gold.product_margins import product_margins
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.orders import ORDERS

LINES = (
    "order_id string, product_id string, ordered_on date, quantity int, amount decimal(18,4), is_product boolean, "
    "is_sale boolean, is_return boolean"
)
PRODUCT_LIST = "product_id string, unit_cost decimal(18,4), currency string, updated_at timestamp"
RATES = "currency string, base_currency string, rated_on date, rate decimal(18,8)"
AS_OF = date(2012, 2, 29)
SOME_DAY, NEXT_DAY = datetime(2012, 1, 1), datetime(2012, 1, 2)


def line(order_id, product, quantity, amount, *, on=AS_OF, is_product=True, is_sale=None):
    is_return = quantity < 0
    return (
        order_id, product, on, quantity, Decimal(amount), is_product, not is_return if is_sale is None else is_sale,
        is_return,
    )  # fmt: skip


def costs(product, unit_cost, *, currency="GBP", at=SOME_DAY):
    return (product, None if unit_cost is None else Decimal(unit_cost), currency, at)


KNOWN = [costs("CUP", "1.5"), costs("BEAR", "4"), costs("BOX", None)]


def margins(spark, lines, products=KNOWN, rates=None):
    found = product_margins(
        spark.createDataFrame(lines, LINES),
        spark.createDataFrame(products, PRODUCT_LIST),
        None if rates is None else spark.createDataFrame(rates, RATES),
        currency="GBP",
    )
    return {row.order_id: (row.margin, row.sold_amount, row.costed_amount) for row in found.collect()}


def test_a_margin_is_what_was_paid_less_what_the_units_cost_where_that_is_known(spark):
    found = margins(
        spark,
        [
            line("1", "CUP", 4, "10"),  # costs 6
            line("1", "BEAR", 1, "3"),  # costs 4: sold at a loss
            line("1", "BOX", 2, "7"),
            line("1", "NEVER SEEN", 1, "5"),
            line("2", "BOX", 1, "2"),
        ],
    )

    assert found == {"1": (Decimal(3), Decimal(25), Decimal(13)), "2": (None, Decimal(2), Decimal(0))}


def test_what_is_taken_back_takes_its_margin_back(spark):
    assert margins(spark, [line("1", "CUP", -2, "-5")]) == {"1": (Decimal(-2), Decimal(0), Decimal(0))}


def test_postage_gifts_and_stock_corrections_have_no_margin(spark):
    lines = [
        line("1", "POST", 1, "4", is_product=False),
        line("2", "CUP", 1, "0", is_sale=False),
    ]

    assert margins(spark, lines, [*KNOWN, costs("POST", "1")]) == {}


def test_codes_are_read_in_capitals_and_of_two_spellings_the_newest_cost_counts(spark):
    products = [costs("cup", "2", at=NEXT_DAY), costs("Cup", "1"), costs("CUP", None, at=datetime(2012, 1, 3))]

    assert margins(spark, [line("1", "CUP", 1, "5")], products) == {"1": (Decimal(3), Decimal(5), Decimal(5))}


def test_a_cost_in_another_currency_is_taken_at_the_rate_of_the_lines_day(spark):
    rates = [("USD", "GBP", date(2012, 1, 1), Decimal("0.5")), ("USD", "GBP", date(2012, 2, 1), Decimal("0.75"))]
    lines = [line("1", "CUP", 2, "10", on=date(2012, 1, 31)), line("2", "CUP", 2, "10", on=date(2012, 2, 1))]

    found = margins(spark, lines, [costs("CUP", "4", currency="USD")], rates)

    assert {order: margin for order, (margin, _, _) in found.items()} == {"1": Decimal(6), "2": Decimal(4)}


@pytest.mark.parametrize("rates", [None, [("USD", "GBP", date(2012, 3, 1), Decimal("0.5"))]], ids=["none", "later"])
def test_a_cost_without_a_rate_by_the_lines_day_is_not_known(spark, rates):
    found = margins(spark, [line("1", "CUP", 2, "10")], [costs("CUP", "4", currency="USD")], rates)

    assert found == {"1": (None, Decimal(10), Decimal(0))}


def test_a_bar_code_in_place_of_a_cost_is_not_known(spark):
    found = margins(spark, [line("1", "CUP", 1000, "10")], [costs("CUP", "4006381333931")])

    assert found == {"1": (None, Decimal(10), Decimal(0))}


def test_no_lines_and_no_products_give_nothing_or_nothing_known(spark):
    assert margins(spark, []) == {}
    assert margins(spark, [line("1", "CUP", 1, "2")], []) == {"1": (None, Decimal(2), Decimal(0))}


@pytest.mark.full_data
@pytest.mark.parametrize("as_of", [date(2011, 12, 9), date(2011, 6, 14)], ids=["last day", "in the middle"])
def test_real_margins_are_what_sql_from_the_definition_says(real_lake, as_of):
    lines, orders = real_lake.lake.read(ORDER_LINES), real_lake.lake.read(ORDERS)
    # the real sales come without costs: the length of what a product is called stands for its pence, where that is even
    products = lines.groupBy("product_id").agg({"description": "min"}).selectExpr(
        "lower(product_id) AS product_id",
        "CASE WHEN length(`min(description)`) % 2 = 0 "
        "THEN cast(length(`min(description)`) / 20 AS decimal(18,4)) END AS unit_cost",
        "'GBP' AS currency", "timestamp'2010-01-01' AS updated_at",
    )  # fmt: skip

    found = customer_value(orders, product_margins(lines, products, currency="GBP"), as_of=as_of)

    connection = duckdb.connect()
    for name, df in {"found": found, "lines": lines, "orders": orders, "products": products}.items():
        connection.register(name, df.toArrow())
    connection.execute(f"""
        CREATE TABLE expected AS
        WITH counted AS (
            SELECT orders.customer_id, NOT orders.is_return AS is_bought, lines.amount, lines.is_sale,
                lines.amount - lines.quantity * unit_cost AS margin
            FROM orders LEFT JOIN (FROM lines WHERE is_product AND (is_sale OR is_return)) AS lines USING (order_id)
            LEFT JOIN products ON upper(products.product_id) = lines.product_id
            WHERE orders.customer_id IS NOT NULL AND orders.ordered_on <= DATE '{as_of}'
                AND (orders.is_return OR orders.amount > 0)
        )
        SELECT customer_id, sum(margin)::DECIMAL(18, 4) AS product_margin,
            coalesce(sum(amount) FILTER (is_bought AND is_sale AND margin IS NOT NULL), 0)
                / sum(amount) FILTER (is_bought AND is_sale) AS margin_known_share
        FROM counted GROUP BY customer_id
    """)
    wrong = connection.sql("""
        FROM expected FULL JOIN found USING (customer_id)
        WHERE expected.product_margin IS DISTINCT FROM found.product_margin
            OR (expected.margin_known_share IS NULL) <> (found.margin_known_share IS NULL)
            OR abs(expected.margin_known_share - found.margin_known_share) > 1e-12
    """)
    assert wrong.fetchall() == []
    (known,) = connection.sql("SELECT count(product_margin) FROM found").fetchall()
    assert known[0] > 1000
