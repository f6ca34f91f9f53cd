"""Resolve records to customers: new and changed records are compared with all, and only what they touch is put anew.

Pairs are found and weighed by the engine. Which records belong together is then decided here, over ids alone: links
are numbers, a hundred million of them some gigabytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.runtime.job import Run
from customerlake.silver.customer_records import CUSTOMER_RECORDS, SHOP, SOURCES
from customerlake.silver.identities import IDENTITIES
from customerlake.silver.identity import continuity
from customerlake.silver.identity.blocking import on_side
from customerlake.silver.identity.clustering import Ids, Weights, clusters, components
from customerlake.silver.identity.comparison import compared, compared_columns
from customerlake.silver.identity.linking import (
    keep_shared,
    keep_weights,
    prepared,
    shared_since,
    weights_to_use,
    with_sharers,
    write_links,
)
from customerlake.silver.identity.persons import IS_SOMEONE_ELSE, TELLING_APART
from customerlake.silver.identity_changes import IDENTITY_CHANGES
from customerlake.silver.identity_decisions import IDENTITY_DECISIONS, NOT_SAME, SAME, newest_decisions
from customerlake.silver.identity_links import IDENTITY_LINKS

BY_NUMBER, BY_DECISION = 1_000.0, 2_000.0  # bits; beyond what any comparison gives
MOST_TOLD = 20
NONE = 0  # stands for no number of a record: pandas would make all of them inexact for one that is missing


def resolve(run: Run) -> None:
    """Bring silver.identity_links, silver.identities and silver.identity_changes up to the newest records."""
    new = run.new_batches(CUSTOMER_RECORDS)
    run.watch(IDENTITY_DECISIONS)
    is_first = not run.lake.exists(IDENTITIES)
    every = run.read(CUSTOMER_RECORDS)
    records = every.transform(prepared)
    weights, is_new_model = weights_to_use(run, records, is_first)
    is_all = is_first or is_new_model or run.has_new_settings
    from_batch = 1 if is_all else new.start
    records = records.withColumn("is_new", F.col("_batch") >= from_batch)
    deleted = every.where("is_deleted").where(F.col("_batch") >= from_batch).select("record_id")
    shared = None
    if weights and is_all:
        write_links(run, records, weights, is_all=True)
    elif weights and new:
        shared = shared_since(run, records)
        records = with_sharers(records, shared)
        write_links(run, records, weights, is_all=False, deleted=deleted, shared=shared)
    _write_identities(run, records, deleted, is_first=is_first)
    if shared is not None:
        keep_shared(run, shared)
    if weights and is_new_model:
        keep_weights(run, weights)


@dataclass(frozen=True)
class Touched:
    """What a run puts anew: records with the customers they are of, and what connects or parts them."""

    records: pd.DataFrame  # record_id, source, source_record_id, number_id, was; sorted by record_id
    links: pd.DataFrame  # l, r, weight, probability
    apart: pd.DataFrame  # l, r: by decision


def _write_identities(run: Run, records: DataFrame, deleted: DataFrame, *, is_first: bool) -> None:
    decided = _decisions(run)
    touched = _touched(run, records, deleted, decided, is_first=is_first)
    if touched.records.empty:
        run.ensure(IDENTITIES)
        return
    ids = touched.records["record_id"].to_numpy()
    links = (touched.links["l"].to_numpy(), touched.links["r"].to_numpy())
    connected = components(ids, links)
    found = _decided(touched, clusters(ids, *_by_likeness(touched), _conflicts(run, records, connected, touched)))
    named, moved = _named(run, touched.records.assign(cluster=found, component_id=connected))
    batch = run.newest_batch(IDENTITIES) + 1
    _report(run, moved, batch)
    rows = named.assign(match_probability=_strongest(ids, found, touched.links))
    is_changed = (rows["was"] != rows["customer_id"]) | (rows["was_component"] != rows["component_id"])
    is_changed |= ~np.isclose(rows["was_probability"].fillna(-1.0), rows["match_probability"].fillna(-1.0), atol=1e-12)
    written = rows[is_changed] if not is_first else rows
    if written.empty:
        run.ensure(IDENTITIES)
        return
    columns = [name for name in IDENTITIES.column_names if name != "_batch"]
    arrow = pa.Table.from_pandas(written[columns], preserve_index=False)
    df = run.spark.createDataFrame(arrow).withColumn("_batch", F.lit(batch)).transform(IDENTITIES.conform)
    _ = run.overwrite(IDENTITIES, df) if is_first else run.merge(IDENTITIES, df)


def _decisions(run: Run) -> pd.DataFrame:
    """The newest decision on each pair: l, r (record ids), decision."""
    newest_of = newest_decisions(run.records(IDENTITY_DECISIONS))
    if not newest_of:
        return pd.DataFrame({"l": np.array([], dtype=np.int64), "r": np.array([], dtype=np.int64), "decision": []})
    pairs = run.spark.createDataFrame(
        [(one, other, decision) for (one, other), decision in newest_of.items()],
        "one string, other string, decision string",
    )

    def id_of(column: str) -> Column:
        return F.xxhash64(F.substring_index(column, ":", 1), F.expr(f"substr({column}, instr({column}, ':') + 1)"))

    return pairs.select(id_of("one").alias("l"), id_of("other").alias("r"), "decision").toPandas()


def _touched(run: Run, records: DataFrame, deleted: DataFrame, decided: pd.DataFrame, *, is_first: bool) -> Touched:
    """The new records, all records that links connect with them, by number or likeness, and their links."""
    known = _numbered(run, records)
    identities = run.lake.read(IDENTITIES).select(
        "record_id",
        F.col("customer_id").alias("was"),
        F.col("component_id").alias("was_component"),
        F.coalesce("match_probability", F.lit(-1.0)).alias("was_probability"),
    )
    links = run.lake.read(IDENTITY_LINKS).where("state = 'linked'").select(*_named_as_link())
    if is_first:
        every = known
    else:
        reached = _reached(run, known, deleted, identities, links, decided)
        every = known.join(reached, on="record_id", how="left_semi")
        links = links.join(reached.select(F.col("record_id").alias("l")), on="l", how="left_semi")
    found: pd.DataFrame = (
        every.join(identities, on="record_id", how="left")
        .withColumn("was_component", F.coalesce("was_component", F.lit(NONE)))
        .drop("is_new", "named_id")
        .toPandas()
        .sort_values("record_id", ignore_index=True)
    )
    by_number = found[found["number_id"] != NONE]
    same = decided[decided["decision"] == SAME]
    frames = [
        links.toPandas(),
        _certain(by_number["record_id"], by_number["number_id"], BY_NUMBER),
        _certain(same["l"], same["r"], BY_DECISION),
    ]
    joined = pd.concat([frame for frame in frames if len(frame)] or frames[1:2])
    ids = found["record_id"].to_numpy()
    is_inside = np.isin(joined["l"], ids) & np.isin(joined["r"], ids)
    apart = decided.loc[decided["decision"] == NOT_SAME, ["l", "r"]]
    apart = apart[np.isin(apart["l"], ids) & np.isin(apart["r"], ids)]
    return Touched(found, joined[is_inside].reset_index(drop=True), apart)


def _numbered(run: Run, records: DataFrame) -> DataFrame:
    """Records with the number they name: named_id, and number_id, which is NONE where the number is nobody's own.

    Tills and forms write a number that stands for no customer (0, GUEST): it is told by how many names or mailboxes
    stand beside it.
    """
    most = run.config.identity.most_names_of_number
    names_number = F.col("shop_customer_id").isNotNull() & (F.col("source") != SHOP)
    nobodys = (
        records.where(names_number)
        .groupBy("shop_customer_id")
        .agg(F.countDistinct("family_key").alias("names"), F.countDistinct("email_key").alias("mailboxes"))
        .where((F.col("names") > most) | (F.col("mailboxes") > most))
        .select("shop_customer_id", F.lit(True).alias("is_nobodys"))
    )
    for row in nobodys.limit(MOST_TOLD).collect():
        run.remark(
            f"the customer number {row['shop_customer_id']} stands beside more than {most} names or mailboxes: "
            "it is taken for nobody's (identity.most_names_of_number)"
        )
    named = F.coalesce(F.when(names_number, F.xxhash64(F.lit(SHOP), "shop_customer_id")), F.lit(NONE))
    return (
        records.join(F.broadcast(nobodys), on="shop_customer_id", how="left")
        .withColumn("named_id", named)
        .withColumn("number_id", F.when(F.col("is_nobodys"), F.lit(NONE)).otherwise(F.col("named_id")))
        .select("record_id", "source", "source_record_id", "is_new", "named_id", "number_id")
    )


def _named_as_link() -> list[Column]:
    names = {"record_id_l": "l", "record_id_r": "r", "match_weight": "weight", "match_probability": "probability"}
    return [F.col(name).alias(short) for name, short in names.items()]


def _certain(left: "pd.Series[int]", right: "pd.Series[int]", weight: float) -> pd.DataFrame:
    return pd.DataFrame(
        {"l": left.to_numpy(np.int64), "r": right.to_numpy(np.int64), "weight": weight, "probability": 1.0}
    )


def _reached(
    run: Run, known: DataFrame, deleted: DataFrame, identities: DataFrame, links: DataFrame, decided: pd.DataFrame
) -> DataFrame:
    """record_id of the new records and of all that was connected with one that they are linked to, or were; and of all
    that was connected with one that is no more.
    """
    new = known.where("is_new").select("record_id")
    of_new = links.join(new.withColumnRenamed("record_id", "l"), on="l", how="left_semi").unionByName(
        links.join(new.withColumnRenamed("record_id", "r"), on="r", how="left_semi")
    )
    naming = known.join(new.withColumnRenamed("record_id", "named_id"), on="named_id", how="left_semi")
    seeds = (
        new.unionByName(deleted)
        .unionByName(known.where("is_new").select(F.col("named_id").alias("record_id")))
        .unionByName(naming.select("record_id"))  # a number may come after those that name it
    )
    for side in "lr":
        seeds = seeds.unionByName(of_new.select(F.col(side).alias("record_id")))
    if len(decided):
        sides = pa.table({"record_id": pa.array([int(one) for side in "lr" for one in decided[side]], pa.int64())})
        seeds = seeds.unionByName(run.spark.createDataFrame(sides))
    components_of = (
        identities.join(seeds.distinct(), on="record_id", how="left_semi").select("was_component").distinct()
    )
    return (
        identities.join(components_of, on="was_component", how="left_semi")
        .select("record_id")
        .unionByName(new)
        .distinct()
    )


def _by_likeness(touched: Touched) -> tuple[tuple[Ids, Ids], Weights]:
    """The links that no steward made, and their weights."""
    links = touched.links[touched.links["weight"] < BY_DECISION]
    return (links["l"].to_numpy(), links["r"].to_numpy()), links["weight"].to_numpy(dtype=float)


def _decided(touched: Touched, found: Ids) -> Ids:
    """Clusters joined where a steward says that a record of one is the same as one of the other."""
    ids = touched.records["record_id"].to_numpy()

    def cluster_of(records: "pd.Series[int]") -> Ids:
        return found[np.searchsorted(ids, records.to_numpy(np.int64))]

    same = touched.links[touched.links["weight"] == BY_DECISION]
    apart = (cluster_of(touched.apart["l"]), cluster_of(touched.apart["r"]))
    pairs = (cluster_of(same["l"]), cluster_of(same["r"]))
    of_clusters = np.unique(found)
    joined = clusters(of_clusters, pairs, same["weight"].to_numpy(dtype=float), apart)
    return joined[np.searchsorted(of_clusters, found)]


def _conflicts(run: Run, records: DataFrame, connected: Ids, touched: Touched) -> tuple[Ids, Ids]:
    """Pairs within a component that are surely two people's, or that a steward keeps apart."""
    frame = pd.DataFrame({"record_id": touched.records["record_id"], "component_id": connected})
    inside = frame[frame.duplicated("component_id", keep=False)]
    found = touched.apart
    if len(inside):
        of_component = run.spark.createDataFrame(pa.Table.from_pandas(inside, preserve_index=False))
        columns = compared_columns(TELLING_APART)
        persons = (
            records.where(F.coalesce("given_key", "family_key", "birth_text").isNotNull())
            .select("record_id", *columns)
            .join(of_component, on="record_id", how="inner")
        )
        left, right = (persons.select("component_id", *on_side(side, columns)) for side in "lr")
        pairs = left.join(right, on="component_id", how="inner").where("record_id_l < record_id_r")
        reckoned = (
            compared(pairs, TELLING_APART)
            .where(IS_SOMEONE_ELSE)
            .select(F.col("record_id_l").alias("l"), F.col("record_id_r").alias("r"))
            .toPandas()
        )
        found = pd.concat([reckoned, found])
    return found["l"].to_numpy(dtype=np.int64), found["r"].to_numpy(dtype=np.int64)


