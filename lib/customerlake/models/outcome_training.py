"""features.attributes -> the competition for the outcome of a table of customers."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from datetime import date

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from sklearn.metrics import roc_auc_score

from customerlake.errors import ModelError
from customerlake.features.feature import Feature
from customerlake.models.classifiers.competition import Split
from customerlake.models.classifiers.inputs import learnt_inputs
from customerlake.models.classifiers.numbers import Classifier
from customerlake.models.classifiers.training import Training, kept_classifier
from customerlake.models.outcome import LABEL, found_features, is_held_out, outcome_task, with_attributes
from customerlake.models.registry import Registry, Version
from customerlake.models.trained import Trained
from customerlake.runtime.config import ClassifierConfig

FEWEST_CUSTOMERS = 200  # whose outcome is known
SAMPLE = 10_000  # customers by which the most telling attribute is found


def train_outcome(
    registry: Registry,
    config: ClassifierConfig,
    customers: DataFrame,
    *,
    as_of: date,
    inputs: Mapping[str, tuple[str, int]],
    tags: Mapping[str, str],
    progress: Callable[[str], None],
) -> Trained:
    """Fit every candidate on seven customers of ten, judge all on the other three, register the best.

    Raises: ModelError when the outcome of too few customers is known, or it is the same for all.
    """
    known = customers.where(F.col(LABEL).isNotNull())
    count = known.count()
    if count < FEWEST_CUSTOMERS:
        raise ModelError(
            f"The outcome of {count} customers is known, at least {FEWEST_CUSTOMERS} are needed to learn from. "
            "Correct feeds.customer_attributes.columns.outcome in the lake file, or land more customers."
        )
    features = found_features(known)
    rows = with_attributes(known, features)
    split = Split("customers held out", rows.where(~is_held_out()), rows.where(is_held_out()))
    task = outcome_task(features, most_telling=most_telling(split.training, features))
    training = Training(
        registry, config, task, [split], as_of=as_of, tags=tags, progress=progress,
        kept={"features": [dataclasses.asdict(feature) for feature in features]},
    )  # fmt: skip
    return training.run(inputs, parameters={"held_out": "3 customers of 10"})


def most_telling(rows: DataFrame, features: Sequence[Feature]) -> str:
    """The feature of which a column goes most with the outcome, by its distance from a ROC AUC of 0.5."""
    inputs = learnt_inputs(rows, features)
    sample = rows.select(*inputs.features, LABEL).limit(SAMPLE).toPandas()
    labels = sample[LABEL].to_numpy(dtype=bool)
    if labels.all() or not labels.any():
        raise ModelError(
            "The outcome cannot be learnt: it is the same for all customers. Correct "
            "feeds.customer_attributes.outcome_is in the lake file: it is the text of those it happened to."
        )
    areas = np.array([roc_auc_score(labels, column) for column in inputs.matrix(sample).T])
    return inputs.columns[int(np.abs(areas - 0.5).argmax())][0]


def usable(registry: Registry, version: Version) -> tuple[Classifier, float, tuple[Feature, ...]]:
    """A registered version as it scores: classifier, threshold, and features as they were found."""
    fitted, threshold = kept_classifier(registry, version)
    kept = registry.values(version, "scoring.json")["features"]
    return fitted, threshold, tuple(Feature(**one) for one in kept)
