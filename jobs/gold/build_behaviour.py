"""silver.orders, order_lines -> gold.purchase_behaviour, purchase_hours, product_affinity, for one --as-of date."""

from customerlake.gold.product_affinity import PRODUCT_AFFINITY, product_affinity
from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR, purchase_behaviour
from customerlake.gold.purchase_hours import PURCHASE_HOURS, purchase_hours
from customerlake.gold.usual_prices import usual_prices
from customerlake.runtime import job
from customerlake.silver.cancellations import CANCELLATIONS
from customerlake.silver.identities import IDENTITIES, of_number
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.orders import ORDERS
from customerlake.silver.product_list import PRODUCT_LIST


def main(run: job.Run) -> None:
    orders, as_of, zone = run.read(ORDERS), run.as_of, run.config.time_zone
    lines = run.read(ORDER_LINES).transform(of_number(run.read(IDENTITIES)))
    prices = usual_prices(lines, as_of=as_of)
    inputs = (orders, lines, run.read(CANCELLATIONS), run.read_if_any(PRODUCT_LIST), prices)
    run.replace(PURCHASE_BEHAVIOUR, purchase_behaviour(*inputs, as_of=as_of, time_zone=zone))
    run.replace(PURCHASE_HOURS, purchase_hours(orders, as_of=as_of, time_zone=zone))
    run.replace(PRODUCT_AFFINITY, product_affinity(lines, as_of=as_of))


if __name__ == "__main__":
    job.run(main)
