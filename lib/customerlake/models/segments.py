"""Customer segments: k-means, bisecting k-means or a Gaussian mixture over features of the customers' behaviour."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.errors import ConfigError, ModelError
from customerlake.features.snapshot import FEATURES, Feature
from customerlake.models.segmentation.choice import Tried, chosen, silhouette
from customerlake.models.segmentation.clustering_fits import principal_components
from customerlake.models.segmentation.clusterings import Bisected, Clustering, squared_distance, summed
from customerlake.models.segmentation.names import segment_names
from customerlake.models.segmentation.numbers import (
    Axis,
    FittedSegments,
    Segment,
    learnt_scaling,
    raw_values,
)
from customerlake.models.segmentation.search import searched
from customerlake.runtime.config import SegmentsConfig

MODEL = "segments"

SEGMENTS = Table(
    name="scores.segments",
    grain="one row per customer_id and as_of, over the customers with a purchase by then",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "date of the features"),
        Field("segment_id", T.IntegerType(), "number of the segment, which it keeps from one training to the next"),
        Field("segment_name", T.StringType(), "the segment in words, from its profile", personal="analyse"),
        Field("distance", T.DoubleType(), "to the segment's centre, in standardised features"),
        Field(
            "membership_probability",
            T.DoubleType(),
            "of coming from this segment: by the Gaussian mixture, or by the mixture of equal round groups that "
            "k-means stands for",
            unit="share",
        ),
        Field("_model_version", T.StringType(), "registered version of the model"),
    ),
)

BUCKETS = 1_000_000  # of hashes, by which customers are sampled


class Segments:
    """Settings name the features, the numbers of segments to try, and what a grouping must come up to.

    Raises: ConfigError when a feature is unknown or a word.
    """

    scores = SEGMENTS

    def __init__(self, config: SegmentsConfig, on_progress: Callable[[str], None] = lambda text: None) -> None:
        self.config = config
        self.progress = on_progress
        self.features = [_feature_named(name) for name in config.features]

    def fit(self, rows: DataFrame) -> FittedSegments:
        """Fit every method with every number of segments, and keep what `segment_choice.RULE` takes.

        Rows of one as_of. At most `learnt_from_customers` of them are learnt from, without their ids.
        Raises: ModelError when a feature is missing or known of nobody, or too few customers differ.
        """
        _refuse_lacking(rows, self.config.features)
        raw = raw_values(self.sampled(rows, *self.config.features), self.config.features)
        self._refuse_few(len(raw))
        scaling = learnt_scaling(raw, self.features)
        matrix = np.column_stack([one.scaled(raw[:, i]) for i, one in enumerate(scaling)])
        self._refuse_few(len(np.unique(matrix, axis=0)))
        directions, shares = principal_components(rows.sparkSession, matrix)
        found = searched(rows.sparkSession, matrix, directions, self.config, self.progress)
        taken = chosen(
            found.tried,
            found.gaps,
            min_share=self.config.min_segment_share,
            min_stability=self.config.min_stability,
        )
        clustering = found.groupings[taken.method, taken.k]
        first, second = (Axis(loadings=self._of_features(directions[:, i]), variance_share=shares[i]) for i in (0, 1))
        return FittedSegments(
            features=scaling,
            clustering=clustering,
            segments=self._described(raw, matrix, clustering.groups(list(matrix.T)), taken),
            axes=(first, second),
            tried=tuple(found.tried),
            taken=taken,
            gaps=tuple(found.gaps),
            customers=len(raw),
            highest_id=taken.k - 1,
        )

    def score(self, rows: DataFrame, fitted: FittedSegments) -> DataFrame:
        """Adds: features (array, standardised), segment_id, segment_name, distance, membership_probability."""
        _refuse_lacking(rows, fitted.names)
        clustering, segments = fitted.clustering, fitted.segments
        of = [F.get("features", F.lit(i)) for i in range(len(fitted.features))]
        affinity = [F.get("_affinities", F.lit(group)) for group in range(len(segments))]
        own = F.get("_affinities", F.col("_group"))
        centre = [F.get("_centre", F.lit(i)) for i in range(len(fitted.features))]
        return (
            rows.withColumn("features", F.array(*[feature.column() for feature in fitted.features]))
            .withColumn("_affinities", F.array(*clustering.affinities(of)))
            .withColumn("_group", _group(clustering, of))
            .withColumn("_centre", _of_group([list(centre) for centre in clustering.centres]))
            .withColumns(
                {
                    "segment_id": _of_group([segment.id for segment in segments]),
                    "segment_name": _of_group([segment.name for segment in segments]),
                    "distance": F.sqrt(squared_distance(of, centre)),
                    "membership_probability": 1 / summed([F.exp(one - own) for one in affinity]),
                }
            )
            .drop("_affinities", "_group", "_centre")
        )

    def evaluate(self, scored: DataFrame) -> dict[str, float]:
        """The silhouette of scored rows, of `learnt_from_customers` of them at most, and the number of all.

        Raises: ModelError when there is no row.
        """
        rows = self.sampled(scored, "features", "segment_id")
        if rows.empty:
            raise ModelError("No scored customer to judge segments by. Score a date that has customers.")
        found = silhouette(np.stack(rows["features"].to_list()), rows["segment_id"].to_numpy())
        return {"silhouette": found, "rows": float(scored.count())}

    def sampled(self, rows: DataFrame, *columns: str, most: int | None = None) -> pd.DataFrame:
        """Of at most `most` customers (by default those that are learnt from), always the same and in one order."""
        most, customers = most or self.config.learnt_from_customers, rows.count()
        place = F.xxhash64("customer_id", F.lit(self.config.seed))
        if customers > most:
            rows = rows.where(F.pmod(place, F.lit(BUCKETS)) < BUCKETS * most // customers)
        return rows.orderBy(place, "customer_id").limit(most).select(*columns).toPandas()

    def _refuse_few(self, different: int) -> None:
        most = self.config.max_segments
        if different < most + 2:  # the gap statistic needs one group more, and groups have a spread
            raise ModelError(
                f"{different} customers that differ in {', '.join(self.config.features)} cannot be put into up to "
                f"{most} segments: {most + 2} are needed. Lower segments.max_segments in the lake file, or use a later "
                "--as-of."
            )

    def _described(self, raw: np.ndarray, matrix: np.ndarray, groups: np.ndarray, taken: Tried) -> tuple[Segment, ...]:
        """The segments of the groups. The largest is number 0."""
        sizes = np.bincount(groups, minlength=taken.k)
        ranks = np.argsort(np.argsort(-sizes, kind="stable"), kind="stable")
        deviations = [self._of_features(matrix[groups == group].mean(axis=0)) for group in range(taken.k)]
        return tuple(
            Segment(
                id=int(ranks[group]),
                name=name,
                customers=int(sizes[group]),
                medians={one: _known_median(raw[groups == group, i]) for i, one in enumerate(self.config.features)},
                deviations=deviations[group],
                found_again=taken.found_again[group],
            )
            for group, name in enumerate(segment_names(deviations))
        )

    def _of_features(self, values: np.ndarray) -> dict[str, float]:
        return dict(zip(self.config.features, map(float, values), strict=True))


def segment_scores(
    fitted: FittedSegments, snapshot: DataFrame, config: SegmentsConfig, *, model_version: str
) -> DataFrame:
    """scores.segments for one as_of."""
    scored = Segments(config).score(snapshot, fitted)
    return scored.withColumn("_model_version", F.lit(model_version)).transform(SEGMENTS.conform)


def _refuse_lacking(rows: DataFrame, features: Sequence[str]) -> None:
    if lacking := [name for name in features if name not in rows.columns]:
        raise ModelError(
            f"The rows lack the features {', '.join(lacking)} of the segments; they have {', '.join(rows.columns)}. "
            "Build the features again, `customerlake run --from features`; or name others in segments.features of the "
            "lake file and train again, `--retrain`."
        )


def _group(clustering: Clustering, of: Sequence[Column]) -> Column:
    """The number of the row's group, in the order of the clustering's centres."""
    if isinstance(clustering, Bisected):
        return clustering.followed(of, lambda stays, first, second: F.when(stays, first).otherwise(second), F.lit)
    return (F.array_position("_affinities", F.array_max("_affinities")) - 1).cast("int")


def _of_group(values: Sequence[int] | Sequence[str] | Sequence[list[float]]) -> Column:
    return F.get(F.array(*[F.lit(value) for value in values]), F.col("_group"))


def _known_median(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None


def _feature_named(name: str) -> Feature:
    numbers = {feature.name: feature for feature in FEATURES if not feature.is_category}
    if name not in numbers:
        like = get_close_matches(name, numbers, n=1)
        hint = f"did you mean {like[0]}?" if like else f"there are {', '.join(numbers)}."
        raise ConfigError(f"segments.features: {name!r} is not a feature that is a number; {hint}")
    return numbers[name]
