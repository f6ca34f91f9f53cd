"""The reference lists of conf/reference, and Python functions over columns, which look things up in them."""

import csv
from collections.abc import Callable
from functools import cache
from typing import Any

import pandas as pd
import yaml
from pyspark.sql import Column
from pyspark.sql import functions as F

from customerlake.runtime.config import shipped


@cache
def reference_rows(name: str) -> list[tuple[str, ...]]:
    """The rows of conf/reference/<name>.csv below its header."""
    text = (shipped("conf") / "reference" / f"{name}.csv").read_text(encoding="utf-8")
    return [tuple(row) for row in csv.reader(text.splitlines()[1:])]


@cache
def reference_values(name: str) -> Any:
    """What conf/reference/<name>.yaml holds."""
    return yaml.safe_load((shipped("conf") / "reference" / f"{name}.yaml").read_text(encoding="utf-8"))


def once_per_value(function: Callable[..., str | None], *texts: Column) -> Column:
    """What a function makes of one text or several: called once for each distinct value of an Arrow batch; null where
    the first text is null.

    For libraries, for look-ups in long lists, and for rules of many steps. Of 200,000 rows, a list of 5,000 entries as
    a map literal took JVM Spark 13 s and more memory than sail had, a chain of CASE 9 s on sail; a dictionary here 1 s
    and 0.1 s. Steps of text nest as deep as Spark Connect carries (100 levels of its messages) after some twenty.
    """

    def of_batch(*columns: pd.Series) -> pd.Series:
        rows = [tuple(text if isinstance(text, str) else None for text in row) for row in zip(*columns, strict=True)]
        made = {row: None if row[0] is None else function(*row) for row in set(rows)}
        return pd.Series([made[row] for row in rows], dtype=object)

    return F.pandas_udf(of_batch, "string")(*texts)  # type: ignore[call-overload, no-any-return]
