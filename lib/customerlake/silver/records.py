"""Take what a feed has landed into its silver table, landing by landing, and account for every record."""

from collections.abc import Callable, Mapping
from functools import partial

from pyspark.sql import DataFrame

from customerlake.contracts.quarantine import quarantine_table
from customerlake.contracts.source import Source, bronze_table
from customerlake.contracts.table import Table
from customerlake.runtime.job import Run
from customerlake.silver.typed import (
    LATER_LANDING,
    Typed,
    accepted_records,
    first_instant,
    newer_survives,
    rejected_records,
)


def take_records(run: Run, source: Source, table: Table, typed: Typed) -> None:
    """The new landings of one feed: sound records into `table`, the others into its quarantine.

    Raises: ContractError when a record is lost or counted twice.
    """
    bronze, rejects = bronze_table(source), quarantine_table(table)
    new = run.new_batches(bronze)
    if (replay := run.pending_replay(table)) is not None:
        received = run.read(bronze)
        made = {
            table: accepted_records(received, source, table, typed),
            rejects: rejected_records(received, source, table, typed),
        }
        run.replayed(table, replay, has_changed=run.renew(made))
        new = range(0)
    for batch in new:
        received = run.read(bronze).where(f"_batch = {batch}")
        accepted = accepted_records(received, source, table, typed)
        rejected = partial(rejected_records, received, source, table, typed)
        is_later = source.is_event and run.all_later(first_instant(received, source, typed), table, source.at or "")
        update = newer_survives(source, table)
        take_landing(run, table, batch, received, accepted, rejected, is_later=is_later, update=update)
    if new or replay is not None:
        run.ensure(table)
        run.ensure(rejects)
        run.balance(received=[bronze], accepted=table, rejected=rejects)


def take_landing(
    run: Run,
    table: Table,
    batch: int,
    received: DataFrame,
    accepted: DataFrame,
    rejected: Callable[[], DataFrame],
    *,
    is_later: bool,
    update: Mapping[str, str],
) -> None:
    """One landing into `table` and its quarantine; taken a second time, it changes nothing.

    `is_later` says that none of its keys is known: it is appended then, else merged by `update`. `rejected` is called
    only where the accepted rows do not account for all.
    """
    if is_later:
        run.append(table, accepted)
    else:
        run.merge(table, accepted, when_matched=LATER_LANDING, update=update)
    if not (is_later and run.is_accounted_for(received, by=table, batch=batch)):
        run.add_batch(quarantine_table(table), rejected(), batch)
