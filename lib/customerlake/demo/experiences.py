"""What customers lived through with each order: the causes of tickets, answers, reviews and, in part, of lapsing.

The real orders say who never came back. So the experience of the last order of a customer who lapses is drawn worse:
in the demo's world it is a reason for the lapse. No other draw here looks ahead.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.demo.chance import Chance
from customerlake.demo.times import DAY, HOUR, later

LATE, LATE_AT_CHRISTMAS, LATE_ABROAD, LATE_AND_LAPSES = 0.08, 0.07, 0.05, 0.20
DAMAGED, DAMAGED_FRAGILE, DAMAGED_AND_LAPSES = 0.015, 0.035, 0.10
WRONG_ITEM = 0.02
COST_OF_LATE, COST_OF_DAMAGE, COST_OF_WRONG_ITEM = 0.30, 0.40, 0.25  # of satisfaction


def with_experience(orders: DataFrame, customers: DataFrame, *, chance: Chance) -> DataFrame:
    """Orders of customers, without cancellations, with what happened to each.

    Adds: was_late, days_late, was_damaged, had_wrong_item, delivered_at (of the till: at once), experience (0 to 1),
          and the customer's columns.
    """
    known = (
        orders.where(~F.col("is_cancellation") & F.col("customer_id").isNotNull())
        .drop("country")
        .join(customers, on="customer_id", how="inner")
    )
    is_web, is_abroad = F.col("is_web"), F.col("iso_country") != "GB"
    is_reason = F.col("lapsed_on").isNotNull() & (F.to_date("ordered_at") == F.to_date("last_at"))
    late = (
        F.lit(LATE)
        + F.when(F.month("ordered_at").isin(11, 12), LATE_AT_CHRISTMAS).otherwise(0.0)
        + F.when(is_abroad, LATE_ABROAD).otherwise(0.0)
        + F.when(is_reason, LATE_AND_LAPSES).otherwise(0.0)
    )
    damaged = (
        F.lit(DAMAGED)
        + F.when(F.col("is_fragile"), DAMAGED_FRAGILE).otherwise(0.0)
        + F.when(is_reason, DAMAGED_AND_LAPSES).otherwise(0.0)
    )
    days = F.when(is_abroad, 4).otherwise(1) + chance.whole(0, 2, "days of delivery", "order_id")
    hours = F.lit(9) + 8 * chance.uniform("hour of delivery", "order_id")
    felt = (
        F.col("satisfaction")
        - F.when(F.col("was_late"), COST_OF_LATE).otherwise(0.0)
        - F.when(F.col("was_damaged"), COST_OF_DAMAGE).otherwise(0.0)
        - F.when(F.col("had_wrong_item"), COST_OF_WRONG_ITEM).otherwise(0.0)
        + F.lit(0.08) * chance.normal("experience", "order_id")
    )
    midnight = F.to_date("ordered_at").cast("timestamp")
    return (
        known.withColumns(
            {
                "was_late": is_web & chance.happens(late, "late", "order_id"),
                "was_damaged": chance.happens(F.when(is_web, damaged).otherwise(damaged / 3), "damaged", "order_id"),
                "had_wrong_item": is_web & chance.happens(WRONG_ITEM, "wrong item", "order_id"),
            }
        )
        .withColumn("days_late", F.when(F.col("was_late"), chance.whole(3, 12, "days late", "order_id")).otherwise(0))
        .withColumn(
            "delivered_at",
            F.when(is_web, later(midnight, (days + F.col("days_late")) * DAY + hours * HOUR)).otherwise(
                F.col("ordered_at")
            ),
        )
        .withColumn("experience", F.round(F.greatest(F.lit(0.0), F.least(F.lit(1.0), felt)), 4))
    )
