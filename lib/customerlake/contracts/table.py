"""How a table is declared: its grain, key, columns, units, personal columns, checks. The declaration is the schema."""

from dataclasses import dataclass
from typing import Literal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.checks import Check
from customerlake.errors import ContractError

MONEY = T.DecimalType(18, 4)  # four places keep sums of third-of-a-penny prices exact
MEAN_MONEY = T.DecimalType(18, 2)

Purpose = Literal["identify", "analyse", "contact", "audit"]
"""Why a personal column is held: to link a person's records, to describe and predict, to reach them, to trace a row."""


@dataclass(frozen=True)
class Field:
    """One column. `personal` is None, or the purpose for which a value about a person is held."""

    name: str
    type: T.DataType
    doc: str
    unit: str | None = None
    personal: Purpose | None = None


@dataclass(frozen=True)
class Table:
    """One table of the lake, named `<layer>.<table>`.

    Columns whose name starts with an underscore are technical: they say where a row came from and which landing
    last changed it. They may differ between two histories of the same data; all other columns may not.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Field, ...]
    checks: tuple[Check, ...] = ()
    measured: tuple[Check, ...] = ()  # checks that reject no row: how many break them is kept in ops.quality
    partitioned_by: tuple[str, ...] = ()
    statistics_on: tuple[str, ...] = ()  # columns whose range in each file is kept; none: the first 32

    def __post_init__(self) -> None:
        names = self.column_names
        repeated = sorted({name for name in names if names.count(name) > 1})
        unknown = [name for name in (*self.key, *self.partitioned_by, *self.statistics_on) if name not in names]
        if repeated or unknown or "." not in self.name:
            raise ContractError(
                f"{self.name} is declared wrongly: repeated columns {repeated}, key, partition or statistics columns "
                f"that are not among its columns {unknown}; the name must read <layer>.<table>. "
                "Correct the declaration."
            )

    @property
    def layer(self) -> str:
        return self.name.split(".", 1)[0]

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def business_columns(self) -> list[str]:
        """The columns that must not depend on how the data arrived."""
        return [name for name in self.column_names if not name.startswith("_")]

    @property
    def personal_columns(self) -> list[str]:
        return [column.name for column in self.columns if column.personal]

    @property
    def schema(self) -> T.StructType:
        return T.StructType([T.StructField(column.name, column.type) for column in self.columns])

    def conform(self, df: DataFrame) -> DataFrame:
        """Select the declared columns, in order, with the declared types; ContractError when any is absent."""
        missing = [name for name in self.column_names if name not in df.columns]
        if missing:
            raise ContractError(
                f"{self.name} needs {missing}; the frame has {df.columns}. Rename in bronze or correct the declaration."
            )
        return df.select(*[_cast(column) for column in self.columns])


def _cast(column: Field) -> Column:
    return F.col(column.name).cast(column.type).alias(column.name)
