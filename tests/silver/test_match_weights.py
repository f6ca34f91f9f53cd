from datetime import datetime

import pytest

from customerlake.silver.identity.match_weight import LevelWeight, MatchWeights
from customerlake.silver.match_weights import MATCH_WEIGHTS, match_weights, newest

pytestmark = pytest.mark.before_an_engine

NOON = datetime(2024, 1, 1, 12)
LEARNT = MatchWeights(
    prior=0.001,
    levels={
        "surname": (LevelWeight(level="equal", m=0.8, u=0.1), LevelWeight(level="different", m=0.2, u=0.8)),
        "mailbox": (LevelWeight(level="equal", m=0.5, u=0.25), LevelWeight(level="different", m=0.5, u=0.5)),
    },
    count_records=1000,
)


def test_each_level_is_a_row():
    rows = match_weights(LEARNT, version=3, learnt_at=NOON)

    names = ("version", "comparison", "place", "level", "m", "u", "match_weight", "prior", "count_records", "learnt_at")
    assert names == tuple(MATCH_WEIGHTS.column_names)
    assert [tuple(row[name] for name in names) for row in rows] == [
        (3, "surname", 0, "equal", 0.8, 0.1, pytest.approx(3), 0.001, 1000, NOON),
        (3, "surname", 1, "different", 0.2, 0.8, pytest.approx(-2), 0.001, 1000, NOON),
        (3, "mailbox", 0, "equal", 0.5, 0.25, pytest.approx(1), 0.001, 1000, NOON),
        (3, "mailbox", 1, "different", 0.5, 0.5, pytest.approx(0), 0.001, 1000, NOON),
    ]


def test_the_newest_version_is_read_back_as_it_was_learnt_in_any_order_of_rows():
    older = LEARNT.model_copy(update={"prior": 0.5, "levels": {"surname": LEARNT.levels["mailbox"]}})
    rows = match_weights(LEARNT, version=10, learnt_at=NOON) + match_weights(older, version=9, learnt_at=NOON)

    assert newest(rows) == (10, LEARNT)
    assert newest(rows[::-1]) == (10, LEARNT)


def test_without_rows_there_is_no_version():
    assert newest([]) == (0, None)
