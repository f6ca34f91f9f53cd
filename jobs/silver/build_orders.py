"""silver.order_lines -> silver.orders and silver.cancellations: only what new lines touch is summed again."""

from customerlake.runtime import job
from customerlake.silver.cancellations import CANCELLATIONS, SAME_ITEM, cancellations
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.orders import ORDERS, orders


def main(run: job.Run) -> None:
    new = run.new_batches(ORDER_LINES)
    lines = run.read(ORDER_LINES)
    arrived = lines.where(f"_batch >= {new.start}")
    if new.start == 1:  # all is new: no need to look for what is touched
        run.merge(ORDERS, orders(lines))
        run.merge(CANCELLATIONS, cancellations(lines))
        return
    touched_orders = arrived.select("order_id").distinct()
    if run.read(ORDERS).join(touched_orders, on="order_id", how="left_semi").isEmpty():
        run.append(ORDERS, orders(arrived))
    else:
        run.merge(ORDERS, orders(lines.join(touched_orders, on="order_id", how="left_semi")))
    touched_items = arrived.select(*SAME_ITEM).distinct()
    of_items = lines.join(touched_items, on=list(SAME_ITEM), how="left_semi").select(lines.columns)
    anonymous = arrived.where("customer_id IS NULL")  # no join finds them, and no other line bears on them
    run.merge(CANCELLATIONS, cancellations(of_items.unionByName(anonymous)))


if __name__ == "__main__":
    job.run(main)
