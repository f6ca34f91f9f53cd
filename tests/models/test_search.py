from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from customerlake.models.classifiers import search
from customerlake.models.classifiers.classification import Prepared
from customerlake.models.classifiers.inputs import Inputs, Number
from customerlake.models.classifiers.numbers import Calibration, Linear, Standardised
from customerlake.runtime.config import SearchConfig

pytestmark = pytest.mark.before_an_engine  # fits are made by hand; those of MLlib are tested beside the models


@dataclass
class Blend:
    """A candidate that needs no fit: the log-odds are `share` of the first column and the rest of the second."""

    what: str = "a blend of two columns"
    features: tuple[str, ...] | None = None
    start: float = 0.5
    fitted_on: list[int] = field(default_factory=list)

    def usual(self):
        return {"share": self.start}

    def suggested(self, trial):
        return {"share": trial.suggest_float("share", 0.0, 1.0)}

    def fit(self, vectors, settings, *, seed):
        self.fitted_on.append(vectors.count())
        share = settings["share"]
        return Linear(
            over=Standardised(means=(0, 0), deviations=(1, 1)), coefficients=(share, 1 - share), intercept=0.0
        )


ROWS = pd.DataFrame({"fold": np.arange(900) % 3})
_RANDOM = np.random.default_rng(4)
ROWS["tells"], ROWS["noise"] = _RANDOM.normal(size=(2, 900)).round(2)
ROWS["label"] = (_RANDOM.random(900) < 1 / (1 + np.exp(-2 * ROWS["tells"]))).astype(float)
INPUTS = Inputs(numbers=(Number(name="tells", typical=0), Number(name="noise", typical=0)), categories=())


@pytest.fixture(scope="module")
def prepared(spark):
    rows = ROWS.assign(values=ROWS[["tells", "noise"]].to_numpy().tolist())
    vectors = spark.createDataFrame(rows[["fold", "values", "label"]]).cache()
    return Prepared(INPUTS, vectors, np.empty((0, 2)), can_be_judged=True)


def found(prepared, candidate=None, seed=3, **settings):
    return search.searched(candidate or Blend(), prepared, SearchConfig(**settings), seed=seed)


def test_settings_that_do_better_on_other_customers_are_found(prepared):
    best = found(prepared, Blend(start=0.1), trials=12)

    assert best.settings["share"] > 0.8  # the first column alone tells
    assert best.settings["share"] == best.trials.loc[best.trials["log_loss"].idxmin(), "share"]


def test_the_usual_settings_are_tried_first_and_alone_when_only_one_trial_is_asked_for(prepared):
    once = found(prepared, Blend(start=0.25), trials=1)

    assert once.settings == {"share": 0.25}
    assert once.trials["share"].tolist() == [0.25]
    assert found(prepared, Blend(start=0.25), trials=3).trials["share"].iloc[0] == 0.25


def test_settings_are_judged_on_the_first_fold_which_was_not_learnt_from(prepared):
    candidate = Blend(start=0.5)

    once = found(prepared, candidate, trials=1)

    judged = ROWS[ROWS["fold"] == 0]
    margin = (judged["tells"] + judged["noise"]) / 2
    p = once.calibration.probability(margin.to_numpy())
    assert candidate.fitted_on == [600]
    assert once.trials["roc_auc"][0] == pytest.approx(roc_auc_score(judged["label"], margin), abs=0.003)
    assert once.trials["log_loss"][0] == pytest.approx(log_loss(judged["label"], p), abs=0.003)
    assert once.calibration.slope == pytest.approx(2, abs=0.9)


def test_no_trial_begins_after_the_time_is_over(prepared, monkeypatch):
    hours = iter(range(0, 100_000, 3600))
    monkeypatch.setattr(search, "monotonic", lambda: next(hours))

    assert len(found(prepared, trials=50, seconds=4 * 3600.0).trials) < 5


def test_one_seed_tries_the_same_settings_and_another_others(prepared):
    first, again, other = (found(prepared, trials=4, seed=seed).trials["share"].tolist() for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_where_one_fold_is_of_one_class_the_usual_settings_are_taken_as_they_are(prepared):
    candidate = Blend()
    one_class = Prepared(INPUTS, prepared.vectors, np.empty((0, 2)), can_be_judged=False)

    best = found(one_class, candidate, trials=5)

    assert (best.settings, best.calibration) == ({"share": 0.5}, Calibration())
    assert candidate.fitted_on == []


def test_progress_says_which_settings_are_tried_of_how_many(prepared):
    told = []

    search.searched(Blend(), prepared, SearchConfig(trials=2), seed=1, progress=told.append)

    assert told == ["settings 1 of 2", "settings 2 of 2"]
