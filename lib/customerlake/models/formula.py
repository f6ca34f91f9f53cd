"""What a fitted MLlib pipeline does to a row, as plain numbers: any engine scores by them, without MLlib or a JVM."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pyspark.ml import PipelineModel, Transformer
from pyspark.ml.classification import GBTClassificationModel, LogisticRegressionModel
from pyspark.ml.clustering import KMeansModel
from pyspark.ml.feature import SQLTransformer, StandardScalerModel, VectorAssembler
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.errors import ModelError


class Numbers(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Input(Numbers):
    """A feature as models see it."""

    name: str
    is_logged: bool = False  # log(1 + x), where x is never below zero

    def value(self) -> Column:
        feature = F.col(self.name)
        return F.log1p(F.greatest(feature, F.lit(0.0))) if self.is_logged else feature


class Standardised(Numbers):
    """Inputs with the mean taken off, in units of their standard deviation; an input that never varied is 0."""

    inputs: tuple[Input, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]

    def values(self) -> list[Column]:
        return [
            (of.value() - mean) / deviation if deviation else F.lit(0.0)
            for of, mean, deviation in zip(self.inputs, self.means, self.deviations, strict=True)
        ]


class Linear(Numbers):
    """Logistic regression over standardised inputs."""

    kind: Literal["linear"] = "linear"
    over: Standardised
    coefficients: tuple[float, ...]
    intercept: float

    def probability(self) -> Column:
        margin = F.lit(self.intercept)
        for coefficient, value in zip(self.coefficients, self.over.values(), strict=True):
            margin = margin + coefficient * value
        return sigmoid(margin)


class Split(Numbers):
    """A node of a tree: rows whose input is at most `at` go below, the others above."""

    input: int
    at: float
    below: "Split | float"
    above: "Split | float"


class Trees(Numbers):
    """Gradient-boosted trees: the margin is the weighted sum of what the trees say."""

    kind: Literal["trees"] = "trees"
    inputs: tuple[Input, ...]
    weights: tuple[float, ...]
    trees: tuple[Split | float, ...]

    def probability(self) -> Column:
        margin = F.lit(0.0)
        for weight, tree in zip(self.weights, self.trees, strict=True):
            margin = margin + weight * self._said_by(tree)
        return sigmoid(2 * margin)  # MLlib's LogLoss: half the log-odds are boosted

    def _said_by(self, node: Split | float) -> Column:
        if not isinstance(node, Split):
            return F.lit(node)
        is_below = self.inputs[node.input].value() <= node.at
        return F.when(is_below, self._said_by(node.below)).otherwise(self._said_by(node.above))


class Clusters(Numbers):
    """k-means over standardised inputs."""

    over: Standardised
    centres: tuple[tuple[float, ...], ...]

    def assign(self, snapshot: DataFrame) -> DataFrame:
        """Adds: features (array), segment_id (of the nearest centre; the first of equals), distance to that centre."""
        squares = F.array(*[_squared_distance(centre) for centre in self.centres])
        nearest = F.array_min("squared_distances")
        return (
            snapshot.withColumn("features", F.array(*self.over.values()))
            .withColumn("squared_distances", squares)
            .withColumns(
                {
                    "segment_id": (F.array_position("squared_distances", nearest) - 1).cast("int"),
                    "distance": F.sqrt(nearest),
                }
            )
            .drop("squared_distances")
        )


Classifier = Annotated[Linear | Trees, Field(discriminator="kind")]


def sigmoid(margin: Column) -> Column:
    return 1 / (1 + F.exp(-margin))


def assembled(inputs: Sequence[Input], column: str) -> list[Transformer]:
    """Stages of a pipeline that put `inputs` into one vector, by the same arithmetic as the formulas."""
    names = [f"log_{of.name}" if of.is_logged else of.name for of in inputs]
    logs = [f"log1p(greatest({of.name}, 0)) AS log_{of.name}" for of in inputs if of.is_logged]
    return [
        SQLTransformer(statement=f"SELECT {', '.join(['*', *logs])} FROM __THIS__"),
        VectorAssembler(inputCols=names, outputCol=column),
    ]


def classifier_formula(fitted: PipelineModel, inputs: Sequence[Input]) -> Linear | Trees:
    """The formula of a fitted binary classifier over `inputs`, in the order in which its pipeline assembles them.

    Raises: ModelError when the pipeline ends in another kind of model.
    """
    stages = list(_flat(fitted))
    last = stages[-1]
    if isinstance(last, LogisticRegressionModel):
        return Linear(
            over=_standardised(stages, inputs),
            coefficients=tuple(last.coefficients.toArray().tolist()),
            intercept=last.intercept,
        )
    if isinstance(last, GBTClassificationModel):
        trees = tuple(parsed_tree(tree.toDebugString) for tree in last.trees)
        return Trees(inputs=tuple(inputs), weights=tuple(last.treeWeights), trees=trees)
    raise ModelError(f"There is no formula for a {type(last).__name__}; use logistic regression or boosted trees.")


def clusters_formula(fitted: PipelineModel, inputs: Sequence[Input]) -> Clusters:
    """The formula of fitted k-means over `inputs`. Raises: ModelError when the pipeline does not end in k-means."""
    stages = list(_flat(fitted))
    if not isinstance(stages[-1], KMeansModel):
        raise ModelError(f"Segments end in k-means; this pipeline ends in a {type(stages[-1]).__name__}.")
    centres = tuple(tuple(map(float, centre)) for centre in stages[-1].clusterCenters())
    return Clusters(over=_standardised(stages, inputs), centres=centres)


def kept_classifier(kept: Mapping[str, Any]) -> Linear | Trees:
    """A classifier's formula as it was kept beside its model."""
    return TypeAdapter[Linear | Trees](Classifier).validate_python(kept)


def parsed_tree(text: str) -> Split | float:
    """A tree from MLlib's description of it: nested lines `If (feature 3 <= 0.5)`, `Else (...)`, `Predict: 0.25`."""
    return _node(iter([line.strip() for line in text.splitlines()[1:] if line.strip()]))


_IF = re.compile(r"If \(feature (\d+) <= (\S+)\)$")


def _node(lines: Iterator[str]) -> Split | float:
    line = next(lines)
    if line.startswith("Predict: "):
        return float(line.removeprefix("Predict: "))
    condition = _IF.fullmatch(line)
    if condition is None:
        raise ModelError(f"A line of MLlib's tree reads {line!r}; splits of numbers and predictions are known.")
    below = _node(lines)
    next(lines)  # Else: the same condition turned round
    return Split(input=int(condition[1]), at=float(condition[2]), below=below, above=_node(lines))


def _standardised(stages: Sequence[object], inputs: Sequence[Input]) -> Standardised:
    scaler = next(stage for stage in stages if isinstance(stage, StandardScalerModel))
    return Standardised(
        inputs=tuple(inputs),
        means=tuple(scaler.mean.toArray().tolist()),
        deviations=tuple(scaler.std.toArray().tolist()),
    )


def _squared_distance(centre: Sequence[float]) -> Column:
    total = F.lit(0.0)
    for i, value in enumerate(centre):
        offset = F.get("features", F.lit(i)) - value
        total = total + offset * offset
    return total


def _flat(fitted: PipelineModel) -> Iterator[object]:
    """The stages, those of inner pipelines in their place."""
    for stage in fitted.stages:
        if isinstance(stage, PipelineModel):
            yield from _flat(stage)
        else:
            yield stage
