"""Rules about rows: small typed values that yield a reason in words when a row breaks them."""

from dataclasses import dataclass
from typing import Protocol

from pyspark.sql import Column
from pyspark.sql import functions as F


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
        shown = F.substring(F.col(self.received), 1, 60)
        return F.when(unreadable, F.concat(F.lit(f"{self.column} '"), shown, F.lit(f"' is not {self.expected}")))


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
        value = F.col(self.column)
        shown = F.substring(value, 1, 60)
        expected = F.lit(f"' is none of {', '.join(self.values)}")
        return F.when(~value.isin(*self.values), F.concat(F.lit(f"{self.column} '"), shown, expected))


@dataclass(frozen=True)
class WellFormed:
    """Reject rows in which the reader of the file found a problem; `column` holds its words, null when sound.

    Such a row has no values that other checks could speak of: this reason stands alone.
    """

    column: str

    def reason(self) -> Column:
        return F.col(self.column)
