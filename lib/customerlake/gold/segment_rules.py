"""gold.segment_rules: the segments that plain rules put each customer in: who, where, what for, and how it buys."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY, Field, Table
from customerlake.gold.interests import interests
from customerlake.gold.purchase_behaviour import local_hour, most_frequent, products_bought, unknown
from customerlake.gold.rfm import purchases_until
from customerlake.gold.usual_prices import price_paid, with_usual_prices
from customerlake.silver.cleaning.dates import OLDEST

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
    Field("interests", INTERESTS, "categories that it views, buys and reads of, highest share first", unit="share"),
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


@dataclass(frozen=True)
class Thresholds:
    """What the rules hold a customer against. Shares are 0..1; hours are those of the clocks of `time_zone`."""

    age_borders: tuple[int, ...] = (18, 25, 35, 45, 55, 65)  # years at which a band begins
    middle_income: tuple[float, float] = (0.75, 2.0)  # of the median
    income_fence: float = 3.0  # distances between the quartiles, of logarithms
    large_city: float = 0.05  # of the customers whose city is known
    medium_city: float = 0.01
    heavy_spend: float = 0.8  # at or above what this share of buyers spends
    medium_spend: float = 0.5
    interests: int = 3  # at most
    least_interest: float = 0.1
    no_interests: tuple[str, ...] = ("other",)  # categories that say nothing of a person
    regular_purchase_days: int = 4
    regular_every_days: float = 90.0
    discount_depth: float = 0.05  # below the usual price
    discount_seeker: float = 0.5
    campaign_days: int = 14  # of a campaign without a last day
    returner: float = 0.1
    main_channel: float = 0.7
    weekend: float = 0.5
    dayparts: tuple[int, int, int, int] = (5, 12, 17, 22)  # hours at which morning, afternoon, evening, night begin
    habit_orders: int = 2  # fewer make no preference


THRESHOLDS = Thresholds()
DAYPARTS = ("morning", "afternoon", "evening", "night")
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


def age_band(as_of: date, borders: tuple[int, ...] = THRESHOLDS.age_borders) -> Column:
    """Band of the full years since birth_on; null for an age that no person has. Who is born on 29 February ages on
    1 March of other years."""
    has_birthday_to_come = F.month("birth_on") * 100 + F.dayofmonth("birth_on") > as_of.month * 100 + as_of.day
    age = F.lit(as_of.year) - F.year("birth_on") - has_birthday_to_come.cast("int")
    band = F.when(~age.between(0, OLDEST - 1), F.lit(None).cast("string")).when(age < borders[0], f"under {borders[0]}")
    for low, high in pairwise(borders):
        band = band.when(age < high, f"{low}-{high - 1}")
    return band.when(age >= borders[-1], f"{borders[-1]} and over")


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


def is_income_outlying(fence: float = THRESHOLDS.income_fence) -> Column:
    """Beyond the quartiles of logarithms by `fence` times the distance between them, or not above zero."""
    first, third = F.col("income_quartiles")[0], F.col("income_quartiles")[2]
    reach, logarithm = fence * (third - first), log_income()
    is_far = (third > first) & ((logarithm < first - reach) | (logarithm > third + reach))
    return F.when(F.col("income") <= 0, F.lit(True)).when(F.col("income").isNotNull(), is_far)


def income_band(low: float = THRESHOLDS.middle_income[0], high: float = THRESHOLDS.middle_income[1]) -> Column:
    """middle: from `low` to `high` times the median."""
    to_median = F.col("income").cast("double") / F.col("median_income")
    return F.when(to_median < low, "low").when(to_median <= high, "middle").when(to_median > high, "high")


def city_tier(large: float = THRESHOLDS.large_city, medium: float = THRESHOLDS.medium_city) -> Column:
    share = F.col("residents") / F.nullif("all_residents", F.lit(0))
    return F.when(share >= large, "large").when(share >= medium, "medium").when(share.isNotNull(), "small")


def value_tier() -> Column:
    spend = F.col("gross_spend")
    return (
        F.when(spend >= F.col("heavy_spend"), "heavy")
        .when(spend >= F.col("medium_spend"), "medium")
        .when(spend.isNotNull(), "light")
    )


def log_income() -> Column:
    return F.log(F.when(F.col("income") > 0, F.col("income").cast("double")))


def place() -> Column:
    """City and country, however capitals are set; null without a city."""
    return F.when(
        F.col("city").isNotNull(), F.concat_ws("\u001f", F.lower("city"), F.lower(F.coalesce("country", F.lit(""))))
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


def residents(own: DataFrame) -> DataFrame:
    return own.where(F.col("place").isNotNull()).groupBy("place").agg(F.count("*").alias("residents"))


def profiles(crm_profiles: DataFrame | None, as_of: date) -> Callable[[DataFrame], DataFrame]:
    """One row per customer whom the CRM knew by `as_of`: income by the newest profile not changed since then."""

    def profiled(customers: DataFrame) -> DataFrame:
        if crm_profiles is None:
            return customers.transform(unknown(is_profiled="boolean", income="decimal(18,4)"))
        states_income = F.col("income").isNotNull() & (F.to_date("updated_at") <= F.lit(as_of))
        newest = F.max(F.when(states_income, F.struct("updated_at", "profile_id", "income")))
        return (
            crm_profiles.where(F.col("customer_id").isNotNull() & ~F.col("is_deleted"))
            .where(F.to_date(F.coalesce("created_at", "updated_at")) <= F.lit(as_of))
            .groupBy("customer_id")
            .agg(F.lit(True).alias("is_profiled"), newest.alias("newest"))
            .select("customer_id", "is_profiled", F.col("newest.income").alias("income"))
        )

    return profiled


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
