"""What MLflow keeps of a classifier: it scores a pandas frame by the same numbers as the jobs, without Spark."""

from typing import Any

import pandas as pd
from mlflow.pyfunc.model import PythonModel

from customerlake.models.classifiers.numbers import Classifier


class PackagedClassifier(PythonModel):
    """`mlflow.pyfunc.load_model("models:/churn@champion").predict(features.snapshot as pandas)`."""

    def __init__(self, fitted: Classifier, probability: str) -> None:
        self.fitted, self.probability = fitted.model_dump(), probability

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """One row per row of the input, in its order: the probability."""
        fitted = Classifier.model_validate(self.fitted)
        return pd.DataFrame({self.probability: fitted.probability(model_input)})
