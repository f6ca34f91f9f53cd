"""The medallion path by hand in DuckDB, whose rows stream through Arrow to delta-rs.

Each layer is read back from the Delta tables of the layer before, as the others do. The reader is told the files'
dialect: left to find it out, it opens each of the 305 files twice and takes ten times as long. Exact duplicates are
found over the received texts, before they are typed, which is faster here than by their digest.
"""

from time import perf_counter

STARTED = perf_counter()

from pathlib import Path

import duckdb
from deltalake import DeltaTable, write_deltalake
from stages import places, timed, told

RECEIVED = ("order_id", "product_id", "description", "quantity", "ordered_at", "unit_price", "customer_id", "country")


def each(template: str) -> str:
    """A list for SQL: the template for each received column, which it calls $."""
    return ", ".join(template.replace("$", name) for name in RECEIVED)


COLUMNS = "{" + each("'$': 'VARCHAR'") + "}"

BRONZE = f"""
    SELECT {each("coalesce($, '') AS $")}, parse_filename(filename) AS _source_file
    FROM read_csv(
        $files, auto_detect = false, header = true, delim = ',', quote = '"', escape = '"',
        columns = {COLUMNS}, filename = true
    )
"""

TRIM = each("nullif(trim($, ' \t\r\n\u00a0'), '') AS $")
OF_LINE = each("coalesce($, '')")


def typed(lines: str) -> str:
    return rf"""
        SELECT * EXCLUDE (order_id, product_id, quantity, ordered_at, unit_price, customer_id),
            order_id, upper(product_id) AS product_id, regexp_replace(customer_id, '\.0+$', '') AS customer_id,
            CASE WHEN regexp_full_match(quantity, '[+-]?[0-9]{{1,9}}(\.0+)?') THEN quantity::INTEGER END AS quantity,
            try_cast(ordered_at AS TIMESTAMP) AS ordered_at,
            try_cast(unit_price AS DECIMAL(18, 4)) AS unit_price,
            quantity AS received_quantity, ordered_at AS received_ordered_at, unit_price AS received_unit_price,
            sha256(concat_ws(chr(31), {OF_LINE})) AS order_line_id
        FROM ({lines})
    """


IS_ACCEPTED = """
    coalesce(
        order_id IS NOT NULL AND product_id IS NOT NULL AND country IS NOT NULL AND ordered_at IS NOT NULL
        AND quantity <> 0 AND unit_price >= 0 AND abs(quantity * unit_price::DECIMAL(28, 4)) < 1e12, false
    )
"""

REASONS = """
    list_filter([
        CASE WHEN order_id IS NULL THEN 'order_id is missing' END,
        CASE WHEN product_id IS NULL THEN 'product_id is missing' END,
        CASE WHEN country IS NULL THEN 'country is missing' END,
        CASE WHEN quantity IS NULL
            THEN 'quantity ''' || received_quantity[:60] || ''' is not a whole number of up to nine digits' END,
        CASE WHEN received_quantity IS NULL THEN 'quantity is missing' END,
        CASE WHEN quantity = 0 THEN 'quantity is zero' END,
        CASE WHEN ordered_at IS NULL
            THEN 'ordered_at ''' || received_ordered_at[:60] || ''' is not a date and time that exists' END,
        CASE WHEN received_ordered_at IS NULL THEN 'ordered_at is missing' END,
        CASE WHEN unit_price IS NULL THEN 'unit_price ''' || received_unit_price[:60] || ''' is not a number' END,
        CASE WHEN received_unit_price IS NULL THEN 'unit_price is missing' END,
        CASE WHEN unit_price < 0 THEN 'unit_price ' || unit_price || ' is negative' END,
        CASE WHEN abs(quantity * unit_price::DECIMAL(28, 4)) >= 1e12
            THEN 'amount ''' || quantity || ' x ' || unit_price || ''' is not below 1,000,000,000,000' END
    ], lambda reason: reason IS NOT NULL)
"""

RAW = "{" + each("'$': raw_$") + "}"
WITH_RAW = f"SELECT {TRIM}, {each('$ AS raw_$')}, _source_file FROM bronze.sales"

QUARANTINE = f"""
    SELECT to_json({RAW})::VARCHAR AS raw, {REASONS} AS reasons, _source_file AS source_file
    FROM ({typed(WITH_RAW)}) WHERE NOT {IS_ACCEPTED}
"""

