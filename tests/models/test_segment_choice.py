import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

from customerlake.models.segmentation.choice import (
    Gap,
    Tried,
    adjusted_rand_index,
    chosen,
    contingency,
    gap_statistics,
    jaccards,
    reference_sets,
    silhouette,
    within,
)


def tried(method, k, silhouette, stability, smallest_share=0.2):
    return Tried(
        method=method, k=k, smallest_share=smallest_share, silhouette=silhouette, stability=stability,
        found_again=(stability,) * k,
    )  # fmt: skip


def taken(candidates, *gaps):
    return chosen(candidates, gaps, min_share=0.01, min_stability=0.7).name


def gap(k, is_supported):
    return Gap(k=k, gap=0.0, error=0.0, is_supported=is_supported)


def blobs(*centres, each=20, seed=1, spread=0.5):
    random = np.random.default_rng(seed)
    return np.concatenate([random.normal(centre, spread, (each, len(centre))) for centre in centres])


def by_pairs(rows, groups):
    """The dispersion as Tibshirani, Walther & Hastie define it: over all pairs of a group, by twice its size."""
    return sum(
        ((own[:, None, :] - own[None, :, :]) ** 2).sum() / (2 * len(own))
        for own in (rows[groups == group] for group in set(groups.tolist()))
    )


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(6, 40))
def test_the_silhouette_equals_scikit_learns_over_squared_distances(seed, k, rows):
    random = np.random.default_rng(seed)
    matrix, groups = random.normal(size=(rows, 3)), np.concatenate([np.arange(k), random.integers(0, k, rows - k)])

    assert silhouette(matrix, groups) == pytest.approx(silhouette_score(matrix, groups, metric="sqeuclidean"), abs=1e-9)


def test_the_silhouette_of_one_group_is_nought():
    assert silhouette(np.array([[0.0], [1.0]]), np.array([3, 3])) == 0


def test_the_silhouette_of_a_hand_worked_case():
    # rows at 0, 1 | 5, alone: a = 1, 1; b = 25, 16; the one alone counts 0
    found = silhouette(np.array([[0.0], [1.0], [5.0]]), np.array([0, 0, 1]))

    assert found == pytest.approx((24 / 25 + 15 / 16 + 0) / 3)


def test_the_gap_statistic_equals_an_independent_computation_over_pairs():
    rows = blobs((0, 0), (6, 0), (0, 6))
    rows = rows - rows.mean(axis=0)
    directions = np.linalg.svd(rows, full_matrices=False)[2].T
    references = list(reference_sets(rows, directions, sets=4, seed=3))

    def labels(of, k):
        return KMeans(k, n_init=2, random_state=0).fit_predict(of)

    numbers = range(1, 5)
    found = gap_statistics(
        {k: within(rows, labels(rows, k)) for k in numbers},
        {k: [within(one, labels(one, k)) for one in references] for k in numbers},
    )

    for one in found:
        logs = [np.log(by_pairs(reference, labels(reference, one.k))) for reference in references]
        mean = sum(logs) / 4
        assert one.gap == pytest.approx(mean - np.log(by_pairs(rows, labels(rows, one.k))))
        assert one.error == pytest.approx((sum((log - mean) ** 2 for log in logs) / 4) ** 0.5 * (5 / 4) ** 0.5)
    assert [one.k for one in found if one.is_supported] == [3]


def test_a_number_is_supported_when_one_more_gains_no_more_than_its_error():
    # logs of ours, and of both references: gaps of 0, 1 and 1.1, errors of 0, 0 and 0.2 x the root of 1 + 1/2
    logs = {1: (3, (3, 3)), 2: (2, (3, 3)), 3: (1, (1.9, 2.3))}

    found = gap_statistics(
        {k: np.exp(own) for k, (own, _) in logs.items()}, {k: np.exp(even) for k, (_, even) in logs.items()}
    )

    assert [one.gap for one in found] == pytest.approx([0, 1, 1.1])
    assert [one.error for one in found] == pytest.approx([0, 0, 0.2 * 1.5**0.5])
    assert [one.is_supported for one in found] == [False, True, False]


