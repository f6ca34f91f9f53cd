"""The settings of a candidate that do best on customers that were not learnt from, within a budget."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import optuna
import pandas as pd
from pyspark.sql import functions as F
from sklearn.metrics import log_loss, roc_auc_score

from customerlake.models.classifiers.candidates import Candidate, Settings
from customerlake.models.classifiers.classification import Prepared, calibrated, margins
from customerlake.models.classifiers.numbers import Calibration
from customerlake.runtime.config import SearchConfig

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Searched:
    """The best settings, the calibration of a fit with them, and everything that was tried: columns of settings,
    roc_auc, log_loss, seconds."""

    settings: Settings
    calibration: Calibration
    trials: pd.DataFrame


def searched(
    candidate: Candidate, prepared: Prepared, config: SearchConfig, *, seed: int,
    progress: Callable[[str], None] = lambda text: None,
) -> Searched:  # fmt: skip
    """Learn from two thirds of the customers, judge by the log loss of the others after calibration.

    The usual settings come first, then those that the tree-structured Parzen estimator suggests (Bergstra et al. 2011,
    in Optuna). No customer is in both parts, on whatever dates. Where one part is of one class, the usual settings are
    taken as they are.
    """
    usual = dict(candidate.usual())
    if not prepared.can_be_judged:
        return Searched(usual, Calibration(), pd.DataFrame([usual]))
    trials: list[dict[str, Any]] = []
    calibrations: list[Calibration] = []
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial(usual)
    deadline = monotonic() + config.seconds
    for number in range(config.trials if usual else 1):
        if number and monotonic() > deadline:
            break
        progress(f"settings {number + 1} of {config.trials}")
        trial = study.ask()
        settings = candidate.suggested(trial)
        started = monotonic()
        measured, calibration = _measured(candidate, prepared, settings, seed)
        calibrations.append(calibration)
        study.tell(trial, measured["log_loss"])
        trials.append({**settings, **measured, "seconds": monotonic() - started})
    tried = pd.DataFrame(trials)
    best = int(tried["log_loss"].argmin())
    return Searched({name: trials[best][name] for name in usual}, calibrations[best], tried)


def _measured(
    candidate: Candidate, prepared: Prepared, settings: Settings, seed: int
) -> tuple[dict[str, float], Calibration]:
    """How well customers of the first fold are told by a fit on the others, and what puts its log-odds right."""
    fold = F.col("fold") == 0
    decides = candidate.fit(prepared.vectors.where(~fold), settings, seed=seed)
    counted = margins(prepared.vectors.where(fold), decides)
    calibration = calibrated(counted)
    label, rows = counted["label"].to_numpy(), counted["rows"].to_numpy()
    probability = calibration.probability(counted["margin"].to_numpy())
    return {
        "roc_auc": float(roc_auc_score(label, probability, sample_weight=rows)),
        "log_loss": float(log_loss(label, probability, sample_weight=rows)),
    }, calibration
