"""A customer keeps its id: clusters that were made anew are called what most of their records were called before."""

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Change:
    """Records that went from one customer to another. `merged`: the first is no more; `split`: it lives on."""

    kind: str
    from_customer_id: str
    to_customer_id: str
    record_ids: tuple[int, ...]


def known_customers(records: pd.DataFrame) -> pd.DataFrame:
    """Give clusters the customers that their records were of. Adds: customer_id, null where a cluster has none.

    Takes one row per record: record_id, cluster, was (customer before, or null), name (what a customer founded by the
    record is called). A customer stays with the cluster that holds most of its records, of equals the one that holds
    the record it was founded by, then the first; of several customers a cluster keeps the one with most records.
    """
    before = records[records["was"].notna()]
    votes = (
        before.assign(is_founder=before["name"] == before["was"])
        .groupby(["cluster", "was"], as_index=False)
        .agg(count=("record_id", "size"), is_founder=("is_founder", "max"))
    )
    of_customer = votes.sort_values(["was", "count", "is_founder", "cluster"], ascending=[True, False, False, True])
    of_customer = of_customer.drop_duplicates("was")
    of_cluster = of_customer.sort_values(["cluster", "count", "was"], ascending=[True, False, True])
    kept = of_cluster.drop_duplicates("cluster").set_index("cluster")["was"]
    return records.assign(customer_id=records["cluster"].map(kept))


def with_former_names(records: pd.DataFrame, former: pd.DataFrame, taken: Collection[str]) -> pd.DataFrame:
    """Give clusters without a customer the one that was merged away with their records, so that it comes back.

    `former` has one row per record of a customer that was merged away: record_id, customer_id, place (of the merge,
    the newest first).
    """
    open_ = records.loc[records["customer_id"].isna(), ["record_id", "cluster"]]
    found = open_.merge(former, on="record_id")
    found = found[~found["customer_id"].isin(list(taken))].sort_values(["place", "cluster", "customer_id"])
    kept = found.drop_duplicates("customer_id").drop_duplicates("cluster").set_index("cluster")["customer_id"]
    return records.assign(customer_id=records["customer_id"].fillna(records["cluster"].map(kept)))


def with_new_names(records: pd.DataFrame, taken: Collection[str]) -> pd.DataFrame:
    """Call the other clusters after the first of their records by source and number, past names that are taken."""
    open_ = records[records["customer_id"].isna()]
    first = open_.sort_values(["place", "name"])
    free = first[~first["name"].isin(list(taken))].drop_duplicates("cluster")
    kept = pd.Series(free["name"].to_numpy(), index=free["cluster"].to_numpy(), dtype=object)
    nameless = first[~first["cluster"].isin(kept.index)].drop_duplicates("cluster")
    again = pd.Series(
        [
            _not_taken(f"{name}~{record}", taken)
            for name, record in zip(nameless["name"], nameless["record_id"], strict=True)
        ],
        index=nameless["cluster"].to_numpy(),
        dtype=object,
    )
    names = pd.concat([kept, again]) if len(again) else kept
    return records.assign(customer_id=records["customer_id"].fillna(records["cluster"].map(names)))


def _not_taken(name: str, taken: Collection[str]) -> str:
    """`name`, with a ~ more as often as it is taken: a record may have left the customer that was called after it."""
    return _not_taken(f"{name}~", taken) if name in taken else name


def changes(records: pd.DataFrame) -> list[Change]:
    """What became of the customers before: one change for each pair of customers that records went between."""
    before = records[records["was"].notna()]
    alive = set(records["customer_id"])
    moved = before[before["was"] != before["customer_id"]]
    found = []
    for (was, now), ids in moved.groupby(["was", "customer_id"])["record_id"]:
        found.append(Change("split" if was in alive else "merged", str(was), str(now), tuple(sorted(map(int, ids)))))
    return found
