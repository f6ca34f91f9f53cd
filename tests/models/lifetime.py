"""What the tests of lifetime value share: a public sample, numbers made by hand, and customers made by known ones."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

from customerlake.models.lifetime.gamma_gamma import Independence
from customerlake.models.lifetime.likelihood import Estimates
from customerlake.models.lifetime.numbers import LifetimeFormula
from customerlake.silver.orders import ORDERS as ORDERS_TABLE

CDNOW = Path(__file__).parents[1] / "data" / "cdnow_sample.csv"
AS_OF = date(1997, 9, 30)
RFM_ROWS = "customer_id string, as_of date, frequency int, recency int, T int, monetary_value decimal(18,2)"
ORDERS = "customer_id string, ordered_on date, amount decimal(18,4), is_return boolean"
BUYS, SPENDS = (0.8, 40.0, 0.6, 2.5), (6.0, 4.0, 15.0)  # r, alpha, a, b; p, q, gamma of made customers


def estimates(names, values, bounds, deviation):
    size = range(len(names))
    covariance = tuple(tuple(deviation**2 if i == j else 0.0 for j in size) for i in size)
    return Estimates(
        names=names, values=values, bounds=bounds, covariance=covariance,
        log_likelihood=0.0, customers=1, rounded_to=0.0, is_weak=False,
    )  # fmt: skip


def formula(deviation=0.05, theta=(0.243, 30.9, 0.793, 2.426), of_values=(6.25, 3.74, 15.44)):
    return LifetimeFormula(
        purchases=estimates(("r", "alpha", "a", "b"), theta, (0.0,) * 4, deviation),
        values=estimates(("p", "q", "gamma"), of_values, (0.0, 1.0, 0.0), deviation),
        independence=Independence(correlation=0.1, low=0.0, high=0.2, customers=1),
    )


def made_purchases(until, *, days, customers, seed, buys=BUYS, spends=SPENDS):
    """Purchases as the two models have them, by numpy: customer_id, ordered_on, amount. First ones in the first half.

    A customer buys at a rate of their own, and after each repeat purchase stops with a chance of their own.
    """
    random = np.random.default_rng(seed)
    (r, alpha, a, b), (p, q, gamma) = buys, spends
    rates, stops = random.gamma(r, 1 / alpha, customers), random.beta(a, b, customers)
    firsts, scales = random.uniform(0, days / 2, customers), 1 / random.gamma(q, 1 / gamma, customers)
    rows = []
    for customer in range(customers):
        at, is_first = firsts[customer], True
        while at < days:
            bought_on = until - timedelta(days=days - 1 - int(at))
            rows.append((f"c{customer:05d}", bought_on, round(random.gamma(p, scales[customer]), 2)))
            if not is_first and random.random() < stops[customer]:
                break
            at, is_first = at + random.exponential(1 / rates[customer]), False
    return pd.DataFrame(rows, columns=["customer_id", "ordered_on", "amount"])


def as_orders(spark, purchases):
    """Purchases as rows of silver.orders, one order each; what they do not say is null."""
    rows = [
        {
            "order_id": str(number),
            "customer_id": one.customer_id,
            "ordered_at": pd.Timestamp(one.ordered_on).to_pydatetime(),
            "ordered_on": one.ordered_on,
            "channel": "web",
            "is_return": False,
            "amount": Decimal(f"{max(one.amount, 0.01):.2f}"),
            "product_amount": Decimal(f"{max(one.amount, 0.01):.2f}"),
            "count_lines": 1,
            "count_units": 1,
        }
        for number, one in enumerate(purchases.itertuples())
    ]
    whole = [tuple(row.get(name) for name in ORDERS_TABLE.column_names) for row in rows]
    return spark.createDataFrame(whole, ORDERS_TABLE.schema)
