"""Train the candidates of a yes or no beside their baselines, choose by time, register the best, judge the champion."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import date
from threading import Lock

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.errors import ModelError
from customerlake.models.classifiers.candidates import CANDIDATES, Settings
from customerlake.models.classifiers.classification import Classification, Prepared
from customerlake.models.classifiers.competition import DECIDED_BY, Competitor, Report, Split, Task
from customerlake.models.classifiers.evaluation import (
    ScoreCounts,
    calibration_error,
    classification_metrics,
    intervals,
    score_counts,
    together,
)
from customerlake.models.classifiers.fairness import group_metrics
from customerlake.models.classifiers.numbers import Calibration, Classifier
from customerlake.models.classifiers.packaged import PackagedClassifier
from customerlake.models.classifiers.profit import ProfitCurve, profit_curve
from customerlake.models.classifiers.report import log_report
from customerlake.models.classifiers.search import searched
from customerlake.models.registry import Registry, Version
from customerlake.models.trained import Trained
from customerlake.runtime.config import ClassifierConfig, SearchConfig

LEARNING_SHARES = (0.1, 0.25, 0.5, 1.0)  # of customers, for the learning curve
FEWEST_TO_LEARN_FROM = 100  # rows


class Training:
    """One training of a task: its settings, its splits, and where it is written down."""

    def __init__(
        self, registry: Registry, config: ClassifierConfig, task: Task, splits: Sequence[Split], *, as_of: date,
        tags: Mapping[str, str], progress: Callable[[str], None], kept: Mapping[str, object] | None = None,
    ) -> None:  # fmt: skip
        self.registry, self.config, self.task, self.as_of, self.tags = registry, config, task, as_of, tags
        self.splits, self.kept = list(splits), dict(kept or {})
        self.told = progress
        self.known = {**task.baselines, **{name: CANDIDATES[name] for name in config.candidates if name in CANDIDATES}}
        if baselines := [name for name in config.candidates if name in task.baselines]:
            raise ModelError(
                f"{task.model}.candidates: {', '.join(baselines)} is a baseline, which always runs. Name what is to "
                f"beat it: {', '.join(CANDIDATES)}."
            )
        for name in config.candidates:
            self.model(name)  # an unknown name fails before anything is fitted

    def model(self, name: str, settings: Settings | None = None) -> Classification:
        return self.task.contender(name, seed=self.config.seed, settings=settings, known=self.known)

    def progress(self, text: str) -> None:
        self.told(f"{self.task.model}: {text}")

    def run(
        self, inputs: Mapping[str, tuple[str, int]], *, groups: DataFrame | None = None,
        parameters: Mapping[str, object] | None = None, metrics: Mapping[str, float] | None = None,
    ) -> Trained:  # fmt: skip
        """Fit every candidate on the newest split and the older ones, register the best.

        It takes the alias `champion` when there is none, or when it beats the champion on the newest held-out rows by
        the config's margin. `groups` says sex, age and region of customers, for the fairness table alone.
        """
        for split in self.splits:
            split.training.cache()
            split.holdout.cache()
        with self.registry.run(self.task.model, f"{self.task.title} as of {self.as_of}", self.tags) as run_id:
            self.registry.log_params({**_flat(self.config), **(parameters or {}), "as_of": str(self.as_of)})
            self.registry.log_inputs(inputs, "training")
            self.registry.log_metrics(metrics or {})
            report = self._competition(groups, run_id)
            log_report(self.registry, report)
            version = self._registered(report, run_id)
            champion = self.registry.champion(self.task.model)
            before = self._metric_of(champion) if champion else None
            beats = before is not None and report.best.metrics[0][DECIDED_BY] >= before + self.config.promotion_margin
            wins = champion is None or beats
            self.registry.log_params({"best": report.best.name, "became_champion": wins})
            if before is not None:
                self.registry.log_metrics({f"champion_{DECIDED_BY}": before})
        self.registry.judge(version, wins=wins)
        for split in self.splits:
            split.training.unpersist()
            split.holdout.unpersist()
        best, baseline = report.best.metrics[0], report.baseline.metrics[0]
        return Trained(version, report.best.name, best, baseline, before, wins, report.warnings)

    def _competition(self, groups: DataFrame | None, run_id: str) -> Report:
        vectors = Vectors(self.splits)
        with ThreadPoolExecutor(self.config.fitted_at_once) as pool:
            competitors = list(pool.map(lambda name: self._competitor(name, vectors, run_id), self.known))
            own = [one for one in competitors if one.name not in self.task.baselines]
            best = max(own, key=lambda one: one.mean)
            curve, threshold = self._threshold(best)
            for one in competitors:
                one.metrics = [_metrics(counts, threshold) for counts in one.counts]
            self.progress("how it learns and what it looks at")
            learning = self._learning_curve(best, pool)
        scored = self.model(best.name).score(self.splits[0].holdout, best.fitted).cache()
        report = Report(
            task=self.task,
            config=self.config,
            as_of=self.as_of,
            splits=[split.name for split in self.splits],
            competitors=competitors,
            best=best,
            baseline=next(one for one in competitors if one.name in self.task.baselines),
            threshold=threshold,
            curve=curve,
            intervals=intervals(best.counts[0], threshold=threshold, seed=self.config.seed),
            learning=learning,
            sample=vectors.of(0, self.model(best.name)).sample,
            fairness=self._fairness(scored, groups, threshold),
        )
        scored.unpersist()
        vectors.release()
        return report

    def _competitor(self, name: str, vectors: "Vectors", run_id: str) -> Competitor:
        """One run below `run_id`: settings searched on the newest split, then fitted and judged on every split."""
        model, started = self.model(name), pd.Timestamp.now()
        with self.registry.run(self.task.model, name, self.tags, nested=True, below=run_id):
            fits, counts, found = [], [], None
            for number, split in enumerate(self.splits):
                prepared = vectors.of(number, model)
                if found is None:
                    self.progress(f"{name}, searching")
                    once = SearchConfig(trials=1)  # a baseline is what it is
                    found = searched(
                        model.how, prepared, once if name in self.task.baselines else self.config.search,
                        seed=self.config.seed,
                        progress=lambda text: self.progress(f"{name}, {text}"),
                    )  # fmt: skip
                self.progress(f"{name}, {split.name}")
                fits.append(model.fit_prepared(prepared, found.settings, found.calibration))
                counts.append(self._counts(model.score(split.holdout, fits[-1])))
            assert found is not None
            seconds = (pd.Timestamp.now() - started).total_seconds()
            competitor = Competitor(name, found.settings, fits[0], counts, found.trials, seconds)
            competitor.metrics = [_metrics(one, 0.5) for one in counts]
            self.registry.log_params({"candidate": name, "what": model.how.what, **found.settings})
            self.registry.log_metrics(competitor.metrics[0] | {"seconds": seconds})
            self.registry.log_series(f"{DECIDED_BY}_by_split", [one[DECIDED_BY] for one in competitor.metrics])
            if len(found.trials) > 1:
                self.registry.log_table(found.trials, "search")
        return competitor

    def _counts(self, scored: DataFrame) -> ScoreCounts:
        known = scored.where(F.col(self.task.label).isNotNull())
        if self.task.stake:
            known = known.withColumn("stake", self.task.stake()).transform(without_extremes)
        return score_counts(
            known, probability=self.task.probability, label=self.task.label, stake="stake" if self.task.stake else None
        )

    def _threshold(self, best: Competitor) -> tuple[ProfitCurve | None, float]:
        """Where profit is highest on the older held-out rows, so that the newest judge it; 0.5 without stakes."""
        chosen_on = best.counts[1:] or best.counts
        curve = profit_curve(together(chosen_on), self.config.profit) if self.task.stake else None
        if self.config.warning_probability is not None:
            return curve, self.config.warning_probability
        return curve, curve.threshold if curve else 0.5

    def _learning_curve(self, best: Competitor, pool: Executor) -> pd.DataFrame:
        """ROC AUC on the newest held-out rows by the share of customers that were learnt from."""
        areas = pool.map(lambda share: self._learnt_from(share, best), LEARNING_SHARES)
        found = [(share, area) for share, area in zip(LEARNING_SHARES, areas, strict=True) if area is not None]
        return pd.DataFrame(found, columns=["share", "roc_auc"])

    def _learnt_from(self, share: float, best: Competitor) -> float | None:
        """The ROC AUC after learning from so many of the customers; None where they are too few."""
        if share == 1.0:
            return best.metrics[0]["roc_auc"]
        split, of_share = self.splits[0], F.crc32(F.concat("customer_id", F.lit("learning"))) % 1000 < int(1000 * share)
        rows = split.training.where(of_share)
        model = self.model(best.name, best.settings)
        if rows.select(self.task.label).distinct().count() < 2 or rows.count() < FEWEST_TO_LEARN_FROM:
            return None
        prepared = model.prepared(rows)
        fitted = model.fit_prepared(prepared, calibration=Calibration())  # ranks are all that is asked for
        prepared.release()
        return classification_metrics(self._counts(model.score(split.holdout, fitted)), threshold=0.5)["roc_auc"]

    def _fairness(self, scored: DataFrame, groups: DataFrame | None, threshold: float) -> pd.DataFrame | None:
        if groups is None:
            return None
        return group_metrics(
            scored, groups, probability=self.task.probability, label=self.task.label, threshold=threshold
        )

    def _registered(self, report: Report, run_id: str) -> Version:
        best = report.best
        self.progress(f"registering {best.name}")
        kept = {**self.kept, "classifier": best.fitted.model_dump(), "threshold": report.threshold}
        self.registry.log_values(kept, "scoring.json")
        sample = self.splits[0].holdout.select(*best.fitted.inputs.features).limit(5).toPandas()
        scorer = PackagedClassifier(best.fitted, self.task.probability)
        return self.registry.register(
            self.task.model, scorer, run_id=run_id, as_of=self.as_of, inputs=sample,
            output=scorer.predict(None, sample), metrics=best.metrics[0],
        )  # fmt: skip

    def _metric_of(self, champion: Version) -> float | None:
        """On the newest held-out rows. None where it has seen later days: a back-test never replaces such a one."""
        if champion.as_of > self.as_of:
            return None
        fitted, _ = kept_classifier(self.registry, champion)
        model = self.model(next(iter(self.known)))  # whichever: the numbers score
        return model.evaluate(model.score(self.splits[0].holdout, fitted))[DECIDED_BY]


class Vectors:
    """The training rows of each split as vectors, made once for all candidates that look at the same features."""

    def __init__(self, splits: Sequence[Split]) -> None:
        self._splits = splits
        self._made: dict[tuple[int, tuple[str, ...] | None], Prepared] = {}
        self._lock = Lock()

    def of(self, number: int, model: Classification) -> Prepared:
        """Of the split with this number, for the model."""
        place = (number, model.how.features)
        with self._lock:  # candidates that are fitted at once want the same
            if place not in self._made:
                self._made[place] = model.prepared(self._splits[number].training)
            return self._made[place]

    def release(self) -> None:
        for prepared in self._made.values():
            prepared.release()


def without_extremes(rows: DataFrame) -> DataFrame:
    """Stakes up to their 99th percentile: a single large customer must not decide on a threshold for all."""
    most = rows.agg(F.percentile_approx(F.col("stake").cast("double"), 0.99).alias("most"))
    return rows.join(F.broadcast(most), how="cross").withColumn("stake", F.least("stake", "most")).drop("most")


def kept_classifier(registry: Registry, version: Version) -> tuple[Classifier, float]:
    """What a version scores by: its classifier, and the probability from which a row is flagged."""
    kept = registry.values(version, "scoring.json")
    return Classifier.model_validate(kept["classifier"]), kept["threshold"]


def _metrics(counts: ScoreCounts, threshold: float) -> dict[str, float]:
    return classification_metrics(counts, threshold=threshold) | {"calibration_error": calibration_error(counts)}


def _flat(config: ClassifierConfig) -> dict[str, object]:
    """Settings as MLflow shows them: `search.trials`."""
    flat: dict[str, object] = {}
    for name, value in config.model_dump().items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": one for inner, one in value.items()}
        else:
            flat[name] = ", ".join(value) if isinstance(value, tuple) else value
    return flat
