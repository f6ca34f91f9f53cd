"""What MLflow keeps of the segments: it scores a pandas frame by the same numbers as the jobs, without Spark."""

from typing import Any

import pandas as pd
from mlflow.pyfunc.model import PythonModel

from customerlake.models.segmentation.numbers import FittedSegments


class PackagedSegments(PythonModel):
    """`mlflow.pyfunc.load_model("models:/segments@champion").predict(features.snapshot as pandas)`."""

    def __init__(self, fitted: FittedSegments) -> None:
        self.fitted = fitted.model_dump()

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """One row per row of the input: segment_id, segment_name, distance, membership_probability."""
        return FittedSegments.model_validate(self.fitted).assigned(model_input)
