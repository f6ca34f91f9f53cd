"""The built tables against the published facts of the real sales, and against a library that knows nothing of them."""

from datetime import date
from decimal import Decimal

import pandas as pd
import pytest
from lifetimes.utils import summary_data_from_transaction_data

pytestmark = pytest.mark.full_data

LAST_DAY = date(2011, 12, 9)


def figure(tables, sql):
    """The only value of a query."""
    ((value,),) = tables.sql(sql).fetchall()
    return value


@pytest.mark.parametrize(
    ("what", "sql", "expected"),
    [
        ("lines", "SELECT count(*) FROM bronze.sales", 541_909),
        ("files", "SELECT count(DISTINCT _source_file) FROM bronze.sales", 305),
        (
            "exact duplicates",
            "SELECT (SELECT count(*) FROM bronze.sales) - (SELECT count(*) FROM silver.order_lines) "
            "- (SELECT count(*) FROM quarantine.order_lines)",
            5_268,
        ),
        ("exact duplicates", "SELECT sum(count_received - 1) FROM silver.order_lines", 5_268),
        ("lines without a customer", "SELECT count(*) FROM bronze.sales WHERE customer_id = ''", 135_080),
        (
            "lines without a customer, but for the two in quarantine",
            "SELECT sum(count_received) FROM silver.order_lines WHERE customer_id IS NULL",
            135_078,
        ),
        ("cancellation lines", "SELECT count(*) FROM bronze.sales WHERE order_id LIKE 'C%'", 9_288),
        ("cancellation lines", "SELECT sum(count_received) FROM silver.order_lines WHERE is_return", 9_288),
        ("customers", "SELECT count(DISTINCT customer_id) FROM bronze.sales WHERE customer_id <> ''", 4_372),
        ("customers", "SELECT count(*) FROM silver.customers", 4_372),
        ("customers", "SELECT count(*) FROM gold.customer_360", 4_372),
        ("invoices", "SELECT count(DISTINCT order_id) FROM bronze.sales", 25_900),
        ("invoices, but for the two in quarantine", "SELECT count(*) FROM silver.orders", 25_898),
    ],
)
def test_the_lake_holds_what_the_files_hold(real_tables, what, sql, expected):
    assert figure(real_tables, sql) == expected, what


def test_only_the_two_corrections_of_bad_debt_are_in_quarantine(real_tables):
    rejected = real_tables.sql(
        "SELECT raw ->> 'order_id', raw ->> 'unit_price', reasons FROM quarantine.order_lines ORDER BY 1"
    )

    reasons = ["unit_price -11062.0600 is negative"]
    assert rejected.fetchall() == [("A563186", "-11062.06", reasons), ("A563187", "-11062.06", reasons)]


SALES_WITH_CUSTOMER = "FROM silver.order_lines WHERE is_sale AND customer_id IS NOT NULL"


def test_sales_with_customer_add_up_with_exact_duplicates(real_tables):
    found = real_tables.sql(
        f"SELECT sum(count_received), count(DISTINCT customer_id), sum(count_received * amount) {SALES_WITH_CUSTOMER}"
    ).fetchall()

    assert found == [(397_884, 4_338, Decimal("8911407.9040"))]


def test_sales_with_customer_add_up_without_exact_duplicates(real_tables):
    found = real_tables.sql(
        f"SELECT count(*), count(DISTINCT customer_id), sum(amount) {SALES_WITH_CUSTOMER}"
    ).fetchall()

    assert found == [(392_692, 4_338, Decimal("8887208.8940"))]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT sum(amount) FROM silver.orders WHERE NOT is_return AND amount > 0 AND customer_id IS NOT NULL",
        "SELECT sum(total_spend) FROM gold.rfm",
        "SELECT sum(gross_spend) FROM gold.customer_value",
        "SELECT sum(gross_spend) FROM gold.customer_360",
        "SELECT sum(total) FROM gold.profile_statistics WHERE dimension = 'country' AND attribute = 'total_spend'",
        f"SELECT CAST(sum(total_spend) AS DECIMAL(18, 4)) FROM features.snapshot WHERE as_of = DATE '{LAST_DAY}'",
    ],
)
def test_the_revenue_of_known_customers_is_the_same_in_every_table(real_tables, sql):
    assert figure(real_tables, sql) == Decimal("8887208.8940")


