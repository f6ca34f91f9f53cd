"""The gold tables of a lake of sales by hand in DuckDB, whose rows stream through Arrow to delta-rs.

They are of the last day with an order, which no silver row is after. What a later table is made of is read back from
Delta. What sales do not tell (income, interests, where people live) is left null or out.
"""

from time import perf_counter

STARTED = perf_counter()

import argparse
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from deltalake import DeltaTable, write_deltalake
from duckdb_delta import CUSTOMER_VALUE, Tables
from duckdb_delta import RFM as RFM_IN_FIFTHS
from stages import timed, told

MONEY = "DECIMAL(18, 4)"
NUMBERS = {
    "rfm": "total_spend count_orders days_since_last_order frequency recency T monetary_value",
    "customer_value": "net_spend average_order_value spend_last_365_days count_returns returned_share",
    "purchase_behaviour": "count_purchase_days mean_days_between mean_basket_lines mean_basket_units "
    "mean_basket_amount count_distinct_products weekend_share main_channel_share returned_orders_share "
    "low_price_units_share",
    "segment_rules": "discounted_spend_share",
}
NAMES = (
    "country", "sex", "age_band", "rfm_segment", "main_channel", "is_migrated", "favourite_weekday", "income_band",
    "city_tier", "value_tier", "purchase_pattern", "is_discount_seeker", "is_returner", "channel_preference",
    "daypart_preference", "week_preference", "first_interest",
)  # fmt: skip
DIMENSIONS = ("country", "region", "age_band", "sex", "segment", "income_band", "city_tier", "value_tier")

QUANTILES = {"p5": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95}

MEAN = """
    CREATE MACRO rounded_mean(total, n, places) AS
        CASE WHEN n > 0 THEN sign(total)::INTEGER
            * ((abs(total) * 10000)::HUGEINT * 2 + n * (10 ** (4 - places))::BIGINT)
            // (2 * n * (10 ** (4 - places))::BIGINT) END
"""
"""A mean of amounts, half up, as a whole number of its last place: a division yields doubles here."""

RFM = f"""
    SELECT scores.*,
        6 - (1 + (days_since_last_order > 30)::INT + (days_since_last_order > 90)::INT
            + (days_since_last_order > 180)::INT + (days_since_last_order > 365)::INT) AS r_score_fixed,
        1 + (count_orders > 1)::INT + (count_orders > 2)::INT + (count_orders > 4)::INT + (count_orders > 8)::INT
            AS f_score_fixed,
        1 + (total_spend > 100)::INT + (total_spend > 300)::INT + (total_spend > 1000)::INT
            + (total_spend > 3000)::INT AS m_score_fixed
    FROM ({RFM_IN_FIFTHS}) AS scores
"""

SHARES = f"""
    SELECT *, $as_of AS as_of, (gross_spend - returned_amount)::{MONEY} AS net_spend,
        CASE WHEN min(gross_spend) OVER customer >= 0
            THEN gross_spend::DOUBLE / nullif(sum(gross_spend) OVER customer, 0)::DOUBLE END AS gross_spend_share,
        CASE WHEN min(gross_spend - returned_amount) OVER customer >= 0
            THEN net_spend::DOUBLE / nullif(sum(gross_spend - returned_amount) OVER customer, 0)::DOUBLE END
            AS net_spend_share
    FROM parts WINDOW customer AS (PARTITION BY customer_id)
"""

BY_CHANNEL = f"""
    WITH parts AS (
        SELECT customer_id, coalesce(channel, 'unknown') AS channel,
            coalesce(sum(amount) FILTER (NOT is_return), 0)::{MONEY} AS gross_spend,
            coalesce(-sum(amount) FILTER (is_return), 0)::{MONEY} AS returned_amount,
            count(*) FILTER (NOT is_return) AS count_orders
        FROM silver.orders
        WHERE customer_id IS NOT NULL AND (is_return OR amount > 0) GROUP BY ALL
    )
    {SHARES}
"""

BY_PRODUCT_GROUP = f"""
    WITH groups AS (
        SELECT order_id, CASE WHEN is_product THEN 'unknown' ELSE line_kind END AS product_group, sum(amount) AS amount
        FROM silver.order_lines WHERE is_sale OR is_return GROUP BY ALL
    ), parts AS (
        SELECT customer_id, product_group,
            coalesce(sum(groups.amount) FILTER (NOT is_return), 0)::{MONEY} AS gross_spend,
            coalesce(-sum(groups.amount) FILTER (is_return), 0)::{MONEY} AS returned_amount,
            count(*) FILTER (NOT is_return) AS count_orders
        FROM groups JOIN silver.orders AS orders USING (order_id)
        WHERE customer_id IS NOT NULL AND (is_return OR orders.amount > 0) GROUP BY ALL
    )
    {SHARES}
"""

