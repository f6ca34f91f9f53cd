"""Pairs of records that may be one person's: found, weighed and kept, with weights learnt from the records."""

from collections.abc import Callable

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.errors import ModelError
from customerlake.runtime.job import Run
from customerlake.silver.identity.blocking import candidates, keyed, side_by_side, too_large
from customerlake.silver.identity.comparison import compared_columns
from customerlake.silver.identity.match_weight import FEWEST_RECORDS, MatchWeights, learn, weighed
from customerlake.silver.identity.persons import (
    CERTAIN,
    COMPARISONS,
    RECALL_OF_CERTAIN,
    RULES,
    TRAINED_WITHIN,
)
from customerlake.silver.identity_links import IDENTITY_LINKS, identity_links
from customerlake.silver.match_weights import MATCH_WEIGHTS, match_weights, newest
from customerlake.silver.term_frequencies import TERM_FREQUENCIES, newly_shared, term_frequencies, with_frequencies

OF_FREQUENCY = tuple(one.of_frequency for one in COMPARISONS if one.of_frequency)
IDENTIFIERS = ("email_key", "phone")
NAMES = tuple(name for name in OF_FREQUENCY if name not in IDENTIFIERS)
LEARNT_AGAIN_AT = 2  # times as many records as the weights were learnt from
COLUMNS = (*compared_columns(COMPARISONS), *(f"{name}_frequency" for name in OF_FREQUENCY))


def prepared(records: DataFrame) -> DataFrame:
    """Records that the sources still have, with what is compared. Adds: birth_text (yyyyMMdd)."""
    return records.where("NOT is_deleted").withColumn("birth_text", F.date_format("birth_on", "yyyyMMdd"))


def is_of_person() -> Column:
    """A record that says enough of a person to learn from: a family name, and something that few others share."""
    return F.col("family_key").isNotNull() & F.coalesce("email_key", "phone", "birth_text").isNotNull()


def weights_to_use(run: Run, records: DataFrame, is_first: bool) -> tuple[MatchWeights | None, bool]:
    """The weights to use, and whether they were learnt just now: `keep_weights` is then due when all is written.

    None while too few records say enough to learn from.
    """
    config = run.config.identity
    _, known = newest(run.records(MATCH_WEIGHTS))
    of_persons = records.where(is_of_person())
    count = of_persons.count()
    most = config.learnt_from_records
    is_enough = known and (count < LEARNT_AGAIN_AT * known.count_records or known.count_records >= most)
    if known and is_enough and not is_first:
        return known, False
    if count < FEWEST_RECORDS:
        return None, False
    run.progress("learning match weights")
    share = min(1.0, most / count)
    is_sampled = F.pmod(F.xxhash64("record_id", F.lit(config.seed)), F.lit(1_000_000)) < int(share * 1_000_000)
    sample = of_persons.where(is_sampled).select("record_id", *compared_columns(COMPARISONS)).toArrow()
    try:
        learnt = learn(
            sample, COMPARISONS, key="record_id", certain=CERTAIN, recall_of_certain=RECALL_OF_CERTAIN,
            trained_within=TRAINED_WITHIN, seed=config.seed,
        )  # fmt: skip
    except ModelError as error:
        run.remark(f"records are linked {'by the weights of before' if known else 'by their numbers alone'}: {error}")
        return known, False
    run.overwrite(TERM_FREQUENCIES, term_frequencies(records, NAMES, identifiers=IDENTIFIERS))
    return learnt.model_copy(update={"count_records": count}), True


def keep_weights(run: Run, learnt: MatchWeights) -> None:
    """Last of all: a run that ends before learns the same again, from the same records, and puts all anew."""
    version, known = newest(run.records(MATCH_WEIGHTS))
    if known != learnt:
        run.record(MATCH_WEIGHTS, match_weights(learnt, version=version + 1, learnt_at=run.started_at))


