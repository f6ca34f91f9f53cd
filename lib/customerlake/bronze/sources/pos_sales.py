"""The point-of-sale feed: lines of receipts from the tills."""

from pyspark.sql import types as T

from customerlake.bronze.sources.sales import LINE
from customerlake.contracts.source import Received, Source, bronze_table

TEXT = T.StringType()

POS_SALES = Source(
    feed="pos_sales",
    grain="one record per line of an order",
    key=(),
    at="ordered_at",
    is_event=True,
    columns=(
        *LINE,
        Received("store_id", TEXT, "the store", is_optional=True),
        Received("payment_method", TEXT, "cash, card and the like", personal="analyse", is_optional=True),
    ),
)

BRONZE = bronze_table(POS_SALES)
