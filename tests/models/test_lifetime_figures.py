from datetime import timedelta

import pandas as pd
import pytest
from PIL import Image

from customerlake.models.figures import save
from customerlake.models.lifetime.bg_nbd import p_alive_matrix
from customerlake.models.lifetime.figures import (
    conditional_figure,
    gain_figure,
    p_alive_figure,
    tracking_figure,
    value_figure,
)
from tests.models.lifetime import AS_OF, formula

PAST = pd.DataFrame(
    [(0, 1414, 0.58, 345.7, 0.38, 155.1, 20.0), (1, 686, 0.93, 354.1, 0.71, 272.0, 30.0),
     (7, 276, 5.22, 4664.3, 3.77, 2398.4, 40.0)],
    columns=["past_purchases", "customers", "purchases", "spend", "purchases, ours", "spend, ours", "spend, theirs"],
)  # fmt: skip
CURVE = pd.DataFrame({"customers": [0.0, 0.1, 1.0], "spend": [0.0, 0.5, 1.0]})
VALUES = pd.DataFrame(
    {"value_from": [10.0, 100.0], "value_to": [12.6, 126.0], "customers": [30, 10], "value": [330.0, 1100.0]}
)


@pytest.fixture
def weeks():
    ends = [AS_OF + timedelta(days=days) for days in (-7, 0, 7, 14)]
    columns = {"observed": [2, 0, 0, 1], "expected": [1.5, 0.5, 0.4, 0.3], "is_holdout": [False, False, True, True]}
    return pd.DataFrame({"week_ends_on": ends} | columns)


def points(panel):
    """The rows that the first layer of a panel draws."""
    return (panel["layer"][0] if "layer" in panel else panel)["data"]["name"]


def test_every_figure_is_drawn_into_a_png(tmp_path, weeks):
    matrix = p_alive_matrix(formula().purchases, age_days=272, most_purchases=10)
    figures = {
        "tracking": (tracking_figure("Repeat purchases", weeks), 1500),
        "p_alive": (p_alive_figure("Who still buys", matrix, age_days=272), 800),
        "past": (conditional_figure("By past purchases", PAST), 1500),
        "gain": (gain_figure("Gain", {"ours": CURVE}), 1000),
        "values": (value_figure("Lifetime value", VALUES), 1200),
    }
    for name, (figure, wide) in figures.items():
        with Image.open(save(figure, tmp_path / f"{name}.png")) as picture:
            assert picture.width >= wide, name
            assert len(picture.convert("RGB").getcolors(maxcolors=1_000_000)) > 50, name


def test_the_tracking_figure_sums_up_the_weeks_on_its_right(weeks):
    specification = tracking_figure("Repeat purchases", weeks).to_dict()

    left, right = (specification["datasets"][panel["layer"][0]["data"]["name"]] for panel in specification["hconcat"])
    observed = [[point["purchases"] for point in side if point["series"] == "observed"] for side in (left, right)]
    assert observed == [[2, 0, 0, 1], [2, 2, 2, 3]]


def test_past_purchases_are_shown_as_observed_and_by_each_model_that_foretells_them():
    specification = conditional_figure("By past purchases", PAST).to_dict()

    left, right = (specification["datasets"][points(panel)] for panel in specification["hconcat"])
    assert {point["series"] for point in left} == {"observed", "ours"}
    assert {point["series"] for point in right} == {"observed", "ours", "theirs"}
    assert [point["past"] for point in left if point["series"] == "ours"] == ["0", "1", "7+"]
    assert [point["mean"] for point in right if point["series"] == "theirs"] == [20.0, 30.0, 40.0]


def test_the_share_of_value_is_summed_from_the_most_valuable():
    specification = value_figure("Lifetime value", VALUES).to_dict()

    curve = specification["datasets"][points(specification["hconcat"][1])]
    assert [(point["customers"], round(point["value"], 4)) for point in curve] == [(0, 0), (0.25, 0.7692), (1, 1)]


def test_a_curve_of_many_points_is_thinned_and_keeps_its_ends():
    many = pd.DataFrame({"customers": [i / 10_000 for i in range(10_001)], "spend": 1.0})

    specification = gain_figure("Gain", {"ours": many}).to_dict()

    drawn = [point["customers"] for point in specification["datasets"][points(specification)]]
    assert 300 < len(drawn) < 500
    assert (drawn[0], drawn[-1]) == (0.0, 1.0)
