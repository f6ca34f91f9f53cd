"""silver.identities: which customer each record is of."""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table

IDENTITIES = Table(
    name="silver.identities",
    grain="one row per record of a person in one source",
    key=("source", "source_record_id"),
    columns=(
        Field("source", T.StringType(), "who has the record"),
        Field("source_record_id", T.StringType(), "the source's number of it", personal="identify"),
        Field("customer_id", T.StringType(), "the customer it is of", personal="identify"),
        Field(
            "match_probability",
            T.DoubleType(),
            "of its strongest link within the customer; 1 by number or decision, null without a link",
            unit="share",
        ),
        Field("record_id", T.LongType(), "a number made of source and source_record_id"),
        Field("component_id", T.LongType(), "records that links connect, also where two people keep them apart"),
        Field("_batch", T.LongType(), "write of this table that last changed it"),
    ),
    statistics_on=("_batch",),
)


def of_number(identities: DataFrame, number: str = "customer_id") -> Callable[[DataFrame], DataFrame]:
    """Rows that name the shop's number of a customer -> the same under the customer that it is of.

    Adds: customer_id, in place of the number where that is what it is called. A number that no record resolves stands
    for itself, and where none is named there is no customer.
    """
    return of_record(identities, "shop", F.col(number), otherwise=F.col(number))


def of_record(
    identities: DataFrame, source: str, record: Column, *, otherwise: Column | None = None
) -> Callable[[DataFrame], DataFrame]:
    """Rows that are of a record of `source` -> the same with the record's customer as customer_id.

    Where no customer is known, `otherwise`, or nobody.
    """
    known = identities.where(F.col("source") == source).select(
        F.col("source_record_id").alias("_record"), F.col("customer_id").alias("_customer")
    )
    unknown = F.lit(None).cast("string") if otherwise is None else otherwise
    return lambda rows: (
        rows.withColumn("_of", record)
        .join(known, on=F.col("_of") == F.col("_record"), how="left")
        .withColumn("customer_id", F.coalesce(F.col("_customer"), unknown))
        .drop("_of", "_record", "_customer")
    )
