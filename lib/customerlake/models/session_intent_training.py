"""gold.web_sessions -> the competition for the intent of the visit at hand."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.models.classifiers.competition import Split
from customerlake.models.classifiers.training import Training
from customerlake.models.registry import Registry
from customerlake.models.session_intent import LABEL, session_task
from customerlake.models.trained import Trained
from customerlake.runtime.config import SessionIntentConfig

FEWEST = 200  # visits with an order to learn from


def session_splits(visits: DataFrame, config: SessionIntentConfig, *, as_of: date) -> list[Split]:
    """Held out are the last days and, each before the other, as many of `splits`; learnt from, the days before them."""
    found = []
    for older in range(config.splits):
        last = as_of - timedelta(days=older * config.holdout_days)
        first = last - timedelta(days=config.holdout_days)
        begin = first - timedelta(days=config.training_days)
        day = F.col("as_of")
        training = visits.where((day > F.lit(begin)) & (day <= F.lit(first)))
        found.append(Split(f"{first} to {last}", training, visits.where((day > F.lit(first)) & (day <= F.lit(last)))))
    return found


def train_session_intent(
    registry: Registry,
    config: SessionIntentConfig,
    visits: DataFrame,
    *,
    as_of: date,
    inputs: Mapping[str, tuple[str, int]],
    tags: Mapping[str, str],
    progress: Callable[[str], None],
) -> Trained | None:
    """Fit every candidate on the days before each held-out stretch; None where too few visits end in an order."""
    splits = [split for split in session_splits(visits, config, as_of=as_of) if has_enough(split)]
    if not splits:
        return None
    training = Training(registry, config, session_task(config), splits, as_of=as_of, tags=tags, progress=progress)
    return training.run(inputs, parameters={"held_out_on": ", ".join(split.name for split in splits)})


def has_enough(split: Split) -> bool:
    """Both parts have visits with an order, and visits without."""

    def counted(rows: DataFrame) -> Sequence[int]:
        found = rows.agg(F.count_if(LABEL), F.count_if(~F.col(LABEL))).collect()[0]
        return found[0], found[1]

    return counted(split.training)[0] >= FEWEST and min(*counted(split.training), *counted(split.holdout)) > 0
