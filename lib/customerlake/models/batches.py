"""Columns that Python makes of batches of rows, on both engines."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd
from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from customerlake.models.classifiers.inputs import Inputs


def of_columns(function: Callable[[pd.DataFrame], Any], returns: str, columns: Mapping[str, Column]) -> Column:
    """What `function` makes of batches of the columns, under their names: a series, or a frame, which is a struct."""
    names = list(columns)

    # each column is an argument of its own: sail refuses a struct whose fields it later finds can be null, or cannot
    def of_batch(
        *values: pd.Series,
    ) -> pd.Series:  # also where it is a frame: by this Spark tells a row's from a group's
        made: pd.Series = function(pd.DataFrame(dict(zip(names, values, strict=True))))
        return made

    column: Column = pandas_udf(of_batch, returns)(*columns.values())  # type: ignore[call-overload]  # stubs count columns
    return column


def of_inputs(function: Callable[[pd.DataFrame], Iterable[object]], returns: str, inputs: Inputs) -> Column:
    """What `function` makes of batches of the inputs' features, one value for each row."""

    def of_batch(rows: pd.DataFrame) -> pd.Series:
        return pd.Series(list(function(rows)), dtype=None if len(rows) else object)

    numbers = {number.name: F.col(number.name).cast("double") for number in inputs.numbers}
    return of_columns(
        of_batch, returns, numbers | {one.name: F.col(one.name).cast("string") for one in inputs.categories}
    )
