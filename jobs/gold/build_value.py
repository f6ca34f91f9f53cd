"""silver.orders and order_lines -> gold.rfm, customer_value, both its splits, and cohorts, for one --as-of date."""

from customerlake.gold.cohorts import COHORTS, cohorts
from customerlake.gold.customer_value import CUSTOMER_VALUE, customer_value
from customerlake.gold.customer_value_by_channel import CUSTOMER_VALUE_BY_CHANNEL, customer_value_by_channel
from customerlake.gold.customer_value_by_product_group import (
    CUSTOMER_VALUE_BY_PRODUCT_GROUP,
    customer_value_by_product_group,
)
from customerlake.gold.rfm import RFM, rfm
from customerlake.runtime import job
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.orders import ORDERS
from customerlake.silver.product_list import PRODUCT_LIST


def main(run: job.Run) -> None:
    orders, as_of = run.read(ORDERS), run.as_of
    run.replace(RFM, rfm(orders, as_of=as_of))
    run.replace(CUSTOMER_VALUE, customer_value(orders, as_of=as_of))
    run.replace(CUSTOMER_VALUE_BY_CHANNEL, customer_value_by_channel(orders, as_of=as_of))
    lines, listed = run.read(ORDER_LINES), run.read_if_any(PRODUCT_LIST)
    run.replace(CUSTOMER_VALUE_BY_PRODUCT_GROUP, customer_value_by_product_group(lines, orders, listed, as_of=as_of))
    run.replace(COHORTS, cohorts(orders, as_of=as_of))


if __name__ == "__main__":
    job.run(main)
