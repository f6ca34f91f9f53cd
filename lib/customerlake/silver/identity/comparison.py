"""How two records are compared: for each attribute, levels of agreement from the closest to none at all.

Conditions are SQL that Spark and DuckDB read alike: the weights are learnt by Splink on DuckDB, the pairs are scored by
Spark. `<column>_l` and `<column>_r` are the two records' values.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

UNKNOWN = -1  # the level of a pair in which a record lacks the attribute: it tells nothing


@dataclass(frozen=True)
class Level:
    """An agreement that is tried after those before it."""

    name: str
    condition: str
    is_of_frequency: bool = False  # the rarer the value that both have, the more it tells


@dataclass(frozen=True)
class Comparison:
    """One attribute. Pairs for which no level's condition holds disagree."""

    name: str
    columns: tuple[str, ...]
    known: str  # when the pair can be compared
    levels: tuple[Level, ...]
    of_frequency: str | None = None  # the column whose values' frequencies count

    @property
    def level_column(self) -> str:
        return f"level_{self.name}"

    def level(self) -> Column:
        """0 for the closest level, the number of levels for none of them, UNKNOWN for what cannot be compared."""
        column = F.when(~F.coalesce(F.expr(self.known), F.lit(False)), UNKNOWN)
        for place, level in enumerate(self.levels):
            column = column.when(F.expr(level.condition), place)
        return column.otherwise(len(self.levels))

    def level_names(self) -> list[str]:
        """What the levels are called, that of no agreement last."""
        return [*[level.name for level in self.levels], "different"]


def both_known(*columns: str) -> str:
    return " AND ".join(f"{column}_l IS NOT NULL AND {column}_r IS NOT NULL" for column in columns)


def by_edits(name: str, column: str, *edits: int, least_letters: int = 0, of_frequency: bool = False) -> Comparison:
    """Equal, then so many edits (Levenshtein) apart; of texts of fewer letters only equality counts."""
    long_enough = f"least(length({column}_l), length({column}_r)) >= {least_letters} AND " if least_letters else ""
    near = [
        Level(f"{count} edit{'s' if count > 1 else ''}", f"{long_enough}levenshtein({column}_l, {column}_r) <= {count}")
        for count in edits
    ]
    exact = Level("equal", f"{column}_l = {column}_r", is_of_frequency=of_frequency)
    return Comparison(name, (column,), both_known(column), (exact, *near), column if of_frequency else None)


def exactly(name: str, column: str, *, of_frequency: bool = False) -> Comparison:
    return by_edits(name, column, of_frequency=of_frequency)


def compared_columns(comparisons: Iterable[Comparison]) -> list[str]:
    """Every column that is compared, once."""
    return list(dict.fromkeys(column for comparison in comparisons for column in comparison.columns))


def compared(pairs: DataFrame, comparisons: Iterable[Comparison]) -> DataFrame:
    """Adds: level_<comparison> [int] of each pair."""
    return pairs.withColumns({one.level_column: one.level().cast("int") for one in comparisons})
