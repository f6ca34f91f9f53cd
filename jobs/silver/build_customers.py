"""silver.customer_records and identities -> silver.customers; silver.order_lines -> silver.products: what is new."""

from customerlake.runtime import job
from customerlake.silver.identity.following import take_customers
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.products import BETTER_SURVIVES, PRODUCTS, products


def main(run: job.Run) -> None:
    take_customers(run)
    new = run.new_batches(ORDER_LINES)
    arrived = run.read(ORDER_LINES).where(f"_batch >= {new.start}")
    if new.start == 1:  # all is new
        run.overwrite(PRODUCTS, products(arrived))
    elif new:
        run.merge(PRODUCTS, products(arrived), update=BETTER_SURVIVES)


if __name__ == "__main__":
    job.run(main)
