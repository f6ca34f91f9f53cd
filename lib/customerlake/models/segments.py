"""Customer segments by k-means: k by silhouette and stability, named from their profiles."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.clustering import KMeans, KMeansModel
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.feature import StandardScaler
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.errors import ModelError
from customerlake.models.formula import Clusters, Input, assembled, clusters_formula
from customerlake.runtime.config import SegmentsConfig

SEGMENTS = Table(
    name="scores.segments",
    grain="one row per customer_id and as_of, over the customers with a purchase by then",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "date of the features"),
        Field("segment_id", T.IntegerType(), "number of the segment, 0 upwards"),
        Field("segment_name", T.StringType(), "the segment in words, from its profile", personal="analyse"),
        Field("distance", T.DoubleType(), "to the segment's centre, in standardised features"),
        Field("_model_version", T.StringType(), "registered version of the model"),
    ),
)

CLUSTERED = ("days_since_last_order", "count_orders", "total_spend", "average_order_value")
"""What customers are grouped by: when, how often, how much, and in what portions. Each as log(1 + x), standardised."""

INPUTS = tuple(Input(name=name, is_logged=True) for name in CLUSTERED)


@dataclass(frozen=True)
class Tried:
    """One number of segments, and how good it is."""

    k: int
    silhouette: float  # mean over customers, squared Euclidean
    stability: float  # mean adjusted Rand index of the whole fit and each fit on a random half


@dataclass(frozen=True)
class Profile:
    """The typical customer of one segment: medians of CLUSTERED, and their means in standard deviations from all."""

    segment_id: int
    count_customers: int
    medians: dict[str, float]
    deviations: dict[str, float]


class Segments:
    """k-means over CLUSTERED. `tried` holds every k and its quality after `fit`."""

    scores = SEGMENTS

    def __init__(self, config: SegmentsConfig, on_progress: Callable[[str], None] = lambda text: None) -> None:
        self.config = config
        self.progress = on_progress
        self.tried: list[Tried] = []

    def fit(self, snapshot: DataFrame) -> PipelineModel:
        """Fit every k of the config and keep the best: the highest silhouette among those that are stable enough.

        Raises: ModelError when there are fewer customers than segments.
        """
        customers = snapshot.count()
        if customers <= self.config.max_segments:
            raise ModelError(
                f"{customers} customers cannot be put into up to {self.config.max_segments} segments. "
                "Lower segments.max_segments in the lake file, or use a later --as-of."
            )
        # k-means draws its first centres by a row's place: the same rows in another order would end in other segments
        ordered = snapshot.repartition("customer_id").sortWithinPartitions("customer_id")
        prepared = preparation().fit(ordered)
        vectors = prepared.transform(ordered).select("customer_id", "features").cache()
        fits: dict[int, KMeansModel] = {}
        self.tried = []
        for k in range(self.config.min_segments, self.config.max_segments + 1):
            self.progress(f"k-means with {k} of up to {self.config.max_segments} segments")
            fits[k] = self._kmeans(k).fit(vectors)
            self.tried.append(Tried(k, silhouette(fits[k].transform(vectors)), self._stability(fits[k], k, vectors)))
        vectors.unpersist()
        return PipelineModel([*prepared.stages, fits[chosen(self.tried, self.config.min_stability).k]])

    def formula(self, fitted: PipelineModel) -> Clusters:
        """What `fit` has learnt, as plain numbers."""
        return clusters_formula(fitted, INPUTS)

    def score(self, snapshot: DataFrame, formula: Clusters) -> DataFrame:
        """The snapshot with features, segment_id and distance; names and version are added by `named`.

        Runs on every engine.
        """
        return formula.assign(snapshot)

    def evaluate(self, scored: DataFrame) -> dict[str, float]:
        """The silhouette over the scored rows, and their number."""
        vectors = scored.withColumn("features", array_to_vector(F.col("features")))
        return {"silhouette": silhouette(vectors), "rows": float(scored.count())}

    def _kmeans(self, k: int) -> KMeans:
        return KMeans(
            k=k, seed=self.config.seed, maxIter=20, tol=1e-3, featuresCol="features", predictionCol="segment_id"
        )

    def _stability(self, whole: KMeansModel, k: int, vectors: DataFrame) -> float:
        agreements = []
        for resample in range(self.config.resamples):
            half = vectors.where(F.xxhash64("customer_id", F.lit(self.config.seed + resample)) % 2 == 0)
            other = self._kmeans(k).fit(half)
            both = other.setPredictionCol("other_id").transform(whole.transform(vectors))
            counts = both.groupBy("segment_id", "other_id").count().collect()
            agreements.append(adjusted_rand_index([(row[0], row[1], row[2]) for row in counts]))
        return sum(agreements) / len(agreements)


def preparation() -> Pipeline:
    """CLUSTERED -> features: log(1 + x), then zero mean and unit variance. x is never below zero."""
    scaler = StandardScaler(inputCol="logs", outputCol="features", withMean=True, withStd=True)
    return Pipeline(stages=[*assembled(INPUTS, "logs"), scaler])


def silhouette(clustered: DataFrame) -> float:
    return float(ClusteringEvaluator(predictionCol="segment_id", featuresCol="features").evaluate(clustered))


def chosen(tried: Sequence[Tried], min_stability: float) -> Tried:
    """The highest silhouette among the stable; the most stable when none is stable enough."""
    stable = [one for one in tried if one.stability >= min_stability]
    return max(stable, key=lambda one: one.silhouette) if stable else max(tried, key=lambda one: one.stability)


def adjusted_rand_index(counts: Sequence[tuple[int, int, int]]) -> float:
    """Agreement of two groupings from their contingency table (group, other group, rows): 1 equal, 0 as by chance.

    Source: Hubert & Arabie (1985), "Comparing partitions", Journal of Classification 2, equation 5.
    """
    rows: dict[int, int] = {}
    columns: dict[int, int] = {}
    for one, other, count in counts:
        rows[one] = rows.get(one, 0) + count
        columns[other] = columns.get(other, 0) + count
    together = sum(comb(count, 2) for _, _, count in counts)
    in_rows = sum(comb(count, 2) for count in rows.values())
    in_columns = sum(comb(count, 2) for count in columns.values())
    by_chance = in_rows * in_columns / comb(sum(rows.values()), 2)
    most = (in_rows + in_columns) / 2
    return 1.0 if most == by_chance else (together - by_chance) / (most - by_chance)


def profiles(scored: DataFrame) -> list[Profile]:
    """The typical customer of each segment, largest spend first."""
    medians = [F.median(name).alias(f"median_{name}") for name in CLUSTERED]
    means = [F.mean(F.get("features", F.lit(i))).alias(f"mean_{name}") for i, name in enumerate(CLUSTERED)]
    rows = scored.groupBy("segment_id").agg(F.count("*").alias("count_customers"), *medians, *means).collect()
    found = [
        Profile(
            segment_id=row["segment_id"],
            count_customers=row["count_customers"],
            medians={name: row[f"median_{name}"] for name in CLUSTERED},
            deviations={name: row[f"mean_{name}"] for name in CLUSTERED},
        )
        for row in rows
    ]
    return sorted(found, key=lambda profile: -profile.medians["total_spend"])


def segment_names(found: Sequence[Profile]) -> dict[int, str]:
    """Each segment in words: how often and how much it buys beside the average customer, and how long ago.

    Half a standard deviation from the average is worth a word. Equal words get their rank by spend.
    """
    names: dict[int, str] = {}
    for profile in found:
        often = _word(profile.deviations["count_orders"], "Rare", "Occasional", "Frequent")
        much = _word(profile.deviations["total_spend"], "low-spend", "mid-spend", "high-spend")
        lately = _word(profile.deviations["days_since_last_order"], "buying now", "quiet", "long gone")
        name = f"{often}, {much}, {lately}"
        twins = sum(other.startswith(name) for other in names.values())
        names[profile.segment_id] = f"{name} ({twins + 1})" if twins else name
    return names


def _word(deviation: float, low: str, middle: str, high: str) -> str:
    return low if deviation < -0.5 else high if deviation > 0.5 else middle


def named(names: dict[int, str], model_version: str) -> Callable[[DataFrame], DataFrame]:
    """Add the segments' names and the model's version."""
    pairs = [F.lit(part) for pair in names.items() for part in pair]
    return lambda scored: scored.withColumns(
        {"segment_name": F.create_map(*pairs)[F.col("segment_id")], "_model_version": F.lit(model_version)}
    ).transform(SEGMENTS.conform)
