"""The classifiers that compete: what each is, which settings are searched, and how MLlib or XGBoost fits it."""

import json
import logging
import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from pyspark.ml.classification import GBTClassifier, LogisticRegression
from pyspark.ml.feature import StandardScaler, StandardScalerModel
from pyspark.ml.regression import RandomForestRegressor
from pyspark.sql import DataFrame
from scipy.special import logit

from customerlake.errors import ModelError
from customerlake.models.classifiers.numbers import Gone, Linear, Standardised, Tree, Trees
from customerlake.models.lifetime.bg_nbd import counted_histories, fit_bg_nbd

if TYPE_CHECKING:
    import optuna

Settings = Mapping[str, Any]


class Candidate(Protocol):
    """One way to learn. Vectors have the columns `inputs` (vector) and `label` (0 or 1)."""

    @property
    def what(self) -> str:
        """In words."""
        ...

    @property
    def features(self) -> tuple[str, ...] | None:
        """The only ones that it looks at; None: all."""
        ...

    @abstractmethod
    def usual(self) -> Settings:
        """Settings that do well mostly: the first that a search tries."""

    @abstractmethod
    def suggested(self, trial: "optuna.Trial") -> Settings:
        """Settings that a search tries."""

    @abstractmethod
    def fit(self, vectors: DataFrame, settings: Settings, *, seed: int) -> Linear | Trees | Gone: ...


@dataclass(frozen=True)
class LogisticOfMLlib:
    what: str = "MLlib logistic regression with an elastic net"
    features: tuple[str, ...] | None = None

    def usual(self) -> Settings:
        return {"regParam": 0.003, "elasticNetParam": 0.5}

    def suggested(self, trial: "optuna.Trial") -> Settings:
        return {
            "regParam": trial.suggest_float("regParam", 1e-4, 0.1, log=True),
            "elasticNetParam": trial.suggest_float("elasticNetParam", 0.0, 1.0),
        }

    def fit(self, vectors: DataFrame, settings: Settings, *, seed: int) -> Linear:
        scaler = StandardScaler(inputCol="inputs", outputCol="standardised", withMean=True, withStd=True).fit(vectors)
        standardised = scaler.transform(vectors)
        fitted = LogisticRegression(featuresCol="standardised", maxIter=100, tol=1e-4, **settings).fit(standardised)
        return Linear(
            over=_standardised(scaler), coefficients=tuple(fitted.coefficients.toArray()), intercept=fitted.intercept
        )


@dataclass(frozen=True)
class ForestOfMLlib:
    what: str = "MLlib random forest"
    features: tuple[str, ...] | None = None

    def usual(self) -> Settings:
        return {"numTrees": 60, "maxDepth": 7, "minInstancesPerNode": 20}

    def suggested(self, trial: "optuna.Trial") -> Settings:
        return {
            "numTrees": trial.suggest_int("numTrees", 40, 120, step=20),
            "maxDepth": trial.suggest_int("maxDepth", 4, 9),
            "minInstancesPerNode": trial.suggest_int("minInstancesPerNode", 5, 80, log=True),
        }

    def fit(self, vectors: DataFrame, settings: Settings, *, seed: int) -> Trees:
        # leaves of a regression on 0 and 1 hold the share of ones; variance and Gini then choose the same splits
        forest = RandomForestRegressor(
            featuresCol="inputs", featureSubsetStrategy="sqrt", seed=seed, maxBins=64, **settings
        ).fit(vectors)
        share = 1.0 / len(forest.trees)
        return Trees(trees=tuple(parsed_tree(t.toDebugString, share) for t in forest.trees), says="probability")


@dataclass(frozen=True)
class BoostedOfMLlib:
    what: str = "MLlib gradient-boosted trees"
    features: tuple[str, ...] | None = None

    def usual(self) -> Settings:
        return {"maxIter": 30, "maxDepth": 3, "stepSize": 0.15, "subsamplingRate": 0.8}

    def suggested(self, trial: "optuna.Trial") -> Settings:
        return {
            "maxIter": trial.suggest_int("maxIter", 15, 45, step=15),
            "maxDepth": trial.suggest_int("maxDepth", 2, 5),
            "stepSize": trial.suggest_float("stepSize", 0.05, 0.3, log=True),
            "subsamplingRate": trial.suggest_float("subsamplingRate", 0.5, 1.0),
        }

    def fit(self, vectors: DataFrame, settings: Settings, *, seed: int) -> Trees:
        boosted = GBTClassifier(featuresCol="inputs", seed=seed, **settings).fit(vectors)
        weighted = zip(boosted.treeWeights, boosted.trees, strict=True)
        # MLlib boosts half of the log-odds
        return Trees(trees=tuple(parsed_tree(tree.toDebugString, 2 * weight) for weight, tree in weighted))


