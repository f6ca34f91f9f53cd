import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customerlake.silver.identity.clustering import clusters, components

pytestmark = pytest.mark.before_an_engine


def ids(numbers):
    return np.array(list(numbers), dtype=np.int64)


def sides(pairs):
    return ids(one for one, _ in pairs), ids(other for _, other in pairs)


def components_of(records, links):
    """The cluster of each record."""
    return dict(zip(records, components(ids(records), sides(links)).tolist(), strict=True))


def clusters_of(records, links, conflicts=()):
    """The cluster of each record; `links` are (one, other, weight)."""
    weights = np.array([weight for *_, weight in links], dtype=np.float64)
    found = clusters(ids(records), sides([link[:2] for link in links]), weights, sides(conflicts))
    return dict(zip(records, found.tolist(), strict=True))


def test_records_are_called_after_the_smallest_that_links_connect_them_with():
    found = components_of([1, 2, 3, 4, 5, 6], [(5, 2), (6, 5), (4, 3)])

    assert found == {1: 1, 2: 2, 5: 2, 6: 2, 3: 3, 4: 3}


def test_numbers_may_lie_anywhere_between_the_smallest_and_the_largest():
    smallest, largest = -(2**63), 2**63 - 1

    assert components_of([smallest, -7, 0, largest], [(largest, smallest), (0, -7)]) == {
        smallest: smallest,
        largest: smallest,
        -7: -7,
        0: -7,
    }


def test_without_links_every_record_stands_alone():
    assert components_of([1, 2], []) == {1: 1, 2: 2}
    assert components_of([], []) == {}
    assert clusters_of([1, 2], [], [(1, 2)]) == {1: 1, 2: 2}
    assert clusters_of([], []) == {}


def test_a_link_that_is_there_twice_or_of_a_record_with_itself_changes_nothing():
    assert components_of([1, 2, 3], [(1, 2), (2, 1), (1, 2), (3, 3)]) == {1: 1, 2: 1, 3: 3}
    assert clusters_of([1, 2, 3], [(1, 2, 5), (2, 1, 4), (3, 3, 9)], [(1, 3)]) == {1: 1, 2: 1, 3: 3}


ANN, BOB, MAILBOX = 1, 2, 3


def test_a_mailbox_that_two_people_share_goes_to_the_likelier_one_and_does_not_make_them_one():
    links = [(ANN, MAILBOX, 6.0), (BOB, MAILBOX, 8.0)]

    assert clusters_of([ANN, BOB, MAILBOX], links) == {ANN: 1, BOB: 1, MAILBOX: 1}
    assert clusters_of([ANN, BOB, MAILBOX], links, [(ANN, BOB)]) == {ANN: 1, BOB: 2, MAILBOX: 2}
    assert clusters_of([ANN, BOB, MAILBOX], links, [(BOB, ANN)]) == {ANN: 1, BOB: 2, MAILBOX: 2}


def test_of_links_of_one_weight_that_of_the_smaller_numbers_is_taken_first():
    links = [(BOB, MAILBOX, 6.0), (ANN, MAILBOX, 6.0)]

    assert clusters_of([ANN, BOB, MAILBOX], links, [(ANN, BOB)]) == {ANN: 1, MAILBOX: 1, BOB: 2}


def test_two_in_conflict_are_kept_apart_though_a_link_joins_the_two_themselves():
    assert clusters_of([1, 2, 3], [(1, 2, 40.0), (2, 3, 3.0)], [(1, 2)]) == {1: 1, 2: 2, 3: 2}


def test_a_conflict_holds_for_all_that_was_joined_with_the_two_before():
    # 1-2 and 5-6 are joined; then 2-5 would bring 1 and 6 together
    links = [(1, 2, 9.0), (5, 6, 8.0), (2, 5, 7.0), (5, 7, 6.0), (2, 7, 5.0)]

    assert clusters_of([1, 2, 5, 6, 7], links, [(1, 6)]) == {1: 1, 2: 1, 5: 5, 6: 5, 7: 5}


def test_a_conflict_between_two_that_nothing_connects_changes_nothing():
    assert clusters_of([1, 2, 3, 4], [(1, 2, 5.0), (3, 4, 5.0)], [(1, 4)]) == {1: 1, 2: 1, 3: 3, 4: 3}


def test_a_conflict_of_some_leaves_others_as_they_are_connected():
    links = [(1, 2, 5.0), (3, 4, 9.0), (4, 5, 8.0), (5, 6, 1.0)]

    assert clusters_of([1, 2, 3, 4, 5, 6], links, [(1, 2)]) == {1: 1, 2: 2, 3: 3, 4: 3, 5: 3, 6: 3}


RECORDS = [-9, -4, 0, 2, 3, 5, 8, 13]
a_record = st.sampled_from(RECORDS)
two_records = st.tuples(a_record, a_record).filter(lambda pair: pair[0] != pair[1])
drawn_conflicts = st.lists(two_records, max_size=8)
drawn_links = st.lists(  # a pair is linked once
    st.tuples(a_record, a_record, st.sampled_from([1.0, 2.0, 3.5, 1000.0])),
    max_size=20,
    unique_by=lambda link: link[:2],
)


def joined_one_by_one(links, conflicts):
    """Clusters by what the rule says, over sets: the heaviest link first, none that brings two in conflict together."""
    sets = [{record} for record in RECORDS]
    for one, other, _ in sorted(links, key=lambda link: (-link[2], link[0], link[1])):
        first, second = (next(found for found in sets if record in found) for record in (one, other))
        if first is not second and not any({a, b} <= first | second for a, b in conflicts):
            sets.remove(second)
            first |= second
    return {record: min(found) for found in sets for record in found}


@settings(max_examples=200, deadline=None)
@given(links=drawn_links)
def test_components_are_what_joining_link_by_link_gives(links):
    assert components_of(RECORDS, [link[:2] for link in links]) == joined_one_by_one(links, [])


@settings(max_examples=200, deadline=None)
@given(links=drawn_links)
def test_clusters_without_conflicts_are_the_components(links):
    assert clusters_of(RECORDS, links) == components_of(RECORDS, [link[:2] for link in links])


@settings(max_examples=500, deadline=None)
@given(links=drawn_links, conflicts=drawn_conflicts)
def test_clusters_are_what_the_rule_says_link_by_link(links, conflicts):
    assert clusters_of(RECORDS, links, conflicts) == joined_one_by_one(links, conflicts)


@settings(max_examples=300, deadline=None)
@given(links=drawn_links, conflicts=drawn_conflicts)
def test_no_cluster_holds_a_conflict_and_none_goes_beyond_what_links_connect(links, conflicts):
    found = clusters_of(RECORDS, links, conflicts)

    assert not [(one, other) for one, other in conflicts if found[one] == found[other]]
    inside = [link[:2] for link in links if found[link[0]] == found[link[1]]]
    assert components_of(RECORDS, inside) == found


@settings(max_examples=200, deadline=None)
@given(links=drawn_links, conflicts=drawn_conflicts, shuffle=st.randoms())
def test_clusters_do_not_depend_on_the_order_of_links_or_conflicts(links, conflicts, shuffle):
    shuffled, turned = list(links), [pair if shuffle.random() < 0.5 else pair[::-1] for pair in conflicts]
    shuffle.shuffle(shuffled)
    shuffle.shuffle(turned)

    assert clusters_of(RECORDS, shuffled, turned) == clusters_of(RECORDS, links, conflicts)
