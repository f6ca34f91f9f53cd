from collections import Counter
from datetime import date
from fractions import Fraction

import numpy as np
import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.gold.lifecycle import STAGES, Rhythm, lifecycle
from customerlake.gold.lifecycle_long_run import (
    LIFECYCLE_LONG_RUN,
    lifecycle_long_run,
    long_run_shares,
    whole_month_transitions,
)
from customerlake.gold.lifecycle_transitions import LIFECYCLE_TRANSITIONS, lifecycle_transitions
from customerlake.silver.orders import ORDERS

NOV, DEC = date(2011, 11, 1), date(2011, 12, 1)
AS_OF = date(2011, 12, 9)


def went(from_stage, to_stage, customers, month=NOV, *, as_of=AS_OF):
    return (from_stage, to_stage, month, as_of, month < DEC, customers, 0.5)


def frame(spark, *rows):
    return spark.createDataFrame(rows, LIFECYCLE_TRANSITIONS.schema)


def test_the_stages_of_today_stand_beside_the_long_run(spark):
    found = lifecycle_long_run(
        frame(
            spark,
            went("new", "prospect", 7),
            went("new", "active", 2, DEC),
            went("newcomer", "active", 1, DEC),
            went("newcomer", "new", 1, DEC),
            went("new", "loyal", 9, DEC, as_of=NOV),
        ),
        long_run_shares={"active": 0.9, "new": 0.1},
        as_of=AS_OF,
    )

    rows = [
        ("prospect", AS_OF, 0, 0.0, None),
        ("active", AS_OF, 3, 0.75, 0.9),
        ("new", AS_OF, 1, 0.25, 0.1),
    ]
    expected = spark.createDataFrame(rows, LIFECYCLE_LONG_RUN.schema)
    assert_df_equality(found, expected, ignore_nullable=True, ignore_row_order=True)


def test_only_moves_of_whole_months_between_stages_count(spark):
    found = whole_month_transitions(
        frame(
            spark,
            went("new", "active", 2),
            went("new", "active", 3, date(2011, 10, 1)),
            went("newcomer", "new", 5),
            went("new", "lapsed", 7, DEC),
            went("new", "lapsed", 7, as_of=NOV),
        ),
        as_of=AS_OF,
    )

    assert [tuple(row) for row in found.collect()] == [("new", "active", 5)]


def test_nothing_in_gives_nothing(spark):
    assert lifecycle_long_run(frame(spark), long_run_shares={}, as_of=AS_OF).isEmpty()
    assert long_run_shares({}, {"new": 3}) == long_run_shares({("new", "new"): 1}, {}) == {}


def test_the_weather_of_oz_is_what_kemeny_and_snell_say():
    # Finite Markov Chains (1960): nice is followed by rain or snow; rain and snow stay every second time
    weather = {
        ("rain", "rain"): 2, ("rain", "nice"): 1, ("rain", "snow"): 1,
        ("nice", "rain"): 1, ("nice", "snow"): 1,
        ("snow", "rain"): 1, ("snow", "nice"): 1, ("snow", "snow"): 2,
    }  # fmt: skip

    assert long_run_shares(weather, {"nice": 1}) == pytest.approx({"rain": 0.4, "nice": 0.2, "snow": 0.4}, rel=1e-12)


def test_a_stage_without_a_way_back_empties_and_one_without_a_way_out_fills():
    moves = {("new", "active"): 9, ("new", "new"): 1, ("active", "lapsed"): 1, ("active", "active"): 99}

    assert long_run_shares(moves, {"new": 5}) == pytest.approx({"new": 0, "active": 0, "lapsed": 1}, abs=1e-12)


def test_between_two_stages_without_a_way_out_the_start_decides():
    moves = {("new", "active"): 1, ("new", "lapsed"): 3}

    shares = long_run_shares(moves, {"new": 8, "active": 2})

    assert shares == pytest.approx({"new": 0, "active": 0.4, "lapsed": 0.6}, abs=1e-12)


def test_a_stage_of_today_that_nobody_has_left_yet_keeps_its_customers():
    assert long_run_shares({("new", "new"): 1}, {"new": 1, "won back": 1}) == {"new": 0.5, "won back": 0.5}


def test_going_back_and_forth_for_ever_ends_in_the_middle():
    assert long_run_shares({("a", "b"): 1, ("b", "a"): 1}, {"a": 1}) == pytest.approx({"a": 0.5, "b": 0.5})


stage = st.sampled_from(STAGES)


@given(
    moves=st.dictionaries(st.tuples(stage, stage), st.integers(1, 10**6), min_size=1, max_size=40),
    now=st.dictionaries(stage, st.integers(1, 10**6), min_size=1),
)
def test_another_month_changes_nothing_in_the_long_run(moves, now):
    shares = long_run_shares(moves, now)

    left = Counter()
    for (one, _), times in moves.items():
        left[one] += times
    after = {one: share if one not in left else 0.0 for one, share in shares.items()}
    for (one, other), times in moves.items():
        after[other] += shares[one] * float(Fraction(times, left[one]))
    assert after == pytest.approx(shares, abs=1e-9)
    assert sum(shares.values()) == pytest.approx(1, rel=1e-9)
    assert min(shares.values()) >= 0


@pytest.mark.full_data
def test_the_long_run_of_real_customers_is_the_eigenvector_of_their_moves(real_lake):
    built = lifecycle(real_lake.lake.read(ORDERS), rhythm=Rhythm(60.0, 0.7), as_of=AS_OF).toArrow()
    stages = built.to_pandas()
    transitions = lifecycle_transitions(real_lake.spark.createDataFrame(built), as_of=AS_OF)
    moves = {(row[0], row[1]): row[2] for row in whole_month_transitions(transitions, as_of=AS_OF).collect()}

    shares = long_run_shares(moves, {"new": 1})
    found = lifecycle_long_run(transitions, long_run_shares=shares, as_of=AS_OF).toPandas()

    whole = stages[(stages.month < DEC) & stages.previous_stage.notna()]
    counts = whole.groupby(["previous_stage", "stage"]).size().unstack(fill_value=0)
    counts = counts.reindex(index=counts.columns, fill_value=0)
    matrix = (counts.T / counts.sum(axis=1)).to_numpy()
    values, vectors = np.linalg.eig(matrix)
    stationary = vectors[:, np.argmin(abs(values - 1))].real
    expected = dict(zip(counts.columns, stationary / stationary.sum(), strict=True))
    assert dict(zip(found.stage, found.long_run_share, strict=True)) == pytest.approx(expected, abs=1e-9)
    today = Counter(stages[stages.month == DEC].stage)
    assert dict(zip(found.stage, found.count_customers, strict=True)) == today
    assert dict(zip(found.stage, found.customers_share, strict=True)) == pytest.approx(
        {name: n / today.total() for name, n in today.items()}, rel=1e-12
    )
