from itertools import chain

import numpy as np
import pytest
from PIL import Image

from customerlake.models.figures import save
from customerlake.models.segmentation.choice import Gap, Tried
from customerlake.models.segmentation.clusterings import Centres
from customerlake.models.segmentation.figures import choice_figure, map_figure, profiles_figure, shown, sizes_figure
from customerlake.models.segmentation.numbers import Axis, FittedSegments, ScaledFeature, Segment

NAMES = ("count_orders", "total_spend")


def segment(number, name, customers, orders, spend, deviations):
    return Segment(
        id=number,
        name=name,
        customers=customers,
        medians={"count_orders": orders, "total_spend": spend},
        deviations=dict(zip(NAMES, deviations, strict=True)),
        found_again=0.9,
    )


@pytest.fixture
def fitted():
    tried = (
        Tried(method="k-means", k=2, smallest_share=0.25, silhouette=0.5, stability=0.9, found_again=(0.9, 0.9)),
        Tried(
            method="Gaussian mixture", k=2, smallest_share=0.25, silhouette=0.4, stability=0.6, found_again=(0.5, 0.9)
        ),
    )
    return FittedSegments(
        features=tuple(ScaledFeature(name=n, is_logged=False, typical=0, mean=0, deviation=1) for n in NAMES),
        clustering=Centres(centres=((2.0, 2.0), (-1.0, -1.0)), variance=1.0),
        segments=(
            segment(4, "Frequent, high spend", 25, 7.0, 2616.4, (2.0, 1.4)),
            segment(0, "Rare, low spend", 75, 1.0, None, (-0.7, -0.5)),
        ),
        axes=(
            Axis(loadings={"count_orders": 0.6, "total_spend": 0.8}, variance_share=0.9),
            Axis(loadings={"count_orders": 0.8, "total_spend": -0.6}, variance_share=0.1),
        ),
        tried=tried,
        taken=tried[0],
        gaps=(
            Gap(k=1, gap=0.1, error=0.02, is_supported=False),
            Gap(k=2, gap=0.6, error=0.03, is_supported=True),
            Gap(k=3, gap=0.5, error=0.04, is_supported=False),
        ),
        customers=100,
        highest_id=4,
    )


def figures(fitted):
    matrix = np.array([(2.0, 1.0), (0.0, -1.0), (1.0, 3.0)])
    return {
        "profiles": profiles_figure("Segments", fitted),
        "choice": choice_figure("Segments", fitted, min_stability=0.7),
        "map": map_figure("Segments", fitted, matrix, np.array([0, 1, 0])),
        "sizes": sizes_figure("Segments", fitted),
    }


def points(chart):
    return list(chain.from_iterable(chart.to_dict()["datasets"].values()))


@pytest.mark.parametrize("name", ["profiles", "choice", "map", "sizes"])
def test_each_figure_is_drawn_into_a_png(tmp_path, fitted, name):
    path = save(figures(fitted)[name], tmp_path / f"{name}.png")

    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.width > 400
        assert len(picture.convert("RGB").getcolors(maxcolors=1_000_000)) > 40  # a blank one has few


def test_profiles_show_every_median_in_the_order_of_the_segments_numbers(fitted):
    cells = {(one["segment"], one["feature"], one["median"]) for one in points(profiles_figure("Segments", fitted))}

    assert cells == {
        ("Rare, low spend", "orders", "1"),
        ("Rare, low spend", "spend", "–"),
        ("Frequent, high spend", "orders", "7"),
        ("Frequent, high spend", "spend", "2,616"),
    }
    assert [one["segment"] for one in points(profiles_figure("Segments", fitted))][:3] == [
        "Rare, low spend", "Rare, low spend", "Frequent, high spend",
    ]  # fmt: skip


def test_the_choice_shows_every_candidate_every_gap_and_the_one_taken(fitted):
    drawn = points(choice_figure("Segments", fitted, min_stability=0.7))

    silhouettes = {(one["method"], one["silhouette"], one["is_taken"]) for one in drawn if "method" in one}
    assert silhouettes == {("k-means", 0.5, True), ("Gaussian mixture", 0.4, False)}
    gaps = {(one["k"], one["rule"]) for one in drawn if "rule" in one}
    assert gaps == {(1, "one more gains"), (2, "one more gains nothing"), (3, "one more gains")}
    lows = sorted((one["k"], round(one["low"], 9), round(one["high"], 9)) for one in drawn if "low" in one)
    assert lows == [(1, 0.08, 0.12), (2, 0.57, 0.63), (3, 0.46, 0.54)]


def test_the_map_places_customers_by_the_loadings_and_says_the_axes_in_words(fitted):
    chart = figures(fitted)["map"]

    # 0.6 x 2 + 0.8 x 1, 0.8 x 2 - 0.6 x 1; and so on
    found = [(round(one["first"], 9), round(one["second"], 9), one["segment"]) for one in points(chart)]
    assert found == [
        (2.0, 1.0, "Frequent, high spend"), (-0.8, 0.6, "Rare, low spend"), (3.0, -1.0, "Frequent, high spend"),
    ]  # fmt: skip
    assert chart.to_dict()["encoding"]["x"]["title"] == ["high in spend and orders (90% of the spread)"]
    assert chart.to_dict()["encoding"]["y"]["title"] == ["high in orders, low in spend (10% of the spread)"]


def test_the_map_holds_no_id_of_a_customer(fitted):
    assert {key for one in points(figures(fitted)["map"]) for key in one} == {"first", "second", "segment"}


def test_sizes_are_told_with_their_share(fitted):
    assert [(one["segment"], one["told"]) for one in points(sizes_figure("Segments", fitted))] == [
        ("Rare, low spend", "75 (75%)"),
        ("Frequent, high spend", "25 (25%)"),
    ]


def test_a_number_is_shown_with_as_many_digits_as_it_needs():
    assert [shown(value) for value in (None, 0.0, 0.0123, 0.5, 7.0, 12.34, 155.6, 26164.2)] == [
        "–", "0", "0.012", "0.5", "7", "12.3", "156", "26,164",
    ]  # fmt: skip
