"""silver.web_events: what visitors of the web shop did; typed from bronze.web_events by `silver/typed.py`."""

from customerlake.bronze.sources import web_events
from customerlake.contracts.checks import RefersTo
from customerlake.contracts.quarantine import quarantine_table
from customerlake.silver.campaigns import CAMPAIGNS
from customerlake.silver.orders import ORDERS
from customerlake.silver.typed import silver_table

WEB_EVENTS = silver_table(
    web_events.WEB_EVENTS,
    "silver.web_events",
    measured=(RefersTo("campaign_id", CAMPAIGNS), RefersTo("order_id", ORDERS)),
)
REJECTED_WEB_EVENTS = quarantine_table(WEB_EVENTS)
