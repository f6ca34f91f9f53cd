"""The feed of a table of customers with attributes and, where known, what became of them."""

from pyspark.sql import types as T

from customerlake.contracts.source import Received, Source, bronze_table

TEXT = T.StringType()

CUSTOMER_ATTRIBUTES = Source(
    feed="customer_attributes",
    grain="one record per customer",
    key=("customer_id",),
    at=None,
    is_event=False,
    columns=(
        Received("customer_id", TEXT, "number of the customer; of a file without one, its record", personal="identify"),
        Received(
            "outcome",
            TEXT,
            "what became of the customer, in the words of the source: yes or no",
            personal="analyse",
            is_optional=True,
        ),
    ),
)

BRONZE = bronze_table(CUSTOMER_ATTRIBUTES)
