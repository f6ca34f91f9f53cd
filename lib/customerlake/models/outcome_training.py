"""Train the outcome candidates beside their baseline, register the best, and let it challenge the champion."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.errors import ModelError
from customerlake.models.evaluation import ScoreCounts, classification_metrics, score_counts
from customerlake.models.figures import classification_figure
from customerlake.models.formula import Linear, Trees, kept_classifier
from customerlake.models.outcome import (
    BASELINE,
    CANDIDATES,
    Attribute,
    Outcome,
    is_held_out,
    learnt_attributes,
    most_telling,
)
from customerlake.models.registry import Registry, Version
from customerlake.runtime.config import ChurnConfig

MODEL = "outcome"
DECIDED_BY = "roc_auc"
FEWEST_CUSTOMERS = 200  # whose outcome is known


@dataclass(frozen=True)
class Candidate:
    name: str
    model: Outcome
    fitted: PipelineModel
    formula: Linear | Trees
    counts: ScoreCounts
    metrics: dict[str, float]


@dataclass(frozen=True)
class TrainedOutcome:
    """What came of a training, for the person who watches."""

    version: Version
    best: str
    metrics: dict[str, float]
    baseline: dict[str, float]
    is_champion: bool


def train_outcome(
    registry: Registry,
    config: ChurnConfig,
    customers: DataFrame,
    *,
    as_of: date,
    inputs: Mapping[str, tuple[str, int]],
    tags: Mapping[str, str],
    progress: Callable[[str], None],
) -> TrainedOutcome:
    """Fit every candidate on seven customers of ten, judge all on the other three, register the best.

    Raises: ModelError when the outcome of too few customers is known, or it is the same for all.
    """
    known = customers.where(F.col("has_outcome").isNotNull())
    count = known.count()
    if count < FEWEST_CUSTOMERS:
        raise ModelError(
            f"The outcome of {count} customers is known, at least {FEWEST_CUSTOMERS} are needed to learn from. "
            "Correct feeds.customer_attributes.columns.outcome in the lake file, or land more customers."
        )
    training, holdout = known.where(~is_held_out()).cache(), known.where(is_held_out()).cache()
    attributes = learnt_attributes(training)
    with registry.run(MODEL, f"outcome as of {as_of}", tags) as parent:
        registry.log_params({"as_of": str(as_of), "decided_by": DECIDED_BY, "held_out": "3 customers of 10"})
        registry.log_inputs(inputs, "training")
        candidates = []
        for name in CANDIDATES:
            progress(f"outcome: training {name}")
            chosen = most_telling(training, attributes) if name == BASELINE else attributes
            candidates.append(_candidate(registry, Outcome(config, name, chosen), training, holdout, tags))
        registry.log_figure(classification_figure("Outcome", {c.name: c.counts for c in candidates}), "held_out")
        best = max((c for c in candidates if c.name != BASELINE), key=lambda c: c.metrics[DECIDED_BY])
        baseline = next(c for c in candidates if c.name == BASELINE)
        registry.log_metrics(best.metrics | {f"baseline_{name}": value for name, value in baseline.metrics.items()})
        kept = {"candidate": best.name, "attributes": [one.model_dump() for one in attributes]}
        registry.log_values(kept | {"formula": best.formula.model_dump()}, "scoring.json")
        registry.log_card(_card(best, baseline, as_of))
        progress(f"outcome: registering {best.name}")
        scored = best.model.score(holdout, best.formula)
        sample = scored.select([column for column in scored.columns if column.startswith("attribute_")]).limit(5)
        output = scored.select("outcome_probability").limit(5).toPandas()
        version = registry.register(
            MODEL,
            best.fitted,
            run_id=parent,
            as_of=as_of,
            inputs=sample.toPandas(),
            output=output,
            metrics=best.metrics,
        )
        before = _champion_metric(registry, config, holdout, as_of)
        wins = before is None or best.metrics[DECIDED_BY] > before
        registry.log_params({"best": best.name, "became_champion": wins})
    registry.judge(version, wins=wins)
    training.unpersist()
    holdout.unpersist()
    return TrainedOutcome(version, best.name, best.metrics, baseline.metrics, wins)


def _candidate(
    registry: Registry, model: Outcome, training: DataFrame, holdout: DataFrame, tags: Mapping[str, str]
) -> Candidate:
    with registry.run(MODEL, model.candidate, tags, nested=True):
        fitted = model.fit(training)
        formula = model.formula(fitted)
        counts = score_counts(model.score(holdout, formula), probability="outcome_probability", label="has_outcome")
        metrics = classification_metrics(counts, threshold=model.config.warning_probability)
        names = dict.fromkeys(attribute.name for attribute in model.attributes)
        registry.log_params(
            {"candidate": model.candidate, "what": CANDIDATES[model.candidate], "attributes": ", ".join(names)}
        )
        registry.log_metrics(metrics)
    return Candidate(model.candidate, model, fitted, formula, counts, metrics)


def _champion_metric(registry: Registry, config: ChurnConfig, holdout: DataFrame, as_of: date) -> float | None:
    champion = next((version for version in registry.versions(MODEL) if version.is_champion), None)
    if champion is None or champion.as_of > as_of:
        return None
    model, formula = usable(registry, config, champion)
    return model.evaluate(model.score(holdout, formula))[DECIDED_BY]


def usable(registry: Registry, config: ChurnConfig, version: Version) -> tuple[Outcome, Linear | Trees]:
    """A registered version as it scores."""
    kept = registry.values(version, "scoring.json")
    attributes = [Attribute.model_validate(one) for one in kept["attributes"]]
    return Outcome(config, kept["candidate"], attributes), kept_classifier(kept["formula"])


def _card(best: Candidate, baseline: Candidate, as_of: date) -> str:
    rows = "\n".join(
        f"| {name} | {best.metrics[name]:.4f} | {baseline.metrics[name]:.4f} |" for name in sorted(best.metrics)
    )
    one = baseline.model.attributes[0].name
    return f"""# Outcome: {best.name}

**Purpose.** Rank the customers of a table of attributes by the probability of its outcome, so that people can act.
Not for decisions about credit, price or service that a person is entitled to.

**Learnt from** seven customers of ten, as they were on {as_of}; **judged on** the other three. The table has no time:
whether the model holds for later customers is not shown.

| metric on held-out customers | {best.name} | {baseline.name}: {one} (baseline) |
|---|---|---|
{rows}

Accuracy, precision, recall and F1 are at a probability of {best.model.config.warning_probability}.

**Limits.** Every attribute that the lake file names is used, among them personal ones; leave out what may not decide.
"""
