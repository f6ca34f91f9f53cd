"""How much each agreement tells: match weights in the sense of Fellegi and Sunter, learnt without knowing who is who.

A level's weight is log2(m / u): m, how often records of one person agree like that; u, how often those of two do. The
weights of the comparisons and of the prior add up to the log2 odds that two records are one person's.

Source: Fellegi & Sunter (1969), "A theory for record linkage", JASA 64; u by random pairs and m by expectation
        maximisation as Splink does it (moj-analytical-services); term frequencies as in Winkler (2000).
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from math import log2
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.errors import ModelError
from customerlake.silver.identity.comparison import UNKNOWN, Comparison, compared

RANDOM_PAIRS = 1_000_000
SMALLEST = 1e-7
UNSEEN = {"m": (0.5, 0.02, 0.1), "u": (1e-4, 1e-3, 0.99)}
"""What is taken for a level that no pair was at: the closest level, one between, and no agreement."""
FEWEST_RECORDS = 50
MOST_OF_BLOCK = 1_000  # records: half a million pairs


class LevelWeight(BaseModel):
    """What one level tells."""

    model_config = ConfigDict(frozen=True)
    level: str
    m: float
    u: float

    @property
    def weight(self) -> float:
        return log2(self.m / self.u)


class MatchWeights(BaseModel):
    """A learnt model: the prior, and for each comparison its levels, that of no agreement last."""

    model_config = ConfigDict(frozen=True)
    prior: float  # probability that two records drawn at random are one person's
    levels: dict[str, tuple[LevelWeight, ...]]
    count_records: int

    @property
    def prior_weight(self) -> float:
        return log2(self.prior / (1 - self.prior))

    def weight_of(self, comparison: Comparison) -> Column:
        """What the pair's level tells, in bits; of an agreement by frequency, m against that of the commoner value."""
        known = self.levels[comparison.name]
        level = F.col(comparison.level_column)
        told = F.when(level == UNKNOWN, 0.0)
        for place, one in enumerate(known):
            said: Column = F.lit(one.weight)
            if place < len(comparison.levels) and comparison.levels[place].is_of_frequency:
                frequency = F.greatest(*[F.col(f"{comparison.of_frequency}_frequency_{side}") for side in "lr"])
                # not m / frequency: on nulls that a left join made, sail finds a division by zero
                said = F.coalesce(F.lit(log2(one.m)) - F.log2(frequency), said)
            told = told.when(level == place, said)
        return told


def weighed(pairs: DataFrame, comparisons: Sequence[Comparison], weights: MatchWeights) -> DataFrame:
    """Adds: level_<comparison>, weight_<comparison> [bits], match_weight [bits], match_probability."""
    told = {f"weight_{one.name}": weights.weight_of(one) for one in comparisons}
    total = F.lit(weights.prior_weight)
    for name in told:
        total = total + F.col(name)
    odds_against = F.pow(F.lit(2.0), -F.col("match_weight"))
    return (
        compared(pairs, comparisons)
        .withColumns(told)
        .withColumn("match_weight", total)
        .withColumn("match_probability", F.pow(1 + odds_against, F.lit(-1.0)))  # see weight_of: no division
    )


