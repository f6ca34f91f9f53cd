from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from customerlake.models.splits import TimeSplit, needed_days, time_split

LAST = date(2011, 12, 9)


def split(first_ordered_on, *, as_of=LAST, horizon_days=90, training_dates=5, step_days=21):
    return time_split(
        first_ordered_on=first_ordered_on,
        as_of=as_of,
        horizon_days=horizon_days,
        training_dates=training_dates,
        step_days=step_days,
    )


def test_the_held_out_date_is_one_horizon_before_as_of_and_the_newest_training_date_one_more():
    dates = split(date(2010, 12, 1))

    assert dates == TimeSplit(
        training=(date(2011, 3, 20), date(2011, 4, 10), date(2011, 5, 1), date(2011, 5, 22), date(2011, 6, 12)),
        holdout=date(2011, 9, 10),
    )


def test_training_dates_without_a_horizon_of_history_before_them_are_left_out():
    dates = split(date(2011, 2, 1))  # 90 days on: 2011-05-02

    assert dates is not None
    assert dates.training == (date(2011, 5, 22), date(2011, 6, 12))


def test_a_training_date_with_exactly_a_horizon_of_history_is_taken():
    dates = split(date(2011, 3, 14))  # 90 days on: 2011-06-12

    assert dates is not None
    assert dates.training == (date(2011, 6, 12),)


def test_a_history_that_is_a_day_too_short_gives_no_split():
    assert split(date(2011, 3, 15)) is None


def test_the_shortest_history_is_three_horizons():
    assert needed_days(90) == 270
    assert split(LAST - timedelta(days=270)) is not None
    assert split(LAST - timedelta(days=269)) is None


@settings(max_examples=50, deadline=None)
@given(
    history=st.integers(0, 900),
    horizon_days=st.integers(1, 120),
    training_dates=st.integers(1, 8),
    step_days=st.integers(1, 60),
)
def test_no_label_of_a_training_date_reaches_past_the_held_out_date(history, horizon_days, training_dates, step_days):
    first, horizon = LAST - timedelta(days=history), timedelta(days=horizon_days)

    dates = split(first, horizon_days=horizon_days, training_dates=training_dates, step_days=step_days)

    if dates is None:
        assert history < 3 * horizon_days
        return
    assert 1 <= len(dates.training) <= training_dates
    assert list(dates.training) == sorted(set(dates.training))
    assert max(dates.training) + horizon <= dates.holdout
    assert dates.holdout + horizon <= LAST
    assert min(dates.training) - first >= horizon
