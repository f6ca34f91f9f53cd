"""silver.customers and the gold tables of each customer -> gold.customer_360, for one --as-of date."""

from customerlake.gold.customer_360 import CUSTOMER_360, customer_360
from customerlake.gold.customer_value import CUSTOMER_VALUE
from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR
from customerlake.gold.rfm import RFM
from customerlake.runtime import job
from customerlake.silver.customers import CUSTOMERS


def main(run: job.Run) -> None:
    parts = [run.read(table) for table in (CUSTOMERS, CUSTOMER_VALUE, RFM, PURCHASE_BEHAVIOUR)]
    run.replace(CUSTOMER_360, customer_360(*parts, as_of=run.as_of))


if __name__ == "__main__":
    job.run(main)
