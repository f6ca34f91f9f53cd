"""Orders, answers, tickets, gold of customers -> gold.kpis, profile_statistics, profile_shares, by --as-of date."""

from customerlake.gold.customer_value import CUSTOMER_VALUE
from customerlake.gold.kpis import KPIS, kpis
from customerlake.gold.profile_shares import PROFILE_SHARES, profile_shares
from customerlake.gold.profile_statistics import PROFILE_STATISTICS, profile_statistics
from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR
from customerlake.gold.rfm import RFM
from customerlake.gold.segment_rules import SEGMENT_RULES
from customerlake.runtime import job
from customerlake.silver.customers import CUSTOMERS
from customerlake.silver.orders import ORDERS
from customerlake.silver.survey_answers import SURVEY_ANSWERS
from customerlake.silver.tickets import TICKETS


def main(run: job.Run) -> None:
    answers, tickets = run.read_if_any(SURVEY_ANSWERS), run.read_if_any(TICKETS)
    run.replace(KPIS, kpis(run.read(ORDERS), answers, tickets, as_of=run.as_of))
    parts = [run.read(table) for table in (RFM, CUSTOMERS, CUSTOMER_VALUE, PURCHASE_BEHAVIOUR, SEGMENT_RULES)]
    run.replace(PROFILE_STATISTICS, profile_statistics(*parts, as_of=run.as_of))
    run.replace(PROFILE_SHARES, profile_shares(*parts, as_of=run.as_of))


if __name__ == "__main__":
    job.run(main)
