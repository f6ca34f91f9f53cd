from datetime import date

import duckdb
import pytest
from chispa import assert_approx_df_equality, assert_df_equality
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.gold.profile_shares import PROFILE_SHARES, profile_shares
from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR
from customerlake.gold.rfm import RFM
from customerlake.silver.customers import CUSTOMERS as SILVER_CUSTOMERS

SUMMARY = "customer_id string, as_of date, rfm_segment string"
CUSTOMERS = "customer_id string, country string, region string, sex string, birth_on date"
SEGMENTS = (
    "customer_id string, as_of date, is_returner boolean, interests array<struct<category: string, share: double>>"
)
AS_OF = date(2011, 12, 9)


def shares(spark, *buyers, segments=None, as_of=AS_OF):
    """Shares of buyers (country, sex, segment), numbered from 0."""
    summary = [(str(n), AS_OF, segment) for n, (_, _, segment) in enumerate(buyers)]
    customers = [(str(n), country, None, sex, None) for n, (country, sex, _) in enumerate(buyers)]
    return profile_shares(
        spark.createDataFrame(summary, SUMMARY),
        spark.createDataFrame(customers, CUSTOMERS),
        segment_rules=None if segments is None else spark.createDataFrame(segments, SEGMENTS),
        as_of=as_of,
    )


def test_the_levels_of_an_attribute_share_the_customers_of_a_group(spark):
    found = shares(
        spark, ("France", "female", "Lost"), ("France", "female", "Lost"), ("France", None, "Lost"),
        ("Spain", "male", "Lost"),
    )  # fmt: skip

    rows = [
        ("all", "all", "sex", "female", AS_OF, 2, 0.5),
        ("all", "all", "sex", "male", AS_OF, 1, 0.25),
        ("all", "all", "sex", "unknown", AS_OF, 1, 0.25),
        ("country", "France", "sex", "female", AS_OF, 2, 2 / 3),
        ("country", "France", "sex", "unknown", AS_OF, 1, 1 / 3),
        ("country", "Spain", "sex", "male", AS_OF, 1, 1.0),
    ]
    assert_approx_df_equality(
        found.where("attribute = 'sex' AND dimension IN ('all', 'country')"),
        spark.createDataFrame(rows, PROFILE_SHARES.schema),
        1e-12,
        ignore_nullable=True,
        ignore_row_order=True,
    )


def test_yes_or_no_and_the_first_interest_are_levels_too(spark):
    liked = [{"category": "toys", "share": 0.6}, {"category": "bags", "share": 0.4}]
    segments = [("0", AS_OF, True, liked), ("1", AS_OF, None, None)]

    found = shares(spark, ("France", None, "Lost"), ("France", None, "Lost"), segments=segments)

    said = found.where("dimension = 'all' AND attribute IN ('is_returner', 'first_interest')").collect()
    assert {(row.attribute, row.level, row.count_customers) for row in said} == {
        ("is_returner", "true", 1), ("is_returner", "unknown", 1),
        ("first_interest", "toys", 1), ("first_interest", "unknown", 1),
    }  # fmt: skip


def test_what_no_table_says_is_no_attribute(spark):
    found = shares(spark, ("France", None, "Lost"))

    assert {row.attribute for row in found.collect()} == {"country", "sex", "age_band", "rfm_segment"}


def test_without_customers_of_the_day_there_are_no_rows(spark):
    assert shares(spark).isEmpty()
    assert shares(spark, ("France", None, "Lost"), as_of=date(2011, 1, 1)).isEmpty()


bought = st.tuples(
    st.sampled_from(["France", "Spain", None]), st.sampled_from(["female", "male", None]), st.sampled_from("LMN")
)


@given(st.lists(bought, min_size=1, max_size=60))
def test_shares_of_a_group_sum_to_one(spark, rows):
    found = shares(spark, *rows)

    sums = found.groupBy("dimension", "value", "attribute").agg(F.sum("customers_share").alias("share"))
    assert sums.where("abs(share - 1) > 1e-9").isEmpty()
    assert found.where("dimension = 'all'").groupBy("attribute").sum("count_customers").distinct().count() == 4
    assert_df_equality(shares(spark, *rows[::-1]), found, ignore_row_order=True)


@pytest.mark.full_data
def test_the_shares_of_the_real_customers_are_what_sql_says_from_their_definition(real_lake):
    tables = {table: real_lake.lake.read(table) for table in (RFM, SILVER_CUSTOMERS, PURCHASE_BEHAVIOUR)}
    as_of = date(2011, 12, 9)

    found = profile_shares(
        tables[RFM], tables[SILVER_CUSTOMERS], None, tables[PURCHASE_BEHAVIOUR], as_of=as_of
    ).toArrow()

    connection = duckdb.connect()
    connection.register("found", found)
    for table, frame in tables.items():
        connection.register(table.name.split(".")[1], frame.toArrow())
    rows = connection.sql(f"""
        WITH people AS (
            SELECT customer_id, country, sex, rfm_segment, main_channel, is_migrated, favourite_weekday
            FROM rfm JOIN customers USING (customer_id) JOIN purchase_behaviour AS b USING (customer_id)
            WHERE rfm.as_of = DATE '{as_of}' AND b.as_of = DATE '{as_of}'
        ), said AS (
            SELECT customer_id, unnest(['country', 'sex', 'age_band', 'rfm_segment', 'main_channel', 'is_migrated',
                    'favourite_weekday']) AS attribute,
                unnest([country, sex, NULL, rfm_segment, main_channel, is_migrated::VARCHAR,
                    favourite_weekday::VARCHAR]) AS level
            FROM people
        ), grouped AS (
            SELECT customer_id, unnest(['all', 'country', 'region', 'age_band', 'sex', 'segment']) AS dimension,
                unnest(['all', country, NULL, NULL, sex, rfm_segment]) AS value FROM people
        ), counted AS (
            SELECT dimension, coalesce(value, 'unknown') AS value, attribute, coalesce(level, 'unknown') AS level,
                count(*) AS n
            FROM grouped JOIN said USING (customer_id)
            GROUP BY dimension, coalesce(value, 'unknown'), attribute, coalesce(level, 'unknown')
        ), expected AS (
            SELECT *, n / sum(n) OVER (PARTITION BY dimension, value, attribute) AS share FROM counted
        )
        SELECT count(*), count(*) FILTER (found.as_of = DATE '{as_of}' AND count_customers = n
            AND abs(customers_share - share) < 1e-12)
        FROM found FULL JOIN expected USING (dimension, value, attribute, level)
    """).fetchall()
    assert found.num_rows > 500
    assert rows == [(found.num_rows, found.num_rows)]