@dataclass(frozen=True)
class XGBoostOnSpark:
    what: str = "XGBoost, histogram method, on Spark"
    features: tuple[str, ...] | None = None

    def usual(self) -> Settings:
        return {
            "n_estimators": 250, "max_depth": 3, "learning_rate": 0.04, "min_child_weight": 10.0, "subsample": 0.8,
            "colsample_bytree": 0.6, "reg_lambda": 5.0,
        }  # fmt: skip

    def suggested(self, trial: "optuna.Trial") -> Settings:
        return {
            "n_estimators": trial.suggest_int("n_estimators", 100, 600, step=50),
            "max_depth": trial.suggest_int("max_depth", 2, 6),
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
            "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 50.0, log=True),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
            "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 50.0, log=True),
        }

    def fit(self, vectors: DataFrame, settings: Settings, *, seed: int) -> Trees:
        from xgboost.spark import SparkXGBClassifier  # takes a second, and scoring does without it

        logging.getLogger("XGBoost-PySpark").setLevel(logging.WARNING)
        fitted = SparkXGBClassifier(
            features_col="inputs", label_col="label", random_state=seed, num_workers=1,
            tree_method="hist", missing=np.nan, verbosity=0, verbose=False,
            **settings,
        ).fit(vectors)  # fmt: skip
        return xgboost_trees(fitted.get_booster().save_raw("json"))


@dataclass(frozen=True)
class GoneByBgNbd:
    quiet_days: int | None = None  # as `Gone` has it
    features: tuple[str, ...] | None = ("frequency", "recency", "T")

    @property
    def what(self) -> str:
        says = "1 - p(alive)" if self.quiet_days is None else f"no purchase in {self.quiet_days} days"
        return f"{says}, by BG/NBD fitted to the same customers (Fader, Hardie and Lee 2005)"

    def usual(self) -> Settings:
        return {}

    def suggested(self, trial: "optuna.Trial") -> Settings:
        return {}

    def fit(self, vectors: DataFrame, settings: Settings, *, seed: int) -> Gone:
        histories = vectors.select("frequency", "recency", "T").dropna()
        return Gone(estimates=fit_bg_nbd(counted_histories(histories)), quiet_days=self.quiet_days)


CANDIDATES: Mapping[str, Candidate] = {
    "logistic regression": LogisticOfMLlib(),
    "random forest": ForestOfMLlib(),
    "gradient-boosted trees": BoostedOfMLlib(),
    "XGBoost": XGBoostOnSpark(),
}
"""Those that learn from every feature."""


def candidate_named(name: str, known: Mapping[str, Candidate] = CANDIDATES) -> Candidate:
    """Raises: ModelError that lists the candidates."""
    if name not in known:
        raise ModelError(f"There is no candidate {name!r}. Choose from: {', '.join(known)}.")
    return known[name]


def xgboost_trees(raw: bytes | bytearray) -> Trees:
    """The trees of a booster with one output, from its own JSON."""
    learner = json.loads(raw)["learner"]
    start = float(learner["learner_model_param"]["base_score"].strip("[]"))
    trees = []
    for kept in learner["gradient_booster"]["model"]["trees"]:
        nodes = range(len(kept["left_children"]))
        is_leaf = [kept["left_children"][node] < 0 for node in nodes]
        trees.append(
            Tree(
                column=tuple(0 if is_leaf[node] else kept["split_indices"][node] for node in nodes),
                at=tuple(0.0 if is_leaf[node] else _just_below(kept["split_conditions"][node]) for node in nodes),
                below=tuple(node if is_leaf[node] else kept["left_children"][node] for node in nodes),
                above=tuple(node if is_leaf[node] else kept["right_children"][node] for node in nodes),
                value=tuple(kept["split_conditions"][node] if is_leaf[node] else 0.0 for node in nodes),
            )
        )
    return Trees(trees=tuple(trees), start=float(logit(start)), is_single=True)


def _just_below(border: float) -> float:
    """XGBoost sends x < border below, and ours x <= at; both in single precision."""
    return float(np.nextafter(np.float32(border), np.float32(-np.inf)))


def parsed_tree(text: str, weight: float = 1.0) -> Tree:
    """A tree from MLlib's description of it: nested lines `If (feature 3 <= 0.5)`, `Else (...)`, `Predict: 0.25`."""
    nodes: list[list[float]] = []  # column, at, below, above, value
    _add_node(nodes, iter([line.strip() for line in text.splitlines()[1:] if line.strip()]), weight)
    column, at, below, above, value = zip(*nodes, strict=True)
    return Tree(
        column=tuple(map(int, column)), at=at, below=tuple(map(int, below)), above=tuple(map(int, above)), value=value
    )


_IF = re.compile(r"If \(feature (\d+) <= (\S+)\)$")


def _add_node(nodes: list[list[float]], lines: Iterator[str], weight: float) -> int:
    number, line = len(nodes), next(lines)
    if line.startswith("Predict: "):
        nodes.append([0, 0.0, number, number, weight * float(line.removeprefix("Predict: "))])
        return number
    condition = _IF.fullmatch(line)
    if condition is None:
        raise ModelError(f"A line of MLlib's tree reads {line!r}; splits of numbers and predictions are known.")
    nodes.append([int(condition[1]), float(condition[2]), 0, 0, 0.0])
    nodes[number][2] = _add_node(nodes, lines, weight)
    next(lines)  # Else: the same condition turned round
    nodes[number][3] = _add_node(nodes, lines, weight)
    return number


def _standardised(scaler: StandardScalerModel) -> Standardised:
    return Standardised(means=tuple(scaler.mean.toArray().tolist()), deviations=tuple(scaler.std.toArray().tolist()))
