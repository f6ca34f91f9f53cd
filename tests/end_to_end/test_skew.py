"""Skews that large lakes have, each at a size that fits here: the result is right, and what must stay small does.

docs/SCALE.md says what each costs at 10^8 customers and 10^10 events.
"""

from datetime import date
from decimal import Decimal

import pytest
from pyspark.sql import functions as F

from customerlake.features.snapshot import snapshot
from customerlake.gold.kpis import kpis, sales_by_day
from customerlake.gold.rfm import rfm
from customerlake.publish.early_warning import early_warning
from customerlake.silver.cancellations import OF_LINES, SAME_ITEM, cancellations, of_items_taken_back

FIRST, AS_OF = date(2011, 1, 1), date(2011, 12, 31)
HUGE = {"sail": 1_000_000, "spark": 200_000}  # rows of the skewed customer


@pytest.fixture
def huge(engine):
    return HUGE[engine]


@pytest.fixture
def orders(spark, huge):
    """One customer, `giant`, has an order in nearly every minute of 200 days; a thousand others have two each."""
    giant = spark.range(huge).select(F.lit("giant").alias("customer_id"), (F.col("id") % 200).alias("day"))
    others = spark.range(2000).select(
        F.concat(F.lit("c"), (F.col("id") % 1000).cast("string")).alias("customer_id"),
        F.when(F.col("id") < 1000, 0).otherwise(10).alias("day"),
    )
    columns = {
        "order_id": F.concat("customer_id", F.lit("-"), F.monotonically_increasing_id().cast("string")),
        "ordered_on": F.date_add(F.lit(FIRST), F.col("day").cast("int")),
        "ordered_at": F.date_add(F.lit(FIRST), F.col("day").cast("int")).cast("timestamp"),
        "is_return": F.lit(False),
        "amount": F.lit(Decimal("2.5000")).cast("decimal(18,4)"),
        "count_lines": F.lit(1).cast("long"),
        "count_units": F.lit(2).cast("long"),
        "country": F.lit("France"),
        "channel": F.lit("web"),
    }
    return giant.unionByName(others).withColumns(columns)


@pytest.fixture
def lines(spark):
    """Lines of one item from (id, day, hour, quantity, customer, product)."""

    def made(frame):
        return frame.withColumns(
            {
                "order_line_id": F.concat(F.lit("l"), F.col("id").cast("string")),
                "order_id": F.concat(F.lit("o"), F.col("id").cast("string")),
                "unit_price": F.lit(Decimal("1.0000")).cast("decimal(18,4)"),
                "ordered_on": F.date_add(F.lit(FIRST), F.col("day").cast("int")),
                "ordered_at": F.date_add(F.lit(FIRST), F.col("day").cast("int")).cast("timestamp"),
                "amount": F.col("quantity").cast("decimal(18,4)"),
                "is_return": F.col("quantity") < 0,
                "is_sale": F.col("quantity") > 0,
                "_batch": F.lit(1).cast("long"),
            }
        )

    return made


@pytest.mark.full_data
def test_a_customer_with_a_million_orders_is_one_row_beside_the_others(orders, huge):
    rows = {
        row["customer_id"]: row for row in rfm(orders, as_of=AS_OF).where("customer_id IN ('giant', 'c7')").collect()
    }

    giant, other = rows["giant"], rows["c7"]
    assert (giant["frequency"], giant["recency"], giant["T"], giant["count_orders"]) == (199, 199, 364, huge)
    assert giant["total_spend"] == Decimal("2.5") * huge
    assert giant["monetary_value"] == Decimal("2.5") * huge / 200  # each of the 200 days has as many orders
    assert (other["frequency"], other["recency"], other["count_orders"], other["total_spend"]) == (1, 10, 2, 5)


@pytest.mark.full_data
def test_the_features_of_a_customer_with_a_million_orders_at_several_dates(orders, huge):
    dates = [date(2011, 1, 20), AS_OF]

    rows = snapshot(orders, as_of=dates).where("customer_id = 'giant'").orderBy("as_of").collect()

    # the first twenty days hold the orders of the days 0 to 19
    assert [row["count_orders"] for row in rows] == [huge / 10, huge]
    assert [row["days_since_last_order"] for row in rows] == [0, 165]  # to day 19 and to day 199 of 364


