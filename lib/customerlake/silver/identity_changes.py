"""silver.identity_changes: customers that became one, or were parted, and when."""

from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table

IDENTITY_CHANGES = Table(
    name="silver.identity_changes",
    grain="one row per pair of customers between which a run moved records",
    key=("run_id", "from_customer_id", "to_customer_id"),
    columns=(
        Field("kind", T.StringType(), "merged: the first is no more; split: it lives on"),
        Field("from_customer_id", T.StringType(), "whose the records were", personal="identify"),
        Field("to_customer_id", T.StringType(), "whose they are", personal="identify"),
        Field("record_ids", T.ArrayType(T.LongType()), "the records that moved, as silver.identities numbers them"),
        Field("changed_at", T.TimestampType(), "when", unit="UTC"),
        Field("run_id", T.StringType(), "run that moved them"),
        Field("_batch", T.LongType(), "write of silver.identities that moved them"),
    ),
)
