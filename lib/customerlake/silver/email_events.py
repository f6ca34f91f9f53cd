"""silver.email_events: what became of each message; typed from bronze.email_events by `silver/typed.py`."""

from customerlake.bronze.sources import email_events
from customerlake.contracts.checks import RefersTo
from customerlake.contracts.quarantine import quarantine_table
from customerlake.silver.campaigns import CAMPAIGNS
from customerlake.silver.typed import silver_table

EMAIL_EVENTS = silver_table(
    email_events.EMAIL_EVENTS,
    "silver.email_events",
    measured=(RefersTo("campaign_id", CAMPAIGNS),),
)
REJECTED_EMAIL_EVENTS = quarantine_table(EMAIL_EVENTS)
