"""Fitted classifiers as plain numbers: probabilities of rows and what made them so, without MLlib, XGBoost or a JVM.

Workers run this, so it imports nothing of MLflow.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Literal, Protocol

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.special import expit, logit

from customerlake.models.classifiers.inputs import Inputs, Numbers
from customerlake.models.lifetime.likelihood import Estimates

ROWS_AT_ONCE = 4096  # an array of rows x trees stays in the processor's cache
NEVER = -50.0  # log-odds of what the model has not happen: nobody stops before a repeat purchase
EXPLAINED_AT_ONCE = 200  # rows; shap draws a bar over a program's own lines when it takes longer than ten seconds
SURE = 1e-6  # no probability is nearer to 0 or 1


class Standardised(Numbers):
    """Columns with the mean taken off, in units of their standard deviation; one that never varied is 0."""

    means: tuple[float, ...]
    deviations: tuple[float, ...]

    def values(self, matrix: np.ndarray) -> np.ndarray:
        deviations = np.array(self.deviations)
        scale = np.divide(1.0, deviations, out=np.zeros_like(deviations), where=deviations > 0)
        values: np.ndarray = (matrix - np.array(self.means)) * scale
        return values


class Linear(Numbers):
    """Logistic regression over standardised columns."""

    kind: Literal["linear"] = "linear"
    over: Standardised
    coefficients: tuple[float, ...]
    intercept: float

    def margin(self, matrix: np.ndarray) -> np.ndarray:
        """The log-odds of each row."""
        odds: np.ndarray = self.over.values(matrix) @ np.array(self.coefficients) + self.intercept
        return odds

    def contributions(self, matrix: np.ndarray, background: np.ndarray) -> np.ndarray:
        """Shapley values of the columns for the log-odds, against the mean of `background` rows: exact where columns
        are taken as independent (Lundberg and Lee 2017, section 4.1)."""
        typical = self.over.values(background).mean(axis=0)
        told: np.ndarray = (self.over.values(matrix) - typical) * np.array(self.coefficients)
        return told


class Tree(Numbers):
    """Nodes by number, the root first. A leaf has itself below and above; rows with column <= at go below."""

    column: tuple[int, ...]
    at: tuple[float, ...]
    below: tuple[int, ...]
    above: tuple[int, ...]
    value: tuple[float, ...]  # of leaves; 0 elsewhere

    @property
    def depth(self) -> int:
        levels = [0] * len(self.column)
        for node, (below, above) in enumerate(zip(self.below, self.above, strict=True)):
            for child in {below, above} - {node}:
                levels[child] = levels[node] + 1
        return max(levels)


class Trees(Numbers):
    """The weighted sum of what trees say: log-odds of boosted trees, the probability of a forest."""

    kind: Literal["trees"] = "trees"
    trees: tuple[Tree, ...]
    start: float = 0.0  # what the sum begins with
    says: Literal["log-odds", "probability"] = "log-odds"
    is_single: bool = False  # splits compare in single precision, as XGBoost does

    def margin(self, matrix: np.ndarray) -> np.ndarray:
        """The log-odds of each row."""
        said = self.start + self._summed(matrix)
        return said if self.says == "log-odds" else np.asarray(logit(np.clip(said, SURE, 1 - SURE)))

    def contributions(self, matrix: np.ndarray, background: np.ndarray) -> np.ndarray:
        """Shapley values of the columns for what the trees say, against `background` rows (interventional TreeSHAP,
        Lundberg et al. 2020, "From local explanations to global understanding with explainable AI for trees")."""
        import shap  # takes seconds; most rows are scored without reasons

        explainer = shap.TreeExplainer(
            {"trees": [_for_shap(tree) for tree in self.trees], "base_offset": self.start},
            data=self._rounded(background),
            feature_perturbation="interventional",
        )
        rounded = self._rounded(matrix)
        parts = [
            explainer.shap_values(rounded[start : start + EXPLAINED_AT_ONCE], check_additivity=False)
            for start in range(0, len(rounded), EXPLAINED_AT_ONCE)
        ]
        return np.concatenate(parts).reshape(matrix.shape) if parts else np.zeros(matrix.shape)

    def _rounded(self, matrix: np.ndarray) -> np.ndarray:
        return matrix.astype(np.float32).astype(float) if self.is_single else matrix

    def _summed(self, matrix: np.ndarray) -> np.ndarray:
        rounded, said = self._rounded(matrix), np.zeros(len(matrix))
        for start in range(0, len(matrix), ROWS_AT_ONCE):
            part = rounded[start : start + ROWS_AT_ONCE]
            node = np.tile(self._flat.roots, (len(part), 1))
            for _ in range(self._flat.depth):
                goes_below = np.take_along_axis(part, self._flat.column[node], axis=1) <= self._flat.at[node]
                node = np.where(goes_below, self._flat.below[node], self._flat.above[node])
            said[start : start + ROWS_AT_ONCE] = self._flat.value[node].sum(axis=1)
        return said

    @cached_property
    def _flat(self) -> "_Flat":
        return _Flat(self.trees)


class _Flat:
    """All trees' nodes in one array each."""

    def __init__(self, trees: Sequence[Tree]) -> None:
        sizes = [len(tree.column) for tree in trees]
        self.roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(int)
        self.column = np.concatenate([tree.column for tree in trees]).astype(int)
        self.at = np.concatenate([tree.at for tree in trees])
        self.below = np.concatenate([np.array(t.below) + r for t, r in zip(trees, self.roots, strict=True)])
        self.above = np.concatenate([np.array(t.above) + r for t, r in zip(trees, self.roots, strict=True)])
        self.value = np.concatenate([tree.value for tree in trees])
        self.depth = max(tree.depth for tree in trees)