def test_all_revenue_is_the_same_in_lines_orders_and_months(real_tables):
    lines = figure(real_tables, "SELECT sum(amount) FROM silver.order_lines WHERE is_sale")
    orders = figure(real_tables, "SELECT sum(amount) FROM silver.orders WHERE NOT is_return")
    months = figure(real_tables, "SELECT sum(revenue) FROM gold.kpis WHERE period = 'month'")
    raw = figure(
        real_tables,
        "SELECT sum(Quantity::INT * UnitPrice::DECIMAL(18, 4)) FROM (SELECT DISTINCT * FROM raw) "
        "WHERE InvoiceNo NOT LIKE 'C%' AND Quantity::INT > 0 AND UnitPrice::DECIMAL(18, 4) > 0",
    )

    assert lines == orders == months == raw


def test_all_money_given_back_is_the_same_in_lines_orders_months_and_cancellations(real_tables):
    lines = figure(real_tables, "SELECT -sum(amount) FROM silver.order_lines WHERE is_return")
    orders = figure(real_tables, "SELECT -sum(amount) FROM silver.orders WHERE is_return")
    months = figure(real_tables, "SELECT sum(returned_amount) FROM gold.kpis WHERE period = 'month'")
    cancellations = figure(real_tables, "SELECT sum(amount) FROM silver.cancellations")
    raw = figure(
        real_tables,
        "SELECT -sum(Quantity::INT * UnitPrice::DECIMAL(18, 4)) FROM (SELECT DISTINCT * FROM raw) "
        "WHERE InvoiceNo LIKE 'C%'",
    )

    assert lines == orders == months == cancellations == raw


@pytest.fixture(scope="module")
def purchases_by_lifetimes(real_tables):
    """frequency, recency, T and monetary_value of each customer, by `lifetimes`, straight from the raw files."""
    lines = real_tables.sql("SELECT DISTINCT * FROM raw").df()
    lines = lines[~lines.InvoiceNo.str.startswith("C") & lines.CustomerID.notna()]
    lines = lines.assign(
        customer_id=lines.CustomerID.str.removesuffix(".0"),
        day=pd.to_datetime(lines.InvoiceDate).dt.normalize(),
        amount=lines.Quantity.astype(int) * lines.UnitPrice.astype(float),
    )
    return summary_data_from_transaction_data(
        lines[lines.amount > 0],
        "customer_id",
        "day",
        monetary_value_col="amount",
        observation_period_end=pd.Timestamp(LAST_DAY),
    )


def test_every_customers_purchases_are_those_that_lifetimes_finds(real_tables, purchases_by_lifetimes):
    rfm = real_tables.sql("SELECT customer_id, frequency, recency, T, monetary_value FROM gold.rfm").df()
    rfm = rfm.set_index("customer_id").sort_index().astype(float)

    assert len(rfm) == 4_338
    exact = ["frequency", "recency", "T"]
    pd.testing.assert_frame_equal(rfm[exact], purchases_by_lifetimes[exact], check_names=False)
    # both round: ours to the cent, theirs in binary
    difference = (rfm.monetary_value - purchases_by_lifetimes.monetary_value).abs()
    assert difference.max() <= 0.005 + 1e-9


def test_the_snapshots_of_the_last_day_agree_with_lifetimes(real_tables, purchases_by_lifetimes):
    snapshot = real_tables.sql(
        f"SELECT customer_id, frequency, recency, T FROM features.snapshot WHERE as_of = DATE '{LAST_DAY}'"
    ).df()

    pd.testing.assert_frame_equal(
        snapshot.set_index("customer_id").sort_index(),
        purchases_by_lifetimes[["frequency", "recency", "T"]],
        check_names=False,
    )


