"""What gold.campaign_results counts: who was in a campaign, what became of its messages, what its members bought."""

from collections.abc import Callable
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.contracts.table import MONEY
from customerlake.gold.email_engagement import customer_of_message
from customerlake.silver.orders import is_purchase

TREATED, CONTROL, BOTH = "treated", "control", "both"
FATES = ("delivered", "bounced", "opened", "clicked", "unsubscribed", "complained")


def members_until(as_of: date) -> Callable[[DataFrame], DataFrame]:
    """Grain: one row per campaign_id and customer_id assigned by `as_of`.

    Adds:    test_group (treated, control, or both: one person whose several numbers were drawn into either),
             assigned_at (the first time), emails (array: the addresses that it was assigned with).
    """
    lowest, highest = F.min("test_group"), F.max("test_group")

    def members(campaign_members: DataFrame) -> DataFrame:
        return (
            campaign_members.where(~F.coalesce("is_deleted", F.lit(False)) & F.col("customer_id").isNotNull())
            .where(F.col("assigned_at").cast("date") <= F.lit(as_of))
            .groupBy("campaign_id", "customer_id")
            .agg(
                # the other way round sail takes it for never null, and fails where it is grouped by
                F.when(lowest != highest, F.lit(BOTH)).otherwise(lowest).alias("test_group"),
                F.min("assigned_at").alias("assigned_at"),
                F.collect_set(_address()).alias("emails"),
            )
        )

    return members


def messages_until(as_of: date) -> Callable[[DataFrame], DataFrame]:
    """Grain: one row per campaign_id and message_id with an event by `as_of`.

    Adds:    customer_id (null: unknown), address, sent_at (its first event), and is_<fate> for each of FATES. A later
             event implies the earlier ones, which systems lose (a reader who shows no pictures opens unseen): a click
             opens and what was opened, unsubscribed or complained of was delivered. What is not delivered for all that
             and bounced is bounced, also when it was at first reported as delivered.
    """
    has = {fate: F.max(F.col("event_type") == fate) for fate in FATES}

    def messages(email_events: DataFrame) -> DataFrame:
        return (
            email_events.where(F.col("campaign_id").isNotNull() & (F.col("happened_at").cast("date") <= F.lit(as_of)))
            .groupBy("campaign_id", "message_id")
            .agg(
                customer_of_message().alias("customer_id"),
                F.min(_address()).alias("address"),
                F.min("happened_at").alias("sent_at"),
                *[seen.alias(f"is_{fate}") for fate, seen in has.items()],
            )
            .withColumn("is_opened", F.col("is_opened") | F.col("is_clicked"))
            .withColumn("is_read", F.col("is_opened") | F.col("is_unsubscribed") | F.col("is_complained"))
            .withColumn("is_delivered", F.col("is_read") | (F.col("is_delivered") & ~F.col("is_bounced")))
            .withColumn("is_bounced", F.col("is_bounced") & ~F.col("is_delivered"))
            .drop("is_read")
        )

    return messages


def of_members(members: DataFrame) -> Callable[[DataFrame], DataFrame]:
    """Put messages to the group of the member they went to: the customer's, else that of the address in the campaign.

    Where an address is of several members, a treated one is taken to be meant. A message to nobody of the members was
    sent all the same, and counts as treated.
    """
    by_customer = members.select("campaign_id", "customer_id", F.col("test_group").alias("_by_customer"))
    meant_first = F.struct(F.col("test_group") == CONTROL, F.col("customer_id"), F.col("test_group"))
    by_address = (
        members.select("campaign_id", "customer_id", "test_group", F.explode("emails").alias("address"))
        .groupBy("campaign_id", "address")
        .agg(F.min(meant_first).alias("_meant"))
        .select(
            "campaign_id",
            "address",
            F.col("_meant.customer_id").alias("_customer_by_address"),
            F.col("_meant.test_group").alias("_by_address"),
        )
    )

    def grouped(messages: DataFrame) -> DataFrame:
        is_member = F.col("_by_customer").isNotNull()
        customer = F.when(is_member, F.col("customer_id")).otherwise(F.coalesce("_customer_by_address", "customer_id"))
        return (
            messages.join(by_customer, on=["campaign_id", "customer_id"], how="left")
            .join(by_address, on=["campaign_id", "address"], how="left")
            .withColumns(
                {
                    "test_group": F.coalesce("_by_customer", "_by_address", F.lit(TREATED)),
                    "customer_id": customer,
                }
            )
            .drop("_by_customer", "_customer_by_address", "_by_address")
        )

    return grouped


