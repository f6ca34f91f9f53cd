"""silver.campaign_members: who was treated in a campaign, and who was held back; see `silver/typed.py`."""

from customerlake.bronze.sources import campaign_members
from customerlake.contracts.checks import RefersTo
from customerlake.contracts.quarantine import quarantine_table
from customerlake.silver.campaigns import CAMPAIGNS
from customerlake.silver.typed import silver_table

CAMPAIGN_MEMBERS = silver_table(
    campaign_members.CAMPAIGN_MEMBERS,
    "silver.campaign_members",
    measured=(RefersTo("campaign_id", CAMPAIGNS),),
)
REJECTED_CAMPAIGN_MEMBERS = quarantine_table(CAMPAIGN_MEMBERS)
