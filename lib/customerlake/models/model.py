"""The one shape that every model has."""

from typing import Protocol, TypeVar

from pyspark.sql import DataFrame

from customerlake.models.classifiers.inputs import Numbers

Fitted = TypeVar("Fitted", bound=Numbers)


class Model(Protocol[Fitted]):
    """Settings go in the constructor, data in fit and score, numbers come out of evaluate; nothing else varies.

    What is fitted is plain numbers, kept as JSON, by which every engine scores; MLlib and XGBoost fit on JVM Spark.
    What is judged is what scores: evaluate takes rows that were scored by those numbers.
    """

    def fit(self, rows: DataFrame) -> Fitted:
        """Learn. Raises: ModelError that says what cannot be learnt from, and what to do."""
        ...

    def score(self, rows: DataFrame, fitted: Fitted) -> DataFrame:
        """The rows with what the model says of each. Nothing is collected."""
        ...

    def evaluate(self, scored: DataFrame) -> dict[str, float]:
        """How good scored rows are, by rows that carry what really came, or by the groups themselves."""
        ...
