"""silver.loyalty_events: what happened to each loyalty card; typed from bronze.loyalty_events by `silver/typed.py`."""

from customerlake.bronze.sources import loyalty_events
from customerlake.contracts.quarantine import quarantine_table
from customerlake.silver.typed import silver_table

LOYALTY_EVENTS = silver_table(loyalty_events.LOYALTY_EVENTS, "silver.loyalty_events")
REJECTED_LOYALTY_EVENTS = quarantine_table(LOYALTY_EVENTS)
