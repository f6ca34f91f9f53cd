"""gold.profile_statistics: how the customers of each group buy, in counts, means, spreads and quantiles."""

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY, Field, Table
from customerlake.gold.demographics import age_band
from customerlake.gold.dimensions import in_dimensions

PROFILE_STATISTICS = Table(
    name="gold.profile_statistics",
    grain="one row per dimension, value, attribute and as_of, over the customers with a purchase by then",
    key=("dimension", "value", "attribute", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("dimension", T.StringType(), "by what customers are grouped; all: one group of every customer"),
        Field("value", T.StringType(), "the group; unknown: nothing says which"),
        Field("attribute", T.StringType(), "column of another gold table that is described, in its unit"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("count_customers", T.LongType(), "customers of the group with a value"),
        Field("customers_share", T.DoubleType(), "of all customers with a value", unit="share"),
        Field("total", MONEY, "sum over customers", unit="of the attribute"),
        Field("mean", MONEY, "per customer", unit="of the attribute"),
        Field("sd", MONEY, "sample standard deviation; null with one customer", unit="of the attribute"),
        Field("min", MONEY, "lowest", unit="of the attribute"),
        Field("p5", MONEY, "what one in twenty is at or below", unit="of the attribute"),
        Field("p25", MONEY, "first quartile", unit="of the attribute"),
        Field("median", MONEY, "median", unit="of the attribute"),
        Field("p75", MONEY, "third quartile", unit="of the attribute"),
        Field("p95", MONEY, "what one in twenty is at or above", unit="of the attribute"),
        Field("max", MONEY, "highest", unit="of the attribute"),
    ),
)

DIMENSIONS = ("country", "region", "age_band", "sex", "segment", "income_band", "city_tier", "value_tier")
"""By what customers are grouped, as far as it is given; segment is that of gold.rfm."""

ATTRIBUTES = (
    "total_spend", "count_orders", "days_since_last_order", "frequency", "recency", "T", "monetary_value",
    "net_spend", "average_order_value", "spend_last_365_days", "count_returns", "returned_share",
    "count_purchase_days", "mean_days_between", "mean_basket_lines", "mean_basket_units", "mean_basket_amount",
    "count_distinct_products", "weekend_share", "main_channel_share", "returned_orders_share",
    "low_price_units_share", "category_entropy", "discounted_spend_share",
)  # fmt: skip
"""What is described: numbers of gold.rfm, customer_value, purchase_behaviour and segment_rules."""

QUANTILES = {"p5": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95}


def profile_statistics(
    rfm: DataFrame,
    customers: DataFrame,
    customer_value: DataFrame | None = None,
    purchase_behaviour: DataFrame | None = None,
    segment_rules: DataFrame | None = None,
    *,
    as_of: date,
) -> DataFrame:
    """Describe the customers of each group by each attribute, both as far as the tables given have them.

    Values are taken to four places, so that sums are exact. Quantiles lie between two values in proportion.
    A customer counts for the birth, sex and place that silver.customers now holds.
    """
    profiles = customer_profiles(rfm, customers, customer_value, purchase_behaviour, segment_rules, as_of=as_of)
    attributes = [name for name in ATTRIBUTES if name in profiles.columns]
    of_all = F.max(F.when(F.col("dimension") == "all", F.col("count_customers"))).over(Window.partitionBy("attribute"))
    return (
        profiles.transform(in_dimensions(*dimensions_of(profiles)))
        .groupBy("dimension", "value")
        .agg(*[described(name).alias(name) for name in attributes])
        .select("dimension", "value", F.explode(F.array(*attributes)).alias("said"))
        .select("dimension", "value", "said.*")
        .where(F.col("count_customers") > 0)
        .withColumns({"as_of": F.lit(as_of), "customers_share": F.col("count_customers") / of_all})
        .withColumns({name: F.col("quantiles")[place] for place, name in enumerate(QUANTILES)})
        .withColumns({name: meant(F.col(name)) for name in ("sd", *QUANTILES)})
        .transform(PROFILE_STATISTICS.conform)
    )


def customer_profiles(
    rfm: DataFrame,
    customers: DataFrame,
    customer_value: DataFrame | None,
    purchase_behaviour: DataFrame | None,
    segment_rules: DataFrame | None,
    *,
    as_of: date,
) -> DataFrame:
    """One row per customer with a purchase by `as_of`: the columns of its row in each table, side by side.

    Adds:    age_band, and segment, the rfm_segment. A region is named with its country, as two may share a name.
    """
    who = customers.select(
        "customer_id",
        "country",
        "sex",
        F.when(F.col("region").isNotNull(), F.concat_ws(", ", "region", "country")).alias("region"),
        age_band(as_of).alias("age_band"),
    )
    of_day = rfm.where(F.col("as_of") == F.lit(as_of)).withColumn("segment", F.col("rfm_segment"))
    profiles = of_day.join(who, on="customer_id", how="inner")
    for part in (customer_value, purchase_behaviour, segment_rules):
        if part is not None:
            added = [name for name in part.columns if name not in profiles.columns]
            rows = part.where(F.col("as_of") == F.lit(as_of)).select("customer_id", *added)
            profiles = profiles.join(rows, on="customer_id", how="left")
    return profiles


def dimensions_of(profiles: DataFrame) -> list[str]:
    return [name for name in DIMENSIONS if name in profiles.columns]


def described(name: str) -> Column:
    """Statistics of one column over the customers who have a value."""
    exact = meant(F.col(name)).cast(MONEY)
    value = exact.cast("double")
    total, count = F.sum(exact), F.count(exact)
    return F.struct(
        F.lit(name).alias("attribute"),
        count.alias("count_customers"),
        total.cast(MONEY).alias("total"),
        (total / F.nullif(count, F.lit(0))).cast(MONEY).alias("mean"),
        F.stddev_samp(value).alias("sd"),
        F.min(exact).alias("min"),
        F.percentile(value, F.array(*map(F.lit, QUANTILES.values()))).alias("quantiles"),
        F.max(exact).alias("max"),
    )


def meant(amount: Column) -> Column:
    """The decimal that a double stands for: as a double, 1.00005 is below the half; some engines round it down."""
    return amount.cast(T.DecimalType(28, 8))
