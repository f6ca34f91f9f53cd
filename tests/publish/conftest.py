from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from customerlake.contracts.table import Table

FrameOf = Callable[..., DataFrame]


@pytest.fixture
def frame_of(spark: SparkSession) -> FrameOf:
    """A frame of a table from the columns that a test cares for; the others are null."""

    def made(table: Table, *rows: dict[str, Any]) -> DataFrame:
        unknown = {name for row in rows for name in row} - set(table.column_names)
        assert not unknown, f"{table.name} has no {unknown}"
        return spark.createDataFrame(
            [tuple(row.get(name) for name in table.column_names) for row in rows], table.schema
        )

    return made
