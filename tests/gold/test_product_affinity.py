from datetime import date

import duckdb
import pytest
from chispa import assert_approx_df_equality, assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.gold.product_affinity import PRODUCT_AFFINITY, product_affinity
from customerlake.gold.product_pairs import product_pairs
from customerlake.silver.order_lines import ORDER_LINES

LINES = "order_id string, ordered_on date, is_sale boolean, is_product boolean, product_id string"
AS_OF = date(2011, 3, 31)


def baskets(*products, on=AS_OF):
    """One order per text, a line per letter."""
    return [(str(n), on, True, True, product) for n, basket in enumerate(products) for product in basket]


def affinity(
    spark, lines, *, as_of=AS_OF, most_products=100, least_product_baskets=1, least_baskets=1, least_support=0.0
):
    rows = spark.createDataFrame(lines, LINES)
    return product_affinity(
        product_pairs(rows, as_of=as_of, most_products=most_products),
        as_of=as_of,
        least_product_baskets=least_product_baskets,
        least_baskets=least_baskets,
        least_support=least_support,
    )


def counts(df):
    return {(row.product_id, row.other_product_id): row.count_baskets for row in df.collect()}


def test_a_pair_is_counted_from_both_sides(spark):
    found = affinity(spark, baskets("PQ", "PQ", "P", "P", "Q", "R", "R", "R"))

    # of 8 baskets 4 hold P, 3 hold Q and 2 both: by chance 4 x 3 / 8 = 1.5 would
    expected = spark.createDataFrame(
        [("P", "Q", AS_OF, 2, 4, 3, 0.25, 0.5, 4 / 3), ("Q", "P", AS_OF, 2, 3, 4, 0.25, 2 / 3, 4 / 3)],
        PRODUCT_AFFINITY.schema,
    )
    assert_approx_df_equality(found, expected, 1e-12, ignore_nullable=True, ignore_row_order=True)


def test_two_lines_of_a_product_are_one(spark):
    assert counts(affinity(spark, baskets("PPQQQ"))) == {("P", "Q"): 1, ("Q", "P"): 1}


def test_every_pair_of_a_basket_counts(spark):
    assert len(counts(affinity(spark, baskets("PQRS")))) == 12


@pytest.mark.parametrize(("least", "has_pair"), [(0.25, True), (0.26, False)])
def test_a_pair_in_too_small_a_share_of_all_baskets_has_no_row(spark, least, has_pair):
    found = affinity(spark, baskets("PQ", "P", "Q", "R"), least_support=least)

    assert (("P", "Q") in counts(found)) is has_pair


def test_a_basket_of_too_many_products_is_left_out_of_every_count(spark):
    found = affinity(spark, baskets("PQR", "PQ", "P"), most_products=2)

    row = found.where("product_id = 'P'").collect()
    assert [(r.count_baskets, r.count_product_baskets, r.count_other_baskets, r.support) for r in row] == [
        (1, 2, 1, 0.5)
    ]


def test_a_product_in_too_few_baskets_has_no_pairs(spark):
    found = affinity(spark, baskets("PQ", "PQ", "PR"), least_product_baskets=2)

    assert counts(found) == {("P", "Q"): 2, ("Q", "P"): 2}
    assert [row.support for row in found.collect()] == [2 / 3, 2 / 3]


def test_a_pair_in_too_few_baskets_has_no_row(spark):
    assert counts(affinity(spark, baskets("PQ", "PQ", "PR"), least_baskets=2)) == {("P", "Q"): 2, ("Q", "P"): 2}


@pytest.mark.parametrize(
    "other",
    [
        [("0", AS_OF, False, True, "Z")],
        [("0", AS_OF, True, False, "POST")],
        baskets("", "", "PZ", on=date(2011, 4, 1)),
    ],
    ids=["gift", "postage", "after as_of"],
)
def test_only_products_sold_by_as_of_count(spark, other):
    mine = baskets("PQ", "Q")

    assert_df_equality(affinity(spark, [*mine, *other]), affinity(spark, mine), ignore_row_order=True)


@pytest.mark.parametrize("lines", [[], baskets("P", "Q")], ids=["no lines", "one product each"])
def test_without_baskets_of_two_there_are_no_rows(spark, lines):
    assert affinity(spark, lines).isEmpty()


@given(st.lists(st.lists(st.sampled_from("PQRSTUVW"), min_size=1, max_size=6), min_size=1, max_size=40))
def test_shares_stay_within_bounds_and_pairs_are_symmetric(spark, rows):
    found = affinity(spark, baskets(*rows))

    assert found.where(
        "support <= 0 OR support > confidence + 1e-12 OR confidence > 1 OR lift <= 0 OR product_id = other_product_id "
        "OR count_baskets > least(count_product_baskets, count_other_baskets)"
    ).isEmpty()
    turned = {(other, product): count for (product, other), count in counts(found).items()}
    assert turned == counts(found)
    assert_df_equality(affinity(spark, baskets(*rows)[::-1]), found, ignore_row_order=True)


@pytest.mark.full_data
@pytest.mark.parametrize("as_of", [date(2011, 6, 14), date(2011, 12, 9)])
def test_real_pairs_are_what_sql_says_from_their_definition(real_lake, as_of):
    lines = real_lake.lake.read(ORDER_LINES)

    found = product_affinity(product_pairs(lines, as_of=as_of), as_of=as_of).toArrow()

    connection = duckdb.connect()
    connection.register(
        "lines", lines.select("order_id", "product_id", "is_sale", "is_product", "ordered_on").toArrow()
    )
    connection.register("found", found)
    connection.execute(f"""
        CREATE TABLE expected AS
        WITH baskets AS (
            SELECT order_id, list(DISTINCT product_id) AS products FROM lines
            WHERE is_sale AND is_product AND ordered_on <= DATE '{as_of}' GROUP BY order_id HAVING len(products) <= 100
        ), items AS (
            SELECT order_id, unnest(products) AS product_id FROM baskets
        ), products AS (
            SELECT product_id, count(*) AS baskets FROM items GROUP BY product_id HAVING count(*) >= 50
        ), pairs AS (
            SELECT a.product_id, b.product_id AS other_product_id, count(*) AS count_baskets
            FROM items AS a JOIN items AS b USING (order_id) WHERE a.product_id <> b.product_id
            GROUP BY a.product_id, b.product_id HAVING count(*) >= greatest(20, 0.001 * (SELECT count(*) FROM baskets))
        )
        SELECT pairs.*, DATE '{as_of}' AS as_of,
            one.baskets AS count_product_baskets, two.baskets AS count_other_baskets,
            count_baskets / (SELECT count(*) FROM baskets) AS support, count_baskets / one.baskets AS confidence,
            confidence / (two.baskets / (SELECT count(*) FROM baskets)) AS lift
        FROM pairs JOIN products AS one USING (product_id) JOIN products AS two ON two.product_id = other_product_id
    """)
    same = connection.sql("""
        SELECT count(*), count(*) FILTER (found.as_of = e.as_of AND found.count_baskets = e.count_baskets
            AND found.count_product_baskets = e.count_product_baskets
            AND found.count_other_baskets = e.count_other_baskets AND abs(found.support - e.support) < 1e-12
            AND abs(found.confidence - e.confidence) < 1e-12 AND abs(found.lift / e.lift - 1) < 1e-12)
        FROM found FULL JOIN expected AS e USING (product_id, other_product_id)
    """).fetchall()
    assert found.num_rows > 10_000
    assert same == [(found.num_rows, found.num_rows)]
