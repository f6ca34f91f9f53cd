from datetime import date, datetime
from decimal import Decimal
from inspect import signature

import pytest

from customerlake.gold.attribution import ATTRIBUTION, attribution
from customerlake.gold.cohorts import COHORTS
from customerlake.gold.customer_value import CUSTOMER_VALUE
from customerlake.gold.journeys import WebShop
from customerlake.gold.kpis import KPIS
from customerlake.gold.purchase_hours import PURCHASE_HOURS
from customerlake.gold.rfm import RFM
from customerlake.gold.web_sessions import WEB_SESSIONS
from customerlake.monitor.invariants import (
    INVARIANTS,
    LOOKBACK_DAYS,
    PERIOD_DAYS,
    broken_invariants,
    broken_keys,
)
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


def test_shares_of_an_hours_table_and_of_models_add_up_to_one(spark):
    def hours(*shares):
        rows = [
            {"channel": "web", "hour": n, "orders_share": one, "revenue_share": 0.5} for n, one in enumerate(shares)
        ]
        return found(spark, purchase_hours=rows)

    def model(*shares):
        rows = [{"model": "last", "dimension": "channel", "revenue_share": one} for one in shares]
        return found(spark, attribution=rows)

    assert hours(0.25, 0.75) == {}
    assert hours(0.25, 0.5) == {"orders_share of gold.purchase_hours adds up to one within channel": ["web: 0.75"]}
    assert model(0.25, 0.75) == {}
    assert model(0.25, 0.5) == {
        "revenue_share of gold.attribution adds up to one within model, dimension": ["last channel: 0.75"]
    }


@pytest.mark.parametrize("name", ["customer_value_by_channel", "customer_value_by_product_group"])
def test_shares_of_each_customer_add_up_to_one_and_no_customer_is_named(spark, name):
    def shares(*of_customers):
        rows = [
            {"customer_id": customer, "gross_spend_share": gross, "net_spend_share": net}
            for customer, gross, net in of_customers
        ]
        return found(spark, **{name: rows})

    whole = [("a", 0.25, None), ("a", 0.75, None), ("b", None, 1.0)]

    assert shares(*whole) == {}
    assert shares(*whole, ("c", 0.5, 1.0), ("d", 1.25, 1.0)) == {
        f"gross_spend_share of gold.{name} adds up to one for each customer": ["2 customers, with 0.5 to 1.25"]
    }
    assert list(shares(*whole, ("b", None, 0.5))) == [
        f"net_spend_share of gold.{name} adds up to one for each customer"
    ]


def web_order(order_id, amount, *, on=AS_OF, channel="web", is_return=False):
    return {
        "order_id": order_id, "ordered_on": on, "amount": Decimal(amount), "channel": channel, "is_return": is_return,
    }  # fmt: skip


def visit(session_id, *order_ids, at=datetime(2011, 6, 1, 12)):
    return {"session_id": session_id, "started_at": at, "order_ids": list(order_ids)}


def credit(conversions, revenue, *, model="last"):
    return {
        "model": model, "dimension": "channel", "value": "email",
        "attributed_conversions": Decimal(conversions), "attributed_revenue": Decimal(revenue),
    }  # fmt: skip


CONVERSIONS = "attributed_conversions of gold.attribution add up to silver's web orders in every model and dimension"
REVENUE = "attributed_revenue of gold.attribution add up to silver's web orders in every model and dimension"


def test_what_is_attributed_are_silvers_web_orders_of_the_period(spark):
    orders = [
        web_order("1", 10),
        web_order("2", 5, channel="online", on=date(2010, 7, 1)),  # the first day of the period
        web_order("3", 4, channel="store"),  # a session names it
        web_order("4", 99, channel="store"),
        web_order("5", 99, on=date(2010, 6, 30)),
        web_order("6", 99, on=date(2011, 7, 1)),
        web_order("7", -99, is_return=True),
        web_order("8", 0),
        web_order("9", 99, channel="store"),  # only sessions before and after those that count name it
    ]
    sessions = [
        visit("s", "3"), visit("t", "3", "none"), visit("u"),
        visit("v", "9", at=datetime(2010, 5, 31, 23)), visit("w", "9", at=datetime(2011, 7, 1)),
    ]  # fmt: skip

    def attributed(*credits):
        return found(spark, orders=orders, web_sessions=sessions, attribution=credits)

    assert attributed(credit(2, 9), credit(1, 10)) == {}
    assert attributed(credit(3, 18)) == {REVENUE: ["last channel: 18.0000 instead of 19.0000"]}
    assert attributed(credit(2, 19)) == {CONVERSIONS: ["last channel: 2.000000 instead of 3"]}
    assert attributed() == {
        CONVERSIONS: ["no model : 0.000000 instead of 3"],
        REVENUE: ["no model : 0.0000 instead of 19.0000"],
    }
    first_day = visit("x", "9", at=datetime(2010, 6, 1))
    assert list(found(spark, orders=orders, web_sessions=[*sessions, first_day], attribution=[credit(3, 19)])) == [
        CONVERSIONS,
        REVENUE,
    ]