DISTINCT_LINES = f"""
    SELECT {each("$")}, count(*) AS count_received, min(_source_file) AS _source_file
    FROM (SELECT {TRIM}, _source_file FROM bronze.sales) GROUP BY {each("$")}
"""

ORDER_LINES = f"""
    SELECT order_line_id, order_id, customer_id, ordered_at AT TIME ZONE 'UTC' AS ordered_at,
        ordered_at::DATE AS ordered_on, date_trunc('month', ordered_at)::DATE AS ordered_month,
        'online' AS channel, starts_with(order_id, 'C') AS is_return,
        NOT starts_with(order_id, 'C') AND quantity > 0 AND unit_price > 0 AS is_sale,
        CASE WHEN quantity < 0 AND NOT starts_with(order_id, 'C') THEN 'adjustment'
            WHEN product_id IN ('POST', 'DOT', 'C2') THEN 'postage'
            WHEN product_id = 'D' THEN 'discount'
            WHEN product_id = 'M' THEN 'manual'
            WHEN product_id = 'S' THEN 'sample'
            WHEN product_id = 'B' THEN 'bad debt'
            WHEN product_id IN ('BANK CHARGES', 'AMAZONFEE', 'CRUK') THEN 'fee'
            WHEN starts_with(product_id, 'GIFT_') THEN 'gift voucher'
            ELSE 'product' END AS line_kind,
        line_kind = 'product' AS is_product, product_id, description, quantity, unit_price,
        (quantity * unit_price::DECIMAL(28, 4))::DECIMAL(18, 4) AS amount, 'GBP' AS currency, country,
        count_received, _source_file
    FROM ({typed(DISTINCT_LINES)}) WHERE {IS_ACCEPTED}
"""

FIRST_OF_ORDER = ("customer_id", "channel", "is_return", "currency", "country")

ORDERS = f"""
    SELECT order_id,
        {", ".join(f"arg_min_null({name}, (ordered_at, order_line_id)) AS {name}" for name in FIRST_OF_ORDER)},
        min(ordered_at) AS ordered_at, min(ordered_on) AS ordered_on,
        coalesce(sum(amount) FILTER (is_sale OR is_return), 0)::DECIMAL(18, 4) AS amount,
        coalesce(sum(amount) FILTER (is_product AND (is_sale OR is_return)), 0)::DECIMAL(18, 4) AS product_amount,
        count(*) AS count_lines, count(DISTINCT product_id) FILTER (is_product) AS count_products,
        coalesce(sum(quantity) FILTER (is_product AND (is_sale OR is_return)), 0)::BIGINT AS count_units
    FROM silver.order_lines GROUP BY order_id
"""

MEAN = """
    CREATE MACRO mean_money(total, n) AS
        CASE WHEN n > 0 THEN (((total * 10000)::HUGEINT * 2 + 100 * n) // (200 * n))::DECIMAL(18, 0)
            * 0.01::DECIMAL(3, 2) END::DECIMAL(18, 2)
"""
"""A mean to the cent, half up, of amounts not below zero: whole numbers, because here a division yields doubles."""

FIFTHS = "[0.2, 0.4, 0.6, 0.8]"

RFM = f"""
    WITH days AS (
        SELECT customer_id, ordered_on, sum(amount) AS spend, count(*) AS orders
        FROM silver.orders
        WHERE NOT is_return AND amount > 0 AND customer_id IS NOT NULL AND ordered_on <= $as_of
        GROUP BY customer_id, ordered_on
    ), summary AS (
        SELECT customer_id, $as_of AS as_of, (count(*) - 1)::INTEGER AS frequency,
            (max(ordered_on) - min(ordered_on))::INTEGER AS recency, ($as_of - min(ordered_on))::INTEGER AS "T",
            coalesce(mean_money(sum(spend) - arg_min(spend, ordered_on), count(*) - 1), 0)::DECIMAL(18, 2)
                AS monetary_value,
            ($as_of - max(ordered_on))::INTEGER AS days_since_last_order,
            sum(orders)::BIGINT AS count_orders, sum(spend)::DECIMAL(18, 4) AS total_spend
        FROM days GROUP BY customer_id
    ), borders AS (
        SELECT quantile_cont(days_since_last_order::DOUBLE, {FIFTHS}) AS r,
            quantile_cont(count_orders::DOUBLE, {FIFTHS}) AS f, quantile_cont(total_spend::DOUBLE, {FIFTHS}) AS m
        FROM summary
    ), scored AS (
        SELECT summary.*,
            (5 - len(list_filter(r, lambda border: days_since_last_order > border)))::INTEGER AS r_score,
            (1 + len(list_filter(f, lambda border: count_orders > border)))::INTEGER AS f_score,
            (1 + len(list_filter(m, lambda border: total_spend::DOUBLE > border)))::INTEGER AS m_score
        FROM summary, borders
    ), cells (r_score, names) AS (VALUES
        (5, ['New Customers', 'Potential Loyalists', 'Potential Loyalists', 'Champions', 'Champions']),
        (4, ['Promising', 'Potential Loyalists', 'Potential Loyalists', 'Loyal Customers', 'Loyal Customers']),
        (3, ['About To Sleep', 'About To Sleep', 'Need Attention', 'Loyal Customers', 'Loyal Customers']),
        (2, ['Hibernating', 'Hibernating', 'At Risk', 'At Risk', 'Cannot Lose Them']),
        (1, ['Lost', 'Hibernating', 'At Risk', 'At Risk', 'Cannot Lose Them'])
    )
    SELECT scored.*, names[(f_score + m_score + 1) // 2] AS rfm_segment FROM scored JOIN cells USING (r_score)
"""

