"""Rejected rows: kept as received, with every broken rule in words."""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.checks import WellFormed
from customerlake.contracts.table import Field, Table


def quarantine_table(table: Table) -> Table:
    """The table of the rows that `table` rejected: `quarantine.<table>`."""
    return Table(
        name=f"quarantine.{table.name.split('.', 1)[1]}",
        grain=f"one row per received row that {table.name} rejected",
        key=("file_digest", "line_number"),
        columns=(
            Field("raw", T.StringType(), "the row as received, as JSON or as the text of the line", personal="audit"),
            Field("reasons", T.ArrayType(T.StringType()), "every rule that the row broke, in words"),
            Field("source_file", T.StringType(), "landed file that held the row"),
            Field("line_number", T.LongType(), "line of the file on which the row starts", unit="line, header is 1"),
            Field("file_digest", T.StringType(), "SHA-256 of the landed file"),
            Field("run_id", T.StringType(), "run that took the file"),
            Field("received_at", T.TimestampType(), "when the run that took the file began"),
            Field("_batch", T.LongType(), "landing that brought the row"),
        ),
    )


def quarantine(df: DataFrame, table: Table) -> tuple[DataFrame, DataFrame]:
    """Split `df` by the checks of `table` into (accepted, rejected).

    Every row of `df` is in exactly one of the two. Rejected rows carry `reasons`, one text per broken rule. A row
    that is not well formed has no values to speak of: only that is said of it.
    """
    of_form = [check.reason() for check in table.checks if isinstance(check, WellFormed)]
    of_values = [check.reason() for check in table.checks if not isinstance(check, WellFormed)]
    nothing = F.lit(None).cast("string")
    malformed = F.array_compact(F.array(*of_form, nothing))
    broken = F.array_compact(F.array(*of_values, nothing))
    is_sound = F.coalesce(*of_form, *of_values, nothing).isNull()
    reasons = F.when(F.size(malformed) > 0, malformed).otherwise(broken)
    return df.transform(rows_where(is_sound)), df.transform(rows_where(~is_sound)).withColumn("reasons", reasons)


def kept_as_received(rejected: DataFrame, table: Table) -> DataFrame:
    """Rejected rows of bronze as the quarantine of `table` keeps them. Needs: received, the record as a struct."""
    return rejected.withColumns(
        {
            "raw": F.coalesce("_raw", F.to_json("received")),
            "source_file": F.col("_source_file"),
            "line_number": F.col("_line_number"),
            "file_digest": F.col("_file_digest"),
            "run_id": F.col("_run_id"),
            "received_at": F.col("_received_at"),
        }
    ).transform(quarantine_table(table).conform)


def rows_where(condition: Column) -> Callable[[DataFrame], DataFrame]:
    """The rows for which a condition on computed columns holds.

    A plain filter is moved below the columns that it asks for, and both compute them: typing and judging sales took
    twice as long. And from a filter on columns that are then given names JVM Spark infers one more filter for each
    combination of the names: thirty of them never ended. What is exploded stays where it is.
    """
    kept = F.explode(F.when(condition, F.array(F.lit(True))))
    return lambda df: df.withColumn("_kept", kept).drop("_kept")
