"""gold.segment_rules: the segments that plain rules put each customer in: who, where, what for, and how it buys."""

from collections.abc import Callable
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY, Field, Table
from customerlake.gold.buying_habits import (
    campaign_windows,
    channel_preference,
    discounted_spend,
    favourite_daypart,
    purchase_pattern,
    week_preference,
)
from customerlake.gold.demographics import (
    age_band,
    city_tier,
    income_band,
    is_income_outlying,
    log_income,
    place,
    profiles,
    residents,
)
from customerlake.gold.interests import interests
from customerlake.gold.purchase_behaviour import products_bought
from customerlake.gold.rfm import purchases_until
from customerlake.gold.segment_thresholds import THRESHOLDS, Thresholds

INTERESTS = T.ArrayType(
    T.StructType([T.StructField("category", T.StringType()), T.StructField("share", T.DoubleType())])
)

OWN = (
    Field("customer_id", T.StringType(), "customer", personal="identify"),
    Field("as_of", T.DateType(), "last day of the observation period"),
    Field("age_band", T.StringType(), "full years on as_of: under 18, 18-24, ..., 65 and over", personal="analyse"),
    Field("sex", T.StringType(), "female, male or other", personal="analyse"),
    Field("country", T.StringType(), "country of the customer", personal="analyse"),
    Field("region", T.StringType(), "state, county or province", personal="analyse"),
    Field("city", T.StringType(), "city", personal="analyse"),
    Field(
        "interests", INTERESTS, "categories that it views, buys, reads and writes of, highest share first", unit="share"
    ),
    Field("purchase_pattern", T.StringType(), "regular or occasional; null without a purchase"),
    Field(
        "discounted_spend_share",
        T.DoubleType(),
        "spend on products clearly below their usual price or in a discount campaign; null where nothing tells",
        unit="share",
    ),
    Field("is_discount_seeker", T.BooleanType(), "most is bought so; null where nothing tells, or too few orders"),
    Field("is_returner", T.BooleanType(), "much of what it spent was given back; null without spend"),
    Field("channel_preference", T.StringType(), "channel of most orders, or several; null with too few orders"),
    Field("daypart_preference", T.StringType(), "part of the day of most orders; null with too few orders"),
    Field("week_preference", T.StringType(), "weekend or weekday; null with too few orders"),
)
"""What a customer's own rows say."""

OWN_SEGMENTS = Table(
    name="gold.own_segments",
    grain="one row per customer_id and as_of; customers not heard of by then are absent",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        *OWN,
        Field("income", MONEY, "yearly household income as stated", unit="lake's currency", personal="analyse"),
        Field("gross_spend", MONEY, "spend over all orders, before returns; null without an order", unit="currency"),
    ),
)
"""The rows that `segment_rules` sets against each other."""

SEGMENT_RULES = Table(
    name="gold.segment_rules",
    grain=OWN_SEGMENTS.grain,
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        *OWN,
        Field(
            "income_band",
            T.StringType(),
            "low, middle or high against the median; null when outlying or not known",
            personal="analyse",
        ),
        Field(
            "is_income_outlying",
            T.BooleanType(),
            "so far from the others that it is likely wrong; null when not known",
            personal="analyse",
        ),
        Field("city_tier", T.StringType(), "large, medium or small, by the share of customers who live there"),
        Field("value_tier", T.StringType(), "heavy, medium or light by gross_spend; null without a purchase"),
    ),
)


OF_CUSTOMER = ("customer_id", "birth_on", "sex", "country", "region", "city", "first_seen_on")
OF_VALUE = ("customer_id", "returned_share", "count_orders", "gross_spend")
OF_BEHAVIOUR = (
    "customer_id", "count_purchase_days", "mean_days_between", "main_channel", "main_channel_share", "weekend_share",
)  # fmt: skip


