"""Each silver table of the real sales, whole, against SQL written from the definitions over the raw files."""

import pytest

from customerlake.silver.customers import CUSTOMERS
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.orders import ORDERS
from customerlake.silver.products import PRODUCTS

pytestmark = pytest.mark.full_data

NAMES = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
TEXTS = ", ".join(f"coalesce(trim({name}), '')" for name in NAMES)

ORDER_LINES_SQL = f"""
    WITH lines AS (
        SELECT sha256(concat_ws(chr(31), {TEXTS})) AS order_line_id, InvoiceNo AS order_id,
            split_part(CustomerID, '.', 1) AS customer_id, InvoiceDate::TIMESTAMP AS ordered_at,
            upper(StockCode) AS product_id, nullif(trim(Description), '') AS description,
            Quantity::INT AS quantity, UnitPrice::DECIMAL(18, 4) AS unit_price,
            Country AS country, InvoiceNo[1] = 'C' AS is_return
        FROM raw WHERE UnitPrice::DOUBLE >= 0
    )
    SELECT DISTINCT *, ordered_at::DATE AS ordered_on, date_trunc('month', ordered_at)::DATE AS ordered_month,
        'online' AS channel, 'GBP' AS currency,
        quantity * unit_price AS amount, amount AS amount_charged, 1 AS exchange_rate,
        ordered_at::DATE AS exchange_rate_on, NOT is_return AND quantity * unit_price > 0 AND quantity > 0 AS is_sale,
        CASE WHEN quantity < 0 AND NOT is_return THEN 'adjustment'
            WHEN product_id IN ('POST', 'DOT', 'C2') THEN 'postage' WHEN product_id = 'D' THEN 'discount'
            WHEN product_id = 'M' THEN 'manual' WHEN product_id = 'S' THEN 'sample'
            WHEN product_id = 'B' THEN 'bad debt'
            WHEN product_id IN ('BANK CHARGES', 'AMAZONFEE', 'CRUK') THEN 'fee'
            WHEN starts_with(product_id, 'GIFT_') THEN 'gift voucher' ELSE 'product' END AS line_kind,
        line_kind = 'product' AS is_product, count(*) OVER (PARTITION BY order_line_id) AS count_received
    FROM lines
"""

ORDERS_SQL = """
    WITH lines AS (SELECT *, is_sale OR is_return AS has_amount FROM silver.order_lines)
    SELECT order_id, any_value(customer_id) AS customer_id, any_value(customer_id) AS shop_customer_id,
        min(ordered_at) AS ordered_at, min(ordered_on) AS ordered_on,
        'online' AS channel, order_id[1] = 'C' AS is_return, coalesce(sum(amount) FILTER (has_amount), 0) AS amount,
        coalesce(sum(amount) FILTER (has_amount AND is_product), 0) AS product_amount, 'GBP' AS currency,
        coalesce(sum(amount) FILTER (has_amount), 0) AS amount_charged,
        count(*) AS count_lines, count(DISTINCT product_id) FILTER (is_product) AS count_products,
        coalesce(sum(quantity) FILTER (has_amount AND is_product), 0) AS count_units, any_value(country) AS country
    FROM lines GROUP BY order_id
"""

NOTHING = [name for name in CUSTOMERS.business_columns if name not in (
    "customer_id", "country", "country_from", "first_seen_on", "last_seen_on", "count_records", "sources"
)]  # fmt: skip
CUSTOMERS_SQL = f"""
    SELECT DISTINCT ON (customer_id) customer_id, country, 'shop:' || customer_id AS country_from,
        min(ordered_on) OVER customer AS first_seen_on, max(ordered_on) OVER customer AS last_seen_on,
        1 AS count_records, 'shop' AS sources, {", ".join(f"NULL AS {name}" for name in NOTHING)}
    FROM silver.order_lines WHERE customer_id IS NOT NULL
    WINDOW customer AS (PARTITION BY customer_id)
    ORDER BY customer_id, ordered_at DESC, order_line_id DESC
"""

PRODUCTS_SQL = """
    SELECT DISTINCT ON (product_id) product_id, description, unit_price, bool_or(is_sale) OVER product AS is_sold,
        ordered_at AS described_at, order_line_id AS described_by_order_line_id,
        min(ordered_on) OVER product AS first_seen_on, max(ordered_on) OVER product AS last_seen_on
    FROM silver.order_lines WHERE line_kind IN ('product', 'adjustment')
    WINDOW product AS (PARTITION BY product_id)
    ORDER BY product_id, is_sale DESC, description IS NOT NULL DESC, ordered_at DESC, order_line_id DESC
"""

SILVER = {ORDER_LINES: ORDER_LINES_SQL, ORDERS: ORDERS_SQL, CUSTOMERS: CUSTOMERS_SQL, PRODUCTS: PRODUCTS_SQL}


@pytest.mark.parametrize("table", SILVER, ids=lambda table: table.name)
def test_a_built_table_is_what_its_definition_says(assert_table_is, table):
    assert_table_is(table, f"FROM {table.name}", SILVER[table])


def test_no_order_of_the_real_sales_has_two_customers_or_countries(real_tables):
    """So any of its lines may stand for it in ORDERS_SQL."""
    mixed = real_tables.sql(
        "SELECT order_id FROM silver.order_lines GROUP BY order_id "
        "HAVING count(DISTINCT coalesce(customer_id, '-')) > 1 OR count(DISTINCT country) > 1"
    )

    assert mixed.fetchall() == []
