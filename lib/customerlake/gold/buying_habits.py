"""How a customer buys, for gold.segment_rules: how regularly, where, when, and whether on deals."""

from collections.abc import Callable
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.gold.purchase_behaviour import local_hour, most_frequent, unknown
from customerlake.gold.segment_thresholds import THRESHOLDS
from customerlake.gold.usual_prices import price_paid, with_usual_prices

DAYPARTS = ("morning", "afternoon", "evening", "night")


def purchase_pattern(
    purchase_days: int = THRESHOLDS.regular_purchase_days, every_days: float = THRESHOLDS.regular_every_days
) -> Column:
    """regular: bought on so many days, and so often on average from the first to the last of them."""
    is_regular = (F.col("count_purchase_days") >= purchase_days) & (F.col("mean_days_between") <= every_days)
    return F.when(F.col("count_purchase_days").isNotNull(), F.when(is_regular, "regular").otherwise("occasional"))


def channel_preference(share: float = THRESHOLDS.main_channel) -> Column:
    return F.when(F.col("main_channel_share") >= share, F.col("main_channel")).when(
        F.col("main_channel_share").isNotNull(), "several"
    )


def week_preference(share: float = THRESHOLDS.weekend) -> Column:
    return F.when(F.col("weekend_share") >= share, "weekend").when(F.col("weekend_share").isNotNull(), "weekday")


def favourite_daypart(
    time_zone: str, begins: tuple[int, int, int, int] = THRESHOLDS.dayparts
) -> Callable[[DataFrame], DataFrame]:
    """One row per customer: the part of the day with most orders, the earlier of the day on a tie."""
    hour = local_hour(time_zone)
    part = F.when(hour < begins[0], 4).when(hour < begins[1], 1).when(hour < begins[2], 2).when(hour < begins[3], 3)
    names = F.array(*map(F.lit, DAYPARTS))
    return lambda purchases: purchases.transform(most_frequent("daypart", part.otherwise(4))).withColumn(
        "daypart", F.element_at(names, F.col("daypart"))
    )


def campaign_windows(
    campaigns: DataFrame | None, members: DataFrame | None, as_of: date, days: int = THRESHOLDS.campaign_days
) -> DataFrame | None:
    """One row per customer whom a campaign offered a discount by `as_of`: windows, an array of first and last days."""
    if campaigns is None or members is None:
        return None
    discounts = campaigns.where(~F.col("is_deleted") & (F.col("discount_share") > 0)).select(
        "campaign_id", "started_on", F.coalesce("ended_on", F.date_add("started_on", days - 1)).alias("ended_on")
    )
    treated = (F.col("test_group") == "treated") & ~F.col("is_deleted") & F.col("customer_id").isNotNull()
    return (
        members.where(treated & (F.to_date("assigned_at") <= F.lit(as_of)))
        .join(discounts, on="campaign_id", how="inner")
        .groupBy("customer_id")
        .agg(F.collect_list(F.struct("started_on", "ended_on")).alias("windows"))
    )


def discounted_spend(
    usual_prices: DataFrame | None, deals: DataFrame | None, depth: float = THRESHOLDS.discount_depth
) -> Callable[[DataFrame], DataFrame]:
    """One row per customer: of the spend on products of which it can be told, the share that was bought on a deal.

    A deal is a price at least `depth` below the usual one, or a day within a campaign that offered the customer a
    discount. It can be told of a product with a usual price, and of every one where only campaigns are known.
    """
    is_cheap = price_paid().cast("double") <= F.col("usual_price") * (1 - depth)
    is_judged = F.col("usual_price").isNotNull() if usual_prices is not None else F.lit(True)
    is_in_window = F.exists("windows", lambda w: F.col("ordered_on").between(w["started_on"], w["ended_on"]))
    is_deal = F.coalesce(is_in_window, F.lit(False)) if deals is not None else F.lit(False)

    def spend(products: DataFrame) -> DataFrame:
        if usual_prices is None and deals is None:
            return products.transform(unknown(discounted_spend_share="double"))
        priced = (
            products.withColumn("usual_price", F.lit(None).cast("double"))
            if usual_prices is None
            else products.transform(with_usual_prices(usual_prices))
        )
        by_day = priced.groupBy("customer_id", "ordered_on").agg(
            F.sum("amount").alias("all_spend"),
            F.sum(F.when(is_judged, F.col("amount")).otherwise(0)).alias("judged"),
            F.sum(F.when(is_cheap, F.col("amount")).otherwise(0)).alias("cheap"),
        )
        known = by_day if deals is None else by_day.join(deals, on="customer_id", how="left")
        on_deal = F.sum(F.when(is_deal, F.col("all_spend")).otherwise(F.col("cheap"))).cast("double")
        judged = F.sum(F.when(is_deal, F.col("all_spend")).otherwise(F.col("judged"))).cast("double")
        return known.groupBy("customer_id").agg(
            (on_deal / F.nullif(judged, F.lit(0.0))).alias("discounted_spend_share")
        )

    return spend
