"""Take what the sources newly say of persons into silver.customer_records."""

from collections.abc import Callable
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.bronze.sources.web_orders import BRONZE as WEB_ORDERS
from customerlake.bronze.sources.web_orders import WEB_ORDERS as SOURCE_OF_WEB_ORDERS
from customerlake.contracts.table import Table
from customerlake.runtime.feeds import SalesFeed
from customerlake.runtime.job import Run
from customerlake.silver.cleaning.dates import instant
from customerlake.silver.cleaning.numbers import without_zero_decimals
from customerlake.silver.cleaning.texts import trimmed
from customerlake.silver.crm_profiles import CRM_PROFILES
from customerlake.silver.customer_records import (
    CUSTOMER_RECORDS,
    ORDERED,
    SENT,
    SHOP,
    Records,
    card_records,
    cleaned,
    crm_records,
    device_records,
    mailbox_records,
    numbers_known,
    shop_records,
    taken_in,
    ticket_records,
)
from customerlake.silver.email_events import EMAIL_EVENTS
from customerlake.silver.loyalty_events import LOYALTY_EVENTS
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.tickets import TICKETS
from customerlake.silver.web_events import WEB_EVENTS

SAYING: dict[Table, Records] = {
    ORDER_LINES: shop_records,
    CRM_PROFILES: crm_records,
    LOYALTY_EVENTS: card_records,
    WEB_EVENTS: device_records,
    EMAIL_EVENTS: mailbox_records(SENT, at="happened_at", evidence="event_id"),
    TICKETS: ticket_records,
}
"""What each table of silver says of persons."""


def take_customer_records(run: Run) -> None:
    """Bring silver.customer_records up to the newest rows of its sources."""
    arrived = [records for table, say in SAYING.items() for records in _said(run, table, say)]
    orders = run.config.feeds.web_orders
    if orders and "email" in orders.names(SOURCE_OF_WEB_ORDERS):
        confirmed = mailbox_records(ORDERED, at="ordered_at", evidence="order_id")
        arrived += _said(run, WEB_ORDERS, lambda rows: confirmed(_confirmations(rows, orders)))
    if not arrived:
        run.ensure(CUSTOMER_RECORDS)
        return
    every = reduce(DataFrame.unionByName, arrived)
    known = run.lake.read(CUSTOMER_RECORDS)
    is_shop = F.col("source") == SHOP
    of_shop = known.where(is_shop).unionByName(every.where(is_shop), allowMissingColumns=True)
    unseen = numbers_known(every).join(of_shop.select("source_record_id"), on="source_record_id", how="left_anti")
    cleaned_records = every.unionByName(unseen).transform(cleaned(default_country=run.config.country))
    batch = run.newest_batch(CUSTOMER_RECORDS) + 1
    changed = taken_in(cleaned_records, known, batch=batch)
    if run.lake.exists(CUSTOMER_RECORDS):
        run.merge(CUSTOMER_RECORDS, changed)
    else:
        run.append(CUSTOMER_RECORDS, changed)


def _said(run: Run, table: Table, say: Callable[[DataFrame], DataFrame]) -> list[DataFrame]:
    """What the rows say that this step has not taken yet; nothing where there are none."""
    if not run.lake.exists(table):
        return []
    new = run.new_batches(table)
    return [say(run.read(table).where(F.col("_batch") >= new.start))] if new else []


def _confirmations(received: DataFrame, feed: SalesFeed) -> DataFrame:
    """To which mailbox each web order was confirmed, by the lines as received that say when."""
    at = instant(trimmed("ordered_at"), pattern=feed.timestamp_format, time_zone=feed.time_zone or "UTC")
    return received.select(
        without_zero_decimals(trimmed("customer_id")).alias("customer_id"),
        "email",
        trimmed("order_id").alias("order_id"),
        at.alias("ordered_at"),
    ).where(F.col("ordered_at").isNotNull())
