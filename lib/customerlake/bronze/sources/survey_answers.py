"""The survey feed: invitations, and the answers of those who answered."""

from pyspark.sql import types as T

from customerlake.contracts.source import Received, Source, bronze_table

TEXT = T.StringType()

SURVEY_ANSWERS = Source(
    feed="survey_answers",
    grain="one record per state of an invitation",
    key=("invitation_id",),
    at="updated_at",
    is_event=False,
    columns=(
        Received("invitation_id", TEXT, "number of the invitation"),
        Received(
            "survey",
            TEXT,
            "nps (0 to 10), csat (1 to 5) or ces (1 to 7)",
            is_required=True,
            one_of=(
                "nps",
                "csat",
                "ces",
            ),
        ),
        Received("customer_id", TEXT, "the shop's number of the customer", personal="identify", is_optional=True),
        Received("email", TEXT, "address that was invited", personal="contact", is_optional=True),
        Received("touchpoint", TEXT, "what the survey followed: order, ticket or relation", is_optional=True),
        Received("order_id", TEXT, "order it followed", is_optional=True),
        Received("ticket_id", TEXT, "ticket it followed", is_optional=True),
        Received(
            "score",
            T.IntegerType(),
            "the answer; none: not answered",
            unit="points",
            personal="analyse",
            is_optional=True,
        ),
        Received("comment", TEXT, "what was added in words", personal="analyse", is_optional=True),
        Received("invited_at", T.TimestampType(), "when invited", unit="UTC", is_required=True),
        Received("answered_at", T.TimestampType(), "when answered; none: not answered", unit="UTC", is_optional=True),
        Received("updated_at", T.TimestampType(), "when the record last changed", unit="UTC"),
    ),
)

BRONZE = bronze_table(SURVEY_ANSWERS)
