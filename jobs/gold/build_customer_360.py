"""silver.customers, gold of each customer, scores so far -> gold.customer_360, for one --as-of date."""

from customerlake.gold.customer_360 import CUSTOMER_360, PARTS, customer_360
from customerlake.models.churn import CHURN
from customerlake.models.lifetime_value import LIFETIME_VALUE
from customerlake.models.outcome import OUTCOME
from customerlake.models.purchase_intent import PURCHASE_INTENT
from customerlake.models.segments import SEGMENTS
from customerlake.runtime import job
from customerlake.silver.customers import CUSTOMERS
from customerlake.silver.identities import IDENTITIES, of_number


def main(run: job.Run) -> None:
    parts = {table: run.read(table) for table in PARTS if run.lake.exists(table)}
    of_customer = of_number(run.read(IDENTITIES))
    # past the record of what is read: scores come after this step, and are no reason to make it anew each time
    made = (SEGMENTS, CHURN, PURCHASE_INTENT, LIFETIME_VALUE, OUTCOME)
    scores = {table.name: run.lake.read(table) for table in made if run.lake.exists(table)}
    if OUTCOME.name in scores:
        scores[OUTCOME.name] = scores[OUTCOME.name].transform(of_customer)
    run.replace(CUSTOMER_360, customer_360(run.read(CUSTOMERS), parts, scores, as_of=run.as_of))


if __name__ == "__main__":
    job.run(main)
