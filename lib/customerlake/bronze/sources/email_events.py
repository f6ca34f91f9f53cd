"""The e-mail feed: what became of each message."""

from pyspark.sql import types as T

from customerlake.contracts.source import Received, Source, bronze_table

TEXT = T.StringType()

EMAIL_EVENTS = Source(
    feed="email_events",
    grain="one record per event of a message",
    key=("event_id",),
    at="happened_at",
    is_event=True,
    columns=(
        Received("event_id", TEXT, "number of the event"),
        Received("message_id", TEXT, "the message to one address", is_required=True),
        Received("campaign_id", TEXT, "campaign that it belongs to", is_optional=True),
        Received("email", TEXT, "address it was sent to", personal="contact", is_required=True),
        Received(
            "customer_id", TEXT, "the shop's number of the customer, where known", personal="identify", is_optional=True
        ),
        Received(
            "event_type",
            TEXT,
            "what happened",
            is_required=True,
            one_of=(
                "sent",
                "delivered",
                "opened",
                "clicked",
                "bounced",
                "unsubscribed",
                "complained",
            ),
        ),
        Received("url", TEXT, "link that was clicked", personal="analyse", is_optional=True),
        Received("happened_at", T.TimestampType(), "when", unit="UTC"),
    ),
)

BRONZE = bronze_table(EMAIL_EVENTS)
