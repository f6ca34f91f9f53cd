"""features.snapshot and features.labels -> the competition for churn."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from pyspark.sql import DataFrame

from customerlake.features.labels import with_labels
from customerlake.models.churn import churn_task, still_buying
from customerlake.models.classifiers.competition import split_rows
from customerlake.models.classifiers.training import Training
from customerlake.models.registry import Registry
from customerlake.models.splits import TimeSplit, told_of
from customerlake.models.trained import Trained
from customerlake.runtime.config import ChurnConfig


def train_churn(
    registry: Registry,
    config: ChurnConfig,
    snapshot: DataFrame,
    labels: DataFrame,
    splits: Sequence[TimeSplit],
    *,
    as_of: date,
    inputs: Mapping[str, tuple[str, int]],
    tags: Mapping[str, str],
    progress: Callable[[str], None],
    people: DataFrame | None = None,
) -> Trained:
    """Fit every candidate on the training dates of each split, judge it on the held-out date, register the best."""
    known = with_labels(snapshot, labels, horizon_days=config.horizon_days, gap_days=config.gap_days)
    labelled = known.transform(still_buying(config))
    training = Training(
        registry, config, churn_task(config), split_rows(labelled, splits),
        as_of=as_of, tags=tags, progress=progress,
    )  # fmt: skip
    return training.run(inputs, groups=people, parameters=told_of(splits))