LINKED = """
    FROM silver.cancellations JOIN silver.order_lines AS taken_back USING (order_line_id)
    JOIN silver.order_lines AS sale ON sale.order_line_id = cancelled_order_line_id
"""


def test_a_cancelled_sale_is_an_earlier_one_of_the_same_customer_product_and_price(real_tables):
    wrong = figure(
        real_tables,
        f"""
        SELECT count(*) {LINKED}
        WHERE NOT sale.is_sale OR NOT taken_back.is_return OR sale.ordered_at > taken_back.ordered_at
            OR (sale.customer_id, sale.product_id, sale.unit_price, sale.order_id)
            IS DISTINCT FROM (taken_back.customer_id, taken_back.product_id, taken_back.unit_price, cancelled_order_id)
        """,
    )

    assert wrong == 0


def test_no_sale_is_cancelled_for_more_than_its_quantity(real_tables):
    overdrawn = real_tables.sql(
        f"SELECT cancelled_order_line_id {LINKED} GROUP BY ALL "
        "HAVING sum(-taken_back.quantity) > any_value(sale.quantity)"
    )

    assert overdrawn.fetchall() == []


def test_a_whole_line_is_cancelled_once_and_by_its_own_quantity(real_tables):
    wrong = real_tables.sql(
        f"""
        SELECT cancelled_order_line_id {LINKED} GROUP BY ALL
        HAVING bool_or(link_rule = 'whole line')
            AND (count(*) > 1 OR sum(-taken_back.quantity) <> any_value(sale.quantity))
        """
    )

    assert wrong.fetchall() == []


def test_every_line_of_a_return_is_a_cancellation_with_a_rule_for_its_link(real_tables):
    returns = real_tables.sql("SELECT order_line_id FROM silver.order_lines WHERE is_return ORDER BY 1").fetchall()
    rules = real_tables.sql(
        "SELECT DISTINCT link_rule, cancelled_order_line_id IS NOT NULL AS is_linked FROM silver.cancellations"
    )

    assert real_tables.sql("SELECT order_line_id FROM silver.cancellations ORDER BY 1").fetchall() == returns
    assert set(rules.fetchall()) == {
        ("whole line", True), ("part of a line", True), ("anonymous", False), ("no earlier sale", False),
    }  # fmt: skip


def test_every_return_that_an_equal_earlier_sale_could_explain_is_linked(real_tables):
    """As many whole links per customer, product, price and quantity as brackets can close, counted without pairing.

    A walk goes up by a sale and down by a return: as many returns are unmatched as its lowest point is deep.
    """
    short = real_tables.sql(
        """
        WITH walk AS (
            SELECT customer_id, product_id, unit_price, abs(quantity) AS units, is_return,
                sum(CASE WHEN is_return THEN -1 ELSE 1 END) OVER (
                    PARTITION BY customer_id, product_id, unit_price, abs(quantity)
                    ORDER BY ordered_at, is_return, order_id, order_line_id ROWS UNBOUNDED PRECEDING
                ) AS height
            FROM silver.order_lines WHERE customer_id IS NOT NULL AND (is_sale OR is_return)
        ), possible AS (
            SELECT customer_id, product_id, unit_price, units,
                count(*) FILTER (is_return) - greatest(0, -min(height)) AS pairs
            FROM walk GROUP BY ALL
        ), found AS (
            SELECT customer_id, product_id, line.unit_price, line.quantity AS units, count(*) AS pairs
            FROM silver.cancellations AS cancelled
            JOIN (SELECT order_line_id, unit_price, -quantity AS quantity FROM silver.order_lines) AS line
                USING (order_line_id)
            WHERE link_rule = 'whole line' GROUP BY ALL
        )
        SELECT * FROM possible LEFT JOIN found USING (customer_id, product_id, unit_price, units)
        WHERE possible.pairs <> coalesce(found.pairs, 0)
        """
    )

    assert short.fetchall() == []
