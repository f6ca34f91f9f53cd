"""silver.products: one row per product."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY, Field, Table

PRODUCTS = Table(
    name="silver.products",
    grain="one row per product_id of a product; postage, fees and the like are no products",
    key=("product_id",),
    columns=(
        Field("product_id", T.StringType(), "stock code in capitals"),
        Field(
            "description", T.StringType(), "name on the newest sale; on the newest other line when it was never sold"
        ),
        Field("unit_price", MONEY, "price on that line", unit="currency"),
        Field("is_sold", T.BooleanType(), "it was sold for money at least once"),
        Field("described_at", T.TimestampType(), "instant of the line that names it", unit="UTC"),
        Field("described_by_order_line_id", T.StringType(), "that line"),
        Field("first_seen_on", T.DateType(), "day of its first line"),
        Field("last_seen_on", T.DateType(), "day of its last line"),
        Field("_batch", T.LongType(), "landing that last brought a line of the product"),
    ),
)


def products(order_lines: DataFrame) -> DataFrame:
    """Sum up what lines say of their products. Lines of sales go before others, whose texts are notes of the warehouse.

    Takes any set of lines: the result is merged into the known products by BETTER_SURVIVES, in any order of arrival.
    """
    says = F.struct(
        "is_sale",
        F.col("description").isNotNull().alias("is_named"),
        "ordered_at",
        "order_line_id",
        "description",
        "unit_price",
    )
    return (
        order_lines.where(F.col("line_kind").isin("product", "adjustment"))
        .groupBy("product_id")
        .agg(
            F.max(says).alias("best"),
            F.min("ordered_on").alias("first_seen_on"),
            F.max("ordered_on").alias("last_seen_on"),
            F.max("_batch").alias("_batch"),
        )
        .withColumns(
            {
                "description": F.col("best.description"),
                "unit_price": F.col("best.unit_price"),
                "is_sold": F.col("best.is_sale"),
                "described_at": F.col("best.ordered_at"),
                "described_by_order_line_id": F.col("best.order_line_id"),
            }
        )
        .transform(PRODUCTS.conform)
    )


_RANK = "struct({0}.is_sold, {0}.description IS NOT NULL, {0}.described_at, {0}.described_by_order_line_id)"
_BETTER = f"{_RANK.format('arrived')} > {_RANK.format('known')}"
BETTER_SURVIVES = {
    name: f"CASE WHEN {_BETTER} THEN arrived.{name} ELSE known.{name} END"
    for name in ("description", "unit_price", "is_sold", "described_at", "described_by_order_line_id")
} | {
    "first_seen_on": "least(known.first_seen_on, arrived.first_seen_on)",
    "last_seen_on": "greatest(known.last_seen_on, arrived.last_seen_on)",
    "_batch": "greatest(known._batch, arrived._batch)",
}
"""How a known product takes in what later lines say. Taking the same lines in again changes nothing."""
