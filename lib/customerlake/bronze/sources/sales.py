"""The sales feed: lines of sales, whatever the channel."""

from pyspark.sql import types as T

from customerlake.contracts.source import Received, Source, bronze_table
from customerlake.contracts.table import MONEY

TEXT = T.StringType()

LINE = (
    Received(
        "order_id", TEXT, "receipt or order; a cancellation when it starts with the feed's prefix", is_required=True
    ),
    Received("product_id", TEXT, "stock code, or a code for postage, discount and the like", is_required=True),
    Received("description", TEXT, "what the product is called"),
    Received(
        "quantity",
        T.IntegerType(),
        "units of the product; negative when taken back",
        unit="units",
        is_required=True,
    ),
    Received("ordered_at", T.TimestampType(), "when, in the feed's time zone and format", unit="UTC"),
    Received("unit_price", MONEY, "price of one unit", unit="currency of the line", is_required=True),
    Received(
        "customer_id", TEXT, "the shop's number of the customer; empty for a sale without one", personal="identify"
    ),
    Received("country", TEXT, "country of the customer", personal="analyse"),
    Received(
        "amount",
        MONEY,
        "of the line, in place of the price of one unit",
        unit="currency of the line",
        is_optional=True,
    ),
    Received("currency", TEXT, "ISO 4217 code; without it the lake's", is_code=True, is_optional=True),
)
"""What every feed of sales says of a line; `sales` nothing else."""

SALES = Source(
    feed="sales",
    grain="one record per line of an order",
    key=(),
    at="ordered_at",
    is_event=True,
    columns=LINE,
)

BRONZE = bronze_table(SALES)
