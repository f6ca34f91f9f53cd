"""Why a probability is what it is: the features that raise it most, in words.

Workers run this, so it imports nothing that fits, and nothing of MLflow.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from customerlake.features.feature import Feature
from customerlake.models.classifiers.inputs import by_feature
from customerlake.models.classifiers.numbers import Classifier


def reasons_in_words(
    rows: pd.DataFrame, fitted: Classifier, told: Mapping[str, Feature], typical: Mapping[str, float], most: int
) -> list[list[str]]:
    """For each row the `most` features that raise the probability most, each in its words; highest first."""
    if rows.empty:
        return []
    effects = pd.DataFrame(by_feature(fitted.inputs.columns, fitted.contributions(rows)))
    values = effects.to_numpy()
    strongest = np.argsort(-values, axis=1, kind="stable")[:, :most]
    names = list(effects.columns)
    return [
        [
            _in_words(told[names[i]], rows[names[i]].iloc[row], typical.get(names[i]))
            for i in order
            if values[row, i] > 0.02  # of log-odds or probability: less is no reason
        ]
        for row, order in enumerate(strongest)
    ]


def _in_words(feature: Feature, value: Any, typical: float | None) -> str:
    if value is None or value == "" or value != value:
        return f"{feature.name.replace('_', ' ')} is not known"
    if typical is None or not isinstance(value, (int, float, np.number)):
        return feature.words.removesuffix(" (typical {typical})").format(value=value)  # no word is the typical one
    shown = _percent if feature.unit == "share" else _shown
    return feature.words.format(value=shown(float(value)), typical=shown(typical))


def _percent(value: float) -> str:
    return f"{value:.0%}"


def _shown(value: float) -> str:
    if abs(value) < 10:
        return f"{value:,.1f}" if value != round(value) else f"{value:,.0f}"
    return f"{value:,.0f}"
