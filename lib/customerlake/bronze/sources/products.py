"""The product feed: what is sold."""

from pyspark.sql import types as T

from customerlake.contracts.source import Received, Source, bronze_table
from customerlake.contracts.table import MONEY

TEXT = T.StringType()

PRODUCTS = Source(
    feed="products",
    grain="one record per state of a product",
    key=("product_id",),
    at="updated_at",
    is_event=False,
    columns=(
        Received("product_id", TEXT, "stock code"),
        Received("name", TEXT, "what it is called", is_required=True),
        Received("category", TEXT, "group of products", is_optional=True),
        Received("brand", TEXT, "brand", is_optional=True),
        Received("list_price", MONEY, "price before discounts", unit="currency of the record", is_optional=True),
        Received("unit_cost", MONEY, "what one unit costs the shop", unit="currency of the record", is_optional=True),
        Received("currency", TEXT, "ISO 4217 code; without it the lake's", is_code=True, is_optional=True),
        Received("weight", T.DoubleType(), "of one unit, in weight_unit", unit="weight_unit", is_optional=True),
        Received(
            "weight_unit",
            TEXT,
            "kg, g, lb or oz",
            is_code=True,
            one_of=(
                "kg",
                "g",
                "lb",
                "oz",
            ),
            is_optional=True,
        ),
        Received("updated_at", T.TimestampType(), "when the record last changed", unit="UTC"),
    ),
)

BRONZE = bronze_table(PRODUCTS)
