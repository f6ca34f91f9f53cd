"""Features and labels of the real sales, whole, against SQL written from their definitions over silver.

DuckDB runs the SQL. They are checked as built, on each of their dates, and as of a day in the middle of the data, where
what came later must not be seen.
"""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from customerlake.features import consent, email, loyalty, product_groups, satisfaction, service, web
from customerlake.features.labels import LABELS, labels
from customerlake.features.snapshot import SNAPSHOT, snapshot
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.orders import ORDERS

pytestmark = pytest.mark.full_data

LAST_DAY, MID_DAY = date(2011, 12, 9), date(2011, 6, 14)

PURCHASES = """
    purchases AS (
        SELECT *, DATE '{as_of}' - ordered_on AS ago FROM silver.orders
        WHERE NOT is_return AND amount > 0 AND customer_id IS NOT NULL AND ordered_on <= DATE '{as_of}'
    )
"""

NOT_IN_THIS_LAKE = ", ".join(
    f'NULL AS "{feature.name}"'
    for channel in (product_groups, web, email, service, satisfaction, loyalty, consent)
    for feature in channel.FEATURES
)

SNAPSHOT_SQL = f"""
    WITH {PURCHASES}, gaps AS (
        SELECT customer_id, ordered_on, ordered_on - lag(ordered_on) OVER (
            PARTITION BY customer_id ORDER BY ordered_on) AS gap
        FROM (SELECT DISTINCT customer_id, ordered_on FROM purchases)
    ), rhythm AS (
        SELECT customer_id, count(*) - 1 AS frequency, max(ordered_on) - min(ordered_on) AS recency,
            DATE '{{as_of}}' - min(ordered_on) AS "T", DATE '{{as_of}}' - max(ordered_on) AS days_since_last_order,
            coalesce(avg(gap), "T") AS days_between, stddev_samp(gap) AS sd_days_between,
            arg_max(gap, ordered_on) FILTER (gap IS NOT NULL) AS last_days_between,
            last_days_between / avg(gap) AS last_wait_ratio,
            days_since_last_order / greatest(days_between, 1) AS overdue_ratio
        FROM gaps GROUP BY customer_id
    ), value AS (
        SELECT customer_id, count(*) AS count_orders, sum(amount) AS total_spend,
            avg(amount::DOUBLE) AS average_order_value,
            count(*) FILTER (ago < 30) AS orders_last_30_days, count(*) FILTER (ago < 90) AS orders_last_90_days,
            orders_last_30_days - count(*) FILTER (ago >= 30 AND ago < 120) / 3 AS orders_change_30_days,
            orders_last_90_days - count(*) FILTER (ago >= 90 AND ago < 180) AS orders_change_90_days,
            coalesce(sum(amount) FILTER (ago < 90), 0) AS spend_last_90_days,
            spend_last_90_days / total_spend AS spend_share_last_90_days,
            spend_last_90_days - coalesce(sum(amount) FILTER (ago >= 90 AND ago < 180), 0) AS spend_change_90_days,
            avg(count_lines) AS mean_basket_lines, avg(count_units) AS mean_basket_units,
            arg_max(country, (ordered_at, order_id)) AS country, arg_max(channel, (ordered_at, order_id)) AS channel,
            avg((channel IN ('web', 'online'))::INT) AS online_orders_share,
            avg((dayname(ordered_on) IN ('Saturday', 'Sunday'))::INT) AS weekend_orders_share,
            avg((hour(timezone('{{zone}}', ordered_at)) BETWEEN 17 AND 21)::INT) AS evening_orders_share,
            avg((monthname(ordered_on) IN ('October', 'November', 'December'))::INT) AS fourth_quarter_orders_share,
            coalesce(sum(amount) FILTER (ordered_on > DATE '{{as_of}}' - 365 AND ordered_on <= DATE '{{as_of}}' - 275),
                0) AS of_season
        FROM purchases GROUP BY customer_id
    ), months AS (
        SELECT customer_id, m, coalesce(sum(amount) FILTER (ago // 30 = 5 - m), 0)::DOUBLE AS spend
        FROM purchases, range(6) AS months (m) GROUP BY customer_id, m
    ), slopes AS (
        SELECT customer_id, regr_slope(spend, m) AS spend_slope_180_days FROM months GROUP BY customer_id
    ), returned AS (
        SELECT customer_id, count(*) AS times, -sum(amount) AS given_back
        FROM silver.orders WHERE is_return AND ordered_on <= DATE '{{as_of}}' GROUP BY customer_id
    ), sold AS (
        SELECT *, (amount / quantity)::DECIMAL(18, 4)::DOUBLE AS price, date_trunc('month', ordered_on) AS month
        FROM silver.order_lines WHERE is_sale AND is_product AND ordered_on <= DATE '{{as_of}}'
    ), medians AS (
        SELECT product_id, month, median(price) AS usual_price FROM sold GROUP BY ALL
    ), deals AS (
        SELECT customer_id, avg((price <= usual_price * 0.95)::INT) AS discounted_lines_share
        FROM sold ASOF JOIN medians ON sold.product_id = medians.product_id AND sold.month > medians.month
        GROUP BY customer_id
    ), products AS (
        SELECT customer_id, count(*) AS products, avg((days > 1)::INT) AS repeated_products_share
        FROM (SELECT customer_id, product_id, count(DISTINCT ordered_on) AS days FROM sold GROUP BY ALL) GROUP BY ALL
    )
    SELECT *, coalesce(times, 0) AS count_returns, coalesce(given_back, 0) / total_spend AS returned_share,
        round(sin(2 * pi() * (month(DATE '{{as_of}}') - 1) / 12), 6) AS month_sine,
        round(cos(2 * pi() * (month(DATE '{{as_of}}') - 1) / 12), 6) AS month_cosine,
        CASE WHEN "T" >= 365 THEN of_season END AS spend_same_season_last_year,
        coalesce(products, 0) AS count_distinct_products, {NOT_IN_THIS_LAKE}
    FROM rhythm JOIN value USING (customer_id) JOIN slopes USING (customer_id) LEFT JOIN returned USING (customer_id)
    LEFT JOIN products USING (customer_id) LEFT JOIN deals USING (customer_id)
"""

