"""Values far from the others, flagged or capped as declared. Bounds are learnt on one frame, and then plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.errors import ContractError
from customerlake.silver.cleaning.missing import present

NORMAL = 0.6745  # MAD of a normal distribution, in its standard deviations

Action = Literal["flag", "cap"]


@dataclass(frozen=True)
class Tukey:
    """Beyond the quartiles by more than `times` the distance between them.

    Quartiles lie between two values in proportion, as numpy's and Spark's do. Source: Tukey (1977), Exploratory Data
    Analysis.
    """

    times: float = 1.5
    action: Action = "flag"


@dataclass(frozen=True)
class MedianDeviation:
    """With a modified z-score, 0.6745 (x - median) / MAD, beyond `most`; MAD is the median distance to the median.

    Source: Iglewicz & Hoaglin (1993), How to Detect and Handle Outliers, who recommend 3.5.
    """

    most: float = 3.5
    action: Action = "flag"


@dataclass(frozen=True)
class Business:
    """Outside what the business says can be; a side without a bound is open."""

    lower: float | None = None
    upper: float | None = None
    action: Action = "flag"


Learnt = Tukey | MedianDeviation
Rule = Learnt | Business


class Values(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bound(Values):
    """The range of one column, its ends included; a side that is null is open."""

    column: str
    lower: float | None
    upper: float | None
    action: Action


class Bounds(Values):
    bounds: tuple[Bound, ...]


def learn(training: DataFrame, rules: Mapping[str, Rule]) -> Bounds:
    """The range of each column, by the values that are there: null and NaN teach nothing.

    Where the distance between the quartiles, or MAD, is zero, half of the values or more are equal, and every other one
    would be an outlier: such a column gets no bounds, and neither does one without values.
    Raises: ContractError when the frame lacks a column, or one holds no numbers.
    """
    _require_numbers(training, list(rules))
    learnt = [column for column, rule in rules.items() if isinstance(rule, Learnt)]
    quartiles = _aggregated(
        training, {column: F.percentile(_double(training, column), [0.25, 0.5, 0.75]) for column in learnt}
    )
    distances = {
        column: F.median(F.abs(_double(training, column) - quartiles[column][1]))
        for column in learnt
        if isinstance(rules[column], MedianDeviation) and quartiles[column]
    }
    deviations = _aggregated(training, distances)
    return Bounds(
        bounds=tuple(
            _bound(column, rule, quartiles.get(column), deviations.get(column)) for column, rule in rules.items()
        )
    )


def bounded(df: DataFrame, bounds: Bounds) -> DataFrame:
    """Flag or cap what is out of its range; no row comes or goes. Null and NaN are no outliers, and stay.

    Adds:    of a column to flag, is_<column>_outlier; of one to cap, <column>_before_cap, and the column itself takes
             the nearer end of the range, rounded inwards to what its type can hold.
    Raises:  ContractError when the frame lacks a column, or one holds no numbers.
    """
    _require_numbers(df, [bound.column for bound in bounds.bounds])
    changed: dict[str, Column] = {}
    for bound in bounds.bounds:
        value, kind = _double(df, bound.column), df.schema[bound.column].dataType
        is_below = F.lit(False) if bound.lower is None else F.coalesce(value < bound.lower, F.lit(False))
        is_above = F.lit(False) if bound.upper is None else F.coalesce(value > bound.upper, F.lit(False))
        if bound.action == "flag":
            changed[f"is_{bound.column}_outlier"] = is_below | is_above
            continue
        lowest, highest = _held(bound.lower, kind, ROUND_CEILING), _held(bound.upper, kind, ROUND_FLOOR)
        capped = F.when(is_below, lowest).when(is_above, highest).otherwise(F.col(bound.column))
        changed |= {f"{bound.column}_before_cap": F.col(bound.column), bound.column: capped}
    return df.withColumns(changed)


def _bound(column: str, rule: Rule, quartiles: list[float] | None, deviation: float | None) -> Bound:
    if isinstance(rule, Business):
        return Bound(column=column, lower=rule.lower, upper=rule.upper, action=rule.action)
    lower = upper = None
    if quartiles:
        first, median, third = quartiles
        if isinstance(rule, Tukey) and third > first:
            lower, upper = first - rule.times * (third - first), third + rule.times * (third - first)
        if isinstance(rule, MedianDeviation) and deviation:
            lower, upper = median - rule.most * deviation / NORMAL, median + rule.most * deviation / NORMAL
    return Bound(column=column, lower=lower, upper=upper, action=rule.action)


def _held(bound: float | None, kind: T.DataType, rounding: str) -> Column:
    """An end of a range in a column's type; null where that cannot hold it, and then no value is beyond it either."""
    text = repr(bound)
    if bound is not None and isinstance(kind, T.IntegralType | T.DecimalType):
        places = kind.scale if isinstance(kind, T.DecimalType) else 0
        text = f"{Decimal(text).quantize(Decimal(1).scaleb(-places), rounding=rounding):f}"
    return F.lit(text).try_cast(kind)


def _aggregated(training: DataFrame, aggregates: Mapping[str, Column]) -> dict[str, Any]:
    if not aggregates:
        return {}
    row = training.agg(*[aggregate.alias(column) for column, aggregate in aggregates.items()]).collect()[0]
    return row.asDict()


def _double(df: DataFrame, column: str) -> Column:
    """The value as a double; null where it is NaN."""
    return present(F.col(column), df.schema[column].dataType).cast("double")


def _require_numbers(df: DataFrame, columns: Sequence[str]) -> None:
    kinds = {field.name: field.dataType for field in df.schema.fields}
    if wrong := [name for name in columns if not isinstance(kinds.get(name), T.NumericType)]:
        raise ContractError(
            f"Columns without numbers have no outliers: {wrong}; the frame has {df.schema.simpleString()}."
        )