def learn(
    records: pa.Table,
    comparisons: Sequence[Comparison],
    *,
    key: str,
    certain: Sequence[str],
    recall_of_certain: float,
    trained_within: Sequence[Sequence[str]],
    seed: int = 20261125,
) -> MatchWeights:
    """Learn the weights from records, without knowing who is who.

    `certain` are conditions on l and r under which two records are one person's nearly without exception, and
    `recall_of_certain` the share of all such pairs that they find: they give the prior. m is estimated among the pairs
    that agree on each of `trained_within` in turn, of the comparisons that do not look at those columns. Records of a
    mailbox or name that more than MOST_OF_BLOCK have are left out: it is nobody's, and its pairs would be too many.

    Raises: ModelError when there are too few records to learn from.
    """
    is_enough = records.num_rows >= FEWEST_RECORDS
    telling = _without_large_blocks(records, trained_within, key) if is_enough else records
    if telling.num_rows < FEWEST_RECORDS:
        raise ModelError(f"{telling.num_rows} records are too few to learn match weights from: {FEWEST_RECORDS} are.")
    import duckdb
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on  # starts slowly, and only a training needs it
    from splink.internals.exceptions import EMTrainingException

    engine = DuckDBAPI(duckdb.connect(config={"threads": 1}))  # several add up in any order, and round differently
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name=key,
        comparisons=[_for_splink(comparison) for comparison in comparisons],
        blocking_rules_to_generate_predictions=[block_on(*columns) for columns in trained_within],
    )
    linker = Linker(engine.register(telling), settings)
    logging.getLogger("splink").setLevel(logging.ERROR)  # it narrates; what it found goes into a table
    training = linker.training
    training.estimate_probability_two_random_records_match(list(certain), recall=recall_of_certain)
    if not linker.misc.save_model_to_json()["probability_two_random_records_match"]:
        raise ModelError(
            f"no two of {telling.num_rows} records are surely one person's: there is nothing to learn from"
        )
    training.estimate_u_using_random_sampling(max_pairs=RANDOM_PAIRS, seed=seed)
    trained = 0
    for columns in trained_within:
        with suppress(EMTrainingException):  # no two records agree on them: they teach nothing
            training.estimate_parameters_using_expectation_maximisation(block_on(*columns))
            trained += 1
    if not trained:
        within = " or ".join(", ".join(columns) for columns in trained_within)
        raise ModelError(
            f"no two of {telling.num_rows} records agree on {within}: nothing tells how one person's differ"
        )
    return _learnt(linker.misc.save_model_to_json(), comparisons, telling.num_rows)


def _without_large_blocks(records: pa.Table, blocks: Sequence[Sequence[str]], key: str) -> pa.Table:
    kept = records
    for columns in blocks:
        counted = records.group_by(list(columns)).aggregate([([], "count_all")])
        large = counted.filter(pc.greater(counted["count_all"], MOST_OF_BLOCK)).drop_columns("count_all")
        if large.num_rows:
            kept = kept.join(large, keys=list(columns), join_type="left anti")
    return kept if kept is records else kept.sort_by(key)  # a join gives rows in any order


def _for_splink(comparison: Comparison) -> dict[str, Any]:
    levels: list[dict[str, Any]] = [
        {"sql_condition": f"NOT coalesce({comparison.known}, false)", "label_for_charts": "?", "is_null_level": True}
    ]
    levels += [{"sql_condition": level.condition, "label_for_charts": level.name} for level in comparison.levels]
    levels += [{"sql_condition": "ELSE", "label_for_charts": "different"}]
    return {"output_column_name": comparison.name, "comparison_levels": levels}


def _learnt(kept: dict[str, Any], comparisons: Sequence[Comparison], count: int) -> MatchWeights:
    prior = min(max(float(kept["probability_two_random_records_match"]), SMALLEST**2), 0.5)
    levels = {}
    for comparison, of_splink in zip(comparisons, kept["comparisons"], strict=True):
        found = [level for level in of_splink["comparison_levels"] if not level.get("is_null_level")]
        levels[comparison.name] = tuple(
            LevelWeight(level=name, m=_probability(level, "m", place), u=_probability(level, "u", place))
            for name, level, place in zip(comparison.level_names(), found, _places(len(found)), strict=True)
        )
    return MatchWeights(prior=prior, levels=levels, count_records=count)


def _places(count: int) -> list[int]:
    """Of the levels of a comparison: 0 the closest, 1 between, 2 no agreement."""
    return [0, *[1] * (count - 2), 2]


def _probability(level: dict[str, Any], name: str, place: int) -> float:
    """Splink says nothing, or a text, of a level that it never saw."""
    found = level.get(f"{name}_probability")
    return max(float(found), SMALLEST) if isinstance(found, int | float) else UNSEEN[name][place]
