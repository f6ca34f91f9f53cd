import numpy as np
import pytest
from PIL import Image

from customerlake.models.classifiers.evaluation import ScoreCounts
from customerlake.models.figures import classification_figure, save


def scores(seed, rows=40):
    random = np.random.default_rng(seed)
    probability = np.sort(random.random(rows))[::-1]
    return ScoreCounts(
        probability=probability, rows=np.full(rows, 10.0), positives=random.binomial(10, probability).astype(float)
    )


def is_picture(path, *, at_least):
    """A PNG of some size that shows more than its background and its axes."""
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with Image.open(path) as picture:
        colours = picture.convert("RGB").getcolors(maxcolors=1_000_000)
        return picture.width >= at_least and picture.height >= at_least and len(colours) > 50


def test_the_figure_of_a_classification_is_drawn_into_a_png(tmp_path):
    chart = classification_figure("Churn", {"recency rule": scores(1), "trees": scores(2)})

    path = save(chart, tmp_path / "held_out.png")

    assert path == tmp_path / "held_out.png"
    assert is_picture(path, at_least=800)


def test_the_figure_of_a_classification_holds_four_panels_of_every_model():
    specification = classification_figure("Churn", {"recency rule": scores(1), "trees": scores(2)}).to_dict()

    assert specification["title"] == "Churn"
    panels = specification["concat"]
    assert [panel["title"] for panel in panels] == ["ROC", "Precision and recall", "Gain", "Calibration"]
    for panel in panels:
        points = specification["datasets"][panel["data"]["name"]]
        assert {point["model"] for point in points} == {"recency rule", "trees"}


def test_the_roc_panel_draws_false_positives_across_and_true_positives_up():
    perfect = ScoreCounts(probability=np.array([0.9, 0.1]), rows=np.array([2.0, 6]), positives=np.array([2.0, 0]))

    specification = classification_figure("Churn", {"perfect": perfect}).to_dict()

    roc = specification["concat"][0]
    assert roc["encoding"]["x"]["title"] == "False positive rate"
    points = specification["datasets"][roc["data"]["name"]]
    assert [(point["x"], point["y"]) for point in points] == [(0, 0), (0, 1), (1, 1)]


@pytest.mark.parametrize("rows", [399, 1000, 9999])
def test_a_long_curve_is_thinned_and_still_drawn_to_its_end(rows):
    specification = classification_figure("Churn", {"trees": scores(3, rows)}).to_dict()

    roc = specification["datasets"][specification["concat"][0]["data"]["name"]]
    assert 100 < len(roc) < 1000
    assert (roc[0]["x"], roc[0]["y"]) == (0, 0)
    assert (roc[-1]["x"], roc[-1]["y"]) == pytest.approx((1, 1))
