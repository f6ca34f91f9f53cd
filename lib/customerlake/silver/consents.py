"""silver.consents: each decision of a customer about the use of the data; see `silver/typed.py`."""

from customerlake.bronze.sources import consents
from customerlake.contracts.quarantine import quarantine_table
from customerlake.silver.typed import silver_table

CONSENTS = silver_table(consents.CONSENTS, "silver.consents")
REJECTED_CONSENTS = quarantine_table(CONSENTS)
