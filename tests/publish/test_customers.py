from datetime import date
from decimal import Decimal

from chispa import assert_df_equality

from customerlake.gold.customer_360 import CUSTOMER_360
from customerlake.models.churn import CHURN
from customerlake.models.lifetime_value import LIFETIME_VALUE
from customerlake.models.purchase_intent import PURCHASE_INTENT
from customerlake.models.segments import SEGMENTS
from customerlake.publish.customers import CUSTOMERS, customers

AS_OF, BEFORE = date(2011, 12, 9), date(2011, 11, 9)


def test_the_scores_of_the_day_stand_beside_each_customer(frame_of):
    known = frame_of(
        CUSTOMER_360, {"customer_id": "1", "as_of": AS_OF, "country": "France", "gross_spend": Decimal("12.5000")}
    )
    segments = frame_of(
        SEGMENTS, {"customer_id": "1", "as_of": AS_OF, "segment_id": 2, "segment_name": "Rare, low-spend, quiet"}
    )
    churn = frame_of(
        CHURN,
        {
            "customer_id": "1",
            "as_of": AS_OF,
            "churn_probability": 0.75,
            "risk_band": "high",
            "is_early_warning": True,
            "expected_loss": Decimal("9.38"),
            "top_reasons": ["not shown here"],
        },
    )
    worth = frame_of(
        LIFETIME_VALUE,
        {
            "customer_id": "1",
            "as_of": AS_OF,
            "p_alive": 0.5,
            "expected_purchases": 2.5,
            "lifetime_value": Decimal("40.00"),
            "lifetime_value_low": Decimal("30.00"),
            "lifetime_value_high": Decimal("60.00"),
            "_model_version": "not shown here",
        },
    )

    published = customers(known, segments, churn, frame_of(PURCHASE_INTENT), worth, as_of=AS_OF)

    expected = frame_of(
        CUSTOMERS,
        {
            "customer_id": "1",
            "as_of": AS_OF,
            "country": "France",
            "gross_spend": Decimal("12.5000"),
            "segment_name": "Rare, low-spend, quiet",
            "churn_probability": 0.75,
            "risk_band": "high",
            "is_early_warning": True,
            "expected_loss": Decimal("9.38"),
            "p_alive": 0.5,
            "expected_purchases": 2.5,
            "lifetime_value": Decimal("40.00"),
            "lifetime_value_low": Decimal("30.00"),
            "lifetime_value_high": Decimal("60.00"),
        },
    )
    assert_df_equality(published, expected, ignore_nullable=True)


def test_a_customer_who_is_not_scored_stays_with_nulls(frame_of):
    known = frame_of(CUSTOMER_360, {"customer_id": "1", "as_of": AS_OF}, {"customer_id": "2", "as_of": AS_OF})
    segments = frame_of(SEGMENTS, {"customer_id": "2", "as_of": AS_OF, "segment_name": "Rare"})

    published = customers(
        known, segments, frame_of(CHURN), frame_of(PURCHASE_INTENT), frame_of(LIFETIME_VALUE), as_of=AS_OF
    )

    expected = frame_of(
        CUSTOMERS, {"customer_id": "1", "as_of": AS_OF}, {"customer_id": "2", "as_of": AS_OF, "segment_name": "Rare"}
    )
    assert_df_equality(published, expected, ignore_nullable=True, ignore_row_order=True)


def test_rows_and_scores_of_other_days_are_left_out(frame_of):
    known = frame_of(CUSTOMER_360, {"customer_id": "1", "as_of": AS_OF}, {"customer_id": "1", "as_of": BEFORE})
    segments = frame_of(SEGMENTS, {"customer_id": "1", "as_of": BEFORE, "segment_name": "of before"})
    churn = frame_of(CHURN, {"customer_id": "1", "as_of": BEFORE, "churn_probability": 0.1})

    published = customers(known, segments, churn, frame_of(PURCHASE_INTENT), frame_of(LIFETIME_VALUE), as_of=AS_OF)

    expected = frame_of(CUSTOMERS, {"customer_id": "1", "as_of": AS_OF})
    assert_df_equality(published, expected, ignore_nullable=True)


def test_a_score_without_a_customer_adds_no_row(frame_of):
    churn = frame_of(CHURN, {"customer_id": "9", "as_of": AS_OF, "churn_probability": 0.1})

    assert customers(
        frame_of(CUSTOMER_360),
        frame_of(SEGMENTS),
        churn,
        frame_of(PURCHASE_INTENT),
        frame_of(LIFETIME_VALUE),
        as_of=AS_OF,
    ).isEmpty()