def _for_shap(tree: Tree) -> dict[str, np.ndarray]:
    nodes = np.arange(len(tree.column))
    is_leaf = np.array(tree.below) == nodes
    return {
        "children_left": np.where(is_leaf, -1, tree.below).astype(np.int32),
        "children_right": np.where(is_leaf, -1, tree.above).astype(np.int32),
        "children_default": np.where(is_leaf, -1, tree.below).astype(np.int32),
        "features": np.where(is_leaf, -1, tree.column).astype(np.int32),
        "thresholds": np.array(tree.at, dtype=float),
        "values": np.array(tree.value, dtype=float)[:, None],
        "node_sample_weight": np.ones(len(nodes)),  # not used against background rows
    }


class Gone(Numbers):
    """That a customer has stopped buying, by BG/NBD: of frequency, recency and T, which are the first columns."""

    kind: Literal["gone"] = "gone"
    estimates: Estimates
    quiet_days: float | None = None  # None: has stopped for good; else: buys nothing in so many days, gone or not

    def margin(self, matrix: np.ndarray) -> np.ndarray:
        """The log-odds of 1 - p(alive), or of no purchase in the next `quiet_days`; exact also where p(alive) is 1 to
        the last digit of a double.

        Source: Fader, Hardie & Lee (2008), "Computing P(alive) using the BG/NBD model", equation 1. Who is alive buys
                at a rate of Gamma(r + x, alpha + T), and stops only at a purchase: nobody stops in quiet days.
        """
        r, alpha, a, b = self.estimates.theta
        x, last, age = matrix.T[:3]
        repeats = np.maximum(x, 1.0)
        odds = np.log(a) - np.log(b + repeats - 1) + (r + x) * (np.log(alpha + age) - np.log(alpha + last))
        gone = np.where(x > 0, odds, NEVER)
        if self.quiet_days is None:
            return gone
        buys_nothing = (r + x) * (np.log(alpha + age) - np.log(alpha + age + self.quiet_days))  # log, of who is alive
        buys = -np.log1p(np.exp(gone)) + np.log(-np.expm1(buys_nothing))  # log, of anybody
        return np.asarray(np.log(-np.expm1(buys)) - buys)

    def contributions(self, matrix: np.ndarray, background: np.ndarray) -> np.ndarray:
        """How far the log-odds move from those of the typical row when each column alone takes its own value."""
        typical = np.median(background, axis=0)
        told = np.zeros(matrix.shape)
        for column in range(matrix.shape[1]):
            replaced = np.tile(typical, (len(matrix), 1))
            replaced[:, column] = matrix[:, column]
            told[:, column] = self.margin(replaced) - self.margin(typical[None, :])
        return told


class Decides(Protocol):
    """What every classifier does."""

    def margin(self, matrix: np.ndarray) -> np.ndarray: ...

    def contributions(self, matrix: np.ndarray, background: np.ndarray) -> np.ndarray: ...


class Calibration(Numbers):
    """Log-odds put right: slope x log-odds + shift (Platt 1999). The order of rows stays as it was."""

    slope: float = 1.0
    shift: float = 0.0

    def probability(self, margin: np.ndarray) -> np.ndarray:
        return np.asarray(expit(self.slope * margin + self.shift))


class Classifier(Numbers):
    """What scores: the inputs of rows, the classifier over them, and its calibration."""

    candidate: str
    inputs: Inputs
    decides: Annotated[Linear | Trees | Gone, Field(discriminator="kind")]
    calibration: Calibration = Calibration()
    background: tuple[tuple[float, ...], ...]  # rows of the matrix that reasons compare with

    def probability(self, rows: pd.DataFrame) -> np.ndarray:
        """Of each row, whose columns are the inputs' features."""
        return self.calibration.probability(self.decides.margin(self.inputs.matrix(rows)))

    def contributions(self, rows: pd.DataFrame) -> np.ndarray:
        """Of each row and column of the inputs: what raises (above 0) or lowers the probability."""
        return self.decides.contributions(self.inputs.matrix(rows), np.array(self.background))
