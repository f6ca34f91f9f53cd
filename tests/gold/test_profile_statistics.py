from datetime import date
from decimal import Decimal

import duckdb
import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.gold.customer_value import CUSTOMER_VALUE
from customerlake.gold.profile_statistics import PROFILE_STATISTICS, profile_statistics
from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR
from customerlake.gold.rfm import RFM
from customerlake.silver.customers import CUSTOMERS as SILVER_CUSTOMERS

SUMMARY = "customer_id string, as_of date, count_orders long, total_spend decimal(18,4), rfm_segment string"
CUSTOMERS = "customer_id string, country string, region string, sex string, birth_on date"
AS_OF = date(2011, 12, 9)


def buyer(spend="10", *, orders=1, country="France", region=None, sex=None, birth=None, segment="Lost", as_of=AS_OF):
    return (as_of, orders, None if spend is None else Decimal(spend), segment, country, region, sex, birth)


def statistics(spark, *buyers, value=None, segments=None, as_of=AS_OF):
    """Statistics of buyers, numbered from 0."""
    summary = [(str(n), *row[:4]) for n, row in enumerate(buyers)]
    customers = [(str(n), *row[4:]) for n, row in enumerate(buyers)]
    return profile_statistics(
        spark.createDataFrame(summary, SUMMARY),
        spark.createDataFrame(customers, CUSTOMERS),
        None
        if value is None
        else spark.createDataFrame(value, "customer_id string, as_of date, returned_share double"),
        None,
        None
        if segments is None
        else spark.createDataFrame(segments, "customer_id string, as_of date, value_tier string"),
        as_of=as_of,
    )


def of(df, dimension, value, attribute="total_spend"):
    rows = df.where((df["dimension"] == dimension) & (df["value"] == value) & (df["attribute"] == attribute)).collect()
    assert len(rows) <= 1
    return rows[0] if rows else None


def test_each_group_is_described_by_its_customers(spark):
    found = statistics(
        spark, buyer("10", orders=1), buyer("20", orders=2), buyer("60", orders=3), buyer("10", country="Spain")
    )

    def row(dimension, value, attribute, customers, share, *figures):
        return (
            dimension,
            value,
            attribute,
            AS_OF,
            customers,
            share,
            *[None if x is None else Decimal(x) for x in figures],
        )

    # France: mean 30, deviations -20, -10, 30, so the sample variance is 1400 / 2 = 700. All: mean 25, deviations
    # -15, -15, -5, 35: 1700 / 3. A twentieth of the way over two gaps is 0.1 of the first, over three 0.15.
    expected = [
        row("country", "France", "total_spend", 3, 0.75,
            "90", "30", "26.4575", "10", "11", "15", "20", "40", "56", "60"),
        row("country", "France", "count_orders", 3, 0.75, "6", "2", "1", "1", "1.1", "1.5", "2", "2.5", "2.9", "3"),
        row("country", "Spain", "total_spend", 1, 0.25, "10", "10", None, "10", "10", "10", "10", "10", "10", "10"),
        row("country", "Spain", "count_orders", 1, 0.25, "1", "1", None, "1", "1", "1", "1", "1", "1", "1"),
        row("all", "all", "total_spend", 4, 1.0, "100", "25", "23.8048", "10", "10", "10", "15", "30", "54", "60"),
        row("all", "all", "count_orders", 4, 1.0, "7", "1.75", "0.9574", "1", "1", "1", "1.5", "2.25", "2.85", "3"),
    ]  # fmt: skip
    assert_df_equality(
        found.where("dimension IN ('country', 'all')"),
        spark.createDataFrame(expected, PROFILE_STATISTICS.schema),
        ignore_nullable=True,
        ignore_row_order=True,
    )


def test_customers_are_grouped_by_who_they_are_and_how_they_buy(spark):
    someone = buyer(region="Kent", country="UK", sex="female", birth=date(1986, 12, 10), segment="Champions")

    found = statistics(spark, someone, segments=[("0", AS_OF, "heavy")])

    groups = {(row.dimension, row.value) for row in found.collect()}
    assert groups == {
        ("all", "all"), ("country", "UK"), ("region", "Kent, UK"), ("age_band", "18-24"), ("sex", "female"),
        ("segment", "Champions"), ("value_tier", "heavy"),
    }  # fmt: skip


def test_who_is_of_no_known_group_is_of_unknown(spark):
    found = statistics(spark, buyer(country=None), segments=[("0", date(2011, 1, 1), "heavy")])

    assert {row.value for row in found.where("dimension NOT IN ('all', 'segment')").collect()} == {"unknown"}


def test_who_has_no_value_is_not_counted_for_the_attribute(spark):
    value = [("0", AS_OF, 0.5), ("1", AS_OF, None), ("2", date(2011, 1, 1), 0.1)]

    found = statistics(spark, buyer(), buyer(), buyer(country="Spain"), value=value)

    row = of(found, "country", "France", "returned_share")
    assert (row.count_customers, row.customers_share, row.mean) == (1, 1.0, Decimal("0.5"))
    assert of(found, "country", "Spain", "returned_share") is None


