"""gold.lifecycle_long_run: where customers stand today, and where they end up if they go on as they did."""

from collections.abc import Mapping
from datetime import date

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.gold.lifecycle_transitions import NEWCOMER

LIFECYCLE_LONG_RUN = Table(
    name="gold.lifecycle_long_run",
    grain="one row per stage that a customer was in, and as_of",
    key=("stage", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("stage", T.StringType(), "stage of gold.lifecycle"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("count_customers", T.LongType(), "customers in it on as_of"),
        Field("customers_share", T.DoubleType(), "of all customers", unit="share"),
        Field(
            "long_run_share",
            T.DoubleType(),
            "of all customers, if no one new came and they went on as in the whole months so far; "
            "null before the first whole month with a transition",
            unit="share",
        ),
    ),
)

Transitions = Mapping[tuple[str, str], int]
"""How many times customers went from a stage to a stage."""


def lifecycle_long_run(
    lifecycle_transitions: DataFrame, *, long_run_shares: Mapping[str, float], as_of: date
) -> DataFrame:
    """Put the present stages of customers beside those in the long run, which `long_run_shares` has worked out."""
    of_day = lifecycle_transitions.where(F.col("as_of") == F.lit(as_of))
    is_now = F.col("month") == F.lit(as_of.replace(day=1))
    counts = of_day.groupBy(F.col("to_stage").alias("stage")).agg(
        F.sum(F.when(is_now, F.col("count_customers")).otherwise(0)).alias("count_customers")
    )
    total = counts.agg(F.sum("count_customers").alias("all_customers"))
    long_run = F.lit(None).cast("double")
    for stage, share in long_run_shares.items():
        long_run = F.when(F.col("stage") == stage, F.lit(share)).otherwise(long_run)
    return (
        counts.join(F.broadcast(total), how="cross")
        .withColumns(
            {
                "as_of": F.lit(as_of),
                "customers_share": F.col("count_customers") / F.nullif("all_customers", F.lit(0)),
                "long_run_share": long_run,
            }
        )
        .transform(LIFECYCLE_LONG_RUN.conform)
    )


def whole_month_transitions(lifecycle_transitions: DataFrame, *, as_of: date) -> DataFrame:
    """One row per pair of stages: count_transitions over all whole months. A month cut by as_of shows too few moves."""
    return (
        lifecycle_transitions.where((F.col("as_of") == F.lit(as_of)) & F.col("is_whole_month"))
        .where(F.col("from_stage") != NEWCOMER)
        .groupBy("from_stage", "to_stage")
        .agg(F.sum("count_customers").alias("count_transitions"))
    )


def customers_now(lifecycle_transitions: DataFrame, *, as_of: date) -> DataFrame:
    """One row per stage in the month of as_of: stage, count_customers."""
    return (
        lifecycle_transitions.where((F.col("as_of") == F.lit(as_of)) & (F.col("month") == F.lit(as_of.replace(day=1))))
        .groupBy(F.col("to_stage").alias("stage"))
        .agg(F.sum("count_customers").alias("count_customers"))
    )


def long_run_shares(transitions: Transitions, now: Mapping[str, int]) -> dict[str, float]:
    """Where customers who are `now` in those stages end up, month after month with the observed shares of moves.

    Where every stage can be reached from every other, that is the stationary distribution of the matrix of moves, from
    wherever one starts; stages that nobody returns to end up empty, and where one can be caught in several stages, the
    start decides how many are. A stage that nobody was seen to leave keeps its customers. Empty without transitions.
    Source:  Pfeifer & Carraway (2000), "Modeling customer relationships as Markov chains", Journal of Interactive
             Marketing 14(2); limits of a chain: Kemeny & Snell (1960), "Finite Markov Chains".
    """
    if not transitions or not sum(now.values()):
        return {}
    stages = sorted({stage for pair in transitions for stage in pair} | set(now))
    place = {stage: number for number, stage in enumerate(stages)}
    counts = np.zeros((len(stages), len(stages)))
    for (one, other), times in transitions.items():
        counts[place[one], place[other]] = times
    never_left = counts.sum(axis=1) == 0
    counts[never_left, never_left] = 1
    moves = counts / counts.sum(axis=1, keepdims=True)
    moves = (moves + np.eye(len(stages))) / 2  # half as fast, to the same end, and never back and forth for ever
    for _ in range(64):  # after 2^64 months
        moves = moves @ moves
        moves /= moves.sum(axis=1, keepdims=True)
    start = np.array([now.get(stage, 0) for stage in stages], dtype=float)
    ends = (start / start.sum()) @ moves
    return {stage: float(ends[place[stage]]) for stage in stages}
