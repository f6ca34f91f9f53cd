"""Fit the customer segments, number them as those before, register them, and let them challenge the champion."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from pyspark.sql import DataFrame

from customerlake.errors import ModelError
from customerlake.models.registry import Registry, Version
from customerlake.models.segmentation.matching import matched_ids
from customerlake.models.segmentation.numbers import FittedSegments, kept_segments
from customerlake.models.segmentation.packaged import PackagedSegments
from customerlake.models.segmentation.report import log_report
from customerlake.models.segments import MODEL, Segments
from customerlake.runtime.config import SegmentsConfig

KEPT = "scoring.json"
ON_THE_MAP = 2_000  # customers at most


@dataclass(frozen=True)
class Trained:
    """What came of a training, for the person who watches."""

    version: Version
    fitted: FittedSegments
    champion_before: float | None  # its silhouette on the same customers, where it was made by the same features
    is_champion: bool

    def told(self) -> dict[str, Any]:
        """What `Run.report_model` takes."""
        taken = self.fitted.taken
        return {
            "version": self.version.number,
            "what": taken.name,
            "metrics": {"silhouette": taken.silhouette, "stability": taken.stability},
            "is_champion": self.is_champion,
        }


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

    They take the alias `champion` when there is none, or when their silhouette on the same customers is higher by the
    config's margin; also when the champion was made by other features, which somebody has changed on purpose.
    """
    customers = snapshot.cache()
    model = Segments(config, progress)
    before, highest_id = _segments_before(registry, customers, as_of)
    with registry.run(MODEL, f"segments as of {as_of}", tags) as run_id:
        registry.log_params(config.model_dump() | {"as_of": str(as_of), "features": ", ".join(config.features)})
        registry.log_inputs(inputs, "training")
        fitted = model.fit(customers)
        fitted = _numbered(fitted, before, model, customers, highest_id)
        progress("segments: figures and model card")
        sample = model.sampled(customers, *config.features, most=ON_THE_MAP)
        log_report(registry, fitted, config, sample, as_of=as_of, tags=tags)
        registry.log_values(fitted.model_dump(), KEPT)
        progress("segments: registering")
        version = registry.register(
            MODEL, PackagedSegments(fitted), run_id=run_id, as_of=as_of, inputs=sample.head(),
            output=fitted.assigned(sample.head()),
            metrics={"silhouette": fitted.taken.silhouette, "stability": fitted.taken.stability},
        )  # fmt: skip
        theirs = _silhouette_before(fitted, before, model, customers)
        if theirs is not None:
            registry.log_metrics({"silhouette_before": theirs})
        wins = _wins(registry, as_of, fitted.taken.silhouette, theirs, config.promotion_margin)
        registry.log_params({"taken": fitted.taken.name, "became_champion": wins})
    registry.judge(version, wins=wins)
    customers.unpersist()
    return Trained(version, fitted, theirs, wins)


def kept_by(registry: Registry, version: Version) -> FittedSegments:
    """What a version scores by. Raises: ModelError when it is gone, or another release kept it in another form."""
    return kept_segments(registry.values(version, KEPT), version.number)


def _segments_before(registry: Registry, customers: DataFrame, as_of: date) -> tuple[FittedSegments | None, int]:
    """The segments that scored this date until now, and the highest number that any segment has had; -1 for none."""
    version, highest_id = registry.usable(MODEL, as_of), -1
    fits = {}
    for one in [*registry.versions(MODEL)[-1:], *([version] if version else [])]:  # the newest knows of all before it
        try:
            fits[one.number] = kept_by(registry, one)
            highest_id = max(highest_id, fits[one.number].highest_id)
        except ModelError:  # of another release: it cannot be held against these
            continue
    before = fits.get(version.number) if version else None
    return (before if before and set(before.names) <= set(customers.columns) else None), highest_id


def _numbered(
    fitted: FittedSegments, before: FittedSegments | None, model: Segments, customers: DataFrame, highest_id: int
) -> FittedSegments:
    """The segments under the numbers of those before that hold the same customers; new ones under unused numbers."""
    if before is None:
        ids = [highest_id + 1 + segment.id for segment in fitted.segments]
        return fitted.numbered(ids, highest_id=highest_id)
    old, new = ([segment.id for segment in fit.segments] for fit in (before, fitted))
    table = np.zeros((len(new), len(old)), dtype=int)
    both = _scored_by_both(model, customers, fitted, before)
    for counted in both.groupBy("segment_id", "id_before").count().collect():
        table[new.index(counted["segment_id"]), old.index(counted["id_before"])] = counted["count"]
    return fitted.numbered(matched_ids(table, old, unused_from=highest_id + 1), highest_id=highest_id)


def _silhouette_before(
    fitted: FittedSegments, before: FittedSegments | None, model: Segments, customers: DataFrame
) -> float | None:
    """Of the segments before, on the same customers in the same features; None where they were made by others."""
    if before is None or before.names != fitted.names:
        return None
    both = _scored_by_both(model, customers, fitted, before)
    return model.evaluate(both.drop("segment_id").withColumnRenamed("id_before", "segment_id"))["silhouette"]


def _scored_by_both(model: Segments, customers: DataFrame, fitted: FittedSegments, before: FittedSegments) -> DataFrame:
    """Adds what `score` by `fitted` does, and id_before: the segment by the fit before."""
    scored = model.score(customers, before).withColumnRenamed("segment_id", "id_before")
    return model.score(scored.drop("features", "segment_name", "distance", "membership_probability"), fitted)


def _wins(registry: Registry, as_of: date, own: float, theirs: float | None, margin: float) -> bool:
    champion = registry.champion(MODEL)
    if champion is None:
        return True
    return champion.as_of <= as_of and (theirs is None or own > theirs + margin)
