"""silver.order_lines -> silver.orders: only orders with new lines are summed again."""

from customerlake.runtime import job
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.orders import ORDERS, orders


def main(run: job.Run) -> None:
    new = run.new_batches(ORDER_LINES)
    lines = run.read(ORDER_LINES)
    arrived = lines.where(f"_batch >= {new.start}")
    if new.start == 1:  # all is new: no need to look for what is touched
        run.overwrite(ORDERS, orders(lines))
        return
    touched = arrived.select("order_id").distinct()
    if run.read(ORDERS).join(touched, on="order_id", how="left_semi").isEmpty():
        run.append(ORDERS, orders(arrived))
    else:
        run.merge(ORDERS, orders(lines.join(touched, on="order_id", how="left_semi")))


if __name__ == "__main__":
    job.run(main)
