"""The one shape that every model has."""

from typing import Protocol, TypeVar

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame

from customerlake.contracts.table import Table

Formula = TypeVar("Formula")


class Model(Protocol[Formula]):
    """Settings go in the constructor, data in fit and score, numbers come out of evaluate; nothing else varies.

    MLlib fits, on JVM Spark; `formula` is what it learnt as plain numbers, by which every engine scores. What is
    judged is what scores: evaluate takes rows that a formula has scored.
    """

    @property
    def scores(self) -> Table: ...

    def fit(self, snapshot: DataFrame) -> PipelineModel: ...

    def formula(self, fitted: PipelineModel) -> Formula: ...

    def score(self, snapshot: DataFrame, formula: Formula) -> DataFrame: ...

    def evaluate(self, scored: DataFrame) -> dict[str, float]: ...
