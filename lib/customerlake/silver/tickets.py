"""silver.tickets: service tickets, as last changed; typed from bronze.tickets by `silver/typed.py`."""

from customerlake.bronze.sources import tickets
from customerlake.contracts.checks import InOrder, InRange, RefersTo
from customerlake.contracts.quarantine import quarantine_table
from customerlake.silver.orders import ORDERS
from customerlake.silver.typed import silver_table

TICKETS = silver_table(
    tickets.TICKETS,
    "silver.tickets",
    measured=(
        InOrder(("opened_at", "first_response_at", "solved_at")),
        InRange("count_reopened", least=0),
        RefersTo("order_id", ORDERS),
    ),
)
REJECTED_TICKETS = quarantine_table(TICKETS)
