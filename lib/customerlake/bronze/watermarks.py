"""bronze.watermarks: how far each database and interface has been read: there its reader goes on."""

from datetime import datetime
from typing import Any

from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.runtime.job import Run

WATERMARKS = Table(
    name="bronze.watermarks",
    grain="one row per landing of a database or interface",
    key=("feed", "landing"),
    columns=(
        Field("feed", T.StringType(), "feed of the lake file"),
        Field("landing", T.LongType(), "number of the landing of that feed, from 1"),
        Field("watermark", T.StringType(), "largest value taken of the column that grows; null where there is none"),
        Field("count_records", T.LongType(), "records that the landing brought"),
        Field("run_id", T.StringType(), "run that took it"),
        Field("received_at", T.TimestampType(), "when that run began"),
    ),
)


def last_landing(run: Run, feed: str) -> dict[str, Any] | None:
    """The row of a feed's last landing; None before the first."""
    rows = [row for row in run.records(WATERMARKS) if row["feed"] == feed]
    return max(rows, key=lambda row: row["landing"], default=None)


def landed(
    feed: str, landing: int, watermark: str | None, count_records: int, *, run_id: str, received_at: datetime
) -> dict[str, Any]:
    """A row of bronze.watermarks."""
    return {
        "feed": feed,
        "landing": landing,
        "watermark": watermark,
        "count_records": count_records,
        "run_id": run_id,
        "received_at": received_at,
    }
