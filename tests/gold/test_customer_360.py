from datetime import date
from decimal import Decimal

import pytest
from chispa import assert_df_equality

from customerlake.gold.customer_360 import CUSTOMER_360, PARTS, customer_360
from customerlake.gold.customer_value import CUSTOMER_VALUE
from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR
from customerlake.gold.rfm import RFM
from customerlake.models.churn import CHURN
from customerlake.models.lifetime_value import LIFETIME_VALUE
from customerlake.models.outcome import OUTCOME
from customerlake.models.segments import SEGMENTS

BY_NAME = {table.name.split(".")[1]: table for table in PARTS}
AS_OF, OTHER_DAY = date(2011, 6, 30), date(2011, 9, 30)
APRIL_30, MAY_31 = date(2011, 4, 30), date(2011, 5, 31)
CUSTOMERS = (
    "customer_id string, country string, sex string, region string, city string, email string, phone string, "
    "street string, first_seen_on date, last_seen_on date, _batch long"
)


def known(customer="a", first=date(2011, 1, 1), last=date(2011, 6, 1)):
    return (customer, "France", None, None, None, "a@b.fr", None, None, first, last, 1)


def part(spark, table, *rows):
    """A gold table in which these columns are set and all others are null."""
    filled = [tuple(row.get(name) for name in table.column_names) for row in rows]
    return spark.createDataFrame(filled, table.schema)


def side_by_side(spark, customers, *, value=(), summary=(), behaviour=(), scores=None, **others):
    tables = {CUSTOMER_VALUE: value, RFM: summary, PURCHASE_BEHAVIOUR: behaviour}
    tables |= {BY_NAME[name]: rows for name, rows in others.items()}
    parts = {table: part(spark, table, *rows) for table, rows in tables.items()}
    scored = {table.name: part(spark, table, *rows) for table, rows in (scores or {}).items()}
    return customer_360(spark.createDataFrame(customers, CUSTOMERS), parts, scored, as_of=AS_OF)


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
        "has_email": True, "has_phone": False, "has_address": False,
        "net_spend": Decimal("12.5"), "count_orders": 3, "rfm_segment": "Champions", "T": 180, "favourite_hour": 9,
    }  # fmt: skip


def test_every_part_has_its_columns_there_some_under_another_name(spark):
    of_a = {"customer_id": "a", "as_of": AS_OF}

    found = side_by_side(
        spark,
        [known()],
        lifecycle=[
            of_a | {"month": date(2011, 6, 1), "stage": "loyal", "previous_stage": "active", "count_orders": 9},
            of_a | {"month": date(2011, 5, 1), "stage": "new"},
        ],
        segment_rules=[of_a | {"interests": [("garden", 0.6), ("toys", 0.2)], "country": "Spain", "age_band": "25-34"}],
        web_engagement=[of_a | {"count_web_visits": 3}],
        email_engagement=[of_a | {"email_open_share": 0.5}],
        loyalty_state=[of_a | {"loyalty_tier": "gold"}],
        customer_service=[of_a | {"count_tickets": 2}],
        consent_state=[of_a | {"is_email_marketing_allowed": False}],
    )

    (row,) = found.collect()
    assert (row.lifecycle_stage, row.previous_lifecycle_stage, row.top_interests) == ("loyal", "active", "garden, toys")
    assert (row.country, row.age_band, row.count_web_visits, row.email_open_share) == ("France", "25-34", 3, 0.5)
    assert (row.loyalty_tier, row.count_tickets, row.is_email_marketing_allowed) == ("gold", 2, False)


def test_who_never_bought_is_there_once_a_part_tells_of_them(spark):
    never = known(first=None, last=None)

    assert side_by_side(spark, [never]).isEmpty()
    assert side_by_side(spark, [never], loyalty_state=[{"customer_id": "a", "as_of": OTHER_DAY}]).isEmpty()
    assert side_by_side(spark, [never], loyalty_state=[{"customer_id": "a", "as_of": AS_OF}]).count() == 1


