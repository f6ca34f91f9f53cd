from datetime import date
from decimal import Decimal

import pytest

from customerlake.features.snapshot import SNAPSHOT
from customerlake.models.classifiers.inputs import Inputs, Number
from customerlake.models.classifiers.numbers import Classifier, Linear, Standardised
from customerlake.models.purchase_intent import likely_groups, purchase_intent_scores
from customerlake.runtime.config import PurchaseIntentConfig

AS_OF = date(2011, 12, 9)
CONFIG = PurchaseIntentConfig(horizon_days=30, gap_days=2)


def by_one(feature, *, slope, intercept):
    """Log-odds of slope x feature + intercept; reasons compare with 10."""
    return Classifier(
        candidate="logistic regression",
        inputs=Inputs(numbers=(Number(name=feature, typical=10.0),), categories=()),
        decides=Linear(over=Standardised(means=(0.0,), deviations=(1.0,)), coefficients=(slope,), intercept=intercept),
        background=((10.0,),),
    )


@pytest.fixture
def snapshot(frame_of):
    return frame_of(
        SNAPSHOT,
        {"customer_id": "soon", "as_of": AS_OF, "days_since_last_order": 0.0, "average_order_value": 40.0},
        {"customer_id": "late", "as_of": AS_OF, "days_since_last_order": 20.0, "average_order_value": 40.0},
        {"customer_id": "new", "as_of": AS_OF, "average_order_value": 40.0},
    )


def test_probability_expected_spend_and_reasons_are_those_of_the_formula(snapshot):
    fitted = by_one("days_since_last_order", slope=-0.1, intercept=1.0)  # log-odds 1, -1 and, of the typical 10, 0

    scored = purchase_intent_scores(fitted, snapshot, CONFIG, threshold=0.6, model_version="4")

    rows = {row["customer_id"]: row for row in scored.collect()}
    assert {name: round(row["purchase_probability"], 4) for name, row in rows.items()} == {
        "soon": 0.7311, "late": 0.2689, "new": 0.5
    }  # fmt: skip
    assert rows["soon"]["expected_spend"] == Decimal("29.24")
    assert {name for name, row in rows.items() if row["is_likely_buyer"]} == {"soon"}
    assert rows["soon"]["top_reasons"] == ["last order 0 days ago (typical 10)"]
    assert (rows["late"]["top_reasons"], rows["late"]["likely_groups"]) == ([], None)
    assert (rows["late"]["horizon_days"], rows["late"]["gap_days"], rows["late"]["_model_version"]) == (30, 2, "4")


def test_the_likeliest_group_of_products_comes_first(spark, snapshot):
    fitted = by_one("group_spend_share", slope=4.0, intercept=-2.0)
    rows = spark.createDataFrame(
        [("soon", AS_OF, "kitchen", 0.25), ("soon", AS_OF, "light", 0.75), ("late", AS_OF, "light", 0.5)],
        "customer_id string, as_of date, product_group string, group_spend_share double",
    )

    groups = likely_groups(rows, fitted, CONFIG)

    intent = by_one("days_since_last_order", slope=-0.1, intercept=1.0)
    scored = purchase_intent_scores(intent, snapshot, CONFIG, threshold=0.6, model_version="4", groups=groups)
    told = {
        row["customer_id"]: [(group["product_group"], round(group["probability"], 4)) for group in row["likely_groups"]]
        for row in scored.where("likely_groups IS NOT NULL").collect()
    }
    assert told == {"soon": [("light", 0.7311), ("kitchen", 0.2689)], "late": [("light", 0.5)]}
