"""Tickets and survey answers -> gold.satisfaction, survey_response_bias, service_levels, customer_service, by date."""

from customerlake.gold.customer_service import CUSTOMER_SERVICE, customer_service
from customerlake.gold.rfm import RFM, segments_of
from customerlake.gold.satisfaction import SATISFACTION, satisfaction
from customerlake.gold.service_levels import SERVICE_LEVELS, service_levels
from customerlake.gold.survey_response_bias import SURVEY_RESPONSE_BIAS, survey_response_bias
from customerlake.runtime import job
from customerlake.silver.identities import IDENTITIES, of_number
from customerlake.silver.identity.naming import tickets_of_customers
from customerlake.silver.orders import ORDERS
from customerlake.silver.survey_answers import SURVEY_ANSWERS
from customerlake.silver.tickets import TICKETS


def main(run: job.Run) -> None:
    identities, as_of = run.read(IDENTITIES), run.as_of
    tickets, segments = run.read_if_any(TICKETS), segments_of(run.read_as_of(RFM))
    if tickets is not None:
        tickets = tickets.transform(tickets_of_customers(identities))
        run.replace(SERVICE_LEVELS, service_levels(tickets, segments, as_of=as_of))
    answers = run.read(SURVEY_ANSWERS).transform(of_number(identities))
    run.replace(SATISFACTION, satisfaction(answers, segments, as_of=as_of))
    run.replace(SURVEY_RESPONSE_BIAS, survey_response_bias(answers, run.read(ORDERS), tickets, as_of=as_of))
    run.replace(CUSTOMER_SERVICE, customer_service(tickets, answers, as_of=as_of))


if __name__ == "__main__":
    job.run(main)
