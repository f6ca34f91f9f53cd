"""The consent feed: what a customer allowed or withdrew."""

from pyspark.sql import types as T

from customerlake.contracts.source import Received, Source, bronze_table

TEXT = T.StringType()

CONSENTS = Source(
    feed="consents",
    grain="one record per decision of a customer",
    key=("customer_id", "purpose", "channel", "changed_at"),
    at="changed_at",
    is_event=True,
    columns=(
        Received("customer_id", TEXT, "the shop's number of the customer", personal="identify"),
        Received(
            "purpose",
            TEXT,
            "what the data may be used for",
            one_of=(
                "marketing",
                "profiling",
                "service",
                "research",
            ),
        ),
        Received(
            "channel",
            TEXT,
            "by which channel",
            one_of=(
                "email",
                "phone",
                "sms",
                "post",
                "any",
            ),
        ),
        Received("is_granted", T.BooleanType(), "allowed; or withdrawn", is_required=True),
        Received("source", TEXT, "where the decision was made", is_optional=True),
        Received("changed_at", T.TimestampType(), "when", unit="UTC"),
    ),
)

BRONZE = bronze_table(CONSENTS)