CUSTOMER_VALUE = """
    WITH known AS (
        SELECT *, NOT is_return AND amount > 0 AS is_bought FROM silver.orders
        WHERE customer_id IS NOT NULL AND ordered_on <= $as_of AND (is_return OR amount > 0)
    ), summed AS (
        SELECT customer_id, $as_of AS as_of,
            coalesce(sum(amount) FILTER (is_bought), 0)::DECIMAL(18, 4) AS gross_spend,
            coalesce(-sum(amount) FILTER (is_return), 0)::DECIMAL(18, 4) AS returned_amount,
            coalesce(sum(product_amount) FILTER (is_bought), 0)::DECIMAL(18, 4) AS product_spend,
            count(*) FILTER (is_bought) AS count_orders, count(*) FILTER (is_return) AS count_returns,
            min(ordered_on) FILTER (is_bought) AS first_ordered_on,
            max(ordered_on) FILTER (is_bought) AS last_ordered_on,
            coalesce(sum(amount) FILTER (is_bought AND $as_of - ordered_on < 365), 0)::DECIMAL(18, 4)
                AS spend_last_365_days
        FROM known GROUP BY customer_id
    )
    SELECT *, (gross_spend - returned_amount)::DECIMAL(18, 4) AS net_spend,
        mean_money(gross_spend, count_orders) AS average_order_value,
        CASE WHEN gross_spend > 0 THEN returned_amount::DOUBLE / gross_spend::DOUBLE END AS returned_share
    FROM summed
"""


class Tables:
    """The Delta tables under a root, as DuckDB reads and writes them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
        self.connection.execute(MEAN)
        self.connection.execute("CREATE SCHEMA bronze; CREATE SCHEMA silver")

    def write(self, table: str, sql: str, *, partition_by: str | None = None, **values: object) -> None:
        """The rows of a query, batch by batch, into a new table, which then can be queried by its name."""
        rows = self.connection.sql(sql, params=values).to_arrow_reader(100_000)
        path = str(self.root / table.replace(".", "/"))
        write_deltalake(path, rows, partition_by=partition_by, mode="append")
        if table.startswith(("bronze", "silver")):
            files = DeltaTable(path).file_uris()
            self.connection.execute(f"CREATE VIEW {table} AS FROM read_parquet({files}, hive_partitioning = true)")


def main() -> None:
    landing, root = places(__doc__)
    tables = Tables(root)
    tables.connection.execute("SELECT 1").fetchall()
    cold_start = perf_counter() - STARTED
    stages: dict[str, float] = {}
    with timed("bronze", stages):
        tables.write("bronze.sales", BRONZE, files=f"{landing}/*.csv")
    with timed("silver", stages):
        tables.write("quarantine.order_lines", QUARANTINE)
        tables.write("silver.order_lines", ORDER_LINES, partition_by="ordered_month")
        tables.write("silver.orders", ORDERS)
    with timed("gold", stages):
        ((as_of,),) = tables.connection.execute("SELECT max(ordered_on) FROM silver.order_lines").fetchall()
        tables.write("gold.rfm", RFM, partition_by="as_of", as_of=as_of)
        tables.write("gold.customer_value", CUSTOMER_VALUE, partition_by="as_of", as_of=as_of)
    print(told(cold_start, stages))


if __name__ == "__main__":
    main()
