import numpy as np
import pytest

from customerlake.models.segmentation.clustering_fits import METHODS
from customerlake.models.segmentation.search import searched
from customerlake.runtime.config import SegmentsConfig

pytestmark = pytest.mark.spark_only

CONFIG = SegmentsConfig(min_segments=3, max_segments=4, resamples=10, references=5, seed=7)


def searched_in(spark, rows):
    centred = rows - rows.mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2].T
    return searched(spark, centred, directions, CONFIG, lambda text: None)


@pytest.fixture(scope="module")
def in_blobs(spark):
    random = np.random.default_rng(1)
    return searched_in(spark, np.concatenate([random.normal(c, 0.3, (60, 2)) for c in ((0, 0), (6, 0), (0, 6))]))


@pytest.fixture(scope="module")
def in_noise(spark):
    return searched_in(spark, np.random.default_rng(2).uniform(size=(180, 5)))


def of(found, k):
    return {one.method: one for one in found.tried if one.k == k}


def test_every_method_is_tried_with_every_number(in_blobs):
    assert {(one.method, one.k) for one in in_blobs.tried} == {(method, k) for method in METHODS for k in (3, 4)}
    assert set(in_blobs.groupings) == {(one.method, one.k) for one in in_blobs.tried}


def test_groups_far_apart_are_found_again_in_every_sample(in_blobs):
    for one in of(in_blobs, 3).values():
        assert one.stability == 1
        assert one.found_again == (1, 1, 1)
        assert one.silhouette > 0.9
        assert one.smallest_share == pytest.approx(1 / 3)


def test_groups_in_even_noise_are_not_found_again(in_noise):
    for one in in_noise.tried:
        assert one.stability < 0.5
        assert max(one.found_again) < 0.75


def test_the_gap_supports_the_planted_number_and_holds_it_against_one_group(in_blobs):
    gaps = {gap.k: gap for gap in in_blobs.gaps}

    assert sorted(gaps) == [1, 3, 4, 5]
    assert gaps[3].is_supported
    assert gaps[3].gap - gaps[3].error > gaps[1].gap


def test_even_noise_has_no_gap_over_one_group(in_noise):
    gaps = {gap.k: gap for gap in in_noise.gaps}

    assert all(abs(gaps[k].gap - gaps[1].gap) < 0.1 for k in (3, 4))
