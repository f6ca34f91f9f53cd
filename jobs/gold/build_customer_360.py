"""silver.customers and the gold tables of each customer -> gold.customer_360, for one --as-of date."""

from customerlake.gold.customer_360 import CUSTOMER_360, PARTS, customer_360
from customerlake.runtime import job
from customerlake.silver.customers import CUSTOMERS


def main(run: job.Run) -> None:
    parts = {table: run.read(table) for table in PARTS if run.lake.exists(table)}
    run.replace(CUSTOMER_360, customer_360(run.read(CUSTOMERS), parts, as_of=run.as_of))


if __name__ == "__main__":
    job.run(main)
