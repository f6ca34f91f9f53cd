"""The reference lists of conf/reference, and Python functions over columns, which look things up in them."""

import csv
from collections.abc import Callable
from functools import cache
from typing import Any

import pandas as pd
import yaml
from pyspark.sql import Column
from pyspark.sql.pandas.functions import pandas_udf

from customerlake.runtime.config import shipped


@cache
def reference_rows(name: str) -> list[tuple[str, ...]]:
    """The rows of conf/reference/<name>.csv below its header."""
    text = (shipped("conf") / "reference" / f"{name}.csv").read_text(encoding="utf-8")
    return [tuple(row) for row in csv.reader(text.splitlines()[1:])]


@cache
def reference_pairs(name: str) -> dict[str, str]:
    """The rows of conf/reference/<name>.csv, of two columns: the second by the first."""
    return {row[0]: row[1] for row in reference_rows(name)}


@cache
def reference_values(name: str) -> Any:
    """What conf/reference/<name>.yaml holds."""
    return yaml.safe_load((shipped("conf") / "reference" / f"{name}.yaml").read_text(encoding="utf-8"))


def once_per_value(function: Callable[..., str | None], *texts: Column) -> Column:
    """What a function makes of one text or several, called once for each distinct value of an Arrow batch; null where
    the first text is null.

    For libraries, look-ups in long lists, and rules of many steps. A list of 5,000 entries as a map literal took JVM
    Spark 13 s for 200,000 rows and more memory than sail had, a chain of CASE took sail 9 s; a dictionary here 1 s and
    0.1 s. And some twenty steps on one text nest deeper than Spark Connect carries (100 levels of its messages).
    """

    def of_batch(*columns: pd.Series) -> pd.Series:
        return pd.Series(_made(lambda *row: None if row[0] is None else function(*row), columns), dtype=object)

    return pandas_udf(of_batch, "string")(*texts)  # type: ignore[call-overload, no-any-return]  # stubs count columns


def struct_once_per_value(function: Callable[..., tuple[str | None, ...]], *texts: Column, fields: list[str]) -> Column:
    """As once_per_value(), a struct of several texts; the function is called where texts are null, too."""

    def of_batch(*columns: pd.Series) -> pd.DataFrame:
        return pd.DataFrame(_made(function, columns), columns=fields, dtype=object)

    kind = ", ".join(f"{field} string" for field in fields)
    return pandas_udf(of_batch, kind)(*texts)  # type: ignore[call-overload, no-any-return]  # stubs count columns


def _made(function: Callable[..., Any], columns: tuple[pd.Series, ...]) -> list[Any]:
    rows = [tuple(text if isinstance(text, str) else None for text in row) for row in zip(*columns, strict=True)]
    made = {row: function(*row) for row in set(rows)}
    return [made[row] for row in rows]
