"""What MLflow keeps of the model of lifetime value: it scores a pandas frame as the jobs do, without Spark."""

from typing import Any

import pandas as pd
from mlflow.pyfunc.model import PythonModel

from customerlake.models.lifetime.numbers import Drawn, LifetimeFormula, scored
from customerlake.runtime.config import LifetimeValueConfig

RETURNED = (
    "p_alive", "expected_purchases", "expected_value", "lifetime_value", "lifetime_value_low", "lifetime_value_high",
)  # fmt: skip


class PackagedLifetimeValue(PythonModel):
    """`mlflow.pyfunc.load_model("models:/lifetime_value@champion").predict(gold.rfm as pandas)`."""

    def __init__(self, fitted: LifetimeFormula, config: LifetimeValueConfig) -> None:
        self.fitted, self.config = fitted.model_dump(), config.model_dump()

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """One row per row of frequency, recency, T [days] and monetary_value, in its order; the horizon, rates and
        margin are those of the training."""
        fitted, config = LifetimeFormula.model_validate(self.fitted), LifetimeValueConfig.model_validate(self.config)
        return scored(model_input, fitted, Drawn.by(fitted, config), config)[list(RETURNED)]
