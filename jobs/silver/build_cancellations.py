"""silver.order_lines -> silver.cancellations: only items that new lines sell or take back are linked again."""

from customerlake.runtime import job
from customerlake.silver.cancellations import CANCELLATIONS, SAME_ITEM, cancellations
from customerlake.silver.order_lines import ORDER_LINES


def main(run: job.Run) -> None:
    new = run.new_batches(ORDER_LINES)
    lines = run.read(ORDER_LINES)
    if new.start == 1:  # all is new: no need to look for what is touched
        run.overwrite(CANCELLATIONS, cancellations(lines))
        return
    arrived = lines.where(f"_batch >= {new.start}")
    touched = arrived.select(*SAME_ITEM).distinct()
    of_items = lines.join(touched, on=list(SAME_ITEM), how="left_semi").select(lines.columns)
    anonymous = arrived.where("customer_id IS NULL")  # no join finds them, and no other line bears on them
    run.merge(CANCELLATIONS, cancellations(of_items.unionByName(anonymous)))


if __name__ == "__main__":
    job.run(main)
