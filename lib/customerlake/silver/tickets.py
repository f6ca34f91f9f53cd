"""silver.tickets: service tickets, as last changed; typed from bronze.tickets by `silver/typed.py`."""

from customerlake.bronze.sources import tickets
from customerlake.contracts.quarantine import quarantine_table
from customerlake.silver.typed import silver_table

TICKETS = silver_table(tickets.TICKETS, "silver.tickets")
REJECTED_TICKETS = quarantine_table(TICKETS)
