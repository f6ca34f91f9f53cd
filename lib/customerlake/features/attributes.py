"""features.attributes: what a table of customers says of each on a day; and the outcome as label."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table

TEXT = T.StringType()

ATTRIBUTES = Table(
    name="features.attributes",
    grain="one row per customer_id and as_of",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", TEXT, "customer", personal="identify"),
        Field("as_of", T.DateType(), "the day on which the attributes were true"),
        Field("numbers", T.MapType(TEXT, T.DoubleType()), "attributes that are numbers", personal="analyse"),
        Field("categories", T.MapType(TEXT, TEXT), "attributes that are words", personal="analyse"),
        Field("has_outcome", T.BooleanType(), "the label: it happened; null when not known", personal="analyse"),
    ),
)


def attributes(customers: DataFrame) -> DataFrame:
    """The customers of silver.customer_attributes that the source still has. The outcome is no attribute."""
    return (
        customers.where(~F.coalesce("is_deleted", F.lit(False)))
        .withColumn("as_of", F.col("observed_on"))
        .transform(ATTRIBUTES.conform)
    )