def test_reference_sets_fill_the_box_along_the_principal_components_evenly():
    random = np.random.default_rng(5)
    rows = np.outer(random.normal(size=4000), (2.0, 2.0)) + random.normal(0, 0.1, (4000, 2))
    rows = rows - rows.mean(axis=0)
    along = np.array([[1, 1], [1, -1]]) / 2**0.5  # the components, rows of this matrix

    (reference,) = reference_sets(rows, along.T, sets=1, seed=1)

    box, turned = rows @ along.T, reference @ along.T
    assert (turned.min(axis=0) >= box.min(axis=0)).all()
    assert (turned.max(axis=0) <= box.max(axis=0)).all()
    widths = box.max(axis=0) - box.min(axis=0)
    np.testing.assert_allclose(turned.std(axis=0), widths / 12**0.5, rtol=0.03)


def test_reference_sets_differ_and_are_the_same_under_one_seed():
    rows = blobs((0, 0), (1, 1))

    first, second = reference_sets(rows, np.eye(2), sets=2, seed=1)
    again, _ = reference_sets(rows, np.eye(2), sets=2, seed=1)

    assert not np.allclose(first, second)
    np.testing.assert_array_equal(first, again)


def test_the_adjusted_rand_index_of_a_hand_worked_table():
    found = adjusted_rand_index(np.array([[2, 1], [0, 3]]))

    # pairs together: in both 1 + 0 + 0 + 3, in the rows (3 and 3) 3 + 3, in the columns (2 and 4) 1 + 6, of all 15
    assert found == pytest.approx((4 - 6 * 7 / 15) / ((6 + 7) / 2 - 6 * 7 / 15))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=2, max_size=60))
def test_the_adjusted_rand_index_equals_scikit_learns(pairs):
    one, other = np.array(pairs).T

    found = adjusted_rand_index(contingency(one, other, groups=5, others=4))

    assert found == pytest.approx(adjusted_rand_score(one, other), abs=1e-9)


def test_a_contingency_table_counts_the_rows_of_each_pair_of_groups():
    one, other = np.array([0, 0, 1, 2, 2]), np.array([1, 1, 0, 1, 0])

    table = contingency(one, other, groups=3, others=2)

    assert table.tolist() == pd.crosstab(one, other).to_numpy().tolist() == [[0, 2], [1, 0], [1, 1]]


def test_a_group_is_found_again_by_its_jaccard_similarity_to_the_likest_group():
    # group 0: 6 of 8 in its likest, which has 6: 6 of 8; group 1: 4 in a group of 6: 4 of 6
    assert jaccards(np.array([[6, 2], [0, 4]])).tolist() == pytest.approx([6 / 8, 4 / 6])


def test_of_stable_and_supported_groupings_the_highest_silhouette_is_taken():
    candidates = [tried("a", 3, 0.5, 0.9), tried("b", 4, 0.6, 0.7), tried("c", 4, 0.8, 0.69), tried("d", 5, 0.9, 0.9)]

    assert taken(candidates, gap(3, True), gap(4, True), gap(5, False)) == "b, k = 4"


def test_where_the_gap_supports_no_stable_grouping_the_highest_silhouette_of_the_stable_is_taken():
    candidates = [tried("a", 3, 0.5, 0.9), tried("b", 4, 0.6, 0.8), tried("c", 5, 0.7, 0.2)]

    assert taken(candidates, gap(3, False), gap(4, False), gap(5, True)) == "b, k = 4"


def test_without_a_stable_grouping_the_most_stable_is_taken():
    assert taken([tried("a", 3, 0.5, 0.4), tried("b", 4, 0.6, 0.3)], gap(4, True)) == "a, k = 3"


def test_a_grouping_with_a_segment_of_next_to_nobody_is_not_taken():
    outlier = tried("b", 3, 0.9, 1.0, smallest_share=0.009)

    assert taken([tried("a", 3, 0.4, 0.8, smallest_share=0.01), outlier], gap(3, True)) == "a, k = 3"
    assert taken([outlier]) == "b, k = 3"


def test_of_equals_fewer_segments_are_taken():
    assert taken([tried("a", 4, 0.5, 0.9), tried("b", 3, 0.5, 0.9)]) == "b, k = 3"
