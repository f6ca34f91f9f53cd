"""Rejected rows: kept as received, with every broken rule in words."""

from pyspark.sql import DataFrame
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
    malformed = F.array_compact(F.array(*of_form, F.lit(None).cast("string")))
    broken = F.array_compact(F.array(*of_values, F.lit(None).cast("string")))
    checked = df.withColumn("reasons", F.when(F.size(malformed) > 0, malformed).otherwise(broken))
    return checked.where(F.size("reasons") == 0).drop("reasons"), checked.where(F.size("reasons") > 0)
