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
    typed_lines,
)


def main(run: job.Run) -> None:
    feed = run.config.feeds.sales
    typed = typed_lines(
        timestamp_format=feed.timestamp_format,
        time_zone=run.config.time_zone,
        currency=run.config.currency,
        channel=feed.channel,
        cancellation_prefix=feed.cancellation_prefix,
        line_kinds=feed.line_kinds,
    )
    for batch in run.new_batches(SALES):
        received = run.read(SALES).where(f"_batch = {batch}")
        lines = order_lines(received, typed)
        if run.all_later(first_instant(received, typed), ORDER_LINES, "ordered_at"):  # so none of them is known
            run.append(ORDER_LINES, lines)
            if run.is_accounted_for(received, by=ORDER_LINES, batch=batch):
                run.make(REJECTED_ORDER_LINES)
                continue
        else:
            run.merge(ORDER_LINES, lines, when_matched=LATER_LANDING, update=RECEIVED_AGAIN)
        run.add_batch(REJECTED_ORDER_LINES, rejected_lines(received, typed), batch)
    run.balance(received=SALES, accepted=ORDER_LINES, rejected=REJECTED_ORDER_LINES)


if __name__ == "__main__":
    job.run(main)
