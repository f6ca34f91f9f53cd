"""The segment that each member of a campaign was in before the campaign reached it."""

from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from customerlake.gold.campaign_contacts import members_until, messages_until, with_broadcasts
from customerlake.gold.rfm import Thresholds, named_segment, purchase_days, score_by_thresholds
from customerlake.silver.orders import is_purchase

NO_PURCHASE = "No Purchase"
THRESHOLDS = Thresholds()


def segments_before_contact(
    campaign_members: DataFrame | None,
    email_events: DataFrame | None,
    orders: DataFrame | None,
    *,
    as_of: date,
    thresholds: Thresholds = THRESHOLDS,
) -> DataFrame | None:
    """Name each member's segment by its purchases until the day before its first contact (UTC).

    The contact is the assignment, in a campaign without members the first message: after it the treatment may have
    moved a customer. The names are those of gold.rfm by the fixed scores, which need no other customers and so neither
    move with as_of nor differ between campaigns; who had not bought yet is `No Purchase`.
    Grain:   one row per campaign_id and customer_id: segment. None without orders, and without members and messages.
    """
    members = None if campaign_members is None else campaign_members.transform(members_until(as_of))
    messages = None if email_events is None else email_events.transform(messages_until(as_of))
    contacted = with_broadcasts(members, messages)
    if contacted is None or orders is None:
        return None
    last_day = F.date_sub(F.col("assigned_at").cast("date"), 1)
    contacts = contacted.select("customer_id", last_day.alias("on"), "campaign_id")
    return (
        purchases_by_day(orders)
        .unionByName(contacts, allowMissingColumns=True)
        .transform(bought_so_far)
        .where(F.col("campaign_id").isNotNull())
        .withColumn("days_since_last_order", F.datediff("on", "last_ordered_on"))
        .transform(score_by_thresholds(thresholds))
        .withColumns({f"{score}_score": F.col(f"{score}_score_fixed") for score in ("r", "f", "m")})
        .withColumn("segment", F.when(F.col("count_orders").isNull(), NO_PURCHASE).otherwise(named_segment()))
        .select("campaign_id", "customer_id", "segment")
    )


def purchases_by_day(orders: DataFrame) -> DataFrame:
    """One row per customer and UTC day (as contacts have it) with a purchase: spend, count_orders."""
    bought = orders.where(is_purchase() & F.col("customer_id").isNotNull())
    days = bought.withColumn("ordered_on", F.col("ordered_at").cast("date")).transform(purchase_days)
    return days.withColumnRenamed("ordered_on", "on").withColumn("last_ordered_on", F.col("on"))


def bought_so_far(history: DataFrame) -> DataFrame:
    """Purchase days and contacts of a customer in one line, each with the sums of the purchases so far.

    One pass over both, whatever the number of campaigns: no contact is joined with each purchase before it.
    """
    in_time = Window.partitionBy("customer_id").orderBy("on", F.asc_nulls_first("campaign_id"))
    so_far = in_time.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return history.withColumns(
        {
            "count_orders": F.sum("count_orders").over(so_far),
            "total_spend": F.sum("spend").over(so_far),
            "last_ordered_on": F.max("last_ordered_on").over(so_far),
        }
    )
