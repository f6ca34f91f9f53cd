from datetime import date
from decimal import Decimal

import pytest
from chispa import assert_df_equality

from customerlake.gold.customer_360 import CUSTOMER_360, customer_360
from customerlake.gold.customer_value import CUSTOMER_VALUE
from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR
from customerlake.gold.rfm import RFM

AS_OF, OTHER_DAY = date(2011, 6, 30), date(2011, 9, 30)
CUSTOMERS = "customer_id string, country string, first_seen_on date, last_seen_on date, _batch long"


def known(customer="a", first=date(2011, 1, 1), last=date(2011, 6, 1)):
    return (customer, "France", first, last, 1)


def part(spark, table, *rows):
    """A gold table in which these columns are set and all others are null."""
    filled = [tuple(row.get(name) for name in table.column_names) for row in rows]
    return spark.createDataFrame(filled, table.schema)


def side_by_side(spark, customers, *, value=(), summary=(), behaviour=()):
    return customer_360(
        spark.createDataFrame(customers, CUSTOMERS),
        part(spark, CUSTOMER_VALUE, *value),
        part(spark, RFM, *summary),
        part(spark, PURCHASE_BEHAVIOUR, *behaviour),
        as_of=AS_OF,
    )


def test_each_part_gives_its_columns_to_the_customers_row(spark):
    of_a = {"customer_id": "a", "as_of": AS_OF}

    found = side_by_side(
        spark,
        [known()],
        value=[of_a | {"net_spend": Decimal("12.5"), "count_orders": 3}],
        summary=[of_a | {"rfm_segment": "Champions", "T": 180, "count_orders": 3}],
        behaviour=[of_a | {"favourite_hour": 9}],
    )

    (row,) = found.collect()
    assert found.columns == CUSTOMER_360.column_names
    said = {name: value for name, value in row.asDict().items() if value is not None}
    assert said == {
        "customer_id": "a", "as_of": AS_OF, "country": "France", "first_seen_on": date(2011, 1, 1),
        "net_spend": Decimal("12.5"), "count_orders": 3, "rfm_segment": "Champions", "T": 180, "favourite_hour": 9,
    }  # fmt: skip


def test_the_table_has_each_column_of_its_parts_once():
    names = [name for table in (CUSTOMER_VALUE, RFM, PURCHASE_BEHAVIOUR) for name in table.column_names]

    assert set(names) <= set(CUSTOMER_360.column_names)
    assert len(CUSTOMER_360.column_names) == len(set(CUSTOMER_360.column_names))


def test_parts_of_another_day_are_left_out(spark):
    of_other_day = {"customer_id": "a", "as_of": OTHER_DAY}

    found = side_by_side(
        spark, [known()], value=[of_other_day | {"count_orders": 3}], summary=[of_other_day | {"T": 9}]
    )

    assert [(row.as_of, row.count_orders, row["T"]) for row in found.collect()] == [(AS_OF, None, None)]


@pytest.mark.parametrize(("first_seen_on", "is_there"), [(AS_OF, True), (date(2011, 7, 1), False)])
def test_a_customer_is_there_from_its_first_day_on(spark, first_seen_on, is_there):
    found = side_by_side(spark, [known(first=first_seen_on, last=first_seen_on)])

    assert found.isEmpty() is not is_there


def test_whether_a_customer_came_back_after_the_day_is_not_known(spark):
    stayed_away, came_back = known(last=AS_OF), known(last=OTHER_DAY)

    assert_df_equality(side_by_side(spark, [came_back]), side_by_side(spark, [stayed_away]))


def test_a_customer_without_a_purchase_keeps_nulls(spark):
    found = side_by_side(
        spark, [known("a"), known("b")], summary=[{"customer_id": "b", "as_of": AS_OF, "frequency": 0}]
    )

    assert {row.customer_id: row.frequency for row in found.collect()} == {"a": None, "b": 0}