COHORTS = f"""
    WITH months AS (
        SELECT customer_id, date_trunc('month', ordered_on)::DATE AS month,
            count(*) FILTER (NOT is_return) AS count_orders,
            coalesce(sum(amount) FILTER (NOT is_return), 0) AS revenue,
            coalesce(-sum(amount) FILTER (is_return), 0) AS returned_amount
        FROM silver.orders WHERE customer_id IS NOT NULL AND (is_return OR amount > 0) GROUP BY ALL
    ), people AS (
        SELECT customer_id, min(month) AS cohort_month FROM months WHERE count_orders > 0 GROUP BY customer_id
    ), sizes AS (
        SELECT cohort_month, count(*) AS count_customers FROM people GROUP BY cohort_month
    ), grid AS (
        SELECT *, unnest(generate_series(cohort_month, $as_of, INTERVAL 1 MONTH))::DATE AS month FROM sizes
    ), happened AS (
        SELECT cohort_month, greatest(month, cohort_month) AS month,
            count(*) FILTER (count_orders > 0) AS active_customers, sum(count_orders) AS count_orders,
            sum(revenue) AS revenue, sum(returned_amount) AS returned_amount
        FROM months JOIN people USING (customer_id) GROUP BY ALL
    ), filled AS (
        SELECT cohort_month, month, count_customers, coalesce(active_customers, 0) AS active_customers,
            coalesce(count_orders, 0)::BIGINT AS count_orders, coalesce(revenue, 0)::{MONEY} AS revenue,
            coalesce(returned_amount, 0)::{MONEY} AS returned_amount,
            (coalesce(revenue, 0) - coalesce(returned_amount, 0))::{MONEY} AS net_revenue
        FROM grid LEFT JOIN happened USING (cohort_month, month)
    ), summed AS (
        SELECT *, (sum(net_revenue) OVER (PARTITION BY cohort_month ORDER BY month))::{MONEY} AS cumulative_net_revenue
        FROM filled
    )
    SELECT *, $as_of AS as_of, date_diff('month', cohort_month, month)::INTEGER AS months_since,
        last_day(month) <= $as_of AS is_whole_month, active_customers / count_customers AS retention_share,
        (rounded_mean(cumulative_net_revenue, count_customers, 2) * 0.01::DECIMAL(3, 2))::DECIMAL(18, 2)
            AS cumulative_net_revenue_per_customer
    FROM summed
"""

LINES = """
    CREATE VIEW lines AS
    SELECT l.* EXCLUDE (customer_id), coalesce(i.customer_id, l.customer_id) AS customer_id
    FROM silver.order_lines AS l
    LEFT JOIN (FROM silver.identities WHERE source = 'shop') AS i ON l.customer_id = i.source_record_id
"""
PRODUCTS = """
    CREATE VIEW products AS
    WITH sold AS (
        SELECT customer_id, order_id, ordered_on, product_id, quantity, amount,
            date_trunc('month', ordered_on)::DATE AS month,
            (amount::DOUBLE / quantity)::DECIMAL(18, 4)::DOUBLE AS price
        FROM lines WHERE is_sale AND is_product
    ), medians AS (
        SELECT product_id, month, median(price) AS price FROM sold GROUP BY ALL
    ), usual AS (
        SELECT product_id, month, lag(price) OVER (PARTITION BY product_id ORDER BY month) AS usual_price FROM medians
    )
    SELECT sold.*, usual_price FROM sold LEFT JOIN usual USING (product_id, month) WHERE customer_id IS NOT NULL
"""
"""Lines of products that known customers bought, with the price paid and the usual one, of the last month of sale."""

BOUGHT = "bought AS (FROM silver.orders WHERE NOT is_return AND amount > 0 AND customer_id IS NOT NULL)"

BY_PRODUCT = """
    by_product AS (
        SELECT customer_id, product_id,
            row_number() OVER (PARTITION BY customer_id ORDER BY orders DESC, spend DESC, product_id) AS place
        FROM (
            SELECT customer_id, product_id, count(DISTINCT order_id) AS orders, sum(amount) AS spend
            FROM lines WHERE is_sale AND is_product AND customer_id IS NOT NULL GROUP BY ALL
        )
    )
"""


