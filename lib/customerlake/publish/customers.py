"""publish.customers: the customer table that people work with: customer_360 with the scores beside it."""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.contracts.table import Table
from customerlake.gold.customer_360 import CUSTOMER_360
from customerlake.models.churn import CHURN
from customerlake.models.segments import SEGMENTS

OF_SEGMENTS = ("segment_name",)
OF_CHURN = ("churn_probability", "risk_band", "is_early_warning", "expected_loss")

CUSTOMERS = Table(
    name="publish.customers",
    grain="one row per customer_id and as_of, over all customers with a line by then",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        *CUSTOMER_360.columns,
        *[column for column in SEGMENTS.columns if column.name in OF_SEGMENTS],
        *[column for column in CHURN.columns if column.name in OF_CHURN],
    ),
)


def customers(customer_360: DataFrame, segments: DataFrame, churn: DataFrame, *, as_of: date) -> DataFrame:
    """Put the scores of `as_of` beside each customer; null where a customer is not scored (see each score's grain)."""
    of_day = F.col("as_of") == F.lit(as_of)
    return (
        customer_360.where(of_day)
        .join(segments.where(of_day).select("customer_id", *OF_SEGMENTS), on="customer_id", how="left")
        .join(churn.where(of_day).select("customer_id", *OF_CHURN), on="customer_id", how="left")
        .transform(CUSTOMERS.conform)
    )
