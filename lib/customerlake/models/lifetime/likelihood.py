"""Parameters of a model of all customers at the maximum of its likelihood, and how well the customers tell them."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.stats import norm

from customerlake.errors import ModelError
from customerlake.models.classifiers.inputs import Numbers

MOST_UNCERTAIN = 2.0
"""The largest standard deviation of a combination of log parameters: beyond it the customers say nothing of it, and
draws are kept within a factor of about fifty either way, over which the likelihood hardly changes."""

REACH = 12.0  # of the search around its starts, in logs

LogLikelihood = Callable[[np.ndarray], tuple[float, np.ndarray]]
"""Values of the parameters -> the log likelihood, and its gradient by them."""


class Estimates(Numbers):
    """Parameters at the likelihood's maximum. The log of each one's distance to its bound is taken as normal."""

    names: tuple[str, ...]
    values: tuple[float, ...]
    bounds: tuple[float, ...]  # each parameter lies above its own
    covariance: tuple[tuple[float, ...], ...]  # of the logs: the inverse of the observed information
    log_likelihood: float
    customers: int
    rounded_to: float  # days of a history, or share of a value, in counting; 0: nothing was rounded
    is_weak: bool  # the customers do not tell some combination of the parameters

    @property
    def theta(self) -> np.ndarray:
        return np.array(self.values)

    @property
    def warning(self) -> str | None:
        """What to think of parameters that the customers do not tell; None where all are told."""
        if not self.is_weak:
            return None
        loose = [name for name, deviation in zip(self.names, self._deviations(), strict=True) if deviation > 1]
        return (
            f"{self.customers:,} customers do not tell {', '.join(loose) or 'the parameters apart'}: the likelihood is "
            "nearly flat there, or highest at zero or at infinity. What is foretold within the time that they were "
            "watched holds; intervals leave out what could show later only. For a and b it means that hardly anyone is "
            "seen to stop, so p_alive is near 1 for all. Use a longer history."
        )

    def standard_errors(self) -> dict[str, float]:
        errors = self._distances() * self._deviations()
        return {name: float(error) for name, error in zip(self.names, errors, strict=True)}

    def intervals(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """The confidence interval of each parameter, by its log."""
        factor = np.exp(norm.ppf(0.5 + level / 2) * self._deviations())
        floor = np.array(self.bounds)
        low, high = floor + self._distances() / factor, floor + self._distances() * factor
        return {name: (float(low[i]), float(high[i])) for i, name in enumerate(self.names)}

    def draws(self, number: int, seed: int) -> np.ndarray:
        """Parameters drawn by their covariance: shape (parameters, draws, 1), to broadcast against customers."""
        normal = np.random.default_rng(seed).standard_normal((len(self.values), number))
        logs = np.log(self._distances())[:, None] + np.linalg.cholesky(np.array(self.covariance)) @ normal
        drawn: np.ndarray = (np.array(self.bounds)[:, None] + np.exp(logs))[:, :, None]
        return drawn

    def _distances(self) -> np.ndarray:
        distances: np.ndarray = self.theta - np.array(self.bounds)
        return distances

    def _deviations(self) -> np.ndarray:
        deviations: np.ndarray = np.sqrt(np.diag(np.array(self.covariance)))
        return deviations


def problems_found(counted: pd.DataFrame) -> str:
    """What is wrong with counted customers (problem, customers), each with how many; empty when nothing is."""
    broken = counted[counted["problem"].notna()].groupby("problem")["customers"].sum()
    return ", ".join(f"{problem} ({customers:,} customers)" for problem, customers in broken.items())


def maximised(
    log_likelihood: LogLikelihood,
    starts: Sequence[np.ndarray],
    *,
    model: str,
    names: tuple[str, ...],
    bounds: tuple[float, ...],
    customers: int,
    rounded_to: float,
) -> Estimates:
    """Search from every start over the logs of the distances to the bounds, and keep the likeliest end.

    The covariance is the inverse of the observed information, which comes from differences of the gradient.
    Raises: ModelError when no search comes to its end.
    """
    floor = np.array(bounds)

    def mean_loss(logs: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = log_likelihood(floor + np.exp(logs))
        return -value / customers, -gradient * np.exp(logs) / customers

    ends = []
    for start in starts:
        around = np.log(start - floor)
        box = list(zip(around - REACH, around + REACH, strict=True))
        end = minimize(
            mean_loss,
            around,
            jac=True,
            method="L-BFGS-B",
            bounds=box,
            options={"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-9},
        )
        ends.append((end, bool(np.any(np.abs(end.x - around) >= REACH - 1e-6))))
    ended = [(end, at_reach) for end, at_reach in ends if np.isfinite(end.fun)]
    if not ended:
        raise ModelError(
            f"{model}: none of {len(starts)} searches found parameters for {customers:,} customers. Look at the "
            "histories: frequency, recency, T and monetary_value in gold.rfm."
        )
    best, at_reach = min(ended, key=lambda one: float(one[0].fun))
    step = 1e-4
    steps = step * np.eye(len(names))
    differences = [(mean_loss(best.x + one)[1] - mean_loss(best.x - one)[1]) / (2 * step) for one in steps]
    information = np.array(differences) * customers
    strength, directions = np.linalg.eigh((information + information.T) / 2)
    covariance = (directions / np.maximum(strength, MOST_UNCERTAIN**-2)) @ directions.T
    return Estimates(
        names=names,
        values=tuple(float(value) for value in floor + np.exp(best.x)),
        bounds=bounds,
        covariance=tuple(tuple(float(cell) for cell in row) for row in (covariance + covariance.T) / 2),
        log_likelihood=-float(best.fun) * customers,
        customers=customers,
        rounded_to=rounded_to,
        is_weak=bool(at_reach or strength.min() < MOST_UNCERTAIN**-2),
    )