def most_frequent(name: str, value: str) -> str:
    """One row per customer: its most frequent value, the smallest on a tie."""
    return f"""
        SELECT customer_id, arg_max({name}, (times, -{name})) AS {name}
        FROM (SELECT customer_id, {value} AS {name}, count(*) AS times FROM bought GROUP BY ALL) GROUP BY customer_id
    """


BEHAVIOUR = f"""
    WITH {BOUGHT}, gaps AS (
        SELECT customer_id, ordered_on,
            (ordered_on - lag(ordered_on) OVER (PARTITION BY customer_id ORDER BY ordered_on))::DOUBLE AS days
        FROM (SELECT DISTINCT customer_id, ordered_on FROM bought)
    ), rhythm AS (
        SELECT customer_id, count(*) AS count_purchase_days, avg(days) AS mean_days_between,
            median(days) AS median_days_between, stddev_samp(days) AS sd_days_between,
            max(ordered_on) + round(median(days))::INTEGER AS expected_next_on
        FROM gaps GROUP BY customer_id
    ), taken_back AS (
        SELECT DISTINCT cancelled_order_id AS order_id, true AS is_back FROM silver.cancellations
    ), baskets AS (
        SELECT customer_id, avg(count_lines) AS mean_basket_lines, avg(count_units) AS mean_basket_units,
            (rounded_mean(sum(amount), count(*), 2) * 0.01::DECIMAL(3, 2))::DECIMAL(18, 2) AS mean_basket_amount,
            avg((isodow(ordered_on) >= 6)::INT) AS weekend_share,
            avg(coalesce(is_back, false)::INT) AS returned_orders_share
        FROM bought LEFT JOIN taken_back USING (order_id) GROUP BY customer_id
    ), hours AS ({most_frequent("favourite_hour", "hour(ordered_at)::INTEGER")}),
    weekdays AS ({most_frequent("favourite_weekday", "isodow(ordered_on)::INTEGER")}),
    peaks AS ({most_frequent("peak", "((isodow(ordered_on) - 1) * 24 + hour(ordered_at))::INTEGER")}),
    placed AS (
        SELECT customer_id, coalesce(channel, 'unknown') AS channel, count(*) OVER customer AS orders,
            row_number() OVER (customer ORDER BY ordered_at, order_id) AS place
        FROM bought WINDOW customer AS (PARTITION BY customer_id)
    ), by_channel AS (
        SELECT customer_id, orders, channel, count(*) AS times, min(place) AS first, max(place) AS last,
            count(*) FILTER (place <= orders // 2) AS early, count(*) FILTER (place > orders - orders // 2) AS late
        FROM placed GROUP BY ALL
    ), channels AS (
        SELECT customer_id, count(*) AS count_channels, arg_min(channel, (-times, channel)) AS main_channel,
            max(times) / orders AS main_channel_share, arg_min(channel, first) AS first_channel,
            arg_max(channel, last) AS last_channel,
            CASE WHEN orders >= 4 THEN coalesce(
                max(channel) FILTER (early * 2 > orders // 2) <> max(channel) FILTER (late * 2 > orders // 2), false
            ) END AS is_migrated
        FROM by_channel GROUP BY customer_id, orders
    ), {BY_PRODUCT}, favourites AS (
        SELECT customer_id, count(*) AS count_distinct_products,
            max(product_id) FILTER (place = 1) AS favourite_product_id,
            string_agg(product_id, ', ' ORDER BY place) FILTER (place <= 3) AS top_products
        FROM by_product GROUP BY customer_id
    ), habits AS (
        SELECT customer_id, coalesce(sum(quantity) FILTER (price < usual_price), 0)
            / sum(quantity) FILTER (usual_price IS NOT NULL) AS low_price_units_share
        FROM products GROUP BY customer_id
    )
    SELECT * EXCLUDE (count_distinct_products, peak), $as_of AS as_of,
        coalesce(count_distinct_products, 0) AS count_distinct_products,
        (peak // 24 + 1)::INTEGER AS peak_weekday, (peak % 24)::INTEGER AS peak_hour
    FROM rhythm JOIN baskets USING (customer_id) JOIN hours USING (customer_id) JOIN weekdays USING (customer_id)
    JOIN peaks USING (customer_id) JOIN channels USING (customer_id)
    LEFT JOIN favourites USING (customer_id) LEFT JOIN habits USING (customer_id)
"""

