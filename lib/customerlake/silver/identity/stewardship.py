"""What a data steward does: look at why two records are linked, decide, and take a merge back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any

from customerlake.errors import ConfigError
from customerlake.runtime.tables import Lake
from customerlake.silver.identities import IDENTITIES
from customerlake.silver.identity.persons import COMPARISONS
from customerlake.silver.identity_changes import IDENTITY_CHANGES
from customerlake.silver.identity_decisions import IDENTITY_DECISIONS, NOT_SAME, OPEN, SAME, newest_decisions
from customerlake.silver.identity_links import IDENTITY_LINKS
from customerlake.silver.match_weights import MATCH_WEIGHTS, newest

MOST_RECORDS = 200  # of a customer whose merge is taken back: each of its records is told apart from each other one


@dataclass(frozen=True)
class Told:
    """One comparison of a pair: what was compared, how it agreed, and what that tells in bits."""

    comparison: str
    level: str
    weight: float


def decide(
    lake: Lake, record: str, other: str, decision: str, *, reason: str | None, decided_by: str, decided_at: datetime
) -> None:
    """Record a decision on two records, each `<source>:<source_record_id>`; the next run follows it.

    Raises: ConfigError when the lake has no such record, or both are one.
    """
    if record == other:
        raise ConfigError(f"{record} was named twice. Name two records.")
    identity_of(lake, [record, other])
    _record(lake, [(record, other, decision)], reason, decided_by, decided_at)


def unmerge(lake: Lake, gone: str, *, decided_by: str, decided_at: datetime) -> tuple[str, int]:
    """Take the last merge of customer `gone` back: the next run gives its records, its id and its profile again.

    Decides of each of its records that it is not the same as those it was merged with. Gives: the customer that it had
    become part of, and the number of its records.
    Raises: ConfigError when no such merge is known, or it was taken back already.
    """
    changes = [
        row for row in lake.records(IDENTITY_CHANGES) if row["kind"] == "merged" and row["from_customer_id"] == gone
    ]
    if not changes:
        raise ConfigError(f"No merge of customer {gone!r} is known. silver.identity_changes lists them all.")
    last = max(changes, key=lambda row: row["changed_at"])
    own = lake.find(IDENTITIES, "record_id", last["record_ids"])
    holders = sorted({row["customer_id"] for row in own})
    if gone in holders:
        raise ConfigError(f"Customer {gone} has its records again: the merge was taken back.")
    others = [
        row for row in lake.find(IDENTITIES, "customer_id", holders) if row["record_id"] not in set(last["record_ids"])
    ]
    if max(len(own), len(others)) > MOST_RECORDS:
        raise ConfigError(
            f"{len(own)} records of {gone} would be told apart from {len(others)} others; {MOST_RECORDS} is the most. "
            "Decide on single records with `customerlake identity not-same`."
        )
    names, known = [_name(row) for row in own], [_name(row) for row in others]
    decisions = [(one, other, NOT_SAME) for one, other in product(names, known)]
    decisions += [(names[0], name, SAME) for name in names[1:]]
    for holder in holders:  # each stays one customer, and none becomes one with another
        its = [_name(row) for row in others if row["customer_id"] == holder]
        decisions += [(its[0], name, SAME) for name in its[1:]]
    _record(lake, decisions, f"the merge of {gone} is taken back", decided_by, decided_at)
    return last["to_customer_id"], len(own)


def explained(lake: Lake, record: str, other: str) -> tuple[dict[str, Any], list[Told]] | None:
    """The link of two records and what each comparison told; None when too little spoke for it."""
    first, second = identity_of(lake, [record, other])
    ids = sorted((first["record_id"], second["record_id"]))
    found = [row for row in lake.find(IDENTITY_LINKS, "record_id_l", ids[:1]) if row["record_id_r"] == ids[1]]
    if not found:
        return None
    link = found[0]
    told = [Told("before anything is compared", "", _prior(lake))]
    for comparison in COMPARISONS:
        level, names = link[comparison.level_column], comparison.level_names()
        told.append(
            Told(comparison.name, names[level] if level >= 0 else "not known", link[f"weight_{comparison.name}"])
        )
    return link, told


def to_review(lake: Lake, most: int) -> list[dict[str, Any]]:
    """The pairs in the grey zone on which nobody has decided, the likeliest first."""
    newest_of = newest_decisions(lake.records(IDENTITY_DECISIONS))
    decided = {frozenset(pair) for pair, decision in newest_of.items() if decision != OPEN}
    found = lake.find(IDENTITY_LINKS, "state", ["review"])
    is_open = [row for row in found if frozenset((row["record_l"], row["record_r"])) not in decided]
    return sorted(is_open, key=lambda row: -row["match_probability"])[:most]


def identity_of(lake: Lake, records: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of silver.identities of records `<source>:<source_record_id>`. Raises: ConfigError for unknown ones."""
    rows = []
    for record in records:
        source, _, number = record.partition(":")
        found = [row for row in lake.find(IDENTITIES, "source_record_id", [number]) if row["source"] == source]
        if not found:
            raise ConfigError(
                f"The lake has no record {record!r}. Records are named <source>:<number>, crm_profiles:C123 or "
                "shop:17850 for example; silver.identities lists them."
            )
        rows += found
    return rows


def _prior(lake: Lake) -> float:
    _, weights = newest(lake.records(MATCH_WEIGHTS))
    return weights.prior_weight if weights else 0.0


def _name(row: dict[str, Any]) -> str:
    return f"{row['source']}:{row['source_record_id']}"


def _record(
    lake: Lake, decisions: Sequence[tuple[str, str, str]], reason: str | None, decided_by: str, decided_at: datetime
) -> None:
    lake.record(
        IDENTITY_DECISIONS,
        [
            {
                "record_l": min(one, other), "record_r": max(one, other), "decision": decision, "reason": reason,
                "decided_by": decided_by, "decided_at": decided_at,
            }
            for one, other, decision in decisions
        ],
    )  # fmt: skip
