"""gold.profile_shares: how the customers of each group are spread over what has names in place of numbers."""

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.gold.dimensions import UNKNOWN, in_dimensions
from customerlake.gold.profile_statistics import customer_profiles, dimensions_of

PROFILE_SHARES = Table(
    name="gold.profile_shares",
    grain="one row per dimension, value, attribute, level and as_of, over the customers with a purchase by then",
    key=("dimension", "value", "attribute", "level", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("dimension", T.StringType(), "by what customers are grouped; all: one group of every customer"),
        Field("value", T.StringType(), "the group; unknown: nothing says which"),
        Field("attribute", T.StringType(), "column of another gold table"),
        Field("level", T.StringType(), "one of its values; unknown: it is null"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("count_customers", T.LongType(), "customers of the group at this level"),
        Field("customers_share", T.DoubleType(), "of the customers of the group", unit="share"),
    ),
)

ATTRIBUTES = (
    "country", "sex", "age_band", "rfm_segment", "main_channel", "is_migrated", "favourite_weekday",
    "income_band", "city_tier", "value_tier", "purchase_pattern", "is_discount_seeker", "is_returner",
    "channel_preference", "daypart_preference", "week_preference", "first_interest",
)  # fmt: skip
"""What is described: names of silver.customers, gold.rfm, purchase_behaviour and segment_rules."""


def profile_shares(
    rfm: DataFrame,
    customers: DataFrame,
    customer_value: DataFrame | None = None,
    purchase_behaviour: DataFrame | None = None,
    segment_rules: DataFrame | None = None,
    *,
    as_of: date,
) -> DataFrame:
    """Count the customers of each group at each level of each attribute, both as far as the tables given have them.

    Groups are those of gold.profile_statistics; the shares of an attribute's levels in a group sum to 1.
    Adds:    first_interest, the highest of interests, to the attributes.
    """
    profiles = customer_profiles(rfm, customers, customer_value, purchase_behaviour, segment_rules, as_of=as_of)
    if "interests" in profiles.columns:
        profiles = profiles.withColumn("first_interest", F.get("interests", F.lit(0))["category"])
    said = F.array(*[level(name) for name in ATTRIBUTES if name in profiles.columns])
    cell = ("dimension", "value", "attribute", "level")
    of_group = F.sum("count_customers").over(Window.partitionBy("dimension", "value", "attribute"))
    return (
        profiles.withColumn("said", said)
        .transform(in_dimensions(*dimensions_of(profiles)))
        .select("dimension", "value", F.explode("said").alias("said"))
        .select("dimension", "value", "said.*")
        .groupBy(*cell)
        .agg(F.count("*").alias("count_customers"))
        .withColumns({"as_of": F.lit(as_of), "customers_share": F.col("count_customers") / of_group})
        .transform(PROFILE_SHARES.conform)
    )


def level(name: str) -> Column:
    """What a customer's row says of one attribute."""
    return F.struct(
        F.lit(name).alias("attribute"), F.coalesce(F.col(name).cast("string"), F.lit(UNKNOWN)).alias("level")
    )