HOURS = f"""
    WITH cells AS (
        SELECT coalesce(channel, 'unknown') AS channel, isodow(ordered_on)::INTEGER AS weekday,
            hour(ordered_at)::INTEGER AS hour, count(*) AS count_orders, sum(amount) AS revenue
        FROM silver.orders WHERE NOT is_return AND amount > 0 GROUP BY ALL
    ), both_ways AS (
        FROM cells
        UNION ALL BY NAME
        SELECT 'all' AS channel, weekday, hour, sum(count_orders)::BIGINT AS count_orders, sum(revenue) AS revenue
        FROM cells GROUP BY ALL
    )
    SELECT channel, weekday, hour, $as_of AS as_of, count_orders, revenue::{MONEY} AS revenue,
        mean_money(revenue, count_orders) AS average_order_value,
        count_orders / sum(count_orders) OVER whole AS orders_share,
        revenue::DOUBLE / (sum(revenue) OVER whole)::DOUBLE AS revenue_share
    FROM both_ways WINDOW whole AS (PARTITION BY channel)
"""

AFFINITY = """
    WITH sold AS (
        SELECT DISTINCT order_id, product_id FROM silver.order_lines WHERE is_sale AND is_product
    ), baskets AS (
        SELECT order_id, product_id FROM sold QUALIFY count(*) OVER (PARTITION BY order_id) <= 100
    ), frequent AS (
        SELECT product_id, count(*) AS baskets FROM baskets GROUP BY product_id HAVING count(*) >= 50
    ), items AS (
        FROM baskets SEMI JOIN frequent USING (product_id)
    ), one_way AS (
        SELECT a.product_id AS one, b.product_id AS two, count(*) AS count_baskets
        FROM items AS a JOIN items AS b ON a.order_id = b.order_id AND a.product_id < b.product_id
        GROUP BY ALL HAVING count(*) >= greatest(20, 0.001 * (SELECT count(DISTINCT order_id) FROM baskets))
    ), pairs AS (
        SELECT one AS product_id, two AS other_product_id, count_baskets FROM one_way
        UNION ALL SELECT two, one, count_baskets FROM one_way
    ), total AS (
        SELECT count(DISTINCT order_id) AS baskets FROM baskets
    )
    SELECT pairs.*, $as_of AS as_of, p.baskets AS count_product_baskets, o.baskets AS count_other_baskets,
        count_baskets / total.baskets AS support, count_baskets / p.baskets AS confidence,
        count_baskets::DOUBLE * total.baskets / (p.baskets::DOUBLE * o.baskets) AS lift
    FROM pairs JOIN frequent AS p USING (product_id) JOIN frequent AS o ON o.product_id = other_product_id, total
"""

