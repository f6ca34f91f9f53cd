"""silver.term_frequencies: how often two strangers agree on a name, a mailbox or a number, value by value."""

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table

MOST_VALUES = 20_000  # of a column: what is rarer is as rare as what was seen once
LEAST_SHARED = 0.01  # persons that share a mailbox or telephone with somebody, where no value was seen to be shared

TERM_FREQUENCIES = Table(
    name="silver.term_frequencies",
    grain="one row per column and common value, and one per column for all that are rarer",
    key=("column", "value"),
    columns=(
        Field("column", T.StringType(), "of silver.customer_records"),
        Field("value", T.StringType(), "a value; null: any that is not listed", personal="identify"),
        Field("frequency_share", T.DoubleType(), "of strangers who have it, too", unit="share"),
    ),
)


def term_frequencies(records: DataFrame, names: Sequence[str], *, identifiers: Sequence[str]) -> DataFrame:
    """How common each value is.

    A name: its share among the records that have one. A mailbox or number stands in many records of its one owner, so
    records do not tell how many people have it: those beyond the first are counted by the initials of given names, and
    of a value that one person alone is seen with, the usual number of others stands.
    """
    of_names = [_of_name(records, name) for name in names]
    return reduce(DataFrame.unionByName, of_names + [_of_identifier(records, name) for name in identifiers])


def _of_name(records: DataFrame, name: str) -> DataFrame:
    counted = (
        records.where(F.col(name).isNotNull()).groupBy(F.col(name).alias("value")).agg(F.count("*").alias("count"))
    )
    of_all = counted.agg(F.sum("count").alias("of_all"))
    common = counted.where("count > 1").orderBy(F.desc("count"), "value").limit(MOST_VALUES)
    rare = of_all.where("of_all > 0").select(F.lit(None).cast("string").alias("value"), F.lit(1).alias("count"))
    return (
        common.unionByName(rare)
        .join(F.broadcast(of_all), on=F.lit(True), how="inner")
        .withColumns({"column": F.lit(name), "frequency_share": F.col("count") / F.col("of_all")})
        .transform(TERM_FREQUENCIES.conform)
    )


def _of_identifier(records: DataFrame, name: str) -> DataFrame:
    initial = F.substring("given_key", 1, 1)
    owned = (
        records.where(F.col(name).isNotNull())
        .groupBy(F.col(name).alias("value"))
        .agg(F.count(initial).alias("named"), F.countDistinct(initial).alias("persons"))
        .withColumn("others", F.greatest(F.col("persons") - 1, F.lit(0)))
    )
    usual = owned.agg(
        F.greatest(F.avg(F.when(F.col("named") > 1, F.col("others"))), F.lit(LEAST_SHARED)).alias("usual"),
        F.count("*").alias("values"),
    )
    shared = owned.where("others > 0").orderBy(F.desc("others"), "value").limit(MOST_VALUES)
    rare = usual.where("values > 0").select(F.lit(None).cast("string").alias("value"), F.lit(0).alias("others"))
    return (
        shared.select("value", "others")
        .unionByName(rare)
        .join(F.broadcast(usual), on=F.lit(True), how="inner")
        .withColumns(
            {
                "column": F.lit(name),
                "frequency_share": F.least((F.col("others") + F.col("usual")) / F.col("values"), F.lit(1.0)),
            }
        )
        .transform(TERM_FREQUENCIES.conform)
    )


def with_frequencies(records: DataFrame, frequencies: DataFrame, columns: Sequence[str]) -> DataFrame:
    """Adds: <column>_frequency of each record's values; null where the record has no value."""
    for name in columns:
        of_column = frequencies.where(F.col("column") == name)
        listed = of_column.where("value IS NOT NULL").select(
            F.col("value").alias(name), F.col("frequency_share").alias("_listed")
        )
        rare = of_column.where("value IS NULL").select(F.col("frequency_share").alias("_rare"))
        records = (
            records.join(F.broadcast(listed), on=name, how="left")
            .join(F.broadcast(rare), how="left", on=F.lit(True))
            .withColumn(
                f"{name}_frequency", F.when(F.col(name).isNotNull(), F.coalesce(F.col("_listed"), F.col("_rare")))
            )
            .drop("_listed", "_rare")
        )
    return records
