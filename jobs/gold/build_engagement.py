"""Events of web, e-mail and cards, and consents -> what gold knows of each customer by them, for one --as-of date."""

from customerlake.gold.consent_state import CONSENT_STATE, consent_state
from customerlake.gold.email_engagement import EMAIL_ENGAGEMENT, email_engagement
from customerlake.gold.loyalty_state import LOYALTY_STATE, loyalty_state
from customerlake.gold.web_engagement import WEB_ENGAGEMENT, web_engagement
from customerlake.runtime import job
from customerlake.silver.consents import CONSENTS
from customerlake.silver.email_events import EMAIL_EVENTS
from customerlake.silver.identities import IDENTITIES, of_number
from customerlake.silver.identity.naming import (
    email_events_of_customers,
    loyalty_events_of_customers,
    web_events_of_customers,
)
from customerlake.silver.loyalty_events import LOYALTY_EVENTS
from customerlake.silver.web_events import WEB_EVENTS


def main(run: job.Run) -> None:
    identities, as_of = run.read(IDENTITIES), run.as_of
    web = run.read(WEB_EVENTS).transform(web_events_of_customers(identities))
    run.replace(WEB_ENGAGEMENT, web_engagement(web, as_of=as_of))
    email = run.read(EMAIL_EVENTS).transform(email_events_of_customers(identities))
    run.replace(EMAIL_ENGAGEMENT, email_engagement(email, as_of=as_of))
    cards = run.read(LOYALTY_EVENTS).transform(loyalty_events_of_customers(identities))
    run.replace(LOYALTY_STATE, loyalty_state(cards, as_of=as_of))
    run.replace(CONSENT_STATE, consent_state(run.read(CONSENTS).transform(of_number(identities)), as_of=as_of))


if __name__ == "__main__":
    job.run(main)