def test_the_table_has_each_column_of_its_parts_once():
    left_out = {"month", "stage", "previous_stage", "interests"}
    names = {name for table in PARTS for name in table.column_names} - left_out

    assert names <= set(CUSTOMER_360.column_names)
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


def test_scores_stand_beside_the_customer_with_the_day_that_they_are_of(spark):
    of_a = {"customer_id": "a", "as_of": AS_OF}

    found = side_by_side(
        spark,
        [known("a"), known("b")],
        scores={
            SEGMENTS: [of_a | {"segment_id": 1, "segment_name": "Rare, low-spend, quiet"}],
            CHURN: [of_a | {"as_of": MAY_31, "churn_probability": 0.75, "risk_band": "high"}],
            OUTCOME: [of_a | {"as_of": MAY_31, "outcome_probability": 0.25}],
        },
    )

    names = (
        "last_segment_name", "segment_scored_on", "last_churn_probability", "last_risk_band", "churn_scored_on",
        "last_outcome_probability", "outcome_scored_on",
    )  # fmt: skip
    assert {row.customer_id: tuple(row[name] for name in names) for row in found.collect()} == {
        "a": ("Rare, low-spend, quiet", AS_OF, 0.75, "high", MAY_31, 0.25, MAY_31),
        "b": (None,) * 7,
    }


def test_what_a_customer_is_worth_stands_beside_it_with_its_interval_and_day(spark):
    of_a = {"customer_id": "a", "p_alive": 0.5, "expected_purchases": 2.5, "lifetime_value": Decimal("40.00")}
    ends = {"lifetime_value_low": Decimal("30.00"), "lifetime_value_high": Decimal("60.00")}
    before = {"customer_id": "a", "as_of": APRIL_30, "lifetime_value": Decimal("99.00")}

    found = side_by_side(spark, [known("a")], scores={LIFETIME_VALUE: [before, of_a | ends | {"as_of": MAY_31}]})

    names = ("last_p_alive", "last_expected_purchases", "last_lifetime_value", "last_lifetime_value_low",
             "last_lifetime_value_high", "lifetime_value_scored_on")  # fmt: skip
    row = found.collect()[0]
    assert [row[name] for name in names] == [0.5, 2.5, Decimal(40), Decimal(30), Decimal(60), MAY_31]


def churn_of(customer, on, probability, band=None):
    return {"customer_id": customer, "as_of": on, "churn_probability": probability, "risk_band": band}


def last_churn(spark, *churn):
    found = side_by_side(spark, [known("a"), known("b")], scores={CHURN: churn})
    return {row.customer_id: (row.last_churn_probability, row.churn_scored_on) for row in found.collect()}


def test_the_newest_scores_by_the_day_are_shown_and_none_of_later_days(spark):
    scored = [churn_of("a", APRIL_30, 0.1), churn_of("a", MAY_31, 0.2), churn_of("a", OTHER_DAY, 0.9)]

    assert last_churn(spark, *scored) == {"a": (0.2, MAY_31), "b": (None, None)}
    assert last_churn(spark, *scored, churn_of("a", AS_OF, 0.3))["a"] == (0.3, AS_OF)
    assert last_churn(spark, scored[-1])["a"] == (None, None)


def test_who_was_left_out_of_the_newest_scoring_has_no_score(spark):
    assert last_churn(spark, churn_of("a", APRIL_30, 0.1), churn_of("b", MAY_31, 0.2)) == {
        "a": (None, None),
        "b": (0.2, MAY_31),
    }


def test_of_two_numbers_that_are_one_customer_the_higher_probability_is_shown(spark):
    assert last_churn(spark, churn_of("a", MAY_31, 0.2), churn_of("a", MAY_31, 0.4))["a"] == (0.4, MAY_31)


def test_a_score_or_a_favourite_alone_makes_no_customer(spark):
    never = known(first=None, last=None)

    assert side_by_side(spark, [never], scores={CHURN: [churn_of("a", AS_OF, 0.2)]}).isEmpty()
