"""Rows of feeds under the customers that they are of: by the record that a row is, else by the number that it names."""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.silver.cleaning.emails import email_address
from customerlake.silver.customer_records import CARDS, CRM, DEVICES, SENT, TICKETS
from customerlake.silver.identities import of_number, of_record

Step = Callable[[DataFrame], DataFrame]


def tickets_of_customers(identities: DataFrame) -> Step:
    return _of_record_or_number(identities, TICKETS, F.col("ticket_id"))


def profiles_of_customers(identities: DataFrame) -> Step:
    return _of_record_or_number(identities, CRM, F.col("profile_id"))


def loyalty_events_of_customers(identities: DataFrame) -> Step:
    """All events of a card are of its customer, also those that name no number."""
    return _of_record_or_number(identities, CARDS, F.col("card_id"))


def email_events_of_customers(identities: DataFrame) -> Step:
    """By the mailbox, and the number beside it where one is named."""
    mailbox = F.concat_ws("/", "customer_id", email_address(F.col("email")))
    return _of_record_or_number(identities, SENT, mailbox)


def web_events_of_customers(identities: DataFrame) -> Step:
    """By the number where somebody was logged in; else by the device, as long as one customer alone was seen on it."""
    devices = (
        visitors_of(identities)
        .groupBy("visitor_id")
        .agg(F.min("customer_id").alias("_only"), F.max("customer_id").alias("_other"))
        .where(F.col("_only") == F.col("_other"))
        .select("visitor_id", "_only")
    )
    return lambda events: (
        events.transform(of_number(identities))
        .join(devices, on="visitor_id", how="left")
        .withColumn("customer_id", F.coalesce("customer_id", "_only"))
        .drop("_only")
    )


def _of_record_or_number(identities: DataFrame, source: str, record: Column) -> Step:
    by_record = of_record(identities, source, F.col("_own"), otherwise=F.col("customer_id"))
    return lambda rows: (
        rows.withColumn("_own", record).transform(of_number(identities)).transform(by_record).drop("_own")
    )


def visitors_of(identities: DataFrame) -> DataFrame:
    """One row per device of these identities, whose records are <number>/<visitor>: visitor_id, customer_id."""
    visitor = F.expr("substr(source_record_id, instr(source_record_id, '/') + 1)")
    return identities.where(F.col("source") == DEVICES).select(visitor.alias("visitor_id"), "customer_id")
