"""Customers, orders, what they view and read -> gold.own_segments and gold.segment_rules, for one --as-of date."""

from customerlake.gold.customer_value import CUSTOMER_VALUE
from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR
from customerlake.gold.segment_rules import OWN_SEGMENTS, SEGMENT_RULES, own_segments, segment_rules
from customerlake.gold.usual_prices import USUAL_PRICES
from customerlake.runtime import job
from customerlake.silver.campaign_members import CAMPAIGN_MEMBERS
from customerlake.silver.campaigns import CAMPAIGNS
from customerlake.silver.crm_profiles import CRM_PROFILES
from customerlake.silver.customers import CUSTOMERS
from customerlake.silver.email_events import EMAIL_EVENTS
from customerlake.silver.identities import IDENTITIES, of_number
from customerlake.silver.identity.naming import (
    email_events_of_customers,
    profiles_of_customers,
    web_events_of_customers,
)
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.orders import ORDERS
from customerlake.silver.product_list import PRODUCT_LIST
from customerlake.silver.web_events import WEB_EVENTS


def main(run: job.Run) -> None:
    identities, as_of = run.read(IDENTITIES), run.as_of
    lines = run.read(ORDER_LINES).transform(of_number(identities))
    bought = [run.read(table) for table in (CUSTOMER_VALUE, PURCHASE_BEHAVIOUR)]
    own = own_segments(
        run.read(CUSTOMERS), run.read(ORDERS), lines, *bought,
        crm_profiles=run.read(CRM_PROFILES).transform(profiles_of_customers(identities)),
        product_list=run.read_if_any(PRODUCT_LIST),
        web_events=run.read(WEB_EVENTS).transform(web_events_of_customers(identities)),
        email_events=run.read(EMAIL_EVENTS).transform(email_events_of_customers(identities)),
        usual_prices=run.read_as_of(USUAL_PRICES),
        campaigns=run.read_if_any(CAMPAIGNS),
        campaign_members=run.read(CAMPAIGN_MEMBERS).transform(of_number(identities)),
        as_of=as_of,
        time_zone=run.config.time_zone,
    )  # fmt: skip
    run.replace(OWN_SEGMENTS, own)
    run.replace(SEGMENT_RULES, segment_rules(run.read(OWN_SEGMENTS), as_of=as_of))


if __name__ == "__main__":
    job.run(main)
