"""The web shop feed: lines of orders."""

from pyspark.sql import types as T

from customerlake.bronze.sources.sales import LINE
from customerlake.contracts.source import Received, Source, bronze_table

TEXT = T.StringType()

WEB_ORDERS = Source(
    feed="web_orders",
    grain="one record per line of an order",
    key=(),
    at="ordered_at",
    is_event=True,
    columns=(
        *LINE,
        Received("session_id", TEXT, "web session in which it was ordered", personal="analyse", is_optional=True),
        Received("email", TEXT, "address the order was confirmed to", personal="contact", is_optional=True),
        Received("coupon", TEXT, "code of a voucher that was used", personal="analyse", is_optional=True),
    ),
)

BRONZE = bronze_table(WEB_ORDERS)