LIFECYCLE = f"""
    WITH {BOUGHT}, typical AS (
        SELECT coalesce(round(median(mean_days_between)::DECIMAL(28, 8)), 90)::DOUBLE AS days,
            coalesce(round((median(sd_days_between / nullif(mean_days_between, 0)) FILTER (count_purchase_days > 3))
                ::DECIMAL(28, 8), 1), 1)::DOUBLE AS variation
        FROM gold.purchase_behaviour
    ), bought_on AS (
        SELECT customer_id, ordered_on, count(*) AS orders, true AS is_bought FROM bought GROUP BY ALL
    ), seen AS (
        SELECT customer_id, greatest(min(first_seen_on), $observed_from) AS ordered_on, 0 AS orders, false AS is_bought
        FROM silver.customer_records
        JOIN (SELECT source, source_record_id, customer_id FROM silver.identities) USING (source, source_record_id)
        WHERE NOT is_deleted AND first_seen_on <= $as_of GROUP BY customer_id
    ), before AS (
        FROM seen ANTI JOIN bought_on
            ON seen.customer_id = bought_on.customer_id AND bought_on.ordered_on <= seen.ordered_on
    ), appeared AS (
        SELECT *, (ordered_on - lag(CASE WHEN is_bought THEN ordered_on END) OVER in_time)::BIGINT AS silent
        FROM (FROM bought_on UNION ALL FROM before)
        WINDOW in_time AS (PARTITION BY customer_id ORDER BY ordered_on)
    ), history AS (
        SELECT *, sum(orders) OVER in_time AS count_orders, count(*) FILTER (is_bought) OVER in_time AS purchase_days,
            count(silent) OVER in_time AS n, coalesce(sum(silent) OVER in_time, 0)::DOUBLE AS total,
            coalesce(sum(silent * silent) OVER in_time, 0)::DOUBLE AS squares
        FROM appeared WINDOW in_time AS (PARTITION BY customer_id ORDER BY ordered_on)
    ), usual AS (
        SELECT history.*, variation, CASE WHEN is_bought THEN (2 * typical.days + total) / (2 + n) END AS usual_days
        FROM history, typical
    ), spread AS (
        SELECT *, sqrt(greatest((2 * (variation * usual_days) * (variation * usual_days)
            + (squares - 2 * usual_days * total + n * usual_days * usual_days)) / (2 + n), 0)) AS sd
        FROM usual
    ), limits AS (
        SELECT *, floor(usual_days + sd + 0.5)::INTEGER AS at_risk_after_days,
            floor(usual_days + 2 * sd + 0.5)::INTEGER AS lapsed_after_days,
            date_trunc('month', ordered_on)::DATE AS first_month
        FROM spread
    ), runs AS (
        SELECT *, coalesce(silent > lag(lapsed_after_days) OVER in_time, false) AS is_won_back,
            coalesce(lead(first_month) OVER in_time, (date_trunc('month', $as_of) + INTERVAL 1 MONTH)::DATE) AS until
        FROM limits WINDOW in_time AS (PARTITION BY customer_id ORDER BY ordered_on)
    ), months AS (
        SELECT *, unnest(range(first_month, until, INTERVAL 1 MONTH))::DATE AS month
        FROM runs WHERE first_month < until
    ), dated AS (
        SELECT *, CASE WHEN is_bought THEN (least(last_day(month), $as_of) - ordered_on)::INTEGER END AS silent_days
        FROM months
    ), staged AS (
        SELECT *, CASE WHEN purchase_days = 0 THEN 'prospect' WHEN silent_days > lapsed_after_days THEN 'lapsed'
            WHEN silent_days > at_risk_after_days THEN 'at risk' WHEN is_won_back THEN 'won back'
            WHEN purchase_days = 1 THEN 'new' WHEN purchase_days >= 5 THEN 'loyal' ELSE 'active' END AS stage
        FROM dated
    )
    SELECT customer_id, month, $as_of AS as_of, stage,
        lag(stage) OVER (PARTITION BY customer_id ORDER BY month) AS previous_stage,
        count_orders::BIGINT AS count_orders, purchase_days AS count_purchase_days,
        silent_days AS days_since_last_order, usual_days, at_risk_after_days, lapsed_after_days
    FROM staged
"""

TRANSITIONS = """
    SELECT coalesce(previous_stage, 'newcomer') AS from_stage, stage AS to_stage, month, $as_of AS as_of,
        last_day(month) <= $as_of AS is_whole_month, count(*) AS count_customers,
        count(*) / sum(count(*)) OVER (PARTITION BY month, from_stage) AS share
    FROM gold.lifecycle GROUP BY from_stage, to_stage, month
"""

AGE_BAND = """
    CASE WHEN age NOT BETWEEN 0 AND 119 THEN NULL WHEN age < 18 THEN 'under 18' WHEN age < 25 THEN '18-24'
        WHEN age < 35 THEN '25-34' WHEN age < 45 THEN '35-44' WHEN age < 55 THEN '45-54' WHEN age < 65 THEN '55-64'
        WHEN age >= 65 THEN '65 and over' END
"""
PEOPLE = f"""
    people AS (
        SELECT *, {AGE_BAND} AS age_band FROM (
            SELECT *, year($as_of) - year(birth_on)
                - (strftime(birth_on, '%m%d') > strftime($as_of, '%m%d'))::INTEGER AS age
            FROM silver.customers
        )
    )
"""

OWN_SEGMENTS = f"""
    WITH {BOUGHT}, {PEOPLE}, parts AS (
        {
    most_frequent(
        "part",
        "CASE WHEN hour(ordered_at) < 5 THEN 4 WHEN hour(ordered_at) < 12 THEN 1 WHEN hour(ordered_at) < 17 THEN 2 "
        "WHEN hour(ordered_at) < 22 THEN 3 ELSE 4 END",
    )
}
    ), discounted AS (
        SELECT customer_id, coalesce(sum(amount) FILTER (price <= usual_price * (1 - 0.05::DOUBLE)), 0)::DOUBLE
            / (sum(amount) FILTER (usual_price IS NOT NULL))::DOUBLE AS discounted_spend_share
        FROM products GROUP BY customer_id
    )
    SELECT customer_id, $as_of AS as_of, age_band, sex, country, region, city,
        CASE WHEN b.count_purchase_days >= 4 AND b.mean_days_between <= 90 THEN 'regular'
            WHEN b.count_purchase_days > 0 THEN 'occasional' END AS purchase_pattern,
        discounted_spend_share,
        CASE WHEN count_orders >= 2 THEN discounted_spend_share >= 0.5 END AS is_discount_seeker,
        returned_share >= 0.1 AS is_returner,
        CASE WHEN count_orders >= 2
            THEN CASE WHEN main_channel_share >= 0.7 THEN main_channel ELSE 'several' END END AS channel_preference,
        CASE WHEN count_orders >= 2 THEN ['morning', 'afternoon', 'evening', 'night'][part] END AS daypart_preference,
        CASE WHEN count_orders >= 2
            THEN CASE WHEN weekend_share >= 0.5 THEN 'weekend' ELSE 'weekday' END END AS week_preference,
        CASE WHEN count_orders > 0 THEN gross_spend END AS gross_spend
    FROM people LEFT JOIN gold.customer_value USING (customer_id)
    LEFT JOIN gold.purchase_behaviour AS b USING (customer_id)
    LEFT JOIN parts USING (customer_id) LEFT JOIN discounted USING (customer_id)
    WHERE people.first_seen_on <= $as_of
"""

