from datetime import date, timedelta

import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from customerlake.models.formula import Clusters
from customerlake.models.segments import CLUSTERED, Segments
from customerlake.models.segments_training import MODEL, train_segments
from customerlake.runtime.config import SegmentsConfig

pytestmark = pytest.mark.spark_only

AS_OF = date(2011, 12, 9)
CONFIG = SegmentsConfig(min_segments=2, max_segments=3, resamples=2, seed=7)
INPUTS = {"features.snapshot": ("/lake/features/snapshot", 3)}
PLANTED = ((5, 40, 8000, 200), (60, 6, 900, 150), (300, 1, 60, 60))


@pytest.fixture(scope="module")
def customers(spark):
    """Three groups of forty customers, far apart."""
    random = np.random.default_rng(3)
    rows = [
        (f"c{g}{i:04d}", AS_OF, *(np.array(centre) * random.uniform(0.8, 1.25, 4)))
        for g, centre in enumerate(PLANTED)
        for i in range(40)
    ]
    return spark.createDataFrame(pd.DataFrame(rows, columns=["customer_id", "as_of", *CLUSTERED])).cache()


@pytest.fixture(scope="module")
def train(registry, customers):
    def trained(as_of):
        return train_segments(
            registry, CONFIG, customers, as_of=as_of, inputs=INPUTS, tags={"lake": "test"}, progress=lambda text: None
        )

    return trained


@pytest.fixture(scope="module")
def first(train):
    return train(AS_OF)


@pytest.fixture(scope="module")
def equal(train, first):
    """A month later on the same customers: as good, not better."""
    return train(AS_OF + timedelta(days=30))


def test_the_first_segments_are_the_champion(first):
    assert first.is_champion
    assert first.k == 3
    assert first.stability == 1


def test_segments_that_are_no_better_do_not_take_the_alias(registry, first, equal):
    assert equal.silhouette == pytest.approx(first.silhouette)
    assert not equal.is_champion
    assert [version.number for version in registry.versions(MODEL) if version.is_champion] == [first.version.number]


def test_the_kept_names_are_those_of_the_registered_models_segments(registry, customers, first):
    kept = registry.values(first.version, "scoring.json")
    names, formula = kept["names"], Clusters.model_validate(kept["formula"])

    scored = Segments(CONFIG).score(customers, formula).select("customer_id", "segment_id")
    of_segment = {row["customer_id"][:2]: str(row["segment_id"]) for row in scored.collect()}
    assert names == {
        of_segment["c0"]: "Frequent, high-spend, buying now",
        of_segment["c1"]: "Occasional, mid-spend, quiet",
        of_segment["c2"]: "Rare, low-spend, long gone",
    }


def test_the_run_holds_the_settings_and_the_choice(registry, first):
    params = registry.client.get_run(first.version.run_id).data.params

    assert params["seed"] == "7"
    assert params["max_segments"] == "3"
    assert params["as_of"] == "2011-12-09"
    assert params["k"] == "3"
    assert params["became_champion"] == "True"


def test_the_run_holds_the_quality_of_every_number_of_segments(registry, first):
    metrics = registry.client.get_run(first.version.run_id).data.metrics

    assert metrics["silhouette"] == metrics["silhouette_k3"] == first.silhouette
    assert metrics["silhouette_k2"] < metrics["silhouette_k3"]
    assert metrics["stability"] == metrics["stability_k3"] == 1


def test_the_run_holds_the_delta_version_of_the_input(registry, first):
    run = registry.client.get_run(first.version.run_id)

    assert [(one.dataset.name, one.dataset.digest) for one in run.inputs.dataset_inputs] == [
        ("features.snapshot", "v3")
    ]


def test_the_run_holds_a_figure_and_a_card_that_name_the_segments(registry, first, tmp_path):
    figure = registry.client.download_artifacts(first.version.run_id, "figures/segments.png", str(tmp_path))
    card = registry.client.download_artifacts(first.version.run_id, "model_card.md", str(tmp_path))

    with Image.open(figure) as picture:
        assert picture.width > 500
        assert len(picture.convert("RGB").getcolors(maxcolors=1_000_000)) > 50
    with open(card, encoding="utf-8") as file:
        text = file.read()
    assert "| Rare, low-spend, long gone | 40 |" in text
    assert "**Purpose.**" in text
    assert "**Limits.**" in text


def test_the_registered_model_holds_a_signature(first):
    about = mlflow.models.get_model_info(f"models:/{MODEL}/{first.version.number}")

    assert [column.name for column in about.signature.inputs.inputs] == list(CLUSTERED)
