"""Every feed that there is, by name. A contract is a declaration alone: nothing here reads or writes."""

from customerlake.bronze.sources.campaign_members import CAMPAIGN_MEMBERS
from customerlake.bronze.sources.campaigns import CAMPAIGNS
from customerlake.bronze.sources.consents import CONSENTS
from customerlake.bronze.sources.crm_profiles import CRM_PROFILES
from customerlake.bronze.sources.customer_attributes import CUSTOMER_ATTRIBUTES
from customerlake.bronze.sources.email_events import EMAIL_EVENTS
from customerlake.bronze.sources.exchange_rates import EXCHANGE_RATES
from customerlake.bronze.sources.loyalty_events import LOYALTY_EVENTS
from customerlake.bronze.sources.pos_sales import POS_SALES
from customerlake.bronze.sources.products import PRODUCTS
from customerlake.bronze.sources.sales import SALES
from customerlake.bronze.sources.social_posts import SOCIAL_POSTS
from customerlake.bronze.sources.survey_answers import SURVEY_ANSWERS
from customerlake.bronze.sources.tickets import TICKETS
from customerlake.bronze.sources.web_events import WEB_EVENTS
from customerlake.bronze.sources.web_orders import WEB_ORDERS
from customerlake.contracts.source import Source

SOURCES: dict[str, Source] = {
    source.feed: source
    for source in (
        SALES,
        POS_SALES,
        WEB_ORDERS,
        CRM_PROFILES,
        LOYALTY_EVENTS,
        WEB_EVENTS,
        EMAIL_EVENTS,
        CAMPAIGNS,
        CAMPAIGN_MEMBERS,
        SOCIAL_POSTS,
        TICKETS,
        SURVEY_ANSWERS,
        CONSENTS,
        PRODUCTS,
        EXCHANGE_RATES,
        CUSTOMER_ATTRIBUTES,
    )
}

OF_SALES = ("sales", "pos_sales", "web_orders")
"""Feeds of lines of sales: all become silver.order_lines."""
