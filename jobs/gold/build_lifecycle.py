"""Orders and purchase rhythm -> gold.typical_rhythm, lifecycle and its transitions, for one --as-of date.

Where the last date's rows stand and the rhythm is the same, only customers touched since are looked at again.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.gold.lifecycle import (
    LIFECYCLE,
    TYPICAL_RHYTHM,
    Rhythm,
    carried_stages,
    first_days_seen,
    lifecycle,
    typical_rhythm,
)
from customerlake.gold.lifecycle_long_run import (
    LIFECYCLE_LONG_RUN,
    customers_now,
    lifecycle_long_run,
    long_run_shares,
    whole_month_transitions,
)
from customerlake.gold.lifecycle_transitions import LIFECYCLE_TRANSITIONS, lifecycle_transitions
from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR
from customerlake.gold.touched import changed_or_new, counts_first, not_of, only_of, touched_customers
from customerlake.runtime import job
from customerlake.runtime.run import Increment
from customerlake.silver.customer_records import CUSTOMER_RECORDS
from customerlake.silver.identities import IDENTITIES
from customerlake.silver.orders import ORDERS


def main(run: job.Run) -> None:
    increment = run.increment(made=(TYPICAL_RHYTHM, LIFECYCLE), of=(ORDERS, CUSTOMER_RECORDS, IDENTITIES))
    build_stages(run, increment)
    run.replace(LIFECYCLE_TRANSITIONS, lifecycle_transitions(run.read(LIFECYCLE), as_of=run.as_of))
    transitions = run.read(LIFECYCLE_TRANSITIONS)
    counts = {(row[0], row[1]): row[2] for row in whole_month_transitions(transitions, as_of=run.as_of).collect()}
    now = {row["stage"]: row["count_customers"] for row in customers_now(transitions, as_of=run.as_of).collect()}
    shares = long_run_shares(counts, now)
    run.replace(LIFECYCLE_LONG_RUN, lifecycle_long_run(transitions, long_run_shares=shares, as_of=run.as_of))


def build_stages(run: job.Run, increment: Increment | None) -> None:
    before = run.read(TYPICAL_RHYTHM).where(F.col("as_of") == F.lit(increment.since)).first() if increment else None
    typical = typical_rhythm(run.read(PURCHASE_BEHAVIOUR), as_of=run.as_of, observed_from=run.first_ordered_on)
    run.replace(TYPICAL_RHYTHM, typical)
    usual_days, variation, observed_from = run.read_as_of(TYPICAL_RHYTHM).select(*BY).collect()[0]
    orders, first_seen = run.read(ORDERS), first_days_seen(run.read(CUSTOMER_RECORDS), run.read(IDENTITIES))

    def stages(orders: DataFrame, first_seen: DataFrame) -> DataFrame:
        rhythm = Rhythm(usual_days, variation)
        return lifecycle(orders, first_seen, rhythm=rhythm, as_of=run.as_of, observed_from=observed_from)

    if increment is None or before is None or [before[name] for name in BY] != [usual_days, variation, observed_from]:
        run.replace(LIFECYCLE, stages(orders, first_seen))
        return
    with run.lake.computed_once(customers_touched(run, first_seen, increment)) as touched:
        made = stages(orders.transform(only_of(touched)), first_seen.transform(only_of(touched)))
        others = run.read(LIFECYCLE).transform(not_of(touched))
        carried = carried_stages(others, since=increment.since, as_of=run.as_of)
        run.replace(LIFECYCLE, made.unionByName(carried))


BY = ("usual_days", "variation", "observed_from")
"""What decides on the stages of all customers."""


def customers_touched(run: job.Run, first_seen: DataFrame, increment: Increment) -> DataFrame:
    """Whose orders or records changed, or count for the first time."""
    orders, records = run.read(ORDERS), increment.changes[CUSTOMER_RECORDS].rows()
    identities, key = run.read(IDENTITIES), ["source", "source_record_id"]
    return touched_customers(
        *changed_or_new(ORDERS, orders, increment.changes[ORDERS], "ordered_on", dates=(increment.since, run.as_of)),
        increment.changes[IDENTITIES].rows(),
        None if records is None else identities.join(records.select(*key), on=key, how="left_semi"),
        first_seen.where(counts_first("first_seen_on", since=increment.since, as_of=run.as_of)),
    )


if __name__ == "__main__":
    job.run(main)
