"""Which silver table the records of each feed become. Lines of sales become silver.order_lines, apart from these."""

from customerlake.bronze.sources import OF_SALES
from customerlake.contracts.source import Source
from customerlake.contracts.table import Table
from customerlake.errors import ConfigError
from customerlake.runtime.config import LakeFile
from customerlake.runtime.feeds import AttributesFeed, Feed
from customerlake.silver.campaign_members import CAMPAIGN_MEMBERS
from customerlake.silver.campaigns import CAMPAIGNS
from customerlake.silver.consents import CONSENTS
from customerlake.silver.crm_profiles import CRM_PROFILES
from customerlake.silver.customer_attributes import CUSTOMER_ATTRIBUTES, attributes_typed_by
from customerlake.silver.email_events import EMAIL_EVENTS
from customerlake.silver.exchange_rates import EXCHANGE_RATES
from customerlake.silver.loyalty_events import LOYALTY_EVENTS
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.product_list import PRODUCT_LIST, with_si_units
from customerlake.silver.social_posts import SOCIAL_POSTS
from customerlake.silver.survey_answers import SURVEY_ANSWERS
from customerlake.silver.tickets import TICKETS
from customerlake.silver.typed import Typed, typed_by
from customerlake.silver.web_events import WEB_EVENTS

OF_FEED: dict[str, Table] = {
    "crm_profiles": CRM_PROFILES,
    "loyalty_events": LOYALTY_EVENTS,
    "web_events": WEB_EVENTS,
    "email_events": EMAIL_EVENTS,
    "campaigns": CAMPAIGNS,
    "campaign_members": CAMPAIGN_MEMBERS,
    "social_posts": SOCIAL_POSTS,
    "tickets": TICKETS,
    "survey_answers": SURVEY_ANSWERS,
    "consents": CONSENTS,
    "products": PRODUCT_LIST,
    "exchange_rates": EXCHANGE_RATES,
    "customer_attributes": CUSTOMER_ATTRIBUTES,
}


def typed_for(source: Source, feed: Feed, config: LakeFile) -> Typed:
    """How the records of a feed are typed, by what the lake file says of it."""
    if isinstance(feed, AttributesFeed):
        return attributes_typed_by(feed)
    typed = typed_by(source, feed, time_zone=config.time_zone, currency=config.currency)
    return with_si_units(typed) if OF_FEED[source.feed] is PRODUCT_LIST else typed


def silver_of(feed: str, config: LakeFile) -> tuple[Table, str]:
    """The silver table of a feed, and the step that makes it. Raises: ConfigError where there is no such feed."""
    named = config.feeds.named()
    if feed not in named:
        raise ConfigError(f"The lake file names no feed {feed!r}. Its feeds are: {', '.join(named)}.")
    return (ORDER_LINES, "order_lines") if feed in OF_SALES else (OF_FEED[feed], "records")
