import numpy as np
import pytest
from pyspark.ml.clustering import BisectingKMeans, GaussianMixture, KMeans
from sklearn.metrics import adjusted_rand_score

from customerlake.models.segmentation.clustering_fits import (
    METHODS,
    fit_bisected,
    fit_centres,
    fit_mixture,
    principal_components,
    vectors,
)
from customerlake.models.segmentation.clusterings import Bisected, Centres, Mixture

pytestmark = pytest.mark.spark_only

CENTRES = np.array([(-2.0, 0.0, 1.0), (2.0, -1.5, 0.0), (0.5, 2.5, -1.0)])


def blobs(each=80, spread=0.35, seed=1):
    """Rows of three groups far apart, one group after the other."""
    random = np.random.default_rng(seed)
    return np.concatenate([random.normal(centre, spread, (each, 3)) for centre in CENTRES])


PLANTED = np.repeat([0, 1, 2], 80)


@pytest.fixture(scope="module")
def cloud():
    """Rows without groups, in which border cases abound."""
    return np.random.default_rng(2).normal(size=(300, 3))


@pytest.mark.parametrize("method", METHODS)
def test_planted_groups_are_found(spark, method):
    rows = blobs()

    found = METHODS[method](spark, rows, [3], 7)[3]

    assert adjusted_rand_score(PLANTED, found.groups(list(rows.T))) > 0.95
    assert found.kind == method


@pytest.mark.parametrize("method", METHODS)
def test_fitting_again_under_one_seed_gives_the_same_numbers(spark, method, cloud):
    assert METHODS[method](spark, cloud, [2, 4], 7) == METHODS[method](spark, cloud, [2, 4], 7)


def test_centres_group_every_row_as_mllib_does(spark, cloud):
    frame = vectors(spark, cloud)
    theirs = KMeans(k=4, seed=7, maxIter=30, tol=0.01).fit(frame)

    ours = fit_centres(spark, cloud, [4], 7)[4]

    assert isinstance(ours, Centres)
    by_mllib = [row["prediction"] for row in theirs.transform(frame).select("prediction").collect()]
    assert ours.groups(list(cloud.T)).tolist() == by_mllib


def test_the_variance_of_centres_is_that_of_a_feature_within_the_groups(spark):
    rows = blobs()

    found = fit_centres(spark, rows, [3], 7)[3]

    within = [rows[group == PLANTED] - rows[group == PLANTED].mean(axis=0) for group in (0, 1, 2)]
    assert found.variance == pytest.approx((np.concatenate(within) ** 2).mean(), rel=1e-6)


def test_two_bisected_groups_hold_every_row_as_mllib_does(spark, cloud):
    moved = vectors(spark, cloud + 10)
    theirs = BisectingKMeans(k=2, seed=7, maxIter=10).fit(moved)

    ours = fit_bisected(spark, cloud, [2], 7)[2]

    by_mllib = [row["prediction"] for row in theirs.transform(moved).select("prediction").collect()]
    assert ours.groups(list(cloud.T)).tolist() == by_mllib


def test_more_bisected_groups_are_mllibs_halves_of_the_widest_group(spark, cloud):
    found = fit_bisected(spark, cloud, [3, 2], 7)
    two, three = (found[k].groups(list(cloud.T)) for k in (2, 3))
    squares = [((cloud[two == g] - cloud[two == g].mean(axis=0)) ** 2).sum() for g in (0, 1)]
    widest = int(np.argmax(squares))

    members = vectors(spark, cloud[two == widest] + 10)
    theirs = BisectingKMeans(k=2, seed=7, maxIter=10).fit(members).transform(members).select("prediction").collect()

    assert isinstance(found[3], Bisected)
    assert three[two != widest].tolist() == two[two != widest].tolist()
    assert (three[two == widest] == 2).tolist() == [row["prediction"] == 1 for row in theirs]


def test_bisecting_finds_groups_around_the_origin(spark):
    rows = blobs() - blobs().mean(axis=0)  # there MLlib alone finds none

    assert len(BisectingKMeans(k=3, seed=7).fit(vectors(spark, rows)).clusterCenters()) == 1
    assert adjusted_rand_score(PLANTED, fit_bisected(spark, rows, [3], 7)[3].groups(list(rows.T))) == 1


def test_rows_of_two_kinds_alone_are_bisected_into_two_groups_at_most(spark):
    rows = np.repeat([[0.0, 0.0], [1.0, 1.0]], 10, axis=0)

    assert sorted(fit_bisected(spark, rows, [2, 3, 4], 7)) == [2]


def test_the_mixture_gives_every_row_mllibs_probabilities(spark, cloud):
    noise = np.random.default_rng(7).normal(0, 0.1, cloud.shape)
    noisy = vectors(spark, cloud + noise)
    starts = [GaussianMixture(k=3, seed=seed, maxIter=40, tol=1e-3 * len(cloud)).fit(noisy) for seed in (7, 8)]
    likeliest = max(starts, key=lambda start: start.summary.logLikelihood)
    scored = likeliest.transform(vectors(spark, cloud)).select("prediction", "probability").collect()

    ours = fit_mixture(spark, cloud, [3], 7)[3]

    assert isinstance(ours, Mixture)
    affinities = np.stack(ours.affinities(list(cloud.T)), axis=1)
    probabilities = np.exp(affinities) / np.exp(affinities).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, [row["probability"].toArray() for row in scored], atol=1e-9)
    assert ours.groups(list(cloud.T)).tolist() == [row["prediction"] for row in scored]


def test_customers_on_a_line_do_not_make_a_mixture_of_no_width(spark):
    """One order: spend is spend per order, so that these rows lie on a line."""
    random = np.random.default_rng(3)
    once = np.outer(random.normal(size=150), (1.0, 1.0, 0.0)) - np.array([0, 0, 1.0])
    rows = np.concatenate([once, random.normal((0, 0, 1.0), 0.5, (150, 3))])

    found = fit_mixture(spark, rows, [2], 7)[2]

    assert isinstance(found, Mixture)
    assert np.linalg.eigvalsh(np.array(found.covariances)).min() > 0.004
    assert adjusted_rand_score(np.repeat([0, 1], 150), found.groups(list(rows.T))) > 0.9


def test_principal_components_are_those_of_the_singular_values(spark, cloud):
    rows = (cloud - cloud.mean(axis=0)) * (3.0, 1.0, 0.3)

    directions, shares = principal_components(spark, rows)

    _, values, right = np.linalg.svd(rows, full_matrices=False)
    np.testing.assert_allclose(shares, values**2 / (values**2).sum(), rtol=1e-9)
    np.testing.assert_allclose(np.abs(directions), np.abs(right.T), atol=1e-9)
    heaviest = directions[np.abs(directions).argmax(axis=0), [0, 1, 2]]
    assert (heaviest > 0).all()