LABELS_SQL = f"""
    WITH {PURCHASES}, after AS (
        FROM silver.orders WHERE NOT is_return AND amount > 0 AND ordered_on > DATE '{{as_of}}' + {{gap_days}}
            AND ordered_on <= DATE '{{as_of}}' + {{gap_days}} + {{horizon_days}}
    )
    SELECT customer_id, {{horizon_days}} AS horizon_days, {{gap_days}} AS gap_days,
        count(after.order_id) = 0 AS is_churned, count(after.order_id) AS count_orders_after,
        coalesce(sum(after.amount), 0) AS spend_after, NULL AS bought_groups
    FROM (SELECT DISTINCT customer_id FROM purchases) LEFT JOIN after USING (customer_id) GROUP BY customer_id
"""


@pytest.fixture(scope="module")
def in_duckdb(real_tables) -> Callable[[object], str]:
    """Name the DuckDB table that holds the rows of a frame."""

    def held(frame) -> str:
        real_tables.register("held", frame.toArrow())
        return "FROM held"

    return held


def test_the_snapshot_of_a_day_in_the_middle_is_what_its_definition_says(real_lake, in_duckdb, assert_table_is):
    read = real_lake.lake.read
    made = snapshot(read(ORDERS), as_of=[MID_DAY], order_lines=read(ORDER_LINES), time_zone="Europe/London")

    assert_table_is(SNAPSHOT, in_duckdb(made), SNAPSHOT_SQL.format(as_of=MID_DAY, zone="Europe/London"))


@pytest.mark.parametrize("gap_days", [0, 14])
def test_labels_of_a_day_in_the_middle_are_what_their_definition_says(real_lake, in_duckdb, assert_table_is, gap_days):
    orders = real_lake.lake.read(ORDERS)
    made = labels(orders, as_of=[MID_DAY], horizon_days=90, gap_days=gap_days, observed_until=LAST_DAY)

    sql = LABELS_SQL.format(as_of=MID_DAY, horizon_days=90, gap_days=gap_days)
    assert_table_is(LABELS, in_duckdb(made), sql)


def test_built_snapshots_are_what_their_definition_says_on_every_date(real_tables, assert_table_is):
    dates = [as_of for (as_of,) in real_tables.sql("SELECT DISTINCT as_of FROM features.snapshot").fetchall()]

    assert max(dates) == LAST_DAY
    assert len(dates) > 10
    for as_of in dates:
        built = f"FROM features.snapshot WHERE as_of = DATE '{as_of}'"
        assert_table_is(SNAPSHOT, built, SNAPSHOT_SQL.format(as_of=as_of, zone="UTC"))


def test_built_labels_are_what_their_definition_says_on_every_date(real_tables, assert_table_is):
    windows = real_tables.sql("SELECT DISTINCT as_of, horizon_days, gap_days FROM features.labels").fetchall()

    assert {(horizon_days, gap_days) for _, horizon_days, gap_days in windows} == {(90, 7), (30, 0), (90, 0)}
    for as_of, horizon_days, gap_days in windows:
        assert as_of + timedelta(days=horizon_days + gap_days) <= LAST_DAY
        of_window = f"as_of = DATE '{as_of}' AND horizon_days = {horizon_days} AND gap_days = {gap_days}"
        sql = LABELS_SQL.format(as_of=as_of, horizon_days=horizon_days, gap_days=gap_days)
        assert_table_is(LABELS, f"FROM features.labels WHERE {of_window}", sql)
