"""Made customers for the models' tests: features are drawn apart, so that a cause is only where a test plants one."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from customerlake.features.snapshot import FEATURES
from customerlake.models.classifiers.inputs import Inputs, Number
from customerlake.models.classifiers.numbers import Classifier, Linear, Standardised
from customerlake.models.registry import Registry

MadeCustomers = Callable[..., pd.DataFrame]

RETURNS_TELL = Classifier(
    candidate="logistic regression",
    inputs=Inputs(numbers=(Number(name="count_returns", typical=2.0),), categories=()),
    decides=Linear(over=Standardised(means=(2.5,), deviations=(1.0,)), coefficients=(2.0,), intercept=0.0),
    background=((1.0,), (2.0,), (3.0,)),
)
"""By hand: the log-odds are -5, -3, -1, 1 and 3 for no to four returns, -1 where they are not known."""


@pytest.fixture(scope="session")
def made_customers() -> MadeCustomers:
    """Rows of features.snapshot as pandas; `gone` of the customers ordered longer ago than 90 days.

    The lake has no e-mail and no consents; some customers have no loyalty card, and half have answered no survey.
    """

    def made(as_of: date, *, customers: int, seed: int, gone: int = 0) -> pd.DataFrame:
        random = np.random.default_rng(seed)
        orders = 1.0 + random.poisson(4, customers)
        spend = random.gamma(2.0, 200.0, customers) + 1
        since_last = random.integers(0, 90, customers).astype(float)
        since_last[:gone] = 150.0
        first_ordered = random.integers(200, 400, customers).astype(float)
        drawn = pd.DataFrame(
            {
                "customer_id": [f"c{i:05d}" for i in range(customers)],
                "as_of": as_of,
                "country": random.choice(["France", "Norway", "Spain"], customers, p=[0.6, 0.35, 0.05]),
                "channel": random.choice(["web", "shop"], customers),
                "days_since_last_order": since_last,
                "recency": np.where(orders > 1, (first_ordered - since_last).clip(min=1), 0.0),
                "T": first_ordered,
                "frequency": orders - 1,
                "count_orders": orders,
                "total_spend": spend,
                "average_order_value": random.gamma(2.0, 50.0, customers) + 1,
                "days_between": random.uniform(10, 80, customers),
                "overdue_ratio": random.uniform(0, 4, customers),
                "orders_last_30_days": random.poisson(1, customers).astype(float),
                "orders_last_90_days": random.poisson(2, customers).astype(float),
                "spend_last_90_days": random.gamma(2.0, 80.0, customers),
                "spend_share_last_90_days": random.random(customers),
                "count_returns": random.poisson(1, customers).astype(float),
                "returned_share": random.random(customers) / 5,
                "mean_basket_lines": random.uniform(1, 30, customers),
                "mean_basket_units": random.uniform(1, 300, customers),
                "web_visits_last_30_days": random.poisson(2, customers).astype(float),
                "loyalty_tier": np.where(random.random(customers) < 0.4, "gold", None),
                "tickets_last_90_days": random.poisson(0.3, customers).astype(float),
                "last_nps_answer": np.where(random.random(customers) < 0.5, random.integers(0, 11, customers), np.nan),
            }
        )
        unknown = [feature for feature in FEATURES if feature.name not in drawn]
        return drawn.assign(**{of.name: pd.Series(None, dtype=object if of.is_category else float) for of in unknown})

    return made


@pytest.fixture(scope="session")
def registry_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="session")
def registry(registry_folder: Path) -> Registry:
    """One MLflow store; tests tell themselves apart by the names of their models."""
    return Registry(str(registry_folder))


@pytest.fixture(scope="session")
def returns_tell() -> Classifier:
    return RETURNS_TELL
