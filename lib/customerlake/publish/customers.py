"""publish.customers: the customer table that people work with: customer_360 with the scores beside it."""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.contracts.table import Table
from customerlake.gold.customer_360 import CUSTOMER_360
from customerlake.models.churn import CHURN
from customerlake.models.lifetime_value import LIFETIME_VALUE
from customerlake.models.purchase_intent import PURCHASE_INTENT
from customerlake.models.segments import SEGMENTS

OF_SEGMENTS = ("segment_name",)
OF_INTENT = ("purchase_probability",)
OF_CHURN = ("churn_probability", "risk_band", "is_early_warning", "expected_loss")
OF_LIFETIME_VALUE = ("p_alive", "expected_purchases", "lifetime_value", "lifetime_value_low", "lifetime_value_high")

CUSTOMERS = Table(
    name="publish.customers",
    grain="one row per customer_id and as_of, over all customers with a line by then",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        *CUSTOMER_360.columns,
        *[column for column in SEGMENTS.columns if column.name in OF_SEGMENTS],
        *[column for column in CHURN.columns if column.name in OF_CHURN],
        *[column for column in LIFETIME_VALUE.columns if column.name in OF_LIFETIME_VALUE],
        *[column for column in PURCHASE_INTENT.columns if column.name in OF_INTENT],
    ),
)


def customers(
    customer_360: DataFrame,
    segments: DataFrame,
    churn: DataFrame,
    purchase_intent: DataFrame,
    lifetime_value: DataFrame,
    *,
    as_of: date,
) -> DataFrame:
    """Put the scores of `as_of` beside each customer; null where a customer is not scored (see each score's grain)."""
    of_day = F.col("as_of") == F.lit(as_of)
    return (
        customer_360.where(of_day)
        .join(segments.where(of_day).select("customer_id", *OF_SEGMENTS), on="customer_id", how="left")
        .join(churn.where(of_day).select("customer_id", *OF_CHURN), on="customer_id", how="left")
        .join(lifetime_value.where(of_day).select("customer_id", *OF_LIFETIME_VALUE), on="customer_id", how="left")
        .join(purchase_intent.where(of_day).select("customer_id", *OF_INTENT), on="customer_id", how="left")
        .transform(CUSTOMERS.conform)
    )
