"""silver.order_lines -> silver.customers and silver.products: new lines are merged into what is known."""

from customerlake.runtime import job
from customerlake.silver.customers import CUSTOMERS, NEWER_SURVIVES, customers
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.products import BETTER_SURVIVES, PRODUCTS, products


def main(run: job.Run) -> None:
    new = run.new_batches(ORDER_LINES)
    arrived = run.read(ORDER_LINES).where(f"_batch >= {new.start}")
    if new.start == 1:  # all is new
        run.overwrite(CUSTOMERS, customers(arrived))
        run.overwrite(PRODUCTS, products(arrived))
        return
    run.merge(CUSTOMERS, customers(arrived), update=NEWER_SURVIVES)
    run.merge(PRODUCTS, products(arrived), update=BETTER_SURVIVES)


if __name__ == "__main__":
    job.run(main)