def test_without_a_web_order_nothing_is_attributed(spark):
    assert found(spark, orders=[web_order("1", 3, channel="store")], web_sessions=[visit("s")], attribution=[]) == {}


def test_web_orders_are_known_by_the_channels_and_prefixes_of_the_lake(spark):
    shop = WebShop(channels=("app",), order_prefixes=("", "W-"))
    frames = {
        ORDERS: frame(spark, ORDERS, [web_order("1", 3, channel="app"), web_order("W-2", 4), web_order("3", 9)]),
        WEB_SESSIONS: frame(spark, WEB_SESSIONS, [visit("s", "2")]),
        ATTRIBUTION: frame(spark, ATTRIBUTION, [credit(2, 7)]),
    }

    assert broken_invariants(frames, as_of=AS_OF, shop=shop) == {}


def test_the_period_of_attribution_is_that_of_its_function():
    defaults = {name: one.default for name, one in signature(attribution).parameters.items()}

    assert (defaults["period_days"], defaults["lookback_days"]) == (PERIOD_DAYS, LOOKBACK_DAYS)


def test_customer_360_has_the_spend_of_customer_value(spark):
    value = [{"customer_id": "a", "gross_spend": Decimal(10)}, {"customer_id": "b", "gross_spend": Decimal(5)}]
    without_spend = {"customer_id": "c", "gross_spend": None}

    assert found(spark, customer_value=value, customer_360=[*value, without_spend]) == {}
    assert found(spark, customer_value=value, customer_360=value[:1]) == {
        "gross_spend of gold.customer_360 adds up to that of gold.customer_value": ["10.0000 instead of 15.0000"]
    }


def test_counts_of_profile_statistics_add_up_to_all(spark):
    def counted(**by_value):
        return [
            {"dimension": "sex", "value": value, "attribute": "T", "count_customers": count}
            for value, count in by_value.items()
        ]

    whole = {"dimension": "all", "value": "all", "attribute": "T", "count_customers": 5}
    sentence = "count_customers of gold.profile_statistics adds up over the values of a dimension to that of all"

    assert found(spark, profile_statistics=[whole, *counted(female=3, unknown=2)]) == {}
    assert found(spark, profile_statistics=[whole, *counted(female=3)]) == {sentence: ["sex T: 3 instead of 5"]}
    assert found(spark, profile_statistics=counted(female=3)) == {sentence: ["sex T: 3 instead of 0"]}


COUNTS = {
    "count_members": 9, "count_contacts": 8, "count_sent": 8, "count_delivered": 6, "count_bounced": 2,
    "count_opened": 4, "count_clicked": 3, "count_unsubscribed": 1, "count_conversions": 2, "count_visitors": 5,
}  # fmt: skip


def result(*, dimension="all", value="all", revenue=20, **counts):
    return {
        "campaign_id": "C", "dimension": dimension, "value": value, "test_group": "treated",
        "revenue": Decimal(revenue), **COUNTS, **counts,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "place"),
    [
        ({"count_sent": 9}, "count_sent 9 of 8"),
        ({"count_bounced": 3}, "count_delivered + count_bounced 9 of 8"),
        ({"count_opened": 7}, "count_opened 7 of 6"),
        ({"count_clicked": 5}, "count_clicked 5 of 4"),
        ({"count_unsubscribed": 7}, "count_unsubscribed 7 of 6"),
        ({"count_conversions": 10}, "count_conversions 10 of 9"),
        ({"count_visitors": 10}, "count_visitors 10 of 9"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_becomes_of_a_campaigns_messages_and_members_never_grows(spark, counts, place):
    sentence = "no count of gold.campaign_results is more than the one that it is of"

    assert found(spark, campaign_results=[result(), result(value="none", count_visitors=None)]) == {}
    assert found(spark, campaign_results=[result(**counts)]) == {sentence: [f"C all all treated: {place}"]}


@pytest.mark.parametrize("column", [*COUNTS, "revenue"])
def test_segments_of_a_campaign_add_up_to_all(spark, column):
    loyal = result(dimension="segment", value="Loyal")
    lost = result(dimension="segment", value="Lost") | dict.fromkeys(COUNTS, 0) | {"revenue": Decimal(0)}
    sentence = "counts and revenue of gold.campaign_results add up over the segments to those of all"
    whole = 20 if column == "revenue" else COUNTS[column]

    def segments(*rows):
        return found(spark, campaign_results=[result(), *rows]).get(sentence, [])

    assert segments() == []  # a lake without segments
    assert segments(loyal, lost) == []
    assert found(spark, campaign_results=[result(), loyal, lost]) == {}
    too_many = lost | {column: Decimal(1) if column == "revenue" else 1}
    assert segments(loyal, too_many) == [f"C treated {column}: {whole + 1}.0000 instead of {whole}.0000"]


def test_a_visit_that_stands_twice_is_told(spark):
    assert broken_keys({WEB_SESSIONS: frame(spark, WEB_SESSIONS, [visit("s"), visit("s"), visit("t")])}) == {
        "gold.web_sessions has one row per session_id": ["1 keys stand more than once"]
    }
