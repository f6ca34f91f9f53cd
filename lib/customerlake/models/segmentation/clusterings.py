"""Fitted groupings as plain numbers, and the arithmetic by which a row falls into a group.

Only `+`, `-`, `*` and `<=` stand in that arithmetic, so it is written once, for columns of any engine and for arrays.
Features are standardised here, and come one by one: a column or an array each.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from math import log, pi
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import Field
from pyspark.sql import Column

from customerlake.models.classifiers.inputs import Numbers

Vector = tuple[float, ...]
Values = TypeVar("Values", Column, np.ndarray)


class Centres(Numbers):
    """k-means: a row belongs to the nearest centre.

    Its affinities are those of the mixture that k-means stands for: normal groups of one size and one variance, the
    same in every direction (Celeux & Govaert 1992, "A classification EM algorithm for clustering", section 4).
    """

    kind: Literal["k-means"] = "k-means"
    centres: tuple[Vector, ...]
    variance: float  # of a feature within the groups

    def affinities(self, of: Sequence[Values]) -> list[Values]:
        """For each group the log of how well the row fits, up to a term that all groups share."""
        return [squared_distance(of, centre) * (-0.5 / self.variance) for centre in self.centres]

    def groups(self, of: Sequence[np.ndarray]) -> np.ndarray:
        """The number of each row's group."""
        return _best(self.affinities(of))


class Split(Numbers):
    """Of a group's rows, those nearer to the second of two centres leave it for a new group."""

    group: int
    centres: tuple[Vector, Vector]

    def stays(self, of: Sequence[Values]) -> Values:
        first, second = self.centres
        return squared_distance(of, first) <= squared_distance(of, second)


class Bisected(Numbers):
    """Bisecting k-means: all rows are group 0, and split number i makes group i + 1 out of an earlier one.

    So a row's centre is not always the nearest one. Affinities as those of k-means.
    """

    kind: Literal["bisecting k-means"] = "bisecting k-means"
    splits: tuple[Split, ...]
    variance: float

    @property
    def centres(self) -> tuple[Vector, ...]:
        of_group: dict[int, Vector] = {}
        for number, split in enumerate(self.splits, start=1):
            of_group[split.group], of_group[number] = split.centres
        return tuple(of_group[group] for group in range(len(self.splits) + 1))

    def affinities(self, of: Sequence[Values]) -> list[Values]:
        return [squared_distance(of, centre) * (-0.5 / self.variance) for centre in self.centres]

    def groups(self, of: Sequence[np.ndarray]) -> np.ndarray:
        return self.followed(of, np.where, lambda group: np.full(len(of[0]), group))

    def followed(
        self,
        of: Sequence[Values],
        either: Callable[[Values, Values, Values], Values],
        number: Callable[[int], Values],
        *,
        group: int = 0,
        after: int = 0,
    ) -> Values:
        """The number of the group that rows in `group` end in by the splits from number `after` on."""
        for i, split in enumerate(self.splits[after:], start=after + 1):
            if split.group == group:
                stayed = self.followed(of, either, number, group=group, after=i)
                return either(split.stays(of), stayed, self.followed(of, either, number, group=i, after=i))
        return number(group)


class Mixture(Numbers):
    """Gaussian mixture: a row belongs to the group that it most likely comes from."""

    kind: Literal["Gaussian mixture"] = "Gaussian mixture"
    weights: Vector
    centres: tuple[Vector, ...]
    covariances: tuple[tuple[Vector, ...], ...]

    def affinities(self, of: Sequence[Values]) -> list[Values]:
        """For each group the log of its weight times its density at the row."""
        return [whitened_square(of, rows, offsets) * -0.5 + constant for rows, offsets, constant in self._whitening]

    def groups(self, of: Sequence[np.ndarray]) -> np.ndarray:
        return _best(self.affinities(of))

    @cached_property
    def _whitening(self) -> list[tuple[list[Vector], Vector, float]]:
        """For each group: the inverse of the covariance's Cholesky factor, that times the centre, and the log of the
        density's factor."""
        found = []
        for weight, centre, covariance in zip(self.weights, self.centres, self.covariances, strict=True):
            root = np.linalg.cholesky(np.array(covariance))
            inverse = np.linalg.inv(root)
            constant = log(weight) - len(centre) / 2 * log(2 * pi) - float(np.log(np.diag(root)).sum())
            rows = [tuple(row[: i + 1]) for i, row in enumerate(inverse.tolist())]
            found.append((rows, tuple((inverse @ np.array(centre)).tolist()), constant))
        return found


Clustering = Annotated[Centres | Bisected | Mixture, Field(discriminator="kind")]


def squared_distance(of: Sequence[Values], centre: Sequence[float] | Sequence[Values]) -> Values:
    pairs: list[tuple[Any, Any]] = list(zip(of, centre, strict=True))
    squares: list[Values] = [(value - at) * (value - at) for value, at in pairs]
    return summed(squares)


def whitened_square(of: Sequence[Values], rows: Sequence[Vector], offsets: Sequence[float]) -> Values:
    """The squared length of the row's values times a lower triangular matrix, less `offsets`."""
    whitened = [
        summed([value * factor for value, factor in zip(of, row, strict=False)]) - offset
        for row, offset in zip(rows, offsets, strict=True)
    ]
    return summed([one * one for one in whitened])


def summed(terms: Sequence[Values]) -> Values:
    """In halves: a sum of many columns one after another would nest too deeply for Spark Connect."""
    if len(terms) == 1:
        return terms[0]
    middle = len(terms) // 2
    total: Values = summed(terms[:middle]) + summed(terms[middle:])
    return total


def _best(affinities: Sequence[np.ndarray]) -> np.ndarray:
    """The first of the greatest."""
    return np.asarray(np.argmax(np.stack(affinities, axis=1), axis=1))
