"""publish.early_warning: who is about to leave, what is at stake, and why."""

from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.models.churn import CHURN
from customerlake.publish.customers import CUSTOMERS

FROM_CUSTOMERS = ("country", "segment_name", "rfm_segment", "days_since_last_order", "expected_next_on",
                  "count_orders", "total_spend", "average_order_value")  # fmt: skip
FROM_CHURN = ("churn_probability", "risk_band", "expected_loss", "top_reasons", "horizon_days")

EARLY_WARNING = Table(
    name="publish.early_warning",
    grain="one row per customer_id and as_of, over the customers with an early warning",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("rank", T.IntegerType(), "1: most to lose"),
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "date of the warning"),
        *[column for name in FROM_CHURN for column in CHURN.columns if column.name == name],
        *[column for name in FROM_CUSTOMERS for column in CUSTOMERS.columns if column.name == name],
    ),
)


def early_warning(customers: DataFrame, churn: DataFrame, *, as_of: date) -> DataFrame:
    """The warned customers of `as_of`, the highest expected loss first."""
    of_day = F.col("as_of") == F.lit(as_of)
    most_first = Window.orderBy(F.desc("expected_loss"), F.asc("customer_id"))  # a list that people read: small
    return (
        churn.where(of_day & F.col("is_early_warning"))
        .select("customer_id", "as_of", *FROM_CHURN)
        .join(customers.where(of_day).select("customer_id", *FROM_CUSTOMERS), on="customer_id", how="inner")
        .withColumn("rank", F.row_number().over(most_first))
        .transform(EARLY_WARNING.conform)
    )