def _with_one_of(records: DataFrame) -> Callable[[DataFrame], DataFrame]:
    """The links of which one side is among the records. A condition on either side would try every pair of the two."""
    left, right = (
        records.select(F.col("record_id").alias(f"record_id_{side}"), F.lit(True).alias(f"_is_{side}")) for side in "lr"
    )
    return lambda links: (
        links.join(left, on="record_id_l", how="left")
        .join(right, on="record_id_r", how="left")
        .where("_is_l OR _is_r")
        .select(*IDENTITY_LINKS.column_names)
    )


def shared_since(run: Run, records: DataFrame) -> pa.Table:
    """Rows of silver.term_frequencies: what new records show to be shared by more people than was known."""
    return newly_shared(records, run.lake.read(TERM_FREQUENCIES), IDENTIFIERS).toArrow()


def with_sharers(records: DataFrame, shared: pa.Table) -> DataFrame:
    """Records with is_new also for those that say a value which turned out to be shared: what it tells is less now."""
    if not shared.num_rows:
        return records
    rows = records.sparkSession.createDataFrame(shared)
    for name in IDENTIFIERS:
        values = rows.where(F.col("column") == name).select(F.col("value").alias(name), F.lit(True).alias("_shared"))
        records = (
            records.join(F.broadcast(values), on=name, how="left")
            .withColumn("is_new", F.col("is_new") | F.coalesce("_shared", F.lit(False)))
            .drop("_shared")
        )
    return records


def keep_shared(run: Run, shared: pa.Table) -> None:
    """Last of all: a run that ends before finds them to be new again."""
    if shared.num_rows:
        run.merge(TERM_FREQUENCIES, run.spark.createDataFrame(shared).transform(TERM_FREQUENCIES.conform))


def _frequencies(run: Run, shared: pa.Table | None) -> DataFrame:
    known = run.lake.read(TERM_FREQUENCIES)
    if shared is None or not shared.num_rows:
        return known
    newer = run.spark.createDataFrame(shared).transform(TERM_FREQUENCIES.conform)
    return known.join(newer, on=["column", "value"], how="left_anti").unionByName(newer)


def write_links(
    run: Run,
    records: DataFrame,
    weights: MatchWeights,
    *,
    is_all: bool,
    deleted: DataFrame | None = None,
    shared: pa.Table | None = None,
) -> None:
    """The pairs of new records, weighed; of pairs that are no more, that they are gone.

    `deleted`: record_id of records that their source no longer has. `shared`: see shared_since.
    """
    config = run.config.identity
    keys = keyed(records, RULES)
    left_out = too_large(keys, most=config.most_records_of_key).collect()
    for row in left_out:
        run.remark(
            f"{row['count_records']:,} records share one {RULES[row['rule']].name}: "
            "they are not compared for it (identity.most_records_of_key)"
        )
    large = run.spark.createDataFrame([(row["key"],) for row in left_out], "key long")
    known = with_frequencies(records, _frequencies(run, shared), OF_FREQUENCY).withColumn(
        "record", F.concat_ws(":", "source", "source_record_id")
    )
    pairs = side_by_side(candidates(keys, large), known, [*COLUMNS, "record"])
    batch = run.newest_batch(IDENTITY_LINKS) + 1
    links = weighed(pairs, COMPARISONS, weights).transform(
        identity_links(link_from=config.link_probability, review_from=config.review_probability, batch=batch)
    )
    if is_all or not run.lake.exists(IDENTITY_LINKS):
        run.overwrite(IDENTITY_LINKS, links)
        return
    changed = records.where("is_new").select("record_id")
    if deleted is not None:
        changed = changed.unionByName(deleted)
    of_changed = run.lake.read(IDENTITY_LINKS).where("state <> 'gone'").transform(_with_one_of(changed))
    gone = of_changed.join(links.select(*IDENTITY_LINKS.key), on=list(IDENTITY_LINKS.key), how="left_anti")
    replaced = gone.withColumns({"state": F.lit("gone"), "_batch": F.lit(batch)}).transform(IDENTITY_LINKS.conform)
    run.merge(IDENTITY_LINKS, links.unionByName(replaced))
