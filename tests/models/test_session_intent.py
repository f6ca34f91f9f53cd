from datetime import date, datetime

import pytest

from customerlake.features.session import FEATURES
from customerlake.models.classifiers.inputs import Inputs, Number
from customerlake.models.classifiers.numbers import Classifier, Linear, Standardised
from customerlake.models.session_intent import session_intent_scores
from customerlake.models.session_intent_training import session_splits
from customerlake.runtime.config import SessionIntentConfig

AS_OF = date(2011, 12, 9)
CONFIG = SessionIntentConfig(holdout_days=2, training_days=3, splits=2)


@pytest.fixture
def visits(spark):
    """One visit a day of the last ten days, a cart on every second."""
    words = {"channel", "device", "country"}
    ddl = ", ".join(f"{feature.name} {'string' if feature.name in words else 'double'}" for feature in FEATURES)
    names = [feature.name for feature in FEATURES]
    rows = []
    for day in range(30, 40):
        on = date.fromordinal(AS_OF.toordinal() - 39 + day)
        started = datetime(on.year, on.month, on.day, 12)
        values = [float(day % 2) if name == "has_cart" else None for name in names]
        rows.append((f"s{day}", "v", "17850" if day == 39 else None, started, on, day % 4 == 0, *values))
    known = "customer_id string, visitor_id string, known_customer_id string, started_at timestamp, as_of date, "
    return spark.createDataFrame(rows, f"{known}is_ordering boolean, {ddl}")


def test_each_split_holds_out_days_that_end_before_those_of_the_newer_and_learns_from_those_before(visits):
    splits = session_splits(visits, CONFIG, as_of=AS_OF)

    def ids(rows):
        return sorted(row["customer_id"] for row in rows.collect())

    assert [split.name for split in splits] == ["2011-12-07 to 2011-12-09", "2011-12-05 to 2011-12-07"]
    assert [ids(split.holdout) for split in splits] == [["s38", "s39"], ["s36", "s37"]]
    assert [ids(split.training) for split in splits] == [["s35", "s36", "s37"], ["s33", "s34", "s35"]]


def test_the_visits_of_the_day_are_scored_under_their_own_names(visits):
    fitted = Classifier(
        candidate="cart rule",
        inputs=Inputs(numbers=(Number(name="has_cart", typical=0.0),), categories=()),
        decides=Linear(over=Standardised(means=(0.0,), deviations=(1.0,)), coefficients=(2.0,), intercept=-1.0),
        background=((0.0,),),
    )

    scored = session_intent_scores(fitted, visits, CONFIG, as_of=AS_OF, threshold=0.7, model_version="1")

    (row,) = scored.collect()
    assert (row["session_id"], row["customer_id"], row["visitor_id"]) == ("s39", "17850", "v")
    assert (round(row["order_probability"], 4), row["is_likely_order"], row["seconds_watched"]) == (0.7311, True, 120)