@pytest.mark.full_data
def test_anonymous_sales_are_never_sorted_for_their_returns(spark, lines, huge):
    anonymous = spark.range(huge).selectExpr(
        "id", "id % 300 AS day", "CAST(NULL AS STRING) AS customer_id", "'cup' AS product_id",
        "CASE WHEN id % 100000 = 0 THEN -1 ELSE 1 END AS quantity",
    )  # fmt: skip
    received = lines(anonymous)

    sorted_lines = of_items_taken_back(received.select("order_line_id", "order_id", *SAME_ITEM, *OF_LINES))
    found = cancellations(received)

    assert sorted_lines.count() == huge / 100_000  # the returns alone, of a million lines in one group
    assert {(row["link_rule"], row["cancelled_order_line_id"]) for row in found.collect()} == {("anonymous", None)}


@pytest.mark.full_data
def test_one_item_bought_and_taken_back_by_one_customer_a_hundred_thousand_times(spark, lines):
    pairs = 50_000
    item = spark.range(2 * pairs).selectExpr(
        "id", "id % 2 AS day", "'giant' AS customer_id", "'cup' AS product_id",
        "CASE WHEN id % 2 = 0 THEN 3 ELSE -3 END AS quantity",
    )  # fmt: skip

    found = cancellations(lines(item))

    rules = {row["link_rule"]: row["n"] for row in found.groupBy("link_rule").agg(F.count("*").alias("n")).collect()}
    distinct_sales = found.agg(F.countDistinct("cancelled_order_line_id")).first()[0]
    assert rules == {"whole line": pairs}
    assert distinct_sales == pairs  # no sale is cancelled twice


@pytest.mark.full_data
def test_the_fifths_of_a_million_different_spends(spark, huge):
    bought = {
        "order_id": F.col("id").cast("string"),
        "customer_id": F.concat(F.lit("c"), F.col("id").cast("string")),
        "ordered_on": F.lit(FIRST),
        "is_return": F.lit(False),
        "amount": (F.col("id") + 1).cast("decimal(18,4)"),
    }
    spends = spark.range(huge).withColumns(bought)

    scored = rfm(spends, as_of=AS_OF).groupBy("m_score").count().collect()

    # of the spends 1 to n the borders are 0.2 n + 0.8, 0.4 n + 0.6, 0.6 n + 0.4 and 0.8 n + 0.2
    assert {row["m_score"]: row["count"] for row in scored} == dict.fromkeys([1, 2, 3, 4, 5], huge // 5)


@pytest.mark.full_data
def test_the_window_over_periods_gets_a_row_for_each_period_of_a_million_orders(orders):
    assert sales_by_day(orders).count() == 200

    periods = kpis(orders, as_of=AS_OF).groupBy("period").count().collect()
    assert {row["period"]: row["count"] for row in periods} == {"day": 200, "week": 30, "month": 7}


@pytest.mark.full_data
def test_the_ranking_of_warnings_holds_for_a_hundred_thousand_of_them(spark):
    warned = 100_000
    churn = spark.range(warned).selectExpr(
        "concat('c', id) AS customer_id", "DATE'2011-12-31' AS as_of", "0.9D AS churn_probability",
        "'high' AS risk_band", "true AS is_early_warning", "CAST(id AS DECIMAL(18,2)) AS expected_loss",
        "CAST(id AS DECIMAL(18,2)) AS expected_profit",
        "array('late') AS top_reasons", "90 AS horizon_days",
    )  # fmt: skip
    customers = churn.selectExpr(
        "customer_id", "as_of", "'France' AS country", "'Rare' AS segment_name", "'Lost' AS rfm_segment",
        "1 AS days_since_last_order", "as_of AS expected_next_on", "1L AS count_orders",
        "CAST(1 AS DECIMAL(18,4)) AS total_spend", "CAST(1 AS DECIMAL(18,2)) AS average_order_value",
        "0L AS count_open_tickets", "9 AS last_nps_answer", "false AS is_returner", "false AS is_discount_seeker",
        "0L AS count_abandoned_carts_last_30_days", "'Candles' AS top_category", "true AS is_email_marketing_allowed",
        "true AS is_phone_marketing_allowed", "true AS is_post_marketing_allowed",
    )  # fmt: skip

    ranked = early_warning(customers, churn, as_of=AS_OF)

    ends = ranked.where(f"rank IN (1, {warned})").orderBy("rank").select("rank", "customer_id").collect()
    assert [tuple(row) for row in ends] == [(1, f"c{warned - 1}"), (warned, "c0")]
