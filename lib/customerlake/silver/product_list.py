"""silver.product_list: products as the product feed describes them; typed from bronze.products by `silver/typed.py`.

silver.products is what lines of sales say of them.
"""

from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.bronze.sources import products
from customerlake.contracts.checks import NotNegative
from customerlake.contracts.quarantine import quarantine_table
from customerlake.contracts.table import Field
from customerlake.silver.cleaning.units import in_si
from customerlake.silver.typed import Typed, silver_table

PRODUCT_LIST = silver_table(
    products.PRODUCTS,
    "silver.product_list",
    checks=(NotNegative("list_price"), NotNegative("unit_cost"), NotNegative("weight")),
    more=(Field("weight_kg", T.DoubleType(), "weight of one unit; null where its unit is none", unit="kg"),),
)
REJECTED_PRODUCT_LIST = quarantine_table(PRODUCT_LIST)


def with_si_units(typed: Typed) -> Typed:
    """Adds: weight_kg."""
    return lambda received: received.transform(typed).withColumn(
        "weight_kg", in_si(F.col("weight"), F.col("weight_unit"), "weight")
    )
