"""gold.customer_360 and the scores -> publish.customers and exports/customers-DATE.csv, for one --as-of date."""

from customerlake.gold.customer_360 import CUSTOMER_360
from customerlake.models.churn import CHURN
from customerlake.models.lifetime_value import LIFETIME_VALUE
from customerlake.models.purchase_intent import PURCHASE_INTENT
from customerlake.models.segments import SEGMENTS
from customerlake.publish.customers import CUSTOMERS, customers
from customerlake.publish.exports import export_csv
from customerlake.runtime import job


def main(run: job.Run) -> None:
    scores = [run.read(table) for table in (SEGMENTS, CHURN, PURCHASE_INTENT, LIFETIME_VALUE)]
    run.replace(CUSTOMERS, customers(run.read(CUSTOMER_360), *scores, as_of=run.as_of))
    run.exported(export_csv(run.lake, CUSTOMERS, as_of=run.as_of, sort_by="customer_id"))


if __name__ == "__main__":
    job.run(main)
