"""How features become the numbers that classifiers see; learnt from training rows, the same for fitting and scoring."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.errors import ModelError
from customerlake.features.feature import Feature

FEWEST = 20  # rows of a level that is learnt from, and rows with or without a value for a column that tells of it
ACCURACY = 10_000  # of medians: they are off by at most one ten-thousandth of the rows


class Numbers(BaseModel):
    """What was learnt, as plain numbers that JSON keeps."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Number(Numbers):
    """A feature that is a number. Where it is missing it takes the typical value, and a column of its own says so."""

    name: str
    typical: float  # the median of the rows that were learnt from
    is_logged: bool = False  # log(1 + x); what is below zero counts as zero
    is_flagged: bool = False  # rows that were learnt from have it and others have not


class Category(Numbers):
    """A feature that is a word. Each level is a column; a rare, new or missing one is zero in all of them."""

    name: str
    levels: tuple[str, ...]


class Inputs(Numbers):
    """Features in the order of the matrix: all numbers, the flags of those that may be missing, then all levels."""

    numbers: tuple[Number, ...]
    categories: tuple[Category, ...]

    @property
    def features(self) -> list[str]:
        """The columns that rows must have."""
        return [number.name for number in self.numbers] + [category.name for category in self.categories]

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Feature and meaning of each column of the matrix."""
        told = [(number.name, number.name) for number in self.numbers]
        told += [(number.name, f"{number.name} is not known") for number in self.numbers if number.is_flagged]
        return told + [(one.name, f"{one.name} is {level}") for one in self.categories for level in one.levels]

    def matrix(self, rows: pd.DataFrame) -> np.ndarray:
        """One row per row of `rows`, one column per column; no value is missing."""
        raw = rows[[number.name for number in self.numbers]].to_numpy(dtype=float, na_value=np.nan)
        typical = np.array([number.typical for number in self.numbers], dtype=float)
        is_missing = ~np.isfinite(raw)
        values = np.where(is_missing, typical, raw)
        logged = [i for i, number in enumerate(self.numbers) if number.is_logged]
        values[:, logged] = np.log1p(np.maximum(values[:, logged], 0.0))
        flagged = [i for i, number in enumerate(self.numbers) if number.is_flagged]
        levels = [
            rows[one.name].eq(level).to_numpy(dtype=bool, na_value=False)[:, None]
            for one in self.categories
            for level in one.levels
        ]
        return np.concatenate([values, is_missing[:, flagged], *levels], axis=1).astype(float)


def learnt_inputs(rows: DataFrame, features: Sequence[Feature], *, keeps_constant: bool = False) -> Inputs:
    """Medians and levels of the features in `rows`. What never varies is left out: nothing can be learnt from it.

    Takes:  `keeps_constant` for those who need each number in its place, whether it varies or not.
    Raises: ModelError when a feature is no column, or none of them varies.
    """
    if lacking := [feature.name for feature in features if feature.name not in rows.columns]:
        raise ModelError(
            f"The rows to learn from lack the features {', '.join(lacking)}; they have {', '.join(rows.columns)}. "
            "Build the features again, `customerlake run --from features`, or name others."
        )
    numbers = _learnt_numbers(rows, [feature for feature in features if not feature.is_category], keeps_constant)
    categories = _learnt_categories(rows, [feature.name for feature in features if feature.is_category])
    if not numbers and not categories:
        raise ModelError(
            f"None of the features {', '.join(feature.name for feature in features)} varies among the rows to learn "
            "from. Use a later --as-of, or more features."
        )
    return Inputs(numbers=tuple(numbers), categories=tuple(categories))


@dataclass(frozen=True)
class _Spread:
    """What is known of a number: its median and ends, rows that have it, and all rows."""

    least: float
    median: float
    most: float
    known: int
    rows: int

    @property
    def is_flagged(self) -> bool:
        return self.known >= FEWEST and self.rows - self.known >= FEWEST

    @property
    def varies(self) -> bool:
        return self.least < self.most or self.is_flagged


def _learnt_numbers(rows: DataFrame, features: Sequence[Feature], keeps_constant: bool) -> list[Number]:
    if not features:
        return []
    finite = [F.when(~F.isnan(name), F.col(name)) for name in [feature.name for feature in features]]
    found = rows.agg(
        F.count("*").alias("rows"),
        *[
            F.struct(
                F.min(value).cast("double").alias("least"),
                F.percentile_approx(value, 0.5, ACCURACY).cast("double").alias("median"),
                F.max(value).cast("double").alias("most"),
                F.count(value).alias("known"),
            ).alias(feature.name)
            for feature, value in zip(features, finite, strict=True)
        ],
    ).collect()[0]
    count, numbers = found[0], []
    for feature, of in zip(features, found[1:], strict=True):  # by place: a feature may be named `rows` itself
        if not of["known"]:
            continue
        spread = _Spread(of["least"], of["median"], of["most"], of["known"], count)
        if spread.varies or keeps_constant:
            numbers.append(
                Number(
                    name=feature.name,
                    typical=spread.median,
                    is_logged=feature.is_skewed,
                    is_flagged=spread.is_flagged,
                )
            )
    return numbers


def _learnt_categories(rows: DataFrame, names: Sequence[str]) -> list[Category]:
    if not names:
        return []
    pairs = F.array(*[F.struct(F.lit(name).alias("name"), F.col(name).alias("level")) for name in names])
    counted = (
        rows.select(F.inline(pairs))
        .where(F.col("level") != "")  # nor null
        .groupBy("name", "level")
        .agg(F.count("*").alias("rows"))
        .where(F.col("rows") >= FEWEST)
        .orderBy("name", F.desc("rows"), "level")
        .collect()
    )
    total = rows.count()
    found = []
    for name in names:
        levels = tuple(row["level"] for row in counted if row["name"] == name and row["rows"] < total)
        if levels:
            found.append(Category(name=name, levels=levels))
    return found


def by_feature(columns: Iterable[tuple[str, str]], contributions: np.ndarray) -> dict[str, np.ndarray]:
    """Contributions of the columns of a matrix (rows x columns), summed over the columns of each feature."""
    summed: dict[str, np.ndarray] = {}
    for position, (feature, _) in enumerate(columns):
        summed[feature] = summed.get(feature, 0.0) + contributions[:, position]
    return summed
