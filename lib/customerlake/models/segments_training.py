"""Fit the customer segments, register them, and let them challenge the champion."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import altair as alt
import pandas as pd
from pyspark.sql import DataFrame

from customerlake.models.figures import segments_figure
from customerlake.models.formula import Clusters
from customerlake.models.registry import Registry, Version
from customerlake.models.segments import CLUSTERED, Profile, Segments, chosen, profiles, segment_names
from customerlake.runtime.config import SegmentsConfig

MODEL = "segments"


@dataclass(frozen=True)
class Trained:
    """What came of a training, for the person who watches."""

    version: Version
    k: int
    silhouette: float
    stability: float
    is_champion: bool


def train_segments(
    registry: Registry,
    config: SegmentsConfig,
    snapshot: DataFrame,
    *,
    as_of: date,
    inputs: Mapping[str, tuple[str, int]],
    tags: Mapping[str, str],
    progress: Callable[[str], None],
) -> Trained:
    """Fit, name and register the segments of one date.

    They take the alias `champion` when there is none, or when their silhouette on the same customers is higher.
    """
    customers = snapshot.cache()
    model = Segments(config, progress)
    with registry.run(MODEL, f"segments as of {as_of}", tags) as run_id:
        fitted = model.fit(customers)
        formula = model.formula(fitted)
        scored = model.score(customers, formula).cache()
        best = chosen(model.tried, config.min_stability)
        found = profiles(scored)
        names = segment_names(found)
        registry.log_params(config.model_dump() | {"as_of": str(as_of), "k": best.k, "features": ", ".join(CLUSTERED)})
        registry.log_inputs(inputs, "training")
        registry.log_metrics({"silhouette": best.silhouette, "stability": best.stability})
        registry.log_metrics({f"silhouette_k{one.k}": one.silhouette for one in model.tried})
        registry.log_metrics({f"stability_k{one.k}": one.stability for one in model.tried})
        registry.log_figure(_figure(found, names, model, as_of), "segments")
        kept = {"names": {str(number): name for number, name in names.items()}, "formula": formula.model_dump()}
        registry.log_values(kept, "scoring.json")
        registry.log_card(_card(found, names, config, as_of))
        progress("segments: registering")
        sample = customers.select(*CLUSTERED).limit(5).toPandas()
        output = scored.select("segment_id").limit(5).toPandas()
        metrics = {"silhouette": best.silhouette, "stability": best.stability}
        version = registry.register(
            MODEL, fitted, run_id=run_id, as_of=as_of, inputs=sample, output=output, metrics=metrics
        )
        champion = next((one for one in registry.versions(MODEL) if one.is_champion), None)
        wins = champion is None or (
            champion.as_of <= as_of and best.silhouette > _silhouette_of(champion, registry, model, customers)
        )
        registry.log_params({"became_champion": wins})
    registry.judge(version, wins=wins)
    scored.unpersist()
    customers.unpersist()
    return Trained(version, best.k, best.silhouette, best.stability, wins)


def _silhouette_of(champion: Version, registry: Registry, model: Segments, customers: DataFrame) -> float:
    formula = Clusters.model_validate(registry.values(champion, "scoring.json")["formula"])
    return model.evaluate(model.score(customers, formula))["silhouette"]


def _figure(found: list[Profile], names: Mapping[int, str], model: Segments, as_of: date) -> alt.HConcatChart:
    profile_rows = pd.DataFrame(
        [
            {
                "segment": f"{names[profile.segment_id]} ({profile.count_customers:,})",
                "feature": feature.replace("_", " "),
                "value": profile.medians[feature],
                "deviation": profile.deviations[feature],
            }
            for profile in found
            for feature in CLUSTERED
        ]
    )
    tried = pd.DataFrame([vars(one) for one in model.tried])
    return segments_figure(f"Segments as of {as_of}", profile_rows, tried)


def _card(found: list[Profile], names: Mapping[int, str], config: SegmentsConfig, as_of: date) -> str:
    header = " | ".join(feature.replace("_", " ") for feature in CLUSTERED)
    rows = "\n".join(
        f"| {names[p.segment_id]} | {p.count_customers} | "
        + " | ".join(f"{p.medians[f]:,.1f}" for f in CLUSTERED)
        + " |"
        for p in found
    )
    return f"""# Customer segments as of {as_of}

**Purpose.** A few groups of customers who buy alike, to plan offers and to read reports by.

**Method.** k-means over log(1 + x) of {", ".join(CLUSTERED)}, standardised; k from
{config.min_segments} to {config.max_segments} by the highest silhouette among those whose fits on {config.resamples}
random halves agree (adjusted Rand index of {config.min_stability} or more).

| segment | customers | {header} (medians) |
|---|---|{"---|" * len(CLUSTERED)}
{rows}

**Limits.** Groups of a continuum: customers near a border may change groups with a single order.
"""
