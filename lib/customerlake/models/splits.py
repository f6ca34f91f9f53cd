"""Which dates a model learns from and which one it is judged on: split by time, never at random."""

from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True)
class TimeSplit:
    """Snapshot dates. The labels of every training date end by `holdout`, so nothing of the judged period is learnt."""

    training: tuple[date, ...]
    holdout: date


def time_split(
    *, first_ordered_on: date, as_of: date, horizon_days: int, training_dates: int, step_days: int
) -> TimeSplit | None:
    """The newest split whose labels are all observed by `as_of`; None when the history is too short for one.

    A training date has at least one horizon of history before it.
    """
    horizon = timedelta(days=horizon_days)
    holdout = as_of - horizon
    newest = holdout - horizon
    candidates = [newest - timedelta(days=step_days) * i for i in range(training_dates)]
    training = tuple(sorted(day for day in candidates if day - first_ordered_on >= horizon))
    return TimeSplit(training, holdout) if training else None


def needed_days(horizon_days: int) -> int:
    """Days of history that the shortest possible split needs."""
    return 3 * horizon_days