def members_of_broadcasts(messages: DataFrame) -> DataFrame:
    """The known customers whom messages went to, as treated members from their first message on."""
    return (
        messages.where(F.col("customer_id").isNotNull())
        .groupBy("campaign_id", "customer_id")
        .agg(F.lit(TREATED).alias("test_group"), F.min("sent_at").alias("assigned_at"))
    )


def with_broadcasts(members: DataFrame | None, messages: DataFrame | None) -> DataFrame | None:
    """Who was in each campaign: its members, and of a campaign without any the known customers of its messages.

    Grain:   one row per campaign_id and customer_id: test_group, assigned_at. None without both feeds.
    """
    assigned = None if members is None else members.drop("emails")
    if messages is None or assigned is None:
        return assigned if messages is None else messages.transform(members_of_broadcasts)
    tested = F.broadcast(assigned.select("campaign_id").distinct())
    broadcasts = messages.join(tested, on="campaign_id", how="left_anti").transform(members_of_broadcasts)
    return assigned.unionByName(broadcasts)


def with_outcomes(
    orders: DataFrame | None, web_sessions: DataFrame | None, *, as_of: date, days: int
) -> Callable[[DataFrame], DataFrame]:
    """Add what each member did from the instant of its assignment on until `days` times 24 hours later, by `as_of`.

    Adds:    spend (MONEY, 0 without a purchase), has_bought and has_visited.
    """
    done = [
        rows
        for rows in (
            None if orders is None else _purchases(orders, as_of),
            None if web_sessions is None else _visits(web_sessions, as_of),
        )
        if rows is not None
    ]
    nothing = {"spend": F.lit(0).cast(MONEY), "has_bought": F.lit(False), "has_visited": F.lit(False)}
    if not done:
        return lambda members: members.withColumns(nothing)
    deeds = done[0] if len(done) == 1 else done[0].unionByName(done[1])
    in_window = (F.col("_at") >= F.col("assigned_at")) & (F.col("_at") < window_end(days))

    def followed(members: DataFrame) -> DataFrame:
        outcomes = (
            members.join(deeds, on=(F.col("customer_id") == F.col("_who")) & in_window, how="inner")
            .groupBy("campaign_id", "customer_id")
            .agg(
                F.sum("_amount").cast(MONEY).alias("spend"),
                F.max(F.col("_amount").isNotNull()).alias("has_bought"),
                F.max(F.col("_amount").isNull()).alias("has_visited"),
            )
        )
        return members.join(outcomes, on=["campaign_id", "customer_id"], how="left").withColumns(
            {name: F.coalesce(name, none) for name, none in nothing.items()}
        )

    return followed


def window_end(days: int) -> Column:
    """The instant at which purchases cease to count for a member."""
    return F.timestamp_add("DAY", F.lit(days), F.col("assigned_at"))


def _address() -> Column:
    return F.lower(F.trim("email"))


def _purchases(orders: DataFrame, as_of: date) -> DataFrame:
    return orders.where(is_purchase() & (F.col("ordered_on") <= F.lit(as_of))).select(
        F.col("customer_id").alias("_who"),
        F.col("ordered_at").alias("_at"),
        F.col("amount").cast(MONEY).alias("_amount"),
    )


def _visits(web_sessions: DataFrame, as_of: date) -> DataFrame:
    return web_sessions.where(F.col("started_at").cast("date") <= F.lit(as_of)).select(
        F.col("customer_id").alias("_who"), F.col("started_at").alias("_at"), F.lit(None).cast(MONEY).alias("_amount")
    )
