"""Which pairs of records are worth comparing: those that agree on a key of some rule.

A key that very many records have (one value repeated a million times) says nothing, and would make pairs without end:
it is left out and reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


@dataclass(frozen=True)
class Rule:
    """Records that agree on all of some expressions (SQL) are compared; a record that lacks one has no key by it."""

    name: str
    parts: tuple[str, ...]

    def key(self) -> Column:
        parts = [F.expr(part).cast("string") for part in self.parts]
        is_whole = parts[0].isNotNull()
        for part in parts[1:]:
            is_whole = is_whole & part.isNotNull()
        return F.when(is_whole, F.xxhash64(F.lit(self.name), *parts))


def keyed(records: DataFrame, rules: Sequence[Rule]) -> DataFrame:
    """One row per record and rule that gives it a key: record_id, is_new, rule [place among the rules], key [hash]."""
    keys = F.array(*[F.struct(F.lit(place).alias("rule"), rule.key().alias("key")) for place, rule in enumerate(rules)])
    return (
        records.select("record_id", "is_new", F.explode(keys).alias("of_rule"))
        .select("record_id", "is_new", "of_rule.rule", "of_rule.key")
        .where(F.col("key").isNotNull())
    )


def too_large(keys: DataFrame, *, most: int) -> DataFrame:
    """The keys that more than `most` records have: key, rule, count_records."""
    return keys.groupBy("key", "rule").agg(F.count("*").alias("count_records")).where(F.col("count_records") > most)


def candidates(keys: DataFrame, left_out: DataFrame) -> DataFrame:
    """The pairs that agree on a key and of which at least one record is new, each once.

    Takes: the keys of all records, and those that are `left_out`, few. Gives: record_id_l < record_id_r, rule [the
    first that found the pair].
    """
    usable = keys.join(F.broadcast(left_out.select("key")), on="key", how="left_anti")
    new = usable.where("is_new").select("key", "rule", F.col("record_id").alias("new_id"))
    other = usable.select("key", F.col("record_id").alias("other_id"), F.col("is_new").alias("other_is_new"))
    is_once = (F.col("new_id") < F.col("other_id")) | (~F.col("other_is_new"))
    smaller, larger = F.least("new_id", "other_id"), F.greatest("new_id", "other_id")
    return (
        new.join(other, on="key", how="inner")
        .where(is_once)
        .groupBy(smaller.alias("record_id_l"), larger.alias("record_id_r"))
        .agg(F.min("rule").alias("rule"))
    )


def side_by_side(pairs: DataFrame, records: DataFrame, columns: Sequence[str]) -> DataFrame:
    """The pairs with both records' values: `<column>_l` and `<column>_r`."""
    left, right = (records.select(*on_side(side, columns)) for side in "lr")
    return pairs.join(left, on="record_id_l", how="inner").join(right, on="record_id_r", how="inner")


def on_side(side: str, columns: Sequence[str]) -> list[Column]:
    """A record's id and values as those of one side of a pair, l or r."""
    return [F.col(name).alias(f"{name}_{side}") for name in ("record_id", *columns)]