def _named(run: Run, records: pd.DataFrame) -> tuple[pd.DataFrame, list[continuity.Change]]:
    """Adds: customer_id of each record's cluster. And what became of the customers before."""
    is_number = records["source"] == SHOP
    name = records["source"] + ":" + records["source_record_id"]
    place = records["source"].map({source: place for place, source in enumerate(SOURCES)})
    known = continuity.known_customers(
        records.assign(name=name.mask(is_number, records["source_record_id"]), place=place)
    )
    if known["customer_id"].isna().any():
        merged = [row for row in run.records(IDENTITY_CHANGES) if row["kind"] == "merged"]
        merged.sort(key=lambda row: row["changed_at"], reverse=True)
        former = pd.DataFrame(
            [
                (record, row["from_customer_id"], place)
                for place, row in enumerate(merged)
                for record in row["record_ids"]
            ],
            columns=["record_id", "customer_id", "place"],
        )
        alive = set(known["customer_id"].dropna())
        if len(former):
            taken = alive | _taken(run, set(former["customer_id"]), records)
            known = continuity.with_former_names(known, former, taken)
        open_ = known.loc[known["customer_id"].isna(), "name"]
        taken = set(known["customer_id"].dropna()) | _taken(run, set(open_), records)
        known = continuity.with_new_names(known, taken)
    return known, continuity.changes(known)


