import numpy as np
import pytest
from pydantic import TypeAdapter
from sklearn.mixture import GaussianMixture

from customerlake.models.segmentation.clusterings import Bisected, Centres, Clustering, Mixture, Split, summed

MIXTURE = Mixture(
    weights=(0.2, 0.5, 0.3),
    centres=((0.0, 0.0), (3.0, 1.0), (-2.0, 4.0)),
    covariances=(((1.0, 0.6), (0.6, 0.8)), ((0.5, -0.2), (-0.2, 2.0)), ((0.02, 0.0), (0.0, 0.03))),
)
BISECTED = Bisected(
    splits=(
        Split(group=0, centres=((-5.0, 0.0), (5.0, 0.0))),
        Split(group=1, centres=((5.0, -2.0), (5.0, 2.0))),
        Split(group=0, centres=((-6.0, 0.0), (-4.0, 0.0))),
    ),
    variance=1.0,
)


def by_scikit_learn(mixture):
    """scikit-learn's mixture of the same parameters."""
    theirs = GaussianMixture(n_components=3, covariance_type="full")
    theirs.weights_, theirs.means_ = np.array(mixture.weights), np.array(mixture.centres)
    theirs.covariances_ = np.array(mixture.covariances)
    theirs.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(theirs.covariances_))
    return theirs


def columns(*rows):
    return list(np.array(rows, dtype=float).T)


def test_the_affinities_of_a_mixture_are_scikit_learns_weighted_log_densities():
    rows = np.random.default_rng(1).uniform(-6, 6, (200, 2))

    affinities = np.stack(MIXTURE.affinities(list(rows.T)), axis=1)

    theirs = by_scikit_learn(MIXTURE)
    np.testing.assert_allclose(np.log(np.exp(affinities).sum(axis=1)), theirs.score_samples(rows), rtol=1e-9)
    np.testing.assert_array_equal(MIXTURE.groups(list(rows.T)), theirs.predict(rows))


def test_a_row_belongs_to_the_nearest_centre_and_to_the_first_of_two_as_near():
    centres = Centres(centres=((0.0, 0.0), (4.0, 0.0), (4.0, 1.0)), variance=1.0)

    assert centres.groups(columns((1, 0), (2, 0), (2.1, 0), (4, 0.6))).tolist() == [0, 0, 1, 2]


def test_affinities_of_centres_fall_with_half_the_squared_distance_in_variances():
    centres = Centres(centres=((0.0, 0.0), (3.0, 4.0)), variance=0.5)

    found = centres.affinities(columns((0, 0), (1, 1)))

    # squared distances 0 and 25, 2 and 13; by 2 x 0.5
    assert [one.tolist() for one in found] == [[0, -2], [-25, -13]]


def test_a_row_goes_down_the_splits_though_another_centre_is_nearer():
    # right of the first border, then above the second; (-4, 0) is nearer to (0.4, 4) than (5, 2)
    assert BISECTED.groups(columns((0.4, 4), (0.4, -4), (-9, 0), (-4.9, 0))).tolist() == [2, 1, 0, 3]


def test_the_centres_of_bisected_groups_are_those_of_their_last_split():
    assert BISECTED.centres == ((-6.0, 0.0), (5.0, -2.0), (5.0, 2.0), (-4.0, 0.0))


@pytest.mark.parametrize("clustering", [MIXTURE, BISECTED, Centres(centres=((0.1, 0.2),), variance=1 / 3)])
def test_a_clustering_kept_as_json_is_the_same(clustering):
    kept = TypeAdapter(Clustering).validate_json(clustering.model_dump_json())

    assert kept == clustering
    rows = list(np.random.default_rng(2).uniform(-6, 6, (50, 2)).T)
    np.testing.assert_array_equal(kept.affinities(rows), clustering.affinities(rows))


def test_a_sum_nests_by_the_logarithm_of_its_terms():
    class Term:
        def __init__(self, depth):
            self.depth = depth

        def __add__(self, other):
            return Term(1 + max(self.depth, other.depth))

    assert summed([Term(0)] * 64).depth == 6
    assert summed([np.array([float(i)]) for i in range(7)]).tolist() == [21]