SEGMENT_RULES = f"""
    WITH levels AS (
        SELECT quantile_cont(gross_spend::DOUBLE, 0.8)::{MONEY} AS heavy,
            quantile_cont(gross_spend::DOUBLE, 0.5)::{MONEY} AS medium
        FROM gold.own_segments
    )
    SELECT * EXCLUDE (gross_spend, heavy, medium), CASE WHEN gross_spend >= heavy THEN 'heavy'
        WHEN gross_spend >= medium THEN 'medium' WHEN gross_spend IS NOT NULL THEN 'light' END AS value_tier
    FROM gold.own_segments, levels
"""

KPIS = f"""
    WITH {BOUGHT}, kinds (period, step, a_year) AS (VALUES
        ('day', INTERVAL 1 DAY, INTERVAL 365 DAY), ('week', INTERVAL 7 DAY, INTERVAL 364 DAY),
        ('month', INTERVAL 1 MONTH, INTERVAL 1 YEAR)
    ), by_day AS (
        SELECT ordered_on, count(*) FILTER (NOT is_return AND amount > 0) AS count_orders,
            count(*) FILTER (NOT is_return AND amount > 0 AND customer_id IS NOT NULL) AS known_orders,
            coalesce(sum(amount) FILTER (NOT is_return AND amount > 0), 0) AS revenue,
            coalesce(sum(amount) FILTER (NOT is_return AND amount > 0 AND customer_id IS NOT NULL), 0)
                AS known_revenue,
            coalesce(-sum(amount) FILTER (is_return), 0) AS returned_amount
        FROM silver.orders GROUP BY ordered_on HAVING count_orders > 0 OR returned_amount > 0
    ), sums AS (
        SELECT period, date_trunc(period, ordered_on)::DATE AS starts_on, sum(count_orders)::BIGINT AS count_orders,
            sum(known_orders)::BIGINT AS known_orders, sum(revenue)::{MONEY} AS revenue,
            sum(known_revenue)::{MONEY} AS known_revenue, sum(returned_amount)::{MONEY} AS returned_amount
        FROM by_day, kinds GROUP BY ALL
    ), customer_days AS (
        SELECT customer_id, ordered_on, count(*) AS orders FROM bought GROUP BY ALL
    ), customer_periods AS (
        SELECT period, step, customer_id, date_trunc(period, ordered_on)::DATE AS starts_on, sum(orders) AS orders
        FROM customer_days, kinds GROUP BY ALL
    ), in_order AS (
        SELECT *, lag(starts_on) OVER in_time AS previous, sum(orders) OVER in_time AS so_far
        FROM customer_periods WINDOW in_time AS (PARTITION BY period, customer_id ORDER BY starts_on)
    ), customers AS (
        SELECT period, starts_on, count(*) AS active_customers, count(*) FILTER (previous IS NULL) AS new_customers,
            count(*) FILTER (previous = starts_on - step) AS kept, count(*) FILTER (so_far > 1) AS repeated
        FROM in_order GROUP BY ALL
    ), joined AS (
        SELECT sums.*, step, a_year, coalesce(active_customers, 0) AS active_customers,
            coalesce(new_customers, 0) AS new_customers, coalesce(repeated, 0) AS repeated,
            CASE WHEN period <> 'day' THEN coalesce(kept, 0) END AS retained_customers
        FROM sums JOIN kinds USING (period) LEFT JOIN customers USING (period, starts_on)
    )
    SELECT now.* EXCLUDE (step, a_year, known_orders, known_revenue, repeated), $as_of AS as_of,
        now.starts_on + now.step - INTERVAL 1 DAY <= $as_of AS is_whole_period,
        (now.revenue - now.returned_amount)::{MONEY} AS net_revenue,
        mean_money(now.revenue, now.count_orders) AS average_order_value,
        1 - now.known_revenue::DOUBLE / nullif(now.revenue::DOUBLE, 0) AS anonymous_revenue_share,
        1 - now.known_orders / nullif(now.count_orders, 0) AS anonymous_orders_share,
        now.active_customers - now.new_customers AS returning_customers,
        now.retained_customers / nullif(last.active_customers, 0) AS retention_share,
        1 - now.retained_customers / nullif(last.active_customers, 0) AS churn_share,
        now.repeated / nullif(now.active_customers, 0) AS repeat_share,
        mean_money(now.known_revenue, now.active_customers) AS revenue_per_customer,
        now.revenue::DOUBLE / nullif(last.revenue::DOUBLE, 0) - 1 AS revenue_growth,
        now.revenue::DOUBLE / nullif(earlier.revenue::DOUBLE, 0) - 1 AS revenue_growth_year_on_year
    FROM joined AS now
    LEFT JOIN joined AS last ON last.period = now.period AND last.starts_on = now.starts_on - now.step
    LEFT JOIN joined AS earlier ON earlier.period = now.period AND earlier.starts_on = now.starts_on - now.a_year
"""


