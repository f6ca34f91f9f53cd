"""silver.identity_decisions: what a data steward says of two records. It always wins over what was reckoned."""

from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table

SAME, NOT_SAME, OPEN = "same", "not same", "open"

IDENTITY_DECISIONS = Table(
    name="silver.identity_decisions",
    grain="one row per decision; of two records the newest one holds",
    key=("record_l", "record_r", "decided_at"),
    columns=(
        Field("record_l", T.StringType(), "<source>:<source_record_id>", personal="identify"),
        Field("record_r", T.StringType(), "<source>:<source_record_id>", personal="identify"),
        Field("decision", T.StringType(), f"{SAME}, {NOT_SAME}, or {OPEN}: an earlier decision no longer holds"),
        Field("reason", T.StringType(), "why", personal="audit"),
        Field("decided_by", T.StringType(), "who", personal="audit"),
        Field("decided_at", T.TimestampType(), "when", unit="UTC"),
    ),
)
