"""From pairs to persons: records that links connect are one person's, unless that would put two people into one.

What is put together here is ids of records, links and conflicts: the records themselves stay where they are.
"""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Ids = NDArray[np.int64]
Weights = NDArray[np.float64]
Pairs = tuple[Ids, Ids]


def components(records: Ids, links: Pairs) -> Ids:
    """For each record the smallest id among all that links connect it with, directly or by others.

    `records` are sorted and hold every id that a link names.
    """
    left, right = (np.searchsorted(records, side) for side in links)
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(len(records), len(records)))
    _, labels = connected_components(graph, directed=False)
    first = np.full(labels.max(initial=-1) + 1, len(records))
    np.minimum.at(first, labels, np.arange(len(records)))
    return records[first[labels]]


def clusters(records: Ids, links: Pairs, weights: Weights, conflicts: Pairs) -> Ids:
    """For each record the smallest id of its cluster: as `components`, but no cluster holds two records in conflict.

    Links are taken from the heaviest to the lightest; one that would bring two records in conflict together is not
    taken. So a mailbox that two people share joins one of them, and never makes them one.
    """
    whole = components(records, links)
    if not len(conflicts[0]):
        return whole
    of_conflict = np.unique(whole[np.searchsorted(records, conflicts[0])])
    is_apart = np.isin(whole, of_conflict)
    if not is_apart.any():
        return whole
    is_inside = is_apart[np.searchsorted(records, links[0])]
    left, right, weight = links[0][is_inside], links[1][is_inside], weights[is_inside]
    order = np.lexsort((right, left, -weight))
    merged = _merged(
        left[order].tolist(), right[order].tolist(), zip(*(ids.tolist() for ids in conflicts), strict=True)
    )
    result = whole.copy()
    inside = records[is_apart]
    result[is_apart] = [merged.get(record, record) for record in inside.tolist()]
    return result


def _merged(left: list[int], right: list[int], conflicts: "zip[tuple[int, int]]") -> dict[int, int]:
    """Smallest id of the cluster of each record that a link names; links come from the heaviest on."""
    root: dict[int, int] = {}
    members: dict[int, list[int]] = {}
    hostile: dict[int, set[int]] = defaultdict(set)  # roots that a root must not join
    for one, other in conflicts:
        hostile[one].add(other)
        hostile[other].add(one)
    for one, other in zip(left, right, strict=True):
        for record in (one, other):
            if record not in root:
                root[record], members[record] = record, [record]
        kept, joined = root[one], root[other]
        if kept == joined or joined in hostile[kept]:
            continue
        if len(members[kept]) < len(members[joined]):
            kept, joined = joined, kept
        for record in members[joined]:
            root[record] = kept
        members[kept] += members.pop(joined)
        for enemy in hostile.pop(joined, ()):
            hostile[enemy].discard(joined)
            hostile[enemy].add(kept)
            hostile[kept].add(enemy)
    smallest = {kept: min(of) for kept, of in members.items()}
    return {record: smallest[kept] for record, kept in root.items()}
