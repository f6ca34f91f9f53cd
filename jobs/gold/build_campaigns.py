"""Campaigns, their members and e-mails, orders and visits -> gold.campaign_results, for one --as-of date."""

from customerlake.gold.campaign_results import CAMPAIGN_RESULTS, campaign_results
from customerlake.gold.campaign_segments import segments_before_contact
from customerlake.gold.web_sessions import WEB_SESSIONS
from customerlake.runtime import job
from customerlake.silver.campaign_members import CAMPAIGN_MEMBERS
from customerlake.silver.campaigns import CAMPAIGNS
from customerlake.silver.email_events import EMAIL_EVENTS
from customerlake.silver.exchange_rates import EXCHANGE_RATES
from customerlake.silver.identities import IDENTITIES, of_number
from customerlake.silver.identity.naming import email_events_of_customers
from customerlake.silver.orders import ORDERS


def main(run: job.Run) -> None:
    identities, orders = run.read(IDENTITIES), run.read(ORDERS)
    members = run.read(CAMPAIGN_MEMBERS).transform(of_number(identities))
    events = run.read(EMAIL_EVENTS).transform(email_events_of_customers(identities))
    results = campaign_results(
        run.read(CAMPAIGNS),
        members,
        events,
        orders,
        segments_before_contact(members, events, orders, as_of=run.as_of),
        run.read_if_any(EXCHANGE_RATES),
        run.read_if_any(WEB_SESSIONS),
        currency=run.config.currency,
        as_of=run.as_of,
    )
    run.replace(CAMPAIGN_RESULTS, results)


if __name__ == "__main__":
    job.run(main)
