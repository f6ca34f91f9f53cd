import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from customerlake.models.segmentation.matching import matched_ids

TABLES = st.integers(1, 6).flatmap(
    lambda columns: st.lists(st.lists(st.integers(0, 50), min_size=columns, max_size=columns), min_size=1, max_size=6)
)


def test_segments_in_another_order_keep_their_numbers():
    table = np.array([[0, 1, 90], [80, 2, 0], [3, 70, 1]])

    assert matched_ids(table, [0, 1, 2], unused_from=3) == [2, 0, 1]


def test_pairs_are_made_so_that_the_most_customers_keep_their_number():
    # greedily the first would take 50 and leave 10: 60; the other way 45 + 40 keep it
    table = np.array([[50, 45], [40, 10]])

    assert matched_ids(table, [7, 9], unused_from=10) == [9, 7]


def test_a_segment_more_than_before_takes_a_number_that_none_had():
    table = np.array([[90, 0], [0, 60], [5, 40]])

    assert matched_ids(table, [0, 1], unused_from=5) == [0, 1, 5]


def test_a_segment_that_is_gone_leaves_its_number_unused():
    table = np.array([[90, 0, 0], [0, 60, 40]])

    assert matched_ids(table, [0, 1, 2], unused_from=3) == [0, 1]


def test_a_pair_with_less_than_half_of_its_customers_in_common_is_two_segments():
    # the first of both has 60 customers, in common first 30, then 29
    half = np.array([[30, 10, 10, 10], [10, 50, 0, 0], [10, 0, 50, 0], [10, 0, 0, 50]])
    less = np.array([[29, 11, 10, 10], [11, 50, 0, 0], [10, 0, 50, 0], [10, 0, 0, 50]])

    assert matched_ids(half, [0, 1, 2, 3], unused_from=4) == [0, 1, 2, 3]
    assert matched_ids(less, [0, 1, 2, 3], unused_from=4) == [4, 1, 2, 3]


@given(TABLES)
def test_numbers_are_those_before_or_unused_and_never_given_twice(rows):
    table = np.array(rows)
    before = [2 * i for i in range(table.shape[1])]

    ids = matched_ids(table, before, unused_from=100)

    assert len(set(ids)) == len(table)
    assert all(one in before or 100 <= one < 100 + len(table) for one in ids)
