"""gold.lifecycle_transitions: how many customers went from which stage to which in each month."""

from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table

LIFECYCLE_TRANSITIONS = Table(
    name="gold.lifecycle_transitions",
    grain="one row per pair of stages that a customer went between, month and as_of",
    key=("from_stage", "to_stage", "month", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("from_stage", T.StringType(), "stage at the end of the month before; newcomer: not seen by then"),
        Field("to_stage", T.StringType(), "stage at the end of the month, in the last month on as_of; may be the same"),
        Field("month", T.DateType(), "first day of the month"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("is_whole_month", T.BooleanType(), "as_of is not before the month's last day"),
        Field("count_customers", T.LongType(), "customers who went that way"),
        Field("share", T.DoubleType(), "of the customers of from_stage in the month", unit="share"),
    ),
)

NEWCOMER = "newcomer"


def lifecycle_transitions(lifecycle: DataFrame, *, as_of: date) -> DataFrame:
    """Count the customers of gold.lifecycle by pair of stages. Pairs that nobody went are absent.

    All customers of a month's end are found again in the next month's rows, each in one; newcomers come on top.
    """
    of_stage = F.sum("count_customers").over(Window.partitionBy("month", "from_stage"))
    return (
        lifecycle.where(F.col("as_of") == F.lit(as_of))
        .groupBy(
            F.coalesce("previous_stage", F.lit(NEWCOMER)).alias("from_stage"), F.col("stage").alias("to_stage"), "month"
        )
        .agg(F.count("*").alias("count_customers"))
        .withColumns(
            {
                "as_of": F.lit(as_of),
                "is_whole_month": F.last_day("month") <= F.lit(as_of),
                "share": F.col("count_customers") / of_stage,
            }
        )
        .transform(LIFECYCLE_TRANSITIONS.conform)
    )
