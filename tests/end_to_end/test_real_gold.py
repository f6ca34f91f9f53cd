"""Each gold table of the real sales, whole, against SQL written from the definitions over silver.

DuckDB runs the SQL. The tables are checked as built (for the last day), and again as of a day in the middle of the
data, where what came later must not be seen.
"""

from collections.abc import Callable
from datetime import date

import pyarrow as pa
import pytest

from customerlake.gold.consent_state import CONSENT_STATE
from customerlake.gold.customer_360 import CUSTOMER_360, SCORES
from customerlake.gold.customer_service import CUSTOMER_SERVICE
from customerlake.gold.customer_value import CUSTOMER_VALUE, customer_value
from customerlake.gold.email_engagement import EMAIL_ENGAGEMENT
from customerlake.gold.kpis import KPIS, kpis
from customerlake.gold.loyalty_state import LOYALTY_STATE
from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR, purchase_behaviour
from customerlake.gold.rfm import RFM, rfm
from customerlake.gold.usual_prices import usual_prices
from customerlake.gold.web_engagement import WEB_ENGAGEMENT
from customerlake.silver.cancellations import CANCELLATIONS
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.orders import ORDERS

pytestmark = pytest.mark.full_data

LAST_DAY, MID_DAY = date(2011, 12, 9), date(2011, 6, 14)

PURCHASES = """
    purchases AS (
        FROM silver.orders
        WHERE NOT is_return AND amount > 0 AND customer_id IS NOT NULL AND ordered_on <= DATE '{as_of}'
    )
"""

SUMMARY = (
    PURCHASES
    + """,
    days AS (
        SELECT customer_id, ordered_on, sum(amount) AS spend, count(*) AS orders,
            ordered_on = min(ordered_on) OVER (PARTITION BY customer_id) AS is_first
        FROM purchases GROUP BY customer_id, ordered_on
    ), summary AS (
        SELECT customer_id, count(*) - 1 AS frequency, max(ordered_on) - min(ordered_on) AS recency,
            DATE '{as_of}' - min(ordered_on) AS "T",
            coalesce(avg(spend::DOUBLE) FILTER (NOT is_first), 0) AS monetary_value,
            DATE '{as_of}' - max(ordered_on) AS days_since_last_order,
            sum(orders) AS count_orders, sum(spend) AS total_spend
        FROM days GROUP BY customer_id
    )
"""
)

RFM_SQL = f"""
    WITH {SUMMARY}, borders AS (
        SELECT quantile_cont(days_since_last_order, [0.2, 0.4, 0.6, 0.8]) AS r,
            quantile_cont(count_orders::DOUBLE, [0.2, 0.4, 0.6, 0.8]) AS f,
            quantile_cont(total_spend::DOUBLE, [0.2, 0.4, 0.6, 0.8]) AS m
        FROM summary
    ), scored AS (
        SELECT summary.*,
            5 - len(list_filter(r, lambda border: days_since_last_order > border)) AS r_score,
            1 + len(list_filter(f, lambda border: count_orders > border)) AS f_score,
            1 + len(list_filter(m, lambda border: total_spend::DOUBLE > border)) AS m_score
        FROM summary, borders
    ), cells (r_score, low, names) AS (VALUES
        (5, 1, ['New Customers', 'Potential Loyalists', 'Potential Loyalists', 'Champions', 'Champions']),
        (4, 1, ['Promising', 'Potential Loyalists', 'Potential Loyalists', 'Loyal Customers', 'Loyal Customers']),
        (3, 1, ['About To Sleep', 'About To Sleep', 'Need Attention', 'Loyal Customers', 'Loyal Customers']),
        (2, 1, ['Hibernating', 'Hibernating', 'At Risk', 'At Risk', 'Cannot Lose Them']),
        (1, 1, ['Lost', 'Hibernating', 'At Risk', 'At Risk', 'Cannot Lose Them'])
    )
    SELECT *, names[round((f_score + m_score) / 2)::INT] AS rfm_segment,
        CASE WHEN days_since_last_order <= 30 THEN 5 WHEN days_since_last_order <= 90 THEN 4
            WHEN days_since_last_order <= 180 THEN 3 WHEN days_since_last_order <= 365 THEN 2 ELSE 1
            END AS r_score_fixed,
        CASE WHEN count_orders <= 1 THEN 1 WHEN count_orders <= 2 THEN 2 WHEN count_orders <= 4 THEN 3
            WHEN count_orders <= 8 THEN 4 ELSE 5 END AS f_score_fixed,
        CASE WHEN total_spend <= 100 THEN 1 WHEN total_spend <= 300 THEN 2 WHEN total_spend <= 1000 THEN 3
            WHEN total_spend <= 3000 THEN 4 ELSE 5 END AS m_score_fixed
    FROM scored JOIN cells USING (r_score)
"""

