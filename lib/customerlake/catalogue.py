"""Every table of the lake, in path order. Erase, export, backup, access, monitoring and the docs walk this list."""

from customerlake.bronze.files import FILES
from customerlake.bronze.landings import LANDINGS
from customerlake.bronze.sources import SOURCES
from customerlake.bronze.watermarks import WATERMARKS
from customerlake.contracts.quarantine import quarantine_table
from customerlake.contracts.source import bronze_table
from customerlake.contracts.table import Table
from customerlake.errors import ConfigError
from customerlake.features.attributes import ATTRIBUTES
from customerlake.features.labels import LABELS
from customerlake.features.snapshot import SNAPSHOT
from customerlake.gold.attribution import ATTRIBUTION
from customerlake.gold.before_after import BEFORE_AFTER
from customerlake.gold.campaign_results import CAMPAIGN_RESULTS
from customerlake.gold.cohorts import COHORTS
from customerlake.gold.consent_state import CONSENT_STATE
from customerlake.gold.customer_360 import CUSTOMER_360
from customerlake.gold.customer_service import CUSTOMER_SERVICE
from customerlake.gold.customer_value import CUSTOMER_VALUE
from customerlake.gold.customer_value_by_channel import CUSTOMER_VALUE_BY_CHANNEL
from customerlake.gold.customer_value_by_product_group import CUSTOMER_VALUE_BY_PRODUCT_GROUP
from customerlake.gold.email_engagement import EMAIL_ENGAGEMENT
from customerlake.gold.funnel import FUNNEL
from customerlake.gold.kpis import KPIS
from customerlake.gold.lifecycle import LIFECYCLE, TYPICAL_RHYTHM
from customerlake.gold.lifecycle_long_run import LIFECYCLE_LONG_RUN
from customerlake.gold.lifecycle_transitions import LIFECYCLE_TRANSITIONS
from customerlake.gold.loyalty_state import LOYALTY_STATE
from customerlake.gold.product_affinity import PRODUCT_AFFINITY
from customerlake.gold.product_pairs import PRODUCT_PAIRS
from customerlake.gold.profile_shares import PROFILE_SHARES
from customerlake.gold.profile_statistics import PROFILE_STATISTICS
from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR
from customerlake.gold.purchase_hours import PURCHASE_HOURS
from customerlake.gold.rfm import RFM
from customerlake.gold.satisfaction import SATISFACTION
from customerlake.gold.segment_rules import OWN_SEGMENTS, SEGMENT_RULES
from customerlake.gold.service_levels import SERVICE_LEVELS
from customerlake.gold.survey_response_bias import SURVEY_RESPONSE_BIAS
from customerlake.gold.usual_prices import USUAL_PRICES
from customerlake.gold.web_engagement import WEB_ENGAGEMENT
from customerlake.gold.web_sessions import WEB_SESSIONS
from customerlake.models.churn import CHURN
from customerlake.models.lifetime_value import LIFETIME_VALUE
from customerlake.models.outcome import OUTCOME
from customerlake.models.purchase_intent import PURCHASE_INTENT
from customerlake.models.segments import SEGMENTS
from customerlake.models.session_intent import SESSION_INTENT
from customerlake.monitor.quality import QUALITY
from customerlake.publish.customers import CUSTOMERS as PUBLISHED_CUSTOMERS
from customerlake.publish.early_warning import EARLY_WARNING
from customerlake.runtime.replays import REPLAYS
from customerlake.runtime.runs import RUNS
from customerlake.silver.cancellations import CANCELLATIONS
from customerlake.silver.customer_records import CUSTOMER_RECORDS
from customerlake.silver.customers import CUSTOMERS
from customerlake.silver.feeds import OF_FEED
from customerlake.silver.identities import IDENTITIES
from customerlake.silver.identity_changes import IDENTITY_CHANGES
from customerlake.silver.identity_decisions import IDENTITY_DECISIONS
from customerlake.silver.identity_links import IDENTITY_LINKS
from customerlake.silver.match_weights import MATCH_WEIGHTS
from customerlake.silver.order_lines import ORDER_LINES, REJECTED_ORDER_LINES
from customerlake.silver.orders import ORDERS
from customerlake.silver.products import PRODUCTS
from customerlake.silver.term_frequencies import TERM_FREQUENCIES

CATALOGUE: tuple[Table, ...] = (
    FILES,
    WATERMARKS,
    LANDINGS,
    *map(bronze_table, SOURCES.values()),
    *map(quarantine_table, OF_FEED.values()),
    REJECTED_ORDER_LINES,
    *OF_FEED.values(),
    ORDER_LINES,
    CUSTOMER_RECORDS,
    TERM_FREQUENCIES,
    MATCH_WEIGHTS,
    IDENTITY_LINKS,
    IDENTITY_DECISIONS,
    IDENTITIES,
    IDENTITY_CHANGES,
    ORDERS,
    CANCELLATIONS,
    CUSTOMERS,
    PRODUCTS,
    RFM,
    CUSTOMER_VALUE,
    CUSTOMER_VALUE_BY_CHANNEL,
    CUSTOMER_VALUE_BY_PRODUCT_GROUP,
    COHORTS,
    PURCHASE_BEHAVIOUR,
    PURCHASE_HOURS,
    PRODUCT_AFFINITY,
    PRODUCT_PAIRS,
    USUAL_PRICES,
    TYPICAL_RHYTHM,
    LIFECYCLE,
    LIFECYCLE_TRANSITIONS,
    LIFECYCLE_LONG_RUN,
    WEB_SESSIONS,
    FUNNEL,
    ATTRIBUTION,
    WEB_ENGAGEMENT,
    EMAIL_ENGAGEMENT,
    LOYALTY_STATE,
    CONSENT_STATE,
    SATISFACTION,
    SURVEY_RESPONSE_BIAS,
    SERVICE_LEVELS,
    CUSTOMER_SERVICE,
    OWN_SEGMENTS,
    SEGMENT_RULES,
    CAMPAIGN_RESULTS,
    KPIS,
    BEFORE_AFTER,
    PROFILE_STATISTICS,
    PROFILE_SHARES,
    CUSTOMER_360,
    SNAPSHOT,
    LABELS,
    SEGMENTS,
    CHURN,
    PURCHASE_INTENT,
    SESSION_INTENT,
    PUBLISHED_CUSTOMERS,
    EARLY_WARNING,
    ATTRIBUTES,
    OUTCOME,
    LIFETIME_VALUE,
    RUNS,
    REPLAYS,
    QUALITY,
)


def table_named(name: str) -> Table:
    """The table of that name. Raises: ConfigError that lists the names there are."""
    for table in CATALOGUE:
        if table.name == name:
            return table
    raise ConfigError(f"There is no table {name!r}. The tables are: {', '.join(table.name for table in CATALOGUE)}.")
