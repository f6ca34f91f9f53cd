"""What contacting the likeliest earns: the threshold of a warning is where the expected profit is highest."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from pyspark.sql import Column

from customerlake.models.classifiers.evaluation import BINS, ScoreCounts
from customerlake.runtime.config import ProfitConfig

Money = TypeVar("Money", np.ndarray, Column)


@dataclass(frozen=True)
class ProfitCurve:
    """Profit on the rows judged by, when all from a probability upwards are contacted; likeliest first."""

    probability: np.ndarray
    contacted: np.ndarray  # rows
    profit: np.ndarray  # currency

    @property
    def best(self) -> int:
        """Position of the highest profit; of equal ones that with fewer contacts."""
        return int(np.argmax(self.profit))

    @property
    def threshold(self) -> float:
        """From here on a contact pays, down to a ten-thousandth; above 1 where no contact does.

        Rounded down: the mean of equal probabilities may lie a hair above each of them.
        """
        if self.profit[self.best] <= 0:
            return 1.01
        return float(np.floor(self.probability[self.best] * BINS + 1e-6) / BINS)


def profit_curve(counts: ScoreCounts, config: ProfitConfig) -> ProfitCurve:
    """Each positive that is contacted brings success_rate x margin_share x its stake, each contact costs.

    Source: Verbraken, Verbeke & Baesens (2013), "A novel profit maximizing metric for measuring classification
            performance of customer churn prediction models", IEEE TKDE 25(5), section 3; each customer's own value.
    Raises: ValueError where counts carry no stake.
    """
    if counts.stake is None:
        raise ValueError("profit needs counts with what is at stake; pass `stake` to score_counts")
    contacted = np.cumsum(counts.rows)
    return ProfitCurve(counts.probability, contacted, profit_of(np.cumsum(counts.stake), contacted, config))


def profit_of(lost: Money, contacts: Money | float, config: ProfitConfig) -> Money:
    """What so many contacts earn where `lost` would be lost without them, as arrays or as columns."""
    return config.success_rate * config.margin_share * lost - config.contact_cost * contacts
