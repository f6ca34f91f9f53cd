"""Fitted segments as plain numbers: scaling, grouping, names and the axes of the map. Every engine scores by them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError
from pyspark.sql import Column
from pyspark.sql import functions as F

from customerlake.errors import ModelError
from customerlake.features.snapshot import Feature
from customerlake.models.classifiers.inputs import Numbers
from customerlake.models.segmentation.choice import Gap, Tried
from customerlake.models.segmentation.clusterings import Clustering, squared_distance

FURTHEST = 5.0  # standard deviations: what is further off counts as so far, else one customer would be a segment


class ScaledFeature(Numbers):
    """A feature in standard deviations from its mean, FURTHEST at most, after log(1 + x) where it has a long tail.

    A missing value is the median of the customers that were learnt from; a feature that never varied is 0.
    """

    name: str
    is_logged: bool  # what is below zero counts as zero
    typical: float
    mean: float
    deviation: float

    def column(self) -> Column:
        if not self.deviation:
            return F.lit(0.0)
        value = F.col(self.name).cast("double")
        filled = F.coalesce(F.when(F.abs(value) < float("inf"), value), F.lit(self.typical))  # NaN is above infinity
        logged = F.log1p(F.greatest(filled, F.lit(0.0))) if self.is_logged else filled
        return F.greatest(F.least((logged - self.mean) / self.deviation, F.lit(FURTHEST)), F.lit(-FURTHEST))

    def scaled(self, values: np.ndarray) -> np.ndarray:
        if not self.deviation:
            return np.zeros(len(values))
        filled = np.where(np.isfinite(values), values, self.typical)
        return np.clip((_logged(filled, self.is_logged) - self.mean) / self.deviation, -FURTHEST, FURTHEST)


class Segment(Numbers):
    """A group of customers, and its typical customer among those that were learnt from."""

    id: int  # kept from one fit to the next
    name: str
    customers: int
    medians: dict[str, float | None]  # of the known values; None where none is known
    deviations: dict[str, float]  # of the mean from that of all, in standard deviations
    found_again: float  # mean Jaccard similarity to its likest in fits on bootstrap samples


class Axis(Numbers):
    """A principal component of the standardised features."""

    loadings: dict[str, float]
    variance_share: float


class FittedSegments(Numbers):
    """All that scoring needs, and what the choice was made by."""

    features: tuple[ScaledFeature, ...]
    clustering: Clustering
    segments: tuple[Segment, ...]  # of the clustering's groups, in their order
    axes: tuple[Axis, Axis]
    tried: tuple[Tried, ...]
    taken: Tried
    gaps: tuple[Gap, ...]
    customers: int  # that were learnt from
    highest_id: int  # of any segment, of this fit and of those before

    @property
    def names(self) -> list[str]:
        return [feature.name for feature in self.features]

    def matrix(self, rows: pd.DataFrame) -> np.ndarray:
        """The standardised features of `rows`, a column each."""
        raw = raw_values(rows, self.names)
        return np.column_stack([feature.scaled(raw[:, i]) for i, feature in enumerate(self.features)])

    def assigned(self, rows: pd.DataFrame) -> pd.DataFrame:
        """For each row: segment_id, segment_name, distance, membership_probability. Without Spark."""
        values = list(self.matrix(rows).T)
        groups, each = self.clustering.groups(values), np.arange(len(rows))
        affinities = np.stack(self.clustering.affinities(values), axis=1)
        centres = np.array(self.clustering.centres)[groups]
        with np.errstate(over="ignore"):  # a row very far from its own centre: the probability is 0
            relative = np.exp(affinities - affinities[each, groups][:, None]).sum(axis=1)
        return pd.DataFrame(
            {
                "segment_id": np.array([segment.id for segment in self.segments], dtype="int32")[groups],
                "segment_name": np.array([segment.name for segment in self.segments], dtype=object)[groups],
                "distance": np.sqrt(squared_distance(values, list(centres.T))),
                "membership_probability": 1 / relative,
            },
            index=rows.index,
        )

    def places(self, matrix: np.ndarray) -> np.ndarray:
        """Where rows of the matrix lie on the map, a column for each axis."""
        places: np.ndarray = matrix @ np.array([[axis.loadings[name] for name in self.names] for axis in self.axes]).T
        return places

    def numbered(self, ids: Sequence[int], *, highest_id: int) -> "FittedSegments":
        """The same segments under other numbers, in the order of `segments`."""
        segments = [
            segment.model_copy(update={"id": number}) for segment, number in zip(self.segments, ids, strict=True)
        ]
        return self.model_copy(update={"segments": tuple(segments), "highest_id": max(highest_id, *ids)})


def kept_segments(kept: Mapping[str, Any], version: str) -> FittedSegments:
    """What was kept beside a version. Raises: ModelError when another release kept it in another form."""
    try:
        return FittedSegments.model_validate(kept)
    except ValidationError as error:
        raise ModelError(
            f"Version {version} of the segments was kept by another release of customerlake, in a form that this one "
            f"does not know ({error.error_count()} differences). Train again: `customerlake run --from features "
            "--retrain`."
        ) from error


def learnt_scaling(raw: np.ndarray, features: Sequence[Feature]) -> tuple[ScaledFeature, ...]:
    """Median, mean and standard deviation of each column of `raw`, whose missing values are NaN.

    Raises: ModelError when a feature is known of nobody, or all customers are alike.
    """
    unknown = [feature.name for feature, known in zip(features, np.isfinite(raw).any(axis=0), strict=True) if not known]
    if unknown:
        raise ModelError(
            f"No customer has a value of {', '.join(unknown)}: the lake may not have the feed that it comes from. "
            "Take it out of segments.features in the lake file, or land the feed."
        )
    found = tuple(_scaling(raw[:, i], feature) for i, feature in enumerate(features))
    if not any(one.deviation for one in found):
        raise ModelError(
            f"All {len(raw):,} customers are alike in {', '.join(one.name for one in found)}: there is nothing to tell "
            "segments by. Use a later --as-of, or name other segments.features in the lake file."
        )
    return found


def raw_values(rows: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """A column for each name; what is missing is NaN."""
    return rows[list(names)].to_numpy(dtype=float, na_value=np.nan)


def _logged(values: np.ndarray, is_logged: bool) -> np.ndarray:
    return np.log1p(np.maximum(values, 0.0)) if is_logged else values


def _scaling(values: np.ndarray, feature: Feature) -> ScaledFeature:
    known = np.isfinite(values)
    typical = float(np.median(values[known]))
    is_logged = feature.is_skewed or feature.unit == "days"  # some customers are gone, and their days only grow
    seen = _logged(np.where(known, values, typical), is_logged)
    deviation = float(seen.std(ddof=1)) if np.ptp(seen) > 0 else 0.0
    return ScaledFeature(
        name=feature.name, is_logged=is_logged, typical=typical, mean=float(seen.mean()), deviation=deviation
    )