def grouped(columns: str) -> str:
    """Each customer with a purchase once in all, and once in each of its groups: dimension and value."""
    values = ", ".join(f"coalesce({name}, 'unknown')" for name in DIMENSIONS)
    return f"""
        WITH {PEOPLE}, profiles AS (
            SELECT customer_id, people.country, people.sex, people.age_band, rfm_segment AS segment, value_tier,
                NULL::VARCHAR AS income_band, NULL::VARCHAR AS city_tier,
                CASE WHEN people.region IS NOT NULL THEN concat_ws(', ', people.region, people.country) END AS region,
                {columns}
            FROM gold.rfm AS rfm JOIN people USING (customer_id)
            LEFT JOIN gold.customer_value AS customer_value USING (customer_id)
            LEFT JOIN gold.purchase_behaviour AS purchase_behaviour USING (customer_id)
            LEFT JOIN gold.segment_rules AS segment_rules USING (customer_id)
        ), grouped AS (
            SELECT unnest({["all", *DIMENSIONS]}) AS dimension, unnest(['all', {values}]) AS value, * FROM profiles
        )
    """


FOUR = f"$::DECIMAL(28, 8)::{MONEY}"
"""To four places by way of eight, so that a double just below a half is rounded as the number that it stands for."""
ALL_NUMBERS = {name: table for table, names in NUMBERS.items() for name in names.split()}


def four_places(value: str) -> str:
    return FOUR.replace("$", value)


PROFILE_STATISTICS = f"""
    {grouped(", ".join(f"{four_places(f'{t}.{name}')} AS x_{name}" for name, t in ALL_NUMBERS.items()))},
    long AS (
        SELECT dimension, value, unnest({list(ALL_NUMBERS)}) AS attribute,
            unnest([{", ".join(f"x_{name}" for name in ALL_NUMBERS)}]) AS x
        FROM grouped
    ), found AS (
        SELECT dimension, value, attribute, count(*) AS count_customers, sum(x) AS total, min(x) AS min, max(x) AS max,
            stddev_samp(x::DOUBLE) AS sd, quantile_cont(x::DOUBLE, {list(QUANTILES.values())}) AS q
        FROM long WHERE x IS NOT NULL GROUP BY ALL
    )
    SELECT * EXCLUDE (total, sd, q), $as_of AS as_of, total::{MONEY} AS total, {four_places("sd")} AS sd,
        (rounded_mean(total, count_customers, 4) * 0.0001::DECIMAL(5, 4))::{MONEY} AS mean,
        count_customers / max(count_customers) FILTER (dimension = 'all') OVER (PARTITION BY attribute)
            AS customers_share,
        {", ".join(f"{four_places(f'q[{place}]')} AS {name}" for place, name in enumerate(QUANTILES, start=1))}
    FROM found
"""

OF_NAMES = {name: name for name in NAMES} | {"rfm_segment": "segment", "first_interest": "NULL"}
ONLY_OF_NAMES = (
    "main_channel, is_migrated, favourite_weekday, purchase_pattern, is_discount_seeker, is_returner, "
    "channel_preference, daypart_preference, week_preference"
)
PROFILE_SHARES = f"""
    {grouped(ONLY_OF_NAMES)}, long AS (
        SELECT dimension, value, unnest({list(OF_NAMES)}) AS attribute,
            unnest([{", ".join(f"coalesce({name}::VARCHAR, 'unknown')" for name in OF_NAMES.values())}]) AS level
        FROM grouped
    )
    SELECT dimension, value, attribute, level, $as_of AS as_of, count(*) AS count_customers,
        count(*) / sum(count(*)) OVER (PARTITION BY dimension, value, attribute) AS customers_share
    FROM long GROUP BY dimension, value, attribute, level
"""

