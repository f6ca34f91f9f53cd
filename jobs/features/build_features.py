"""Every channel -> features.snapshot and features.labels, for --as-of and for the dates that models learn from."""

from collections.abc import Callable
from datetime import date
from functools import reduce

from pyspark.sql import DataFrame

from customerlake.contracts.table import Table
from customerlake.features.labels import LABELS, labels
from customerlake.features.snapshot import SNAPSHOT, snapshot
from customerlake.models.lifetime.supervised import dates_learnt_from
from customerlake.models.splits import dates_of, time_splits
from customerlake.runtime import job
from customerlake.silver.consents import CONSENTS
from customerlake.silver.email_events import EMAIL_EVENTS
from customerlake.silver.identities import IDENTITIES, of_number
from customerlake.silver.identity.naming import (
    email_events_of_customers,
    loyalty_events_of_customers,
    tickets_of_customers,
)
from customerlake.silver.loyalty_events import LOYALTY_EVENTS
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.orders import ORDERS
from customerlake.silver.product_list import PRODUCT_LIST
from customerlake.silver.survey_answers import SURVEY_ANSWERS
from customerlake.silver.tickets import TICKETS
from customerlake.silver.web_events import WEB_EVENTS


def main(run: job.Run) -> None:
    orders, identities, listed = run.read(ORDERS), run.read(IDENTITIES), run.read_if_any(PRODUCT_LIST)
    by_number = of_number(identities)

    def named(table: Table, by: Callable[[DataFrame], DataFrame] = by_number) -> DataFrame | None:
        rows = run.read_if_any(table)
        return None if rows is None else rows.transform(by)

    lines, learnt = named(ORDER_LINES), learnt_dates(run)
    past = sorted({day for dates in learnt.values() for day in dates})
    dates = [*past, run.as_of]
    known = snapshot(
        orders,
        as_of=dates,
        order_lines=lines,
        product_list=listed,
        web_events=named(WEB_EVENTS),
        email_events=named(EMAIL_EVENTS, email_events_of_customers(identities)),
        tickets=named(TICKETS, tickets_of_customers(identities)),
        survey_answers=named(SURVEY_ANSWERS),
        loyalty_events=named(LOYALTY_EVENTS, loyalty_events_of_customers(identities)),
        consents=named(CONSENTS),
        web_channels=run.config.web_channels,
        time_zone=run.config.time_zone,
    )
    run.replace_dates(SNAPSHOT, known, dates=dates)
    if past:
        after = [
            labels(
                orders,
                as_of=dates,
                horizon_days=horizon_days,
                gap_days=gap_days,
                observed_until=run.as_of,
                order_lines=lines,
                product_list=listed,
            )
            for (horizon_days, gap_days), dates in learnt.items()
        ]
        run.replace_dates(LABELS, reduce(DataFrame.unionByName, after), dates=past)


def learnt_dates(run: job.Run) -> dict[tuple[int, int], list[date]]:
    """The dates that models learn from and are judged on, by the horizon and gap of their labels."""
    found: dict[tuple[int, int], set[date]] = {}
    for config in (run.config.churn, run.config.purchase_intent):
        splits = time_splits(config, first_ordered_on=run.first_ordered_on, as_of=run.as_of)
        found.setdefault((config.horizon_days, config.gap_days), set()).update(dates_of(splits))
    lifetime = run.config.lifetime_value
    dates = dates_learnt_from(lifetime, first_ordered_on=run.first_ordered_on, as_of=run.as_of)
    found.setdefault((lifetime.holdout_days, 0), set()).update(dates)
    return {window: sorted(dates) for window, dates in found.items() if dates}


if __name__ == "__main__":
    job.run(main)