def test_a_half_in_the_last_place_is_rounded_up(spark):
    row = of(statistics(spark, buyer("1.0000"), buyer("1.0001")), "all", "all")

    assert (row.mean, row["median"]) == (Decimal("1.0001"), Decimal("1.0001"))


@pytest.mark.parametrize("buyers", [[], [buyer(as_of=date(2011, 1, 1))]], ids=["nobody", "summaries of another day"])
def test_without_customers_of_the_day_there_are_no_rows(spark, buyers):
    assert statistics(spark, *buyers).isEmpty()


bought = st.tuples(
    st.integers(1, 10**7), st.sampled_from(["France", "Spain", None]), st.sampled_from(["Lost", "At Risk"])
)


@given(st.lists(bought, min_size=1, max_size=60))
def test_quantiles_are_in_order_and_groups_add_up(spark, rows):
    buyers = [buyer(str(Decimal(cents) / 100), country=country, segment=segment) for cents, country, segment in rows]

    found = statistics(spark, *buyers)

    assert found.where(
        "NOT (min <= p5 AND p5 <= p25 AND p25 <= median AND median <= p75 AND p75 <= p95 AND p95 <= max) "
        "OR mean NOT BETWEEN min AND max OR sd < 0"
    ).isEmpty()
    sums = found.groupBy("attribute", "dimension").agg({"total": "sum", "count_customers": "sum"}).collect()
    assert len({(row[0], row[2], row[3]) for row in sums}) == 2  # one for each attribute
    assert_df_equality(statistics(spark, *buyers[::-1]), found, ignore_row_order=True)


@pytest.mark.full_data
def test_the_groups_of_the_real_customers_are_what_sql_says_from_their_definition(real_lake):
    as_of = AS_OF
    tables = {
        table: real_lake.lake.read(table) for table in (RFM, SILVER_CUSTOMERS, CUSTOMER_VALUE, PURCHASE_BEHAVIOUR)
    }

    found = profile_statistics(*tables.values(), as_of=as_of).toArrow()

    connection = duckdb.connect()
    connection.register("found", found)
    for table, frame in tables.items():
        connection.register(table.name.split(".")[1], frame.toArrow())
    numbers = {
        "rfm": "total_spend count_orders days_since_last_order frequency recency T monetary_value",
        "customer_value": "net_spend average_order_value spend_last_365_days count_returns returned_share",
        "purchase_behaviour": "count_purchase_days mean_days_between mean_basket_lines mean_basket_units "
        "mean_basket_amount count_distinct_products weekend_share main_channel_share returned_orders_share "
        "low_price_units_share category_entropy",
    }
    long = " UNION ALL ".join(
        f"SELECT customer_id, '{name}' AS attribute, {name}::DECIMAL(28, 8)::DECIMAL(18, 4) AS x FROM {table} "
        f"WHERE as_of = DATE '{as_of}'"
        for table, names in numbers.items()
        for name in names.split()
    )
    connection.execute(f"""
        CREATE TABLE expected AS
        WITH long AS ({long}), grouped AS (
            SELECT c.customer_id, unnest(['all', 'country', 'region', 'age_band', 'sex', 'segment']) AS dimension,
                unnest(['all', country, NULL, NULL, sex, rfm_segment]) AS value
            FROM customers AS c JOIN rfm USING (customer_id) WHERE rfm.as_of = DATE '{as_of}'
        )
        SELECT dimension, coalesce(value, 'unknown') AS value, attribute, DATE '{as_of}' AS as_of,
            count(*) AS count_customers,
            count(*) / (SELECT count(*) FROM long AS l WHERE l.attribute = long.attribute AND x IS NOT NULL
                AND customer_id IN (SELECT customer_id FROM rfm WHERE as_of = DATE '{as_of}')) AS customers_share,
            sum(x) AS total, avg(x::DOUBLE) AS mean, stddev_samp(x::DOUBLE) AS sd,
            min(x) AS min, max(x) AS max, quantile_cont(x::DOUBLE, 0.05) AS p5, quantile_cont(x::DOUBLE, 0.25) AS p25,
            median(x::DOUBLE) AS median, quantile_cont(x::DOUBLE, 0.75) AS p75, quantile_cont(x::DOUBLE, 0.95) AS p95
        FROM grouped JOIN long USING (customer_id) WHERE x IS NOT NULL
        GROUP BY dimension, coalesce(value, 'unknown'), attribute
    """)
    exact = ("as_of", "count_customers", "total", "min", "max")
    same = [
        "abs(found.customers_share - e.customers_share) < 1e-12",
        *[f"found.{name} = e.{name}" for name in exact],
    ] + [
        f"(abs(found.{name}::DOUBLE - e.{name}) <= 0.00005 + 1e-9 OR (found.{name} IS NULL AND e.{name} IS NULL))"
        for name in ("mean", "sd", "p5", "p25", "median", "p75", "p95")
    ]
    rows = connection.sql(
        f"SELECT count(*), count(*) FILTER ({' AND '.join(same)}) "
        "FROM found FULL JOIN expected AS e USING (dimension, value, attribute)"
    ).fetchall()
    assert found.num_rows > 800
    assert rows == [(found.num_rows, found.num_rows)]
