"""silver.order_lines and identities -> silver.orders: those with new lines, or whose customer is another now."""

from customerlake.runtime import job
from customerlake.silver.identities import IDENTITIES
from customerlake.silver.identity.following import take_new_names
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.orders import ORDERS, orders, with_customers


def main(run: job.Run) -> None:
    take_new_names(run)
    new = run.new_batches(ORDER_LINES)
    lines = run.read(ORDER_LINES)
    named = with_customers(run.read(IDENTITIES))
    arrived = lines.where(f"_batch >= {new.start}")
    if new.start == 1:  # all is new: no need to look for what is touched
        run.overwrite(ORDERS, orders(lines).transform(named).transform(ORDERS.conform))
    elif new:
        touched = arrived.select("order_id").distinct()
        is_known = not run.read(ORDERS).join(touched, on="order_id", how="left_semi").isEmpty()
        concerned = lines.join(touched, on="order_id", how="left_semi") if is_known else arrived
        made = orders(concerned).transform(named).transform(ORDERS.conform)
        _ = run.merge(ORDERS, made) if is_known else run.append(ORDERS, made)


if __name__ == "__main__":
    job.run(main)
