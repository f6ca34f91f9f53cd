"""silver.campaign_members: who was treated in a campaign, and who was held back; see `silver/typed.py`."""

from customerlake.bronze.sources import campaign_members
from customerlake.contracts.quarantine import quarantine_table
from customerlake.silver.typed import silver_table

CAMPAIGN_MEMBERS = silver_table(campaign_members.CAMPAIGN_MEMBERS, "silver.campaign_members")
REJECTED_CAMPAIGN_MEMBERS = quarantine_table(CAMPAIGN_MEMBERS)
