"""The feed of campaign groups: who was treated and who was held back as control."""

from pyspark.sql import types as T

from customerlake.contracts.source import Received, Source, bronze_table

TEXT = T.StringType()

CAMPAIGN_MEMBERS = Source(
    feed="campaign_members",
    grain="one record per customer assigned to a campaign",
    key=("campaign_id", "customer_id"),
    at="assigned_at",
    is_event=False,
    columns=(
        Received("campaign_id", TEXT, "campaign"),
        Received("customer_id", TEXT, "the shop's number of the customer", personal="identify"),
        Received(
            "test_group",
            TEXT,
            "treated or control",
            is_required=True,
            one_of=(
                "treated",
                "control",
            ),
        ),
        Received("email", TEXT, "address it was sent to", personal="contact", is_optional=True),
        Received("assigned_at", T.TimestampType(), "when the customer was put into the group", unit="UTC"),
    ),
)

BRONZE = bronze_table(CAMPAIGN_MEMBERS)
