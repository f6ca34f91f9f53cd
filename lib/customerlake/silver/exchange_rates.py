"""silver.exchange_rates: rates of currencies by day; typed from bronze.exchange_rates by `silver/typed.py`."""

from customerlake.bronze.sources import exchange_rates
from customerlake.contracts.checks import Matches, NotNegative, NotZero
from customerlake.contracts.quarantine import quarantine_table
from customerlake.silver.typed import silver_table

EXCHANGE_RATES = silver_table(
    exchange_rates.EXCHANGE_RATES,
    "silver.exchange_rates",
    checks=(NotNegative("rate"), NotZero("rate")),
    measured=(Matches("currency", "[A-Z]{3}", "three capital letters"),),
)
REJECTED_EXCHANGE_RATES = quarantine_table(EXCHANGE_RATES)
