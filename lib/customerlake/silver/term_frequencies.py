"""silver.term_frequencies: how often two strangers agree on a name, a mailbox or a number, value by value."""

from collections.abc import Callable, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
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
        Field("count_values", T.LongType(), "of a mailbox or number: how many distinct ones there are; null of names"),
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
        .withColumns(
            {
                "column": F.lit(name),
                "frequency_share": F.col("count") / F.col("of_all"),
                "count_values": F.lit(None).cast("long"),
            }
        )
        .transform(TERM_FREQUENCIES.conform)
    )


def _of_identifier(records: DataFrame, name: str) -> DataFrame:
    owned = records.where(F.col(name).isNotNull()).transform(_owners(name))
    usual = owned.agg(
        F.greatest(F.avg(F.when(F.col("named") > 1, F.col("others"))), F.lit(LEAST_SHARED)).alias("usual"),
        F.count("*").alias("count_values"),
    )
    shared = owned.where("others > 0").orderBy(F.desc("others"), "value").limit(MOST_VALUES)
    rare = usual.where("count_values > 0").select(F.lit(None).cast("string").alias("value"), F.lit(0).alias("others"))
    return (
        shared.select("value", "others")
        .unionByName(rare)
        .join(F.broadcast(usual), on=F.lit(True), how="inner")
        .withColumns(
            {
                "column": F.lit(name),
                "frequency_share": _share_of_strangers(F.col("usual") / F.col("count_values")),
            }
        )
        .transform(TERM_FREQUENCIES.conform)
    )


def _owners(name: str) -> Callable[[DataFrame], DataFrame]:
    """One row per value of a mailbox or number: named [records], others [persons beside the first, by initials]."""
    initial = F.substring("given_key", 1, 1)
    return lambda records: (
        records.groupBy(F.col(name).alias("value"))
        .agg(F.count(initial).alias("named"), F.countDistinct(initial).alias("persons"))
        .withColumn("others", F.greatest(F.col("persons") - 1, F.lit(0)))
    )


def _share_of_strangers(rare: Column) -> Column:
    """Of a value with `others`, where one that nobody shares has `rare`."""
    return F.least(F.col("others") / F.col("count_values") + rare, F.lit(1.0))


def newly_shared(records: DataFrame, known: DataFrame, identifiers: Sequence[str]) -> DataFrame:
    """Rows of this table: mailboxes and numbers that new records show to be shared by more people than was known.

    Takes all records, with is_new. They are looked through once; only the new records' values are counted.
    """
    return reduce(DataFrame.unionByName, [_newly_shared(records, known, name) for name in identifiers])


def _newly_shared(records: DataFrame, known: DataFrame, name: str) -> DataFrame:
    said = records.where(F.col(name).isNotNull())
    new = said.where("is_new").select(name).distinct()
    of_name = known.where(F.col("column") == name)
    rare = of_name.where("value IS NULL").select("column", "count_values", F.col("frequency_share").alias("_rare"))
    listed = of_name.where("value IS NOT NULL").select("value", F.col("frequency_share").alias("_listed"))
    return (
        said.join(new, on=name, how="left_semi")
        .transform(_owners(name))
        .where("others > 0")
        .join(F.broadcast(rare), on=F.lit(True), how="inner")
        .withColumn("frequency_share", _share_of_strangers(F.col("_rare")))
        .join(F.broadcast(listed), on="value", how="left")
        .where(F.col("_listed").isNull() | (F.col("frequency_share") > F.col("_listed") * (1 + 1e-9)))
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
