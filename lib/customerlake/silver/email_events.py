"""silver.email_events: what became of each message; typed from bronze.email_events by `silver/typed.py`."""

from customerlake.bronze.sources import email_events
from customerlake.contracts.quarantine import quarantine_table
from customerlake.silver.typed import silver_table

EMAIL_EVENTS = silver_table(email_events.EMAIL_EVENTS, "silver.email_events")
REJECTED_EMAIL_EVENTS = quarantine_table(EMAIL_EVENTS)
