"""bronze.sales -> silver.order_lines and quarantine.order_lines, one landing after the other."""

from customerlake.bronze.sources.sales import SALES
from customerlake.runtime import job
from customerlake.silver.order_lines import (
    LATER_LANDING,
    ORDER_LINES,
    RECEIVED_AGAIN,
    REJECTED_ORDER_LINES,
    first_instant,
    order_lines,
    rejected_lines,
    typed_by,
)


def main(run: job.Run) -> None:
    typed = typed_by(run.config)
    for batch in run.new_batches(SALES):
        received = run.read(SALES).where(f"_batch = {batch}")
        lines = order_lines(received, typed)
        is_later = run.all_later(first_instant(received, typed), ORDER_LINES, "ordered_at")  # so none of them is known
        if is_later:
            run.append(ORDER_LINES, lines)
        else:
            run.merge(ORDER_LINES, lines, when_matched=LATER_LANDING, update=RECEIVED_AGAIN)
        if not (is_later and run.is_accounted_for(received, by=ORDER_LINES, batch=batch)):
            run.add_batch(REJECTED_ORDER_LINES, rejected_lines(received, typed), batch)
    run.ensure(REJECTED_ORDER_LINES)
    run.balance(received=SALES, accepted=ORDER_LINES, rejected=REJECTED_ORDER_LINES)


if __name__ == "__main__":
    job.run(main)
