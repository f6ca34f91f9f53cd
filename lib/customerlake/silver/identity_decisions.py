"""silver.identity_decisions: what a data steward says of two records. It always wins over what was reckoned."""

from collections.abc import Iterable, Mapping
from typing import Any

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


def newest_decisions(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """Rows of this table -> the newest decision on each pair of records, the lesser name of the two first."""
    in_time = sorted(rows, key=lambda row: row["decided_at"])
    return {(min(pair), max(pair)): row["decision"] for row in in_time for pair in [(row["record_l"], row["record_r"])]}
