"""silver.loyalty_events: what happened to each loyalty card; typed from bronze.loyalty_events by `silver/typed.py`."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from customerlake.bronze.sources import loyalty_events
from customerlake.contracts.checks import Plausible
from customerlake.contracts.quarantine import quarantine_table
from customerlake.silver.ages import plausible_age
from customerlake.silver.typed import silver_table


def has_sign_of_its_event() -> Column:
    """Points are earned above zero and redeemed below it."""
    points, event_type = F.col("points"), F.col("event_type")
    return F.when(event_type == "earned", points >= 0).when(event_type == "redeemed", points <= 0)


LOYALTY_EVENTS = silver_table(
    loyalty_events.LOYALTY_EVENTS,
    "silver.loyalty_events",
    measured=(
        Plausible("points are earned below zero or redeemed above it", ("event_type", "points"), has_sign_of_its_event),
        plausible_age("happened_at"),
    ),
)
REJECTED_LOYALTY_EVENTS = quarantine_table(LOYALTY_EVENTS)
