from datetime import date
from math import exp

from customerlake.models.formula import Input, Linear, Standardised
from customerlake.models.outcome import Attribute, Outcome, learnt_attributes, outcome_scores
from customerlake.runtime.config import ChurnConfig

ATTRIBUTES = (
    Attribute(name="tenure", typical=29.0),
    Attribute(name="contract", level="monthly", typical=0.75),
    Attribute(name="contract", level="yearly", typical=0.25),
)
INPUTS = tuple(Input(name=f"attribute_{i:03}") for i in range(3))
FORMULA = Linear(
    over=Standardised(inputs=INPUTS, means=(0.0, 0.0, 0.0), deviations=(1.0, 1.0, 1.0)),
    coefficients=(-0.1, 2.0, -1.0),
    intercept=1.0,
)
ROWS = "customer_id string, as_of date, numbers map<string,double>, categories map<string,string>, has_outcome boolean"


def sigmoid(margin: float) -> float:
    return 1 / (1 + exp(-margin))


def test_the_most_common_level_is_a_reason_when_it_lies_above_what_is_expected_of_all(spark):
    # monthly, tenure 29: margin 1 - 2.9 + 2 = 0.1, 0.525; at yearly 1 - 2.9 - 1 = -2.9, 0.052; expected 0.407
    # monthly, tenure 1: margin 2.9, 0.948; at tenure 29: 0.525; at yearly -0.1, 0.475, expected 0.830
    day = date(2024, 1, 1)
    rows = spark.createDataFrame(
        [
            ("typical tenure", day, {"tenure": 29.0}, {"contract": "monthly"}, None),
            ("new", day, {"tenure": 1.0}, {"contract": "monthly"}, True),
            ("yearly", day, {"tenure": 29.0}, {"contract": "yearly"}, False),
            ("rare level", day, {"tenure": 1.0}, {"contract": "by the hour"}, None),
        ],
        ROWS,
    )

    model = Outcome(ChurnConfig(warning_probability=0.5), "logistic regression", ATTRIBUTES)
    scores = {row["customer_id"]: row for row in outcome_scores(model, FORMULA, rows, model_version="3").collect()}

    assert {name: row["top_reasons"] for name, row in scores.items()} == {
        "typical tenure": ["contract is monthly"],
        "new": ["tenure is 1 (typical 29)", "contract is monthly"],
        "yearly": [],
        # margin 0.9, 0.711; without knowing the contract 0.75 x 0.948 + 0.25 x 0.475 = 0.830: the contract lowers it
        "rare level": ["tenure is 1 (typical 29)"],
    }
    assert abs(scores["new"]["outcome_probability"] - sigmoid(2.9)) < 1e-12
    assert {name for name, row in scores.items() if row["is_early_warning"]} == {"typical tenure", "new", "rare level"}


def test_levels_are_typical_by_their_share_and_rare_ones_are_not_learnt_from(spark):
    levels = ["monthly"] * 30 + ["yearly"] * 20 + ["by the hour"] * 19
    rows = spark.createDataFrame(
        [(f"{i}", None, {"tenure": float(i)}, {"contract": level}, True) for i, level in enumerate(levels)], ROWS
    )

    assert learnt_attributes(rows) == (
        Attribute(name="tenure", typical=34.0),
        Attribute(name="contract", level="monthly", typical=0.6),
        Attribute(name="contract", level="yearly", typical=0.4),
    )
