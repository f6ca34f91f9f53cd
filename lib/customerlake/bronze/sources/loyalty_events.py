"""The loyalty feed: what happened to a card or account."""

from pyspark.sql import types as T

from customerlake.contracts.source import Received, Source, bronze_table

TEXT = T.StringType()

LOYALTY_EVENTS = Source(
    feed="loyalty_events",
    grain="one record per event of a card",
    key=("event_id",),
    at="happened_at",
    is_event=True,
    columns=(
        Received("event_id", TEXT, "number of the event"),
        Received("card_id", TEXT, "loyalty card or account", personal="identify", is_required=True),
        Received(
            "customer_id", TEXT, "the shop's number of the customer, where known", personal="identify", is_optional=True
        ),
        Received(
            "event_type",
            TEXT,
            "what happened",
            is_required=True,
            one_of=(
                "enrolled",
                "earned",
                "redeemed",
                "tier_changed",
                "closed",
            ),
        ),
        Received(
            "points",
            T.IntegerType(),
            "points earned, or redeemed as a negative number",
            unit="points",
            is_optional=True,
        ),
        Received("tier", TEXT, "tier of the card after the event", is_optional=True),
        Received("store_id", TEXT, "the store", is_optional=True),
        Received("full_name", TEXT, "name given on enrolment", personal="identify", is_optional=True),
        Received("email", TEXT, "address given on enrolment", personal="contact", is_optional=True),
        Received("phone", TEXT, "phone number given on enrolment", personal="contact", is_optional=True),
        Received("postcode", TEXT, "postal code given on enrolment", personal="analyse", is_optional=True),
        Received("birth_on", T.DateType(), "day of birth given on enrolment", personal="analyse", is_optional=True),
        Received("happened_at", T.TimestampType(), "when", unit="UTC"),
    ),
)

BRONZE = bronze_table(LOYALTY_EVENTS)
