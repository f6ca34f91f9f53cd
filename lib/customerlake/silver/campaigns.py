"""silver.campaigns: campaigns, as last described; typed from bronze.campaigns by `silver/typed.py`."""

from customerlake.bronze.sources import campaigns
from customerlake.contracts.checks import InOrder, InRange, NotNegative
from customerlake.contracts.quarantine import quarantine_table
from customerlake.silver.typed import silver_table

CAMPAIGNS = silver_table(
    campaigns.CAMPAIGNS,
    "silver.campaigns",
    checks=(InRange("discount_share", least=0, most=1), NotNegative("fixed_cost"), NotNegative("contact_cost")),
    measured=(InOrder(("started_on", "ended_on")),),
)
REJECTED_CAMPAIGNS = quarantine_table(CAMPAIGNS)
