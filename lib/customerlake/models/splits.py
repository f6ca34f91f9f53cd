"""Which dates a model learns from and which one it is judged on: split by time, never at random."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from customerlake.runtime.config import TimedConfig


@dataclass(frozen=True)
class TimeSplit:
    """Snapshot dates. The labels of every training date end by `holdout`, so nothing of the judged period is learnt."""

    training: tuple[date, ...]
    holdout: date


def time_splits(config: TimedConfig, *, first_ordered_on: date, as_of: date) -> tuple[TimeSplit, ...]:
    """Splits whose labels are all observed by `as_of`, the newest first; none when the history is too short for one.

    Each is training_step_days older than the one before, and learns from the dates that it shares with it. A training
    date has at least one horizon of history before it.
    """
    step, needed = timedelta(days=config.training_step_days), timedelta(days=config.horizon_days)
    labels_end_after = needed + timedelta(days=config.gap_days)
    found = []
    for older in range(config.splits):
        holdout = as_of - labels_end_after - step * older
        dates = [holdout - labels_end_after - step * i for i in range(config.training_dates)]
        training = tuple(sorted(day for day in dates if day - first_ordered_on >= needed))
        if training:
            found.append(TimeSplit(training, holdout))
    return tuple(found)


def dates_of(splits: Sequence[TimeSplit]) -> list[date]:
    """Every date of the splits, once, in order: those that features and labels are needed of."""
    return sorted({day for split in splits for day in (*split.training, split.holdout)})


def told_of(splits: Sequence[TimeSplit]) -> dict[str, object]:
    """The dates as parameters of a run."""
    return {
        "training_on": ", ".join(map(str, splits[0].training)),
        "held_out_on": ", ".join(str(split.holdout) for split in splits),
    }


def needed_days(config: TimedConfig) -> int:
    """Days of history that the shortest possible split needs."""
    return 3 * config.horizon_days + 2 * config.gap_days
