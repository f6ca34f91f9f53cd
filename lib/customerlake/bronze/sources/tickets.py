"""The service desk feed: tickets and their states."""

from pyspark.sql import types as T

from customerlake.contracts.source import Received, Source, bronze_table

TEXT = T.StringType()

TICKETS = Source(
    feed="tickets",
    grain="one record per state of a ticket",
    key=("ticket_id",),
    at="updated_at",
    is_event=False,
    columns=(
        Received("ticket_id", TEXT, "number of the ticket"),
        Received(
            "customer_id",
            TEXT,
            "the shop's number of the customer, where the desk knows it",
            personal="identify",
            is_optional=True,
        ),
        Received("requester_name", TEXT, "who asked", personal="identify", is_optional=True),
        Received("email", TEXT, "address of the requester", personal="contact", is_optional=True),
        Received("phone", TEXT, "phone number of the requester as written", personal="contact", is_optional=True),
        Received("channel", TEXT, "email, phone, chat or web", is_optional=True),
        Received("category", TEXT, "delivery, damage, payment and the like", is_optional=True),
        Received(
            "priority",
            TEXT,
            "low, normal, high or urgent",
            one_of=(
                "low",
                "normal",
                "high",
                "urgent",
            ),
            is_optional=True,
        ),
        Received(
            "status",
            TEXT,
            "open, pending, solved or closed",
            is_required=True,
            one_of=(
                "open",
                "pending",
                "solved",
                "closed",
            ),
        ),
        Received("text", TEXT, "what was said", personal="analyse", is_optional=True),
        Received("order_id", TEXT, "order it is about", is_optional=True),
        Received("opened_at", T.TimestampType(), "when it was opened", unit="UTC", is_required=True),
        Received("first_response_at", T.TimestampType(), "when the desk first answered", unit="UTC", is_optional=True),
        Received("solved_at", T.TimestampType(), "when it was last solved", unit="UTC", is_optional=True),
        Received("count_reopened", T.IntegerType(), "how often it was opened again", unit="times", is_optional=True),
        Received("updated_at", T.TimestampType(), "when the record last changed", unit="UTC"),
    ),
)

BRONZE = bronze_table(TICKETS)
