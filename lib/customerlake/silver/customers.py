"""silver.customers: one row per customer number of the shop."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table

CUSTOMERS = Table(
    name="silver.customers",
    grain="one row per customer_id",
    key=("customer_id",),
    columns=(
        Field("customer_id", T.StringType(), "the shop's number of the customer", personal="identify"),
        Field("country", T.StringType(), "country on the newest line", personal="analyse"),
        Field("country_from_order_line_id", T.StringType(), "the line that said so"),
        Field("country_since", T.TimestampType(), "instant of that line", unit="UTC"),
        Field("first_seen_on", T.DateType(), "day of the first line, sale or return"),
        Field("last_seen_on", T.DateType(), "day of the last line, sale or return"),
        Field("_batch", T.LongType(), "landing that last brought a line of the customer"),
    ),
)


def customers(order_lines: DataFrame) -> DataFrame:
    """Sum up what lines say of their customers; the newest line tells the country. Anonymous lines tell nothing.

    Takes any set of lines: the result is merged into the known customers by NEWER_SURVIVES, in any order of arrival.
    """
    newest = F.max(F.struct("ordered_at", "order_line_id", "country"))
    return (
        order_lines.where(F.col("customer_id").isNotNull())
        .groupBy("customer_id")
        .agg(
            newest.alias("newest"),
            F.min("ordered_on").alias("first_seen_on"),
            F.max("ordered_on").alias("last_seen_on"),
            F.max("_batch").alias("_batch"),
        )
        .withColumns(
            {
                "country": F.col("newest.country"),
                "country_from_order_line_id": F.col("newest.order_line_id"),
                "country_since": F.col("newest.ordered_at"),
            }
        )
        .transform(CUSTOMERS.conform)
    )


_NEWER = (
    "struct(arrived.country_since, arrived.country_from_order_line_id) > "
    "struct(known.country_since, known.country_from_order_line_id)"
)
NEWER_SURVIVES = {
    name: f"CASE WHEN {_NEWER} THEN arrived.{name} ELSE known.{name} END"
    for name in ("country", "country_from_order_line_id", "country_since")
} | {
    "first_seen_on": "least(known.first_seen_on, arrived.first_seen_on)",
    "last_seen_on": "greatest(known.last_seen_on, arrived.last_seen_on)",
    "_batch": "greatest(known._batch, arrived._batch)",
}
"""How a known customer takes in what later lines say. Taking the same lines in again changes nothing."""
