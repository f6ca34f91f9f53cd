"""Train the churn candidates beside their baseline, register the best, and let it challenge the champion."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.models.churn import ALL_FEATURES, BASELINE, CANDIDATES, Churn, still_buying, typical_values
from customerlake.models.evaluation import ScoreCounts, classification_metrics, score_counts
from customerlake.models.figures import classification_figure
from customerlake.models.formula import Linear, Trees, kept_classifier
from customerlake.models.registry import Registry, Version
from customerlake.models.splits import TimeSplit
from customerlake.runtime.config import ChurnConfig

MODEL = "churn"
DECIDED_BY = "roc_auc"
"""The metric on the held-out date by which the best candidate is chosen and a challenger beats the champion."""


@dataclass(frozen=True)
class Candidate:
    name: str
    fitted: PipelineModel
    formula: Linear | Trees
    counts: ScoreCounts
    metrics: dict[str, float]
    run_id: str


@dataclass(frozen=True)
class Trained:
    """What came of a training, for the person who watches."""

    version: Version
    best: str
    metrics: dict[str, float]
    baseline: dict[str, float]
    champion_before: float | None  # its metric on the same held-out date
    is_champion: bool


def train_churn(
    registry: Registry,
    config: ChurnConfig,
    snapshot: DataFrame,
    labels: DataFrame,
    split: TimeSplit,
    *,
    as_of: date,
    inputs: Mapping[str, tuple[str, int]],
    tags: Mapping[str, str],
    progress: Callable[[str], None],
) -> Trained:
    """Fit every candidate on the training dates, judge all on the held-out date, register the best.

    The best takes the alias `champion` when there is none, or when it beats the champion on the same held-out date.
    """
    labelled = snapshot.join(
        labels.where(F.col("horizon_days") == config.horizon_days), on=["customer_id", "as_of"], how="inner"
    )
    eligible = labelled.transform(still_buying(config))
    training = eligible.where(F.col("as_of").isin(list(split.training))).cache()
    holdout = eligible.where(F.col("as_of") == F.lit(split.holdout)).cache()
    with registry.run(MODEL, f"churn as of {as_of}", tags) as parent:
        registry.log_params(_parameters(config, split, as_of))
        registry.log_inputs(inputs, "training")
        candidates = []
        for name in CANDIDATES:
            progress(f"churn: training {name}")
            candidates.append(_candidate(registry, config, name, training, holdout, tags))
        figure = classification_figure(f"Churn on {split.holdout}", {c.name: c.counts for c in candidates})
        registry.log_figure(figure, "held_out_date")
        best = max((c for c in candidates if c.name != BASELINE), key=lambda c: c.metrics[DECIDED_BY])
        baseline = next(c for c in candidates if c.name == BASELINE)
        registry.log_metrics(best.metrics | {f"baseline_{name}": value for name, value in baseline.metrics.items()})
        typical = typical_values(training, ALL_FEATURES)
        kept = {"candidate": best.name, "typical": typical, "formula": best.formula.model_dump()}
        registry.log_values(kept, "scoring.json")
        registry.log_card(_card(config, split, best, baseline))
        progress(f"churn: registering {best.name}")
        sample = holdout.select(*ALL_FEATURES).limit(5).toPandas()
        output = Churn(config, best.name).score(holdout, best.formula).select("churn_probability").limit(5).toPandas()
        version = registry.register(
            MODEL, best.fitted, run_id=parent, as_of=as_of, inputs=sample, output=output, metrics=best.metrics
        )
        before = _champion_metric(registry, config, holdout, as_of)
        wins = not _is_older_than_champion(registry, as_of) and (before is None or best.metrics[DECIDED_BY] > before)
        registry.log_params({"best": best.name, "became_champion": wins})
    registry.judge(version, wins=wins)
    training.unpersist()
    holdout.unpersist()
    return Trained(version, best.name, best.metrics, baseline.metrics, before, wins)


def _candidate(
    registry: Registry, config: ChurnConfig, name: str, training: DataFrame, holdout: DataFrame, tags: Mapping[str, str]
) -> Candidate:
    model = Churn(config, name)
    with registry.run(MODEL, name, tags, nested=True) as run_id:
        fitted = model.fit(training)
        formula = model.formula(fitted)
        counts = score_counts(model.score(holdout, formula), probability="churn_probability", label="is_churned")
        metrics = classification_metrics(counts, threshold=config.warning_probability)
        registry.log_params({"candidate": name, "what": CANDIDATES[name], "features": ", ".join(model.features)})
        registry.log_metrics(metrics)
    return Candidate(name, fitted, formula, counts, metrics, run_id)


def _champion_metric(registry: Registry, config: ChurnConfig, holdout: DataFrame, as_of: date) -> float | None:
    champion = next((version for version in registry.versions(MODEL) if version.is_champion), None)
    if champion is None or champion.as_of > as_of:
        return None
    kept = registry.values(champion, "scoring.json")
    model = Churn(config, kept["candidate"])
    return model.evaluate(model.score(holdout, kept_classifier(kept["formula"])))[DECIDED_BY]


def _is_older_than_champion(registry: Registry, as_of: date) -> bool:
    """A model trained for a back-test never replaces one that has seen more."""
    return any(version.is_champion and version.as_of > as_of for version in registry.versions(MODEL))


def _parameters(config: ChurnConfig, split: TimeSplit, as_of: date) -> dict[str, object]:
    return config.model_dump() | {
        "as_of": str(as_of),
        "training_on": ", ".join(map(str, split.training)),
        "held_out_on": str(split.holdout),
        "decided_by": DECIDED_BY,
    }


def _card(config: ChurnConfig, split: TimeSplit, best: Candidate, baseline: Candidate) -> str:
    rows = "\n".join(
        f"| {name} | {best.metrics[name]:.4f} | {baseline.metrics[name]:.4f} |" for name in sorted(best.metrics)
    )
    return f"""# Churn: {best.name}

**Purpose.** Rank the customers still buying by the risk that they do not order in the next {config.horizon_days} days,
so that people can act before they leave. Not for decisions about credit, price or service that a person is entitled to.

**Who is scored.** Customers with an order in the {config.horizon_days} days before the date. Others have churned.

**Learnt from** the dates {", ".join(map(str, split.training))}; **judged on** {split.holdout}, whose
{config.horizon_days} days of labels begin when the last training labels have ended.

| metric on {split.holdout} | {best.name} | {baseline.name} (baseline) |
|---|---|---|
{rows}

Accuracy, precision, recall and F1 are at a probability of {config.warning_probability}.

**Limits.** One shop and about a year: seasons are not learnt. No personal attribute is a feature; country is not used.
"""