CUSTOMER_360 = """
    SELECT c.customer_id, $as_of AS as_of, c.country, c.sex, c.region, c.city, c.first_seen_on,
        c.email IS NOT NULL AS has_email, c.phone IS NOT NULL AS has_phone, c.street IS NOT NULL AS has_address,
        value.* EXCLUDE (customer_id, as_of), rfm.* EXCLUDE (customer_id, as_of, count_orders),
        stages.stage AS lifecycle_stage, stages.previous_stage AS previous_lifecycle_stage,
        stages.count_purchase_days, stages.usual_days, stages.at_risk_after_days, stages.lapsed_after_days,
        behaviour.* EXCLUDE (customer_id, as_of, count_purchase_days),
        rules.* EXCLUDE (customer_id, as_of, country, sex, region, city)
    FROM silver.customers AS c
    LEFT JOIN gold.customer_value AS value USING (customer_id) LEFT JOIN gold.rfm AS rfm USING (customer_id)
    LEFT JOIN (FROM gold.lifecycle WHERE month = date_trunc('month', $as_of)) AS stages USING (customer_id)
    LEFT JOIN gold.purchase_behaviour AS behaviour USING (customer_id)
    LEFT JOIN gold.segment_rules AS rules USING (customer_id)
    WHERE c.first_seen_on <= $as_of
"""

TABLES = {
    "rfm": RFM,
    "customer_value": CUSTOMER_VALUE,
    "customer_value_by_channel": BY_CHANNEL,
    "customer_value_by_product_group": BY_PRODUCT_GROUP,
    "cohorts": COHORTS,
    "purchase_behaviour": BEHAVIOUR,
    "purchase_hours": HOURS,
    "product_affinity": AFFINITY,
    "lifecycle": LIFECYCLE,
    "lifecycle_transitions": TRANSITIONS,
    "own_segments": OWN_SEGMENTS,
    "segment_rules": SEGMENT_RULES,
    "kpis": KPIS,
    "profile_statistics": PROFILE_STATISTICS,
    "profile_shares": PROFILE_SHARES,
    "customer_360": CUSTOMER_360,
}
"""Every table and its query, in an order in which each finds those that it reads."""

SILVER = ("orders", "order_lines", "cancellations", "customers", "customer_records", "identities")


class Gold(Tables):
    """The silver tables of a lake under their names, and the gold ones as they are written."""

    def __init__(self, lake: Path, root: Path) -> None:
        super().__init__(root)
        self.connection.execute("CREATE SCHEMA gold")
        self.connection.execute(MEAN)
        for name in SILVER:
            self.name(f"silver.{name}", lake / "silver" / name)
        self.connection.execute(LINES)
        self.connection.execute(PRODUCTS)
        ((self.observed_from, self.as_of),) = self.connection.execute(
            "SELECT min(ordered_on), max(ordered_on) FROM silver.order_lines"
        ).fetchall()

    def name(self, table: str, path: Path) -> None:
        files = DeltaTable(path).file_uris()
        self.connection.execute(f"CREATE VIEW {table} AS FROM read_parquet({files}, hive_partitioning = true)")

    def put(self, name: str, sql: str) -> None:
        """Write the table, batch by batch, so that others can query it by its name."""
        given: dict[str, date] = {"as_of": self.as_of, "observed_from": self.observed_from}
        used = {key: value for key, value in given.items() if f"${key}" in sql}
        rows = self.connection.sql(sql, params=used).to_arrow_reader(100_000)
        path = self.root / "gold" / name
        write_deltalake(path, rows, partition_by="as_of", mode="append")
        self.name(f"gold.{name}", path)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lake", type=Path, required=True, help="whose silver is read")
    parser.add_argument("--root", type=Path, required=True, help="under which gold is written")
    values = parser.parse_args(arguments)
    gold = Gold(values.lake, values.root)
    cold_start = perf_counter() - STARTED
    stages: dict[str, float] = {}
    for name, sql in TABLES.items():
        with timed(name, stages):
            gold.put(name, sql)
    print(told(cold_start, stages))


if __name__ == "__main__":
    main()
