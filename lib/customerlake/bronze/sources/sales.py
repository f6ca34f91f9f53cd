"""The sales feed: its contract, and bronze.sales, its rows as received."""

from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table

TEXT = T.StringType()

SALES = Table(
    name="bronze.sales",
    grain="one row per record of a landed sales file, as received; all values are text",
    key=("_file_digest", "_line_number"),
    columns=(
        Field("order_id", TEXT, "invoice; a cancellation when it starts with the feed's prefix"),
        Field("product_id", TEXT, "stock code, or a code for postage, discount and the like"),
        Field("description", TEXT, "what the product is called"),
        Field("quantity", TEXT, "units of the product; negative when taken back", unit="units"),
        Field("ordered_at", TEXT, "when, in the feed's time zone and format"),
        Field("unit_price", TEXT, "price of one unit", unit="lake's currency"),
        Field(
            "customer_id", TEXT, "the shop's number of the customer; empty for a sale without one", personal="identify"
        ),
        Field("country", TEXT, "country of the customer", personal="analyse"),
        Field("_extra", T.MapType(TEXT, TEXT), "columns of the file that the contract does not name", personal="audit"),
        Field("_raw", TEXT, "text of the record, where it could not be split into the columns", personal="audit"),
        Field("_problem", TEXT, "what is wrong with the record as text of a file; null when sound"),
        Field("_source_file", TEXT, "file, relative to the feed's folder"),
        Field("_line_number", T.LongType(), "line on which the record starts", unit="line, header is 1"),
        Field("_file_digest", TEXT, "SHA-256 of the file as landed"),
        Field("_batch", T.LongType(), "number of the landing that took the file, from 1"),
        Field("_run_id", TEXT, "run that took the file"),
        Field("_received_at", T.TimestampType(), "when that run began"),
    ),
)

CONTRACT = tuple(name for name in SALES.column_names if not name.startswith("_"))
"""The columns that every sales file must have, under the names that the lake file gives them."""