def own_segments(
    customers: DataFrame,
    orders: DataFrame,
    order_lines: DataFrame,
    customer_value: DataFrame,
    purchase_behaviour: DataFrame,
    *,
    crm_profiles: DataFrame | None = None,
    product_list: DataFrame | None = None,
    web_events: DataFrame | None = None,
    email_events: DataFrame | None = None,
    survey_answers: DataFrame | None = None,
    usual_prices: DataFrame | None = None,
    campaigns: DataFrame | None = None,
    campaign_members: DataFrame | None = None,
    as_of: date,
    time_zone: str = "UTC",
    thresholds: Thresholds = THRESHOLDS,
) -> DataFrame:
    """Segment each customer by its own rows up to and including `as_of`: the first of two steps.

    A customer is there once a line, a CRM profile or an interest tells of it. Birth, sex and place are those that
    silver.customers now holds. A column is null without the feed that it is made of: interests need product_list;
    discounts need usual_prices (of purchase_behaviour), or campaigns and their members.
    """
    deals = campaign_windows(campaigns, campaign_members, as_of, thresholds.campaign_days)
    products = order_lines.transform(products_bought(as_of))
    parts = [
        customer_value.where(F.col("as_of") == F.lit(as_of)).select(*OF_VALUE),
        purchase_behaviour.where(F.col("as_of") == F.lit(as_of)).select(*OF_BEHAVIOUR),
        orders.transform(purchases_until(as_of)).transform(favourite_daypart(time_zone, thresholds.dayparts)),
        products.transform(discounted_spend(usual_prices, deals, thresholds.discount_depth)),
        products.transform(
            interests(
                product_list,
                web_events,
                email_events,
                survey_answers,
                as_of,
                most=thresholds.interests,
                least_share=thresholds.least_interest,
                left_out=thresholds.no_interests,
            )
        ),
        customers.transform(profiles(crm_profiles, as_of)),
    ]
    known = customers.select(*OF_CUSTOMER)
    for part in parts:
        known = known.join(part, on="customer_id", how="left")
    is_seen = F.coalesce(F.col("first_seen_on") <= F.lit(as_of), F.lit(False))
    return (
        known.where(is_seen | F.col("is_profiled").isNotNull() | F.col("interests").isNotNull())
        .withColumns({"as_of": F.lit(as_of)} | rules_of_one(as_of, thresholds))
        .transform(OWN_SEGMENTS.conform)
    )


def rules_of_one(as_of: date, limits: Thresholds) -> dict[str, Column]:
    """The rules that look at one customer alone."""
    has_habit = F.col("count_orders") >= limits.habit_orders
    return {
        "age_band": age_band(as_of, limits.age_borders),
        "purchase_pattern": purchase_pattern(limits.regular_purchase_days, limits.regular_every_days),
        "is_discount_seeker": F.when(has_habit, F.col("discounted_spend_share") >= limits.discount_seeker),
        "is_returner": F.col("returned_share") >= limits.returner,
        "channel_preference": F.when(has_habit, channel_preference(limits.main_channel)),
        "daypart_preference": F.when(has_habit, F.col("daypart")),
        "week_preference": F.when(has_habit, week_preference(limits.weekend)),
        "gross_spend": F.when(F.col("count_orders") > 0, F.col("gross_spend")),
    }


def segment_rules(own_segments: DataFrame, *, as_of: date, thresholds: Thresholds = THRESHOLDS) -> DataFrame:
    """Add what only all customers together can say to the rows of `own_segments`: the second of two steps.

    Adds:    income_band, is_income_outlying, city_tier, value_tier. All customers of `as_of` are to be among the rows.
    Source:  income bands: OECD (2019), "Under pressure: the squeezed middle class", 75% to 200% of the median;
             outlying: Tukey (1977), "Exploratory data analysis", the outer fences, of logarithms as incomes are skew;
             value tiers: Twedt (1964), "How important to marketing strategy is the 'heavy user'?", J. Marketing 28(1).
    """
    own = own_segments.where(F.col("as_of") == F.lit(as_of)).withColumn("place", place())
    levels = own.transform(population_levels(thresholds))
    return (
        own.join(F.broadcast(levels), how="cross")
        .join(own.transform(residents), on="place", how="left")
        .withColumn("is_income_outlying", is_income_outlying(thresholds.income_fence))
        .withColumns(
            {
                "income_band": F.when(~F.col("is_income_outlying"), income_band(*thresholds.middle_income)),
                "city_tier": city_tier(thresholds.large_city, thresholds.medium_city),
                "value_tier": value_tier(),
            }
        )
        .transform(SEGMENT_RULES.conform)
    )


def value_tier() -> Column:
    spend = F.col("gross_spend")
    return (
        F.when(spend >= F.col("heavy_spend"), "heavy")
        .when(spend >= F.col("medium_spend"), "medium")
        .when(spend.isNotNull(), "light")
    )


def population_levels(limits: Thresholds) -> Callable[[DataFrame], DataFrame]:
    """One row: what spend makes a tier, the quartiles and median of incomes, how many customers' city is known."""
    spend = F.percentile(
        F.col("gross_spend").cast("double"), F.array(*map(F.lit, (limits.heavy_spend, limits.medium_spend)))
    )
    is_income = F.col("income") > 0
    return lambda own: own.agg(
        F.percentile(log_income(), F.array(*map(F.lit, (0.25, 0.5, 0.75)))).alias("income_quartiles"),
        F.median(F.when(is_income, F.col("income").cast("double"))).alias("median_income"),
        spend.alias("spend"),
        F.count("place").alias("all_residents"),
    ).select(
        "income_quartiles",
        "median_income",
        "all_residents",
        # to the places that amounts have, so that the last digit of a product of fractions does not show
        F.col("spend")[0].cast(MONEY).alias("heavy_spend"),
        F.col("spend")[1].cast(MONEY).alias("medium_spend"),
    )
