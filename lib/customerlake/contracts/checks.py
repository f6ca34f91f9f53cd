"""Rules about rows: small typed values that yield a reason in words when a row breaks them.

Most need the row alone. `Unique` and `RefersTo` need more: `looked_up` puts that beside each row before they are asked.
Rules that a table may also only measure have a text, `str(check)`, which says without a value what is wrong with a row.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import TYPE_CHECKING, Protocol

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from customerlake.errors import ContractError

if TYPE_CHECKING:
    from customerlake.contracts.table import Table

Bound = int | float | Decimal | date
POSSIBLE = (date(1900, 1, 1), date(2100, 1, 1))  # of what happened: 0001 and 9999 are defaults that nobody changed
LONGEST_SHOWN = 60  # characters of a value in a reason


class Check(Protocol):
    def reason(self) -> Column:
        """Text when the row breaks the rule, null when it keeps it."""
        ...


@dataclass(frozen=True)
class NotNull:
    """Reject rows without a value in `column`; the reason calls it `called`, where that is given."""

    column: str
    called: str | None = None

    def reason(self) -> Column:
        return F.when(F.col(self.column).isNull(), F.lit(f"{self.called or self.column} is missing"))


@dataclass(frozen=True)
class Reads:
    """Reject rows whose text `received` was given but could not be read as `column`: `column` is then null."""

    column: str
    received: str
    expected: str  # in words: "a whole number"

    def reason(self) -> Column:
        unreadable = F.col(self.column).isNull() & F.col(self.received).isNotNull()
        text = F.concat(F.lit(f"{self.column} '"), shown(self.received), F.lit(f"' is not {self.expected}"))
        return F.when(unreadable, text)


@dataclass(frozen=True)
class NotNegative:
    """Reject rows whose `column` is below zero; null passes (see NotNull)."""

    column: str

    def reason(self) -> Column:
        value = F.col(self.column)
        return F.when(value < 0, F.concat(F.lit(f"{self.column} "), value.cast("string"), F.lit(" is negative")))


@dataclass(frozen=True)
class NotZero:
    """Reject rows whose `column` is zero; null passes."""

    column: str

    def reason(self) -> Column:
        return F.when(F.col(self.column) == 0, F.lit(f"{self.column} is zero"))


@dataclass(frozen=True)
class OneOf:
    """Reject rows whose `column` is none of the values; null passes."""

    column: str
    values: tuple[str, ...]

    def reason(self) -> Column:
        expected = F.lit(f"' is none of {', '.join(self.values)}")
        text = F.concat(F.lit(f"{self.column} '"), shown(self.column), expected)
        return F.when(~F.col(self.column).isin(*self.values), text)


@dataclass(frozen=True)
class WellFormed:
    """Reject rows in which the reader of the file found a problem; `column` holds its words, null when sound.

    Such a row has no values that other checks could speak of: this reason stands alone.
    """

    column: str

    def reason(self) -> Column:
        return F.col(self.column)


@dataclass(frozen=True)
class NoProblem:
    """Reject rows for which `column` says in words what is wrong with them; null passes."""

    column: str

    def reason(self) -> Column:
        return F.col(self.column)


@dataclass(frozen=True)
class InRange:
    """Reject rows whose `column`, a number or a day, is below `least` or above `most`; null passes.

    Raises: ContractError when neither bound is given.
    """

    column: str
    least: Bound | None = None
    most: Bound | None = None

    def __post_init__(self) -> None:
        if self.least is None and self.most is None:
            raise ContractError(f"InRange of {self.column} has no bound. Give least, most or both.")

    def __str__(self) -> str:
        return f"{self.column} {self._wrong()}"

    def reason(self) -> Column:
        value, inside = F.col(self.column), F.lit(True)
        if self.least is not None:
            inside = inside & (value >= F.lit(self.least))
        if self.most is not None:
            inside = inside & (value <= F.lit(self.most))
        return F.when(~inside, F.concat(named(self.column), F.lit(f" {self._wrong()}")))

    def _wrong(self) -> str:
        if self.least is not None and self.most is not None:
            return f"is not between {self.least} and {self.most}"
        return f"is above {self.most}" if self.least is None else f"is below {self.least}"


@dataclass(frozen=True)
class Matches:
    """Reject rows whose `column` is not, from its first character to its last, what `pattern` describes; null passes.

    Write the pattern in what the regular expressions of Java and of Rust have in common: no look-around.
    """

    column: str
    pattern: str
    expected: str  # in words: "two capital letters"

    def __str__(self) -> str:
        return f"{self.column} is not {self.expected}"

    def reason(self) -> Column:
        whole = F.col(self.column).rlike(rf"\A(?:{self.pattern})\z")  # $ would let a line end stand after it in Java
        text = F.concat(F.lit(f"{self.column} '"), shown(self.column), F.lit(f"' is not {self.expected}"))
        return F.when(~whole, text)


@dataclass(frozen=True)
class AgreesWith:
    """Reject rows whose `column` is not the sum of `parts`, give or take `tolerance`; a null in any of them passes."""

    column: str
    parts: tuple[str, ...]
    tolerance: Decimal = Decimal(0)

    def __str__(self) -> str:
        return f"{self.column} is not {' + '.join(self.parts)}"

    def reason(self) -> Column:
        total = F.col(self.parts[0])
        for part in self.parts[1:]:
            total = total + F.col(part)
        added = [piece for part in self.parts for piece in (F.lit(" + "), named(part))][1:]
        differs = F.abs(F.col(self.column) - total) > F.lit(self.tolerance)
        return F.when(differs, F.concat(named(self.column), F.lit(" is not "), *added))


@dataclass(frozen=True)
class InOrder:
    """Reject rows in which a later one of `columns` is before an earlier one; equal values and nulls pass."""

    columns: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.columns[:-1])} and {self.columns[-1]} are not in this order"

    def reason(self) -> Column:
        wrong = [
            F.when(F.col(later) < F.col(earlier), F.concat(named(later), F.lit(" is before "), named(earlier)))
            for earlier, later in combinations(self.columns, 2)
        ]
        return F.nullif(F.concat_ws("; ", *wrong), F.lit(""))


@dataclass(frozen=True)
class Plausible:
    """Reject rows for which the condition `holds` is false; where it cannot be told, for a null, the row passes.

    `wrong` says in words what a row then is, `columns` are those whose values the reason shows.
    """

    wrong: str  # "the age is not between 0 and 120 years"
    columns: tuple[str, ...]
    holds: Callable[[], Column]  # a function, as a condition needs a session

    def __str__(self) -> str:
        return self.wrong

    def reason(self) -> Column:
        values = F.concat_ws(", ", *[named(column) for column in self.columns])
        return F.when(~self.holds(), F.concat(F.lit(f"{self.wrong}: "), values))


@dataclass(frozen=True)
class Unique:
    """Reject rows whose `columns` another row of the frame has too; a null in any of them passes. See `looked_up`."""

    columns: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.columns)} is not unique"

    @property
    def _beside(self) -> str:
        return f"_rows_of_{'_'.join(self.columns)}"

    def beside(self, rows: DataFrame, known: Mapping[str, DataFrame]) -> DataFrame:
        same = Window.partitionBy(*self.columns)
        return rows.withColumn(self._beside, F.count("*").over(same))

    def reason(self) -> Column:
        whole = F.lit(True)
        for column in self.columns:
            whole = whole & F.col(column).isNotNull()
        count = F.col(self._beside)
        values = F.concat_ws(", ", *[named(column) for column in self.columns])
        text = F.concat(values, F.lit(" is not unique: "), count.cast("string"), F.lit(" rows have it"))
        return F.when(whole & (count > 1), text)


@dataclass(frozen=True)
class RefersTo:
    """Reject rows whose `column` is no key of `table`; null passes. See `looked_up`.

    Raises: ContractError when the key of `table` is of several columns.
    """

    column: str
    table: "Table"

    def __post_init__(self) -> None:
        if len(self.table.key) != 1:
            raise ContractError(
                f"{self.column} cannot refer to {self.table.name}, whose key is {', '.join(self.table.key)}. "
                "Declare RefersTo for a table with one key column."
            )

    def __str__(self) -> str:
        return f"{self.column} is not in {self.table.name}"

    @property
    def _beside(self) -> str:
        return f"_{self.column}_is_in_{self.table.name.replace('.', '_')}"

    def beside(self, rows: DataFrame, known: Mapping[str, DataFrame]) -> DataFrame:
        if self.table.name not in known:
            raise ContractError(
                f"{self.column} refers to {self.table.name}, and its rows were not given; {sorted(known)} were. "
                "Give them to looked_up."
            )
        (key,) = self.table.key
        keys = known[self.table.name].select(F.col(key).alias("_key"), F.lit(True).alias(self._beside))
        return rows.join(keys, on=F.col(self.column) == F.col("_key"), how="left").drop("_key")

    def reason(self) -> Column:
        is_unknown = F.col(self.column).isNotNull() & F.col(self._beside).isNull()
        return F.when(is_unknown, F.concat(named(self.column), F.lit(f" is not in {self.table.name}")))


def looked_up(
    checks: Iterable[Check], known: Mapping[str, DataFrame] | None = None
) -> Callable[[DataFrame], DataFrame]:
    """Put beside each row what the checks need beyond it; where they need nothing, the rows stay as they are.

    `known` holds, by name, the tables that are referred to. A rejecting check of this kind is asked as the others are:
    `quarantine(rows.transform(looked_up(TABLE.checks, known)), TABLE)`.
    """

    def beside(rows: DataFrame) -> DataFrame:
        for check in checks:
            if isinstance(check, Unique | RefersTo):
                rows = check.beside(rows, known or {})
        return rows

    return beside


def shown(column: str) -> Column:
    """The value as text, cut at LONGEST_SHOWN characters."""
    return F.substring(F.col(column).cast("string"), 1, LONGEST_SHOWN)


def named(column: str) -> Column:
    """The value behind its column's name."""
    return F.concat(F.lit(f"{column} "), F.coalesce(shown(column), F.lit("nothing")))
