"""Rows counted in all and by each of several dimensions: how gold tables of figures are cut."""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

UNKNOWN = "unknown"


def in_dimensions(*names: str) -> Callable[[DataFrame], DataFrame]:
    """Every row once under dimension and value `all`, and once under each named column and its value.

    Adds:    dimension, value (text; `unknown` where the column is null), so that the values of any dimension add up
             to `all`.
    """
    cuts = [_cut("all", F.lit("all")), *[_cut(name, F.coalesce(name, F.lit(UNKNOWN))) for name in names]]
    return lambda rows: rows.select("*", F.inline(F.array(*cuts)))


def with_segment(segments: DataFrame | None) -> Callable[[DataFrame], DataFrame]:
    """Add each customer's segment from `segments` (one row per customer_id: segment); null where none is known."""
    if segments is None:
        return lambda rows: rows.withColumn("segment", F.lit(None).cast("string"))
    named = segments.select("customer_id", "segment")
    return lambda rows: rows.join(named, on="customer_id", how="left")


def _cut(dimension: str, value: Column) -> Column:
    return F.struct(F.lit(dimension).alias("dimension"), value.alias("value"))
