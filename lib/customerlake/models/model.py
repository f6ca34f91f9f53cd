"""The one shape that every model has."""

from typing import Protocol

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame

from customerlake.contracts.table import Table


class Model(Protocol):
    """Settings go in the constructor, data in fit and score, numbers come out of evaluate; nothing else varies."""

    @property
    def scores(self) -> Table: ...

    def fit(self, snapshot: DataFrame) -> PipelineModel: ...

    def score(self, snapshot: DataFrame, fitted: PipelineModel) -> DataFrame: ...

    def evaluate(self, scored: DataFrame) -> dict[str, float]: ...
