"""Values that are missing, filled as declared. What is learnt is learnt on one frame, and then plain values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import reduce
from operator import and_

from pydantic import BaseModel, ConfigDict
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.errors import ContractError


@dataclass(frozen=True)
class Leave:
    """Stay missing."""


@dataclass(frozen=True)
class Constant:
    value: bool | float | Decimal | str | date | datetime


@dataclass(frozen=True)
class Mean:
    """The mean of the training frame's rows with the same values of `by`; without `by`, of all."""

    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Median:
    """The median likewise; between the two middle values, half way."""

    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mode:
    """The most common value likewise; of equally common ones the least as text."""

    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inferred:
    """What the other columns say, as they were before anything was filled."""

    value: Callable[[], Column]


Learnt = Mean | Median | Mode
Strategy = Leave | Constant | Learnt | Inferred
LEAVE = "leave"
MOST_GROUPS = 10_000  # they are sent with every plan that fills by them


class Values(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Group(Values):
    """The values of `by` as text, and the value of their rows."""

    key: tuple[str | None, ...]
    value: str


class Fill(Values):
    """How one column is filled. Values are kept as text, which gives every type back exactly."""

    column: str
    strategy: str
    value: str | None = None  # of all rows; null when there was none to learn from
    by: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()


class Fills(Values):
    fills: tuple[Fill, ...]


def learn(training: DataFrame, strategies: Mapping[str, Strategy]) -> Fills:
    """What to fill each column with. NaN is missing, as null is; means and medians of whole numbers round half up.

    Raises: ContractError when the frame lacks a column, when a mean or median is asked of one that holds no numbers,
            or when there are more than MOST_GROUPS groups.
    """
    learnt = {column: strategy for column, strategy in strategies.items() if isinstance(strategy, Learnt)}
    _require(training, [*strategies, *[name for strategy in learnt.values() for name in strategy.by]])
    values = _values_by(training, learnt, ())
    groups = {by: _values_by(training, _of_groups(learnt, by), by) for by in {s.by for s in learnt.values() if s.by}}
    fills = []
    for column, strategy in strategies.items():
        fill = Fill(column=column, strategy=type(strategy).__name__.lower())
        if isinstance(strategy, Constant):
            fill = fill.model_copy(update={"value": _text(strategy.value)})
        if isinstance(strategy, Learnt):
            own = groups.get(strategy.by, {}).get(column, {})
            kept = tuple(
                Group(key=key, value=value) for key, value in sorted(own.items(), key=str) if value is not None
            )
            fill = fill.model_copy(update={"value": values[column][()], "by": strategy.by, "groups": kept})
        fills.append(fill)
    return Fills(fills=tuple(fills))


def filled(df: DataFrame, fills: Fills, *, inferred: Mapping[str, Inferred] | None = None) -> DataFrame:
    """Fill what is missing; no row comes or goes, and no value that is there changes.

    `inferred` gives the expressions of inferred columns again: they are code, and not kept in `fills`. Rows of a group
    that training did not have get the value of all.
    Adds:    <column>_filled_by: null where the value was there, else the strategy's name; leave where it stays missing.
    Raises:  ContractError when the frame lacks a column, or the expression of an inferred column is not given.
    """
    expressions = inferred or {}
    _require(df, [name for fill in fills.fills for name in (fill.column, *fill.by)])
    if absent := [
        fill.column for fill in fills.fills if fill.strategy == "inferred" and fill.column not in expressions
    ]:
        raise ContractError(f"The columns {absent} are inferred, and no expression is given. Pass them as inferred.")
    changed: dict[str, Column] = {}
    with_groups = df
    for number, fill in enumerate(fills.fills):
        kind, of_group = df.schema[fill.column].dataType, f"_of_group_{number}"
        if fill.groups:
            with_groups = with_groups.transform(_with_value_of_group(fill, of_group))
        value = expressions[fill.column].value() if fill.strategy == "inferred" else F.lit(fill.value)
        candidate = F.coalesce(F.col(of_group), value) if fill.groups else value
        changed |= _filled(fill, candidate.cast(kind), kind)
    return with_groups.withColumns(changed).drop(*[name for name in with_groups.columns if name not in df.columns])


def _filled(fill: Fill, candidate: Column, kind: T.DataType) -> dict[str, Column]:
    """The column and how it was filled."""
    is_missing = present(F.col(fill.column), kind).isNull()
    given = present(candidate, kind)
    by = F.when(given.isNull(), F.lit(LEAVE)).otherwise(F.lit(fill.strategy))
    return {
        fill.column: F.when(is_missing & given.isNotNull(), given).otherwise(F.col(fill.column)),
        f"{fill.column}_filled_by": F.when(is_missing, by),
    }


def present(value: Column, kind: T.DataType) -> Column:
    """The value; null where it is NaN."""
    return F.when(~F.isnan(value), value) if isinstance(kind, T.FloatType | T.DoubleType) else value


def _with_value_of_group(fill: Fill, name: str) -> Callable[[DataFrame], DataFrame]:
    """Adds: `name`, the text of the row's group; null when training had no such group. Null is a group."""
    keys = [f"{name}_by_{number}" for number in range(len(fill.by))]
    ddl = ", ".join(f"`{key}` string" for key in (*keys, name))

    def with_value(df: DataFrame) -> DataFrame:
        groups = df.sparkSession.createDataFrame([(*group.key, group.value) for group in fill.groups], ddl)
        same = [F.col(column).cast("string").eqNullSafe(F.col(key)) for column, key in zip(fill.by, keys, strict=True)]
        return df.join(F.broadcast(groups), on=reduce(and_, same), how="left").drop(*keys)

    return with_value


def _of_groups(learnt: Mapping[str, Learnt], by: tuple[str, ...]) -> dict[str, Learnt]:
    return {column: strategy for column, strategy in learnt.items() if strategy.by == by}


def _values_by(
    training: DataFrame, learnt: Mapping[str, Learnt], by: tuple[str, ...]
) -> dict[str, dict[tuple[str | None, ...], str | None]]:
    """Of each column, the learnt value as text by the values of `by`."""
    if not learnt:
        return {}
    keys = [F.col(name).cast("string").alias(f"_key_{number}") for number, name in enumerate(by)]
    aggregates = [_aggregate(training, column, strategy).alias(column) for column, strategy in learnt.items()]
    rows = training.groupBy(*keys).agg(*aggregates).limit(MOST_GROUPS + 1).collect()
    if len(rows) > MOST_GROUPS:
        raise ContractError(f"{', '.join(by)} make more than {MOST_GROUPS} groups to learn by. Group by fewer values.")
    return {
        column: {tuple(row[: len(by)]): _learnt_text(row[column], training.schema[column].dataType) for row in rows}
        for column in learnt
    }


def _aggregate(training: DataFrame, column: str, strategy: Learnt) -> Column:
    kind = training.schema[column].dataType
    value = present(F.col(column), kind)
    if isinstance(strategy, Mode):
        return F.mode(value.cast("string"), deterministic=True)
    if not isinstance(kind, T.NumericType):
        raise ContractError(
            f"{column} is {kind.simpleString()}, which has no {type(strategy).__name__.lower()}. "
            "Declare a mode, or leave it."
        )
    return F.avg(value) if isinstance(strategy, Mean) else F.median(value)


def _learnt_text(value: float | Decimal | str | None, kind: T.DataType) -> str | None:
    if value is None or isinstance(value, str):
        return value
    exact = Decimal(str(value))
    if isinstance(kind, T.IntegralType):
        exact = exact.quantize(Decimal(1), rounding=ROUND_HALF_UP)
    return f"{exact:f}"


def _text(value: bool | float | Decimal | str | date | datetime) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat(" ") if isinstance(value, datetime) else str(value)


def _require(df: DataFrame, columns: Sequence[str]) -> None:
    if missing := sorted({name for name in columns if name not in df.columns}):
        raise ContractError(f"Columns to fill, or to group by, are not there: {missing}; the frame has {df.columns}.")