VALUE_SQL = """
    WITH known AS (
        SELECT *, NOT is_return AND amount > 0 AS is_bought FROM silver.orders
        WHERE customer_id IS NOT NULL AND ordered_on <= DATE '{as_of}' AND (is_return OR amount > 0)
    )
    SELECT customer_id,
        coalesce(sum(amount) FILTER (is_bought), 0) AS gross_spend,
        coalesce(-sum(amount) FILTER (is_return), 0) AS returned_amount,
        sum(amount) AS net_spend,
        coalesce(sum(product_amount) FILTER (is_bought), 0) AS product_spend,
        count(*) FILTER (is_bought) AS count_orders,
        count(*) FILTER (is_return) AS count_returns,
        avg(amount::DOUBLE) FILTER (is_bought) AS average_order_value,
        CASE WHEN gross_spend > 0 THEN returned_amount / gross_spend END AS returned_share,
        min(ordered_on) FILTER (is_bought) AS first_ordered_on,
        max(ordered_on) FILTER (is_bought) AS last_ordered_on,
        coalesce(sum(amount) FILTER (is_bought AND DATE '{as_of}' - ordered_on < 365), 0) AS spend_last_365_days,
        NULL AS product_margin, NULL AS margin_known_share  -- real sales come without costs
    FROM known GROUP BY customer_id
"""

