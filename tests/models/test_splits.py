from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from customerlake.models.splits import TimeSplit, dates_of, needed_days, time_splits
from customerlake.runtime.config import TimedConfig

LAST = date(2011, 12, 9)


def splits(first_ordered_on, *, as_of=LAST, horizon_days=90, gap_days=0, training_dates=5, step_days=21, splits=1):
    config = TimedConfig(
        horizon_days=horizon_days, gap_days=gap_days, training_dates=training_dates, training_step_days=step_days,
        splits=splits,
    )  # fmt: skip
    return time_splits(config, first_ordered_on=first_ordered_on, as_of=as_of)


def test_the_held_out_date_is_one_horizon_before_as_of_and_the_newest_training_date_one_more():
    found = splits(date(2010, 12, 1))

    assert found == (
        TimeSplit(
            training=(date(2011, 3, 20), date(2011, 4, 10), date(2011, 5, 1), date(2011, 5, 22), date(2011, 6, 12)),
            holdout=date(2011, 9, 10),
        ),
    )


def test_a_gap_moves_the_held_out_date_by_itself_and_the_training_dates_by_twice_as_much():
    found = splits(date(2010, 12, 1), gap_days=7, training_dates=2)

    assert found == (TimeSplit(training=(date(2011, 5, 8), date(2011, 5, 29)), holdout=date(2011, 9, 3)),)


def test_each_split_is_a_step_older_than_the_one_before():
    found = splits(date(2010, 1, 1), training_dates=2, splits=3)

    assert found == (
        TimeSplit(training=(date(2011, 5, 22), date(2011, 6, 12)), holdout=date(2011, 9, 10)),
        TimeSplit(training=(date(2011, 5, 1), date(2011, 5, 22)), holdout=date(2011, 8, 20)),
        TimeSplit(training=(date(2011, 4, 10), date(2011, 5, 1)), holdout=date(2011, 7, 30)),
    )


def test_splits_that_the_history_does_not_allow_are_left_out():
    found = splits(date(2011, 2, 20), training_dates=2, splits=3)  # 90 days on: 2011-05-21

    assert found == (TimeSplit(training=(date(2011, 5, 22), date(2011, 6, 12)), holdout=date(2011, 9, 10)),
                     TimeSplit(training=(date(2011, 5, 22),), holdout=date(2011, 8, 20)))  # fmt: skip


def test_every_date_of_the_splits_is_needed_once_in_order():
    found = splits(date(2010, 1, 1), training_dates=2, splits=2)

    assert dates_of(found) == [
        date(2011, 5, 1), date(2011, 5, 22), date(2011, 6, 12), date(2011, 8, 20), date(2011, 9, 10),
    ]  # fmt: skip


def test_training_dates_without_a_horizon_of_history_before_them_are_left_out():
    (found,) = splits(date(2011, 2, 1))  # 90 days on: 2011-05-02

    assert found.training == (date(2011, 5, 22), date(2011, 6, 12))


def test_a_training_date_with_exactly_a_horizon_of_history_is_taken():
    (found,) = splits(date(2011, 3, 14))  # 90 days on: 2011-06-12

    assert found.training == (date(2011, 6, 12),)


def test_a_history_that_is_a_day_too_short_gives_no_split():
    assert splits(date(2011, 3, 15)) == ()


def test_the_shortest_history_is_three_horizons_and_two_gaps():
    config = TimedConfig(horizon_days=90, gap_days=7)

    assert needed_days(config) == 284
    assert time_splits(config, first_ordered_on=LAST - timedelta(days=284), as_of=LAST)
    assert not time_splits(config, first_ordered_on=LAST - timedelta(days=283), as_of=LAST)


@settings(max_examples=60, deadline=None)
@given(
    history=st.integers(0, 900),
    horizon_days=st.integers(1, 120),
    gap_days=st.integers(0, 30),
    training_dates=st.integers(1, 8),
    step_days=st.integers(1, 60),
    number=st.integers(1, 4),
)
def test_no_label_of_a_training_date_reaches_past_the_held_out_date(
    history, horizon_days, gap_days, training_dates, step_days, number
):
    first, after = LAST - timedelta(days=history), timedelta(days=horizon_days + gap_days)

    found = splits(
        first, horizon_days=horizon_days, gap_days=gap_days, training_dates=training_dates, step_days=step_days,
        splits=number,
    )  # fmt: skip

    assert bool(found) == (history >= 3 * horizon_days + 2 * gap_days)
    assert [split.holdout for split in found] == [
        LAST - after - timedelta(days=step_days) * older for older in range(len(found))
    ]
    for split in found:
        assert 1 <= len(split.training) <= training_dates
        assert list(split.training) == sorted(set(split.training))
        assert max(split.training) + after <= split.holdout
        assert split.holdout + after <= LAST
        assert min(split.training) - first >= timedelta(days=horizon_days)
