"""silver.crm_profiles: profiles of the CRM, as last changed; typed from bronze.crm_profiles by `silver/typed.py`."""

from customerlake.bronze.sources import crm_profiles
from customerlake.contracts.checks import InOrder, InRange
from customerlake.contracts.quarantine import quarantine_table
from customerlake.silver.ages import plausible_age
from customerlake.silver.typed import silver_table

CRM_PROFILES = silver_table(
    crm_profiles.CRM_PROFILES,
    "silver.crm_profiles",
    measured=(plausible_age("updated_at"), InRange("income", least=0), InOrder(("created_at", "updated_at"))),
)
REJECTED_CRM_PROFILES = quarantine_table(CRM_PROFILES)