BEHAVIOUR_SQL = f"""
    WITH {PURCHASES}, gaps AS (
        SELECT customer_id, ordered_on,
            (ordered_on - lag(ordered_on) OVER (PARTITION BY customer_id ORDER BY ordered_on))::DOUBLE AS gap
        FROM (SELECT DISTINCT customer_id, ordered_on FROM purchases)
    ), rhythm AS (
        SELECT customer_id, count(*) AS count_purchase_days, avg(gap) AS mean_days_between,
            median(gap) AS median_days_between, stddev_samp(gap) AS sd_days_between,
            max(ordered_on) + round(median(gap))::INT AS expected_next_on
        FROM gaps GROUP BY customer_id
    ), baskets AS (
        SELECT customer_id, avg(count_lines) AS mean_basket_lines, avg(count_units) AS mean_basket_units,
            avg(amount::DOUBLE) AS mean_basket_amount,
            count(*) FILTER (dayname(ordered_on) IN ('Saturday', 'Sunday')) / count(*) AS weekend_share
        FROM purchases GROUP BY customer_id
    ), hours AS (
        SELECT DISTINCT ON (customer_id) customer_id, hour(ordered_at) AS favourite_hour
        FROM purchases GROUP BY customer_id, favourite_hour ORDER BY customer_id, count(*) DESC, favourite_hour
    ), weekdays AS (
        SELECT DISTINCT ON (customer_id) customer_id, isodow(ordered_on) AS favourite_weekday
        FROM purchases GROUP BY customer_id, favourite_weekday ORDER BY customer_id, count(*) DESC, favourite_weekday
    ), bought AS (
        SELECT customer_id, product_id, count(DISTINCT order_id) AS orders, sum(amount) AS spend
        FROM silver.order_lines
        WHERE is_sale AND is_product AND customer_id IS NOT NULL AND ordered_on <= DATE '{{as_of}}'
        GROUP BY customer_id, product_id
    ), peaks AS (
        SELECT DISTINCT ON (customer_id) customer_id, isodow(ordered_on) AS peak_weekday, hour(ordered_at) AS peak_hour
        FROM purchases GROUP BY customer_id, peak_weekday, peak_hour
        ORDER BY customer_id, count(*) DESC, peak_weekday, peak_hour
    ), channels AS (
        SELECT customer_id, count(DISTINCT channel) AS count_channels, mode(channel) AS main_channel,
            max(n) / sum(n) AS main_channel_share, min(channel) AS first_channel, max(channel) AS last_channel,
            CASE WHEN sum(n) >= 4 THEN false END AS is_migrated  -- real sales know one channel
        FROM (SELECT customer_id, channel, count(*) AS n FROM purchases GROUP BY customer_id, channel)
        GROUP BY customer_id
    ), favourites AS (
        SELECT customer_id, any_value(product_id) FILTER (place = 1) AS favourite_product_id,
            string_agg(product_id, ', ' ORDER BY place) AS top_products
        FROM (SELECT *, row_number() OVER (PARTITION BY customer_id ORDER BY orders DESC, spend DESC, product_id)
            AS place FROM bought)
        WHERE place <= 3 GROUP BY customer_id
    ), products AS (
        SELECT customer_id, count(*) AS distinct_products FROM bought GROUP BY customer_id
    ), returned AS (
        SELECT customer_id, count(*) FILTER (order_id IN (SELECT cancelled_order_id FROM silver.cancellations
            WHERE cancelled_order_id IS NOT NULL AND cancelled_on <= DATE '{{as_of}}')) / count(*)
            AS returned_orders_share
        FROM purchases GROUP BY customer_id
    ), sold AS (
        SELECT *, (amount / quantity)::DECIMAL(18, 4)::DOUBLE AS price, date_trunc('month', ordered_on) AS month
        FROM silver.order_lines WHERE is_sale AND is_product AND ordered_on <= DATE '{{as_of}}'
    ), medians AS (
        SELECT product_id, month, median(price) AS usual_price FROM sold GROUP BY ALL
    ), habits AS (
        SELECT customer_id, sum(CASE WHEN price < usual_price THEN quantity ELSE 0 END)
            / nullif(sum(quantity) FILTER (usual_price IS NOT NULL), 0) AS low_price_units_share
        FROM sold ASOF LEFT JOIN medians ON sold.product_id = medians.product_id AND sold.month > medians.month
        WHERE customer_id IS NOT NULL GROUP BY customer_id
    )
    SELECT *, coalesce(distinct_products, 0) AS count_distinct_products,
        NULL AS top_category, NULL AS count_categories, NULL AS category_entropy  -- real sales have no categories
    FROM rhythm JOIN baskets USING (customer_id) JOIN hours USING (customer_id) JOIN weekdays USING (customer_id)
    JOIN peaks USING (customer_id) JOIN channels USING (customer_id)
    JOIN returned USING (customer_id) LEFT JOIN habits USING (customer_id)
    LEFT JOIN favourites USING (customer_id) LEFT JOIN products USING (customer_id)
"""

