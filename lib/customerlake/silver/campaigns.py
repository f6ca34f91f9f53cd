"""silver.campaigns: campaigns, as last described; typed from bronze.campaigns by `silver/typed.py`."""

from customerlake.bronze.sources import campaigns
from customerlake.contracts.quarantine import quarantine_table
from customerlake.silver.typed import silver_table

CAMPAIGNS = silver_table(campaigns.CAMPAIGNS, "silver.campaigns")
REJECTED_CAMPAIGNS = quarantine_table(CAMPAIGNS)
