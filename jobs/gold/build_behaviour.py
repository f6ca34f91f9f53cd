"""silver.orders and silver.order_lines -> gold.purchase_behaviour, for one --as-of date."""

from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR, purchase_behaviour
from customerlake.runtime import job
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.orders import ORDERS


def main(run: job.Run) -> None:
    orders, order_lines = run.read(ORDERS), run.read(ORDER_LINES)
    run.replace(PURCHASE_BEHAVIOUR, purchase_behaviour(orders, order_lines, as_of=run.as_of))


if __name__ == "__main__":
    job.run(main)
