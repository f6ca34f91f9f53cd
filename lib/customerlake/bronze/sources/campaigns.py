"""The campaign feed: what was offered, when, by which channel and at what cost."""

from pyspark.sql import types as T

from customerlake.contracts.source import Received, Source, bronze_table
from customerlake.contracts.table import MONEY

TEXT = T.StringType()

CAMPAIGNS = Source(
    feed="campaigns",
    grain="one record per state of a campaign",
    key=("campaign_id",),
    at="updated_at",
    is_event=False,
    columns=(
        Received("campaign_id", TEXT, "number of the campaign"),
        Received("name", TEXT, "what it is called", is_required=True),
        Received("channel", TEXT, "email, post, phone, display and the like"),
        Received("offer", TEXT, "what was offered", is_optional=True),
        Received("discount_share", T.DoubleType(), "of the price, 0 to 1", unit="share", is_optional=True),
        Received("started_on", T.DateType(), "first day", is_required=True),
        Received("ended_on", T.DateType(), "last day", is_optional=True),
        Received(
            "fixed_cost", MONEY, "cost whatever the number of contacts", unit="currency of the record", is_optional=True
        ),
        Received("contact_cost", MONEY, "cost of one contact", unit="currency of the record", is_optional=True),
        Received("currency", TEXT, "ISO 4217 code; without it the lake's", is_code=True, is_optional=True),
        Received("updated_at", T.TimestampType(), "when the record last changed", unit="UTC"),
    ),
)

BRONZE = bronze_table(CAMPAIGNS)