KPIS_SQL = f"""
    WITH {PURCHASES}, kinds (period, step, a_year) AS (VALUES
        ('day', INTERVAL 1 DAY, INTERVAL 365 DAY), ('week', INTERVAL 7 DAY, INTERVAL 364 DAY),
        ('month', INTERVAL 1 MONTH, INTERVAL 1 YEAR)
    ), dated AS (
        SELECT *, date_trunc(period, ordered_on)::DATE AS starts_on, NOT is_return AND amount > 0 AS is_bought
        FROM silver.orders, kinds WHERE ordered_on <= DATE '{{as_of}}'
    ), sums AS (
        SELECT period, starts_on, count(*) FILTER (is_bought) AS count_orders,
            count(*) FILTER (is_bought AND customer_id IS NULL) AS anonymous_orders,
            coalesce(sum(amount) FILTER (is_bought), 0) AS revenue,
            coalesce(-sum(amount) FILTER (is_return), 0) AS returned_amount,
            coalesce(sum(amount) FILTER (is_bought AND customer_id IS NOT NULL), 0) AS known,
            coalesce(sum(amount) FILTER (is_bought AND customer_id IS NULL), 0) AS anonymous
        FROM dated GROUP BY ALL HAVING count_orders > 0 OR returned_amount > 0
    ), active AS (
        SELECT DISTINCT period, step, customer_id, date_trunc(period, ordered_on)::DATE AS starts_on
        FROM purchases, kinds
    ), customers AS (
        SELECT period, starts_on, count(*) AS active_customers,
            count(*) FILTER (NOT EXISTS (
                FROM active AS a
                WHERE a.period = b.period AND a.customer_id = b.customer_id AND a.starts_on < b.starts_on)
            ) AS new_customers,
            count(*) FILTER (EXISTS (
                FROM active AS a
                WHERE a.period = b.period AND a.customer_id = b.customer_id AND a.starts_on = b.starts_on - b.step)
            ) AS kept,
            count(*) FILTER ((
                SELECT count(*) FROM purchases AS p
                WHERE p.customer_id = b.customer_id AND p.ordered_on < b.starts_on + b.step) > 1
            ) AS repeated
        FROM active AS b GROUP BY ALL
    ), joined AS (
        SELECT sums.*, step, a_year, coalesce(active_customers, 0) AS active_customers,
            coalesce(new_customers, 0) AS new_customers, coalesce(repeated, 0) AS repeated,
            CASE WHEN period <> 'day' THEN coalesce(kept, 0) END AS retained_customers
        FROM sums JOIN kinds USING (period) LEFT JOIN customers USING (period, starts_on)
    )
    SELECT now.* EXCLUDE (step, a_year, known, anonymous, anonymous_orders, repeated),
        now.starts_on + now.step - INTERVAL 1 DAY <= DATE '{{as_of}}' AS is_whole_period,
        now.revenue - now.returned_amount AS net_revenue,
        now.revenue / nullif(now.count_orders, 0) AS average_order_value,
        now.anonymous / nullif(now.revenue, 0) AS anonymous_revenue_share,
        now.anonymous_orders / nullif(now.count_orders, 0) AS anonymous_orders_share,
        now.active_customers - now.new_customers AS returning_customers,
        now.retained_customers / nullif(last.active_customers, 0) AS retention_share,
        (last.active_customers - now.retained_customers) / nullif(last.active_customers, 0) AS churn_share,
        now.repeated / nullif(now.active_customers, 0) AS repeat_share,
        now.known / nullif(now.active_customers, 0) AS revenue_per_customer,
        (now.revenue - last.revenue) / nullif(last.revenue, 0) AS revenue_growth,
        (now.revenue - earlier.revenue) / nullif(earlier.revenue, 0) AS revenue_growth_year_on_year,
        NULL::INT AS survey_answers, NULL::INT AS tickets_opened, NULL::INT AS tickets_solved,
        NULL::DOUBLE AS nps, NULL::DOUBLE AS csat_share, NULL::DOUBLE AS ces,
        NULL::DOUBLE AS median_first_response_hours, NULL::DOUBLE AS median_resolution_hours
    FROM joined AS now
    LEFT JOIN joined AS last ON last.period = now.period AND last.starts_on = now.starts_on - now.step
    LEFT JOIN joined AS earlier ON earlier.period = now.period AND earlier.starts_on = now.starts_on - now.a_year
"""

