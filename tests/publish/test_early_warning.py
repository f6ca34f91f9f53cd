from datetime import date
from decimal import Decimal

from chispa import assert_df_equality

from customerlake.models.churn import CHURN
from customerlake.publish.customers import CUSTOMERS
from customerlake.publish.early_warning import EARLY_WARNING, early_warning

AS_OF, BEFORE = date(2011, 12, 9), date(2011, 11, 9)


def warned(customer, loss, *, as_of=AS_OF, is_early_warning=True):
    return {
        "customer_id": customer,
        "as_of": as_of,
        "is_early_warning": is_early_warning,
        "expected_loss": Decimal(loss),
    }


def of_day(*customers, as_of=AS_OF):
    return [{"customer_id": customer, "as_of": as_of} for customer in customers]


def test_a_warning_tells_risk_reasons_and_who_the_customer_is(frame_of):
    churn = frame_of(
        CHURN,
        warned("1", "40.00")
        | {
            "churn_probability": 0.8,
            "risk_band": "high",
            "top_reasons": ["last order 80 days ago (typical 30)"],
            "horizon_days": 90,
        },
    )
    customers = frame_of(
        CUSTOMERS,
        {
            "customer_id": "1",
            "as_of": AS_OF,
            "country": "France",
            "segment_name": "Rare",
            "rfm_segment": "At Risk",
            "days_since_last_order": 80,
            "expected_next_on": date(2011, 10, 1),
            "count_orders": 4,
            "total_spend": Decimal("200.0000"),
            "average_order_value": Decimal("50.00"),
            "returned_share": 0.5,
        },
    )

    warnings = early_warning(customers, churn, as_of=AS_OF)

    expected = frame_of(
        EARLY_WARNING,
        {
            "rank": 1,
            "customer_id": "1",
            "as_of": AS_OF,
            "churn_probability": 0.8,
            "risk_band": "high",
            "expected_loss": Decimal("40.00"),
            "top_reasons": ["last order 80 days ago (typical 30)"],
            "horizon_days": 90,
            "warned_since": AS_OF,
            "suggested_action": "At the next contact: remind of the last order",
            "country": "France",
            "segment_name": "Rare",
            "rfm_segment": "At Risk",
            "days_since_last_order": 80,
            "expected_next_on": date(2011, 10, 1),
            "count_orders": 4,
            "total_spend": Decimal("200.0000"),
            "average_order_value": Decimal("50.00"),
        },
    )
    assert_df_equality(warnings, expected, ignore_nullable=True)


def test_the_most_to_lose_comes_first_and_the_customers_number_decides_a_tie(frame_of):
    churn = frame_of(CHURN, warned("b", "10.00"), warned("c", "99.50"), warned("a", "10.00"), warned("d", "9.99"))

    ranked = early_warning(frame_of(CUSTOMERS, *of_day("a", "b", "c", "d")), churn, as_of=AS_OF)

    assert {row["customer_id"]: row["rank"] for row in ranked.collect()} == {"c": 1, "a": 2, "b": 3, "d": 4}


def test_customers_without_a_warning_and_warnings_of_other_days_are_left_out(frame_of):
    churn = frame_of(
        CHURN, warned("a", "1.00"), warned("b", "2.00", is_early_warning=False), warned("c", "3.00", as_of=BEFORE)
    )
    customers = frame_of(CUSTOMERS, *of_day("a", "b", "c"), *of_day("a", "b", "c", as_of=BEFORE))

    warnings = early_warning(customers, churn, as_of=AS_OF)

    assert [(row["customer_id"], row["rank"]) for row in warnings.collect()] == [("a", 1)]


def test_no_warning_is_an_empty_list(frame_of):
    assert early_warning(frame_of(CUSTOMERS, *of_day("a")), frame_of(CHURN), as_of=AS_OF).isEmpty()


def test_it_tells_since_when_a_customer_is_warned_about_without_a_break(frame_of):
    first, calm, again = date(2011, 9, 9), date(2011, 10, 9), BEFORE
    churn = frame_of(
        CHURN,
        *[warned("steady", "3.00", as_of=day) for day in (first, calm, again, AS_OF)],
        *[warned("back", "2.00", as_of=day, is_early_warning=day != calm) for day in (first, calm, again, AS_OF)],
        warned("new", "1.00"),
    )

    warnings = early_warning(frame_of(CUSTOMERS, *of_day("steady", "back", "new")), churn, as_of=AS_OF)

    since = {row["customer_id"]: row["warned_since"] for row in warnings.collect()}
    assert since == {"steady": first, "back": again, "new": AS_OF}


def test_what_hinders_a_customer_is_done_first_and_by_a_channel_that_is_allowed(frame_of):
    allowed = {"is_email_marketing_allowed": True, "is_phone_marketing_allowed": True}
    known = {
        "ticket": {"count_open_tickets": 1, "last_nps_answer": 0, **allowed},
        "unhappy": {"last_nps_answer": 6, **allowed},
        "passive": {"last_nps_answer": 7, "top_category": "Candles", "is_email_marketing_allowed": True},
        "bargains": {"is_discount_seeker": True, "is_post_marketing_allowed": True},
        "refused": {"is_email_marketing_allowed": False},
    }
    churn = frame_of(CHURN, *[warned(name, "1.00") | {"risk_band": "high"} for name in known])
    customers = frame_of(CUSTOMERS, *[of_day(name)[0] | values for name, values in known.items()])

    warnings = early_warning(customers, churn, as_of=AS_OF)

    assert {row["customer_id"]: row["suggested_action"] for row in warnings.collect()} == {
        "ticket": "Solve the open ticket first, then ask how it was",
        "unhappy": "Call: ask what disappointed, and mend it",
        "passive": "Write an e-mail: offer what is new in Candles",
        "bargains": "Write a letter: a voucher with an end date",
        "refused": "At the next contact: remind of the last order",
    }
