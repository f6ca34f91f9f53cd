from datetime import date
from decimal import Decimal

import pytest

from customerlake.gold.cohorts import COHORTS
from customerlake.gold.customer_value import CUSTOMER_VALUE
from customerlake.gold.kpis import KPIS
from customerlake.gold.purchase_hours import PURCHASE_HOURS
from customerlake.gold.rfm import RFM
from customerlake.monitor.invariants import INVARIANTS, broken_invariants, broken_keys
from customerlake.silver.orders import ORDERS

AS_OF = date(2011, 6, 30)
MAY, JUNE = date(2011, 5, 1), date(2011, 6, 1)
SOLD = [
    {"order_id": "1", "customer_id": "a", "ordered_on": date(2011, 5, 2), "amount": Decimal(10), "is_return": False},
    {"order_id": "2", "customer_id": None, "ordered_on": AS_OF, "amount": Decimal(5), "is_return": False},
    {"order_id": "3", "customer_id": "a", "ordered_on": AS_OF, "amount": Decimal(-4), "is_return": True},
    {"order_id": "4", "customer_id": "a", "ordered_on": date(2011, 7, 1), "amount": Decimal(99), "is_return": False},
]
"""10 of a known customer and 5 of nobody by the date."""


def frame(spark, table, rows):
    filled = [tuple(({"as_of": AS_OF} | row).get(name) for name in table.column_names) for row in rows]
    return spark.createDataFrame(filled, table.schema)


def found(spark, **rows_of):
    tables = {table.name.split(".")[1]: table for one in INVARIANTS for table in one.tables}
    frames = {tables[name]: frame(spark, tables[name], rows) for name, rows in rows_of.items()}
    return broken_invariants(frames, as_of=AS_OF)


@pytest.mark.parametrize(
    ("table", "row", "column", "right"),
    [
        (RFM, {}, "total_spend", 10),
        (CUSTOMER_VALUE, {}, "gross_spend", 10),
        (COHORTS, {}, "revenue", 10),
        (KPIS, {"period": "day"}, "revenue", 15),
        (KPIS, {"period": "month"}, "revenue", 15),
        (PURCHASE_HOURS, {"channel": "all"}, "revenue", 15),
    ],
    ids=lambda value: value.name if hasattr(value, "grain") else str(value),
)
def test_money_in_gold_is_silvers_up_to_the_date(spark, table, row, column, right):
    name = table.name.split(".")[1]
    others = [row | {"period": period, column: Decimal(15)} for period in ("day", "week", "month")]
    beside = [one for one in others if table is KPIS and one["period"] != row["period"]]

    def with_sum(amount):
        return found(spark, orders=SOLD, **{name: [*beside, row | {column: Decimal(amount)}]})

    assert with_sum(right) == {}
    assert with_sum(f"{right}.01") == {
        f"{column} of {table.name} adds up to the amounts of silver.orders": [f"{right}.0100 instead of {right}.0000"]
    }


def test_what_is_missing_from_gold_altogether_is_missed(spark):
    assert found(spark, orders=SOLD, rfm=[]) == {
        "total_spend of gold.rfm adds up to the amounts of silver.orders": ["0.0000 instead of 10.0000"]
    }


def moved(month, from_stage, to_stage, count, share=1.0):
    return {"month": month, "from_stage": from_stage, "to_stage": to_stage, "count_customers": count, "share": share}


def test_a_month_starts_with_the_customers_that_the_one_before_ended_with(spark):
    may = [moved(MAY, "newcomer", "new", 3)]

    assert (
        found(spark, lifecycle_transitions=[*may, moved(JUNE, "new", "active", 3), moved(JUNE, "newcomer", "new", 1)])
        == {}
    )
    sentence = "transitions leave a month with as many customers of each stage as the next one starts with"
    assert found(spark, lifecycle_transitions=[*may, moved(JUNE, "new", "active", 2)]) == {
        sentence: ["2011-06-01 new: 3 and then 2"]
    }
    assert found(spark, lifecycle_transitions=[*may, moved(JUNE, "newcomer", "new", 1)]) == {
        sentence: ["2011-06-01 new: 3 and then 0"]
    }


def test_shares_of_a_stage_add_up_to_one(spark):
    rows = [moved(JUNE, "newcomer", "new", 1, 0.5), moved(JUNE, "newcomer", "active", 1, 0.4)]

    (sentence,) = found(spark, lifecycle_transitions=rows)

    assert sentence == "share of gold.lifecycle_transitions adds up to one within month, from_stage"


def test_shares_of_all_and_of_groups_add_up_to_one(spark):
    def long_run(*shares):
        rows = [{"stage": str(place), "customers_share": share} for place, share in enumerate(shares)]
        return list(found(spark, lifecycle_long_run=rows))

    def profiles(*shares):
        rows = [{"dimension": "sex", "value": None, "attribute": "stage", "customers_share": share} for share in shares]
        return list(found(spark, profile_shares=rows).values())

    assert long_run(0.25, 0.75) == []
    assert long_run(0.25, 0.7) == ["customers_share of gold.lifecycle_long_run adds up to one"]
    assert profiles(0.25, 0.75) == []
    assert profiles(0.25, 0.5) == [["sex none stage: 0.75"]]


def test_a_funnel_that_grows_is_told(spark):
    def steps(*counts):
        return [
            {"month": JUNE, "dimension": "all", "value": "all", "step": f"s{n}", "step_number": n, "count_sessions": c}
            for n, c in enumerate(counts)
        ]  # fmt: skip

    assert found(spark, funnel=steps(5, 5, 3)) == {}
    assert found(spark, funnel=steps(5, 3, 4)) == {"a funnel never grows": ["2011-06-01 all all s2: 3 and then 4"]}


def test_every_model_attributes_the_same_sum(spark):
    def credits(model, dimension, *revenues):
        return [
            {
                "model": model, "dimension": dimension, "value": str(n), "attributed_revenue": Decimal(revenue),
                "attributed_conversions": Decimal(12) / len(revenues),
            }
            for n, revenue in enumerate(revenues)
        ]  # fmt: skip

    same = [*credits("first", "channel", 6, 4), *credits("last", "channel", 10), *credits("last", "campaign", 5, 5)]

    assert found(spark, attribution=same) == {}
    assert list(found(spark, attribution=[*same, *credits("linear", "channel", 9)])) == [
        "attributed_revenue of gold.attribution add up to the same in every model and dimension"
    ]


def test_a_key_that_stands_twice_is_told(spark):
    rows = [{"customer_id": "a"}, {"customer_id": "a"}, {"customer_id": "b"}]

    assert broken_keys({RFM: frame(spark, RFM, rows)}) == {
        "gold.rfm has one row per customer_id, as_of": ["1 keys stand more than once"]
    }
    assert broken_keys({RFM: frame(spark, RFM, rows[1:]), ORDERS: frame(spark, ORDERS, SOLD)}) == {}