GOLD = {
    RFM: RFM_SQL,
    CUSTOMER_VALUE: VALUE_SQL,
    PURCHASE_BEHAVIOUR: BEHAVIOUR_SQL,
    KPIS: KPIS_SQL,
}


@pytest.mark.parametrize("table", GOLD, ids=lambda table: table.name)
def test_a_built_table_is_what_its_definition_says(assert_table_is, table):
    built = f"FROM {table.name} WHERE as_of = DATE '{LAST_DAY}'"

    assert_table_is(table, built, GOLD[table].format(as_of=LAST_DAY))


@pytest.fixture(scope="module")
def as_of_mid_day(real_lake, real_tables) -> Callable[[object], str]:
    """Name the DuckDB table of a table of the lake as of MID_DAY: made by its function, written nowhere."""
    read = real_lake.lake.read
    orders, lines = read(ORDERS), read(ORDER_LINES)
    made = {
        RFM: lambda: rfm(orders, as_of=MID_DAY),
        CUSTOMER_VALUE: lambda: customer_value(orders, as_of=MID_DAY),
        PURCHASE_BEHAVIOUR: lambda: purchase_behaviour(
            orders, lines, read(CANCELLATIONS), usual_prices=usual_prices(lines, as_of=MID_DAY), as_of=MID_DAY
        ),
        KPIS: lambda: kpis(orders, as_of=MID_DAY),
    }

    def name_of(table) -> str:
        arrow: pa.Table = made[table]().toArrow()
        real_tables.register("mid_day", arrow)
        return "FROM mid_day"

    return name_of


@pytest.mark.parametrize("table", GOLD, ids=lambda table: table.name)
def test_a_table_of_a_day_in_the_middle_is_what_its_definition_says(assert_table_is, as_of_mid_day, table):
    assert_table_is(table, as_of_mid_day(table), GOLD[table].format(as_of=MID_DAY))


def test_customer_360_is_the_gold_tables_side_by_side(assert_table_is):
    of_other_feeds = [
        column.name
        for table in (WEB_ENGAGEMENT, EMAIL_ENGAGEMENT, LOYALTY_STATE, CUSTOMER_SERVICE, CONSENT_STATE)
        for column in table.columns
        if column.name not in table.key
    ]
    of_scores = [
        name for shown in SCORES.values() for name in (shown.scored_on.name, *[c.name for c in shown.columns.values()])
    ]
    sql = f"""
        SELECT customers.customer_id, customers.country, customers.first_seen_on, NULL AS sex, NULL AS region,
            NULL AS city, false AS has_email, false AS has_phone, false AS has_address,
            value.* EXCLUDE (customer_id, as_of), rfm.* EXCLUDE (customer_id, as_of, count_orders),
            lifecycle.stage AS lifecycle_stage, lifecycle.previous_stage AS previous_lifecycle_stage,
            lifecycle.count_purchase_days, lifecycle.usual_days, lifecycle.at_risk_after_days,
            lifecycle.lapsed_after_days, behaviour.* EXCLUDE (customer_id, as_of, count_purchase_days),
            rules.* EXCLUDE (customer_id, as_of, country, sex, region, city, interests), NULL AS top_interests,
            {", ".join(f"NULL AS {name}" for name in of_scores)},
            {", ".join(f"NULL AS {name}" for name in of_other_feeds)}
        FROM silver.customers AS customers
        LEFT JOIN gold.customer_value AS value USING (customer_id)
        LEFT JOIN gold.rfm AS rfm USING (customer_id)
        LEFT JOIN (FROM gold.lifecycle WHERE month = DATE '2011-12-01') AS lifecycle USING (customer_id)
        LEFT JOIN gold.purchase_behaviour AS behaviour USING (customer_id)
        LEFT JOIN gold.segment_rules AS rules USING (customer_id)
    """

    assert_table_is(CUSTOMER_360, "FROM gold.customer_360", sql)
