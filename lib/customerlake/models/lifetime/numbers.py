"""The arithmetic of lifetime value over batches of customers, by numpy alone: Spark's workers and the registered model
run it, so that both say the same."""

import numpy as np
import pandas as pd

from customerlake.models.classifiers.inputs import Numbers
from customerlake.models.lifetime.bg_nbd import alive_probability, purchases_if_alive
from customerlake.models.lifetime.gamma_gamma import Independence, expected_values
from customerlake.models.lifetime.likelihood import Estimates
from customerlake.runtime.config import LifetimeValueConfig

YEAR = 365.0  # days
LEVEL = 0.95  # of intervals
ROWS_AT_ONCE = 4096  # an array of every draw of them is of some megabytes
MOST_REMEMBERED = 50_000  # of pairs, 80 MB at 200 draws

INPUTS = ("frequency", "recency", "T", "monetary_value")
SCORED = (
    "p_alive", "expected_purchases_90_days", "expected_purchases_365_days", "expected_purchases", "expected_value",
    "lifetime_value", "lifetime_value_low", "lifetime_value_high",
)  # fmt: skip
AT_ESTIMATE = -1  # in place of a draw's number: the parameters as estimated


class LifetimeFormula(Numbers):
    """What was learnt, as plain numbers."""

    purchases: Estimates  # r, alpha [days], a, b
    values: Estimates  # p, q, gamma
    independence: Independence  # of how often and how much, which the two together take for granted


class Drawn:
    """Both models' parameters, drawn, and the values of customers under each draw.

    The purchases that are ahead of a customer who is alive depend on frequency and T alone, and are what takes the
    time: they are worked out once for each pair of them, as long as MOST_REMEMBERED pairs are not exceeded.
    """

    def __init__(self, of_purchases: np.ndarray, of_values: np.ndarray, config: LifetimeValueConfig) -> None:
        self.of_purchases, self.of_values, self.config = of_purchases, of_values, config
        self.ahead: dict[complex, np.ndarray] = {}

    @classmethod
    def by(cls, formula: LifetimeFormula, config: LifetimeValueConfig) -> "Drawn":
        """Drawn by the covariances, each model apart: they learn from different data that are taken as unrelated."""
        purchases = formula.purchases.draws(config.draws, config.seed)
        return cls(purchases, formula.values.draws(config.draws, config.seed + 1), config)

    @classmethod
    def at_estimate(cls, formula: LifetimeFormula, config: LifetimeValueConfig) -> "Drawn":
        """The estimates as the one draw."""
        return cls(formula.purchases.theta[:, None, None], formula.values.theta[:, None, None], config)

    def values(self, rows: pd.DataFrame) -> np.ndarray:
        """The lifetime value of each customer (column) under each draw (row)."""
        x, last, age, mean = (rows[name].to_numpy() for name in INPUTS)
        alive = alive_probability(self.of_purchases, x, last, age)
        values: np.ndarray = alive * self._purchases_ahead(x, age) * expected_values(self.of_values, x, mean)
        return values * self.config.margin_share

    def _purchases_ahead(self, frequency: np.ndarray, age: np.ndarray) -> np.ndarray:
        pairs, pair = np.unique(frequency + 1j * age, return_inverse=True)
        known = {key: self.ahead[key] for key in pairs.tolist() if key in self.ahead}
        new = pairs[[key not in known for key in pairs.tolist()]]
        if new.size:
            columns = discounted_purchases(self.of_purchases, new.real, new.imag, self.config).T
            known |= dict(zip(new.tolist(), columns, strict=True))
            if len(self.ahead) + new.size > MOST_REMEMBERED:
                self.ahead = {}  # a new one, as other threads may be reading the old
            self.ahead |= known
        ahead: np.ndarray = np.stack([known[key] for key in pairs.tolist()], axis=1)[:, pair]
        return ahead


def discounted_purchases(
    theta: np.ndarray, frequency: np.ndarray, age: np.ndarray, config: LifetimeValueConfig
) -> np.ndarray:
    """Purchase days expected in the horizon of customers who are alive, each discounted from the end of its period."""
    ends = [*range(config.period_days, config.horizon_days, config.period_days), config.horizon_days]
    total, before = np.zeros(()), np.zeros(())
    for end in ends:
        by_then = purchases_if_alive(theta, frequency, age, float(end))
        total = total + (by_then - before) * (1 + config.discount_rate) ** (-end / YEAR)
        before = by_then
    return total


def scored(rows: pd.DataFrame, formula: LifetimeFormula, drawn: Drawn, config: LifetimeValueConfig) -> pd.DataFrame:
    """The columns of SCORED for a batch of customers, of INPUTS; missing where the history is not known."""
    histories = rows[list(INPUTS)].astype(float)
    histories["monetary_value"] = histories["monetary_value"].where(histories["frequency"] != 0, 0.0)
    is_known = histories.notna().all(axis=1).to_numpy()
    columns = np.full((len(rows), len(SCORED)), np.nan)
    if is_known.any():
        columns[is_known] = np.stack(_of_known(histories[is_known], formula, drawn, config), axis=1)
    return pd.DataFrame(columns, columns=list(SCORED), index=rows.index)


def _of_known(
    rows: pd.DataFrame, formula: LifetimeFormula, drawn: Drawn, config: LifetimeValueConfig
) -> list[np.ndarray]:
    theta, of_values = formula.purchases.theta, formula.values.theta
    x, last, age, mean = (rows[name].to_numpy() for name in INPUTS)
    alive, value = alive_probability(theta, x, last, age), expected_values(of_values, x, mean)
    lifetime = alive * value * config.margin_share * discounted_purchases(theta, x, age, config)
    bands = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        at_once = slice(start, start + ROWS_AT_ONCE)
        bands.append(interval(drawn.values(rows.iloc[at_once]), lifetime[at_once]))
    low, high = np.concatenate(bands, axis=1)
    ahead = [alive * purchases_if_alive(theta, x, age, days) for days in (90.0, YEAR, float(config.horizon_days))]
    return [alive, *ahead, value, lifetime, low, high]


def interval(drawn: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    """The ends of the middle LEVEL of each column's draws; never without the estimate between them."""
    low, high = np.quantile(drawn, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2], axis=0)
    return np.stack([np.minimum(low, estimate), np.maximum(high, estimate)])


def totals(rows: pd.DataFrame, once: Drawn, drawn: Drawn) -> pd.DataFrame:
    """The value of all customers of a batch of histories, as estimated and under each draw."""
    at_mean = rows.assign(monetary_value=rows["sum_of_values"] / rows["customers"])
    total = np.zeros(1 + drawn.config.draws)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = at_mean.iloc[start : start + ROWS_AT_ONCE]
        total += np.concatenate([one.values(part) @ part["customers"].to_numpy() for one in (once, drawn)])
    numbers = np.arange(AT_ESTIMATE, drawn.config.draws, dtype=np.int32)
    return pd.DataFrame({"draw": numbers, "customers": rows["customers"].sum(), "value": total})