def _taken(run: Run, names: set[str], touched: pd.DataFrame) -> set[str]:
    """Those of the names that customers have whose records are not touched."""
    if not run.lake.exists(IDENTITIES) or not names:
        return set()
    wanted = run.spark.createDataFrame(pa.table({"customer_id": sorted(names)}))
    inside = run.spark.createDataFrame(pa.table({"record_id": touched["record_id"].to_numpy()}))
    others = run.lake.read(IDENTITIES).join(wanted, on="customer_id", how="left_semi")
    rows = others.join(inside, on="record_id", how="left_anti").select("customer_id").distinct().collect()
    return {row["customer_id"] for row in rows}


def _strongest(ids: Ids, found: Ids, links: pd.DataFrame) -> "pd.Series[float]":
    """The probability of each record's strongest link inside its cluster."""
    left, right = (np.searchsorted(ids, links[side].to_numpy()) for side in "lr")
    is_kept = found[left] == found[right]
    best = np.full(len(ids), np.nan)
    for side in (left, right):
        np.fmax.at(best, side[is_kept], links["probability"].to_numpy(dtype=float)[is_kept])
    return pd.Series(best)


def _report(run: Run, moved: Iterable[continuity.Change], batch: int) -> None:
    """Record what became of customers; a run that takes up after one that was killed finds it recorded."""
    recorded = {
        (row["_batch"], row["from_customer_id"], row["to_customer_id"]) for row in run.records(IDENTITY_CHANGES)
    }
    rows: list[dict[str, Any]] = [
        {
            "kind": change.kind, "from_customer_id": change.from_customer_id, "to_customer_id": change.to_customer_id,
            "record_ids": list(change.record_ids), "changed_at": run.started_at, "run_id": run.run_id,
            "_batch": batch,
        }
        for change in moved
        if (batch, change.from_customer_id, change.to_customer_id) not in recorded
    ]  # fmt: skip
    if rows:
        run.record(IDENTITY_CHANGES, rows)
        merged = sum(row["kind"] == "merged" for row in rows)
        run.remark(f"{merged} customers became part of another, {len(rows) - merged} gave records to another")
