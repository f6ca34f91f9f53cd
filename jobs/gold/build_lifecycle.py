"""Orders and purchase rhythm -> gold.lifecycle, lifecycle_transitions, lifecycle_long_run, for one --as-of date."""

from customerlake.gold.lifecycle import LIFECYCLE, Rhythm, first_days_seen, lifecycle, typical_rhythm
from customerlake.gold.lifecycle_long_run import (
    LIFECYCLE_LONG_RUN,
    customers_now,
    lifecycle_long_run,
    long_run_shares,
    whole_month_transitions,
)
from customerlake.gold.lifecycle_transitions import LIFECYCLE_TRANSITIONS, lifecycle_transitions
from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR
from customerlake.runtime import job
from customerlake.silver.customer_records import CUSTOMER_RECORDS
from customerlake.silver.identities import IDENTITIES
from customerlake.silver.orders import ORDERS


def main(run: job.Run) -> None:
    as_of = run.as_of
    (typical,) = typical_rhythm(run.read(PURCHASE_BEHAVIOUR), as_of=as_of).collect()
    rhythm, first_seen = Rhythm(**typical.asDict()), first_days_seen(run.read(CUSTOMER_RECORDS), run.read(IDENTITIES))
    stages = lifecycle(run.read(ORDERS), first_seen, rhythm=rhythm, as_of=as_of, observed_from=run.first_ordered_on)
    run.replace(LIFECYCLE, stages)
    run.replace(LIFECYCLE_TRANSITIONS, lifecycle_transitions(run.read(LIFECYCLE), as_of=as_of))
    transitions = run.read(LIFECYCLE_TRANSITIONS)
    counts = {(row[0], row[1]): row[2] for row in whole_month_transitions(transitions, as_of=as_of).collect()}
    now = {row["stage"]: row["count_customers"] for row in customers_now(transitions, as_of=as_of).collect()}
    shares = long_run_shares(counts, now)
    run.replace(LIFECYCLE_LONG_RUN, lifecycle_long_run(transitions, long_run_shares=shares, as_of=as_of))


if __name__ == "__main__":
    job.run(main)
