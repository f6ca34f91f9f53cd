"""Customers, orders, what they view, read and say -> gold.own_segments, segment_rules, for one --as-of date.

Where the last date's rows stand, only customers touched since are looked at again.
"""

from collections.abc import Mapping
from contextlib import ExitStack

from pyspark.sql import DataFrame

from customerlake.contracts.table import Table
from customerlake.gold.customer_value import CUSTOMER_VALUE
from customerlake.gold.demographics import age_band
from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR
from customerlake.gold.segment_rules import OWN_SEGMENTS, SEGMENT_RULES, own_segments, segment_rules
from customerlake.gold.touched import (
    OF_LINES,
    Named,
    carried,
    changed_or_new,
    counts_first,
    lines_of,
    only_of,
    touched_customers,
)
from customerlake.gold.usual_prices import USUAL_PRICES, lines_repriced_by
from customerlake.runtime import job
from customerlake.runtime.run import Increment
from customerlake.silver.campaign_members import CAMPAIGN_MEMBERS
from customerlake.silver.campaigns import CAMPAIGNS
from customerlake.silver.crm_profiles import CRM_PROFILES
from customerlake.silver.customers import CUSTOMERS
from customerlake.silver.email_events import EMAIL_EVENTS
from customerlake.silver.identities import IDENTITIES, of_number
from customerlake.silver.identity.naming import (
    email_events_of_customers,
    profiles_of_customers,
    visitors_of,
    web_events_of_customers,
)
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.orders import ORDERS
from customerlake.silver.product_list import PRODUCT_LIST
from customerlake.silver.survey_answers import SURVEY_ANSWERS
from customerlake.silver.web_events import WEB_EVENTS


def main(run: job.Run) -> None:
    identities = run.read(IDENTITIES)
    named: dict[Table, Named] = {
        ORDERS: lambda orders: orders,
        ORDER_LINES: of_number(identities),
        CRM_PROFILES: profiles_of_customers(identities),
        WEB_EVENTS: web_events_of_customers(identities),
        EMAIL_EVENTS: email_events_of_customers(identities),
        SURVEY_ANSWERS: of_number(identities),
        CAMPAIGN_MEMBERS: of_number(identities),
    }
    inputs = {table: run.read(table).transform(of_customers) for table, of_customers in named.items()}
    inputs[CUSTOMERS] = run.read(CUSTOMERS)
    increment = run.increment(
        made=(OWN_SEGMENTS,),
        of=(CUSTOMERS, IDENTITIES, *named),
        unchanged=(PRODUCT_LIST, CAMPAIGNS),
        beside=("value", "behaviour"),
    )
    if increment is None:
        run.replace(OWN_SEGMENTS, build(run, inputs))
    else:
        with ExitStack() as held:
            touched = held.enter_context(run.lake.computed_once(customers_touched(run, inputs, named, increment)))
            of_touched = {table: rows.transform(only_of(touched)) for table, rows in inputs.items()}
            their_lines = run.read(ORDER_LINES).transform(lines_of(touched, identities)).select(*OF_LINES)
            of_touched[ORDER_LINES] = held.enter_context(run.lake.computed_once(their_lines))
            made = build(run, of_touched)
            others = run.read(OWN_SEGMENTS).transform(carried(touched, since=increment.since, as_of=run.as_of))
            run.replace(OWN_SEGMENTS, made.unionByName(others))
    run.replace(SEGMENT_RULES, segment_rules(run.read(OWN_SEGMENTS), as_of=run.as_of))


def build(run: job.Run, inputs: Mapping[Table, DataFrame]) -> DataFrame:
    """gold.own_segments of the customers of whom these inputs tell."""
    return own_segments(
        inputs[CUSTOMERS],
        inputs[ORDERS],
        inputs[ORDER_LINES],
        run.read(CUSTOMER_VALUE),
        run.read(PURCHASE_BEHAVIOUR),
        crm_profiles=inputs[CRM_PROFILES],
        web_events=inputs[WEB_EVENTS],
        email_events=inputs[EMAIL_EVENTS],
        survey_answers=inputs[SURVEY_ANSWERS],
        campaign_members=inputs[CAMPAIGN_MEMBERS],
        product_list=run.read_if_any(PRODUCT_LIST),
        usual_prices=run.read_as_of(USUAL_PRICES),
        campaigns=run.read_if_any(CAMPAIGNS),
        as_of=run.as_of,
        time_zone=run.config.time_zone,
    )


DAYS = {
    ORDERS: ("ordered_on",),
    ORDER_LINES: ("ordered_on",),
    CRM_PROFILES: ("created_at", "updated_at"),
    WEB_EVENTS: ("happened_at",),
    EMAIL_EVENTS: ("happened_at",),
    SURVEY_ANSWERS: ("invited_at", "answered_at", "updated_at"),
    CAMPAIGN_MEMBERS: ("assigned_at",),
}
"""When a row counts first."""


def customers_touched(
    run: job.Run, inputs: Mapping[Table, DataFrame], named: Mapping[Table, Named], increment: Increment
) -> DataFrame:
    """Whose rows, names or usual prices changed, or count for the first time, and who has come to another age band."""
    since, as_of, customers = increment.since, run.as_of, inputs[CUSTOMERS]
    dates = since, as_of
    touched = {
        table: changed_or_new(table, run.read(table), increment.changes[table], *days, dates=dates, named=named[table])
        for table, days in DAYS.items()
    }
    renamed = increment.changes[IDENTITIES].rows()
    on_their_devices = None  # who is alone on a device, and so has its events, is told by the records of all on it
    if renamed is not None:
        devices = visitors_of(renamed).select("visitor_id")
        on_their_devices = visitors_of(run.read(IDENTITIES)).join(devices, on="visitor_id", how="left_semi")
    is_of_another_age = ~age_band(since).eqNullSafe(age_band(as_of))
    return touched_customers(
        *[part for parts in touched.values() for part in parts],
        increment.changes[CUSTOMERS].rows(),
        renamed,
        on_their_devices,
        customers.where(is_of_another_age | counts_first("first_seen_on", since=since, as_of=as_of)),
        lines_repriced_by(touched[ORDER_LINES], inputs[ORDER_LINES]),
    )


if __name__ == "__main__":
    job.run(main)
