"""silver.orders -> gold.rfm and gold.customer_value, for one --as-of date."""

from customerlake.gold.customer_value import CUSTOMER_VALUE, customer_value
from customerlake.gold.rfm import RFM, rfm
from customerlake.runtime import job
from customerlake.silver.orders import ORDERS


def main(run: job.Run) -> None:
    orders = run.read(ORDERS)
    run.replace(RFM, rfm(orders, as_of=run.as_of))
    run.replace(CUSTOMER_VALUE, customer_value(orders, as_of=run.as_of))


if __name__ == "__main__":
    job.run(main)
