from datetime import UTC, date, datetime, timedelta

import pytest

from customerlake.monitor.history import Fresh, RowCount

pytestmark = pytest.mark.before_an_engine
FIRST = datetime(2011, 12, 1, tzinfo=UTC)


def runs(*counts, table="silver.orders"):
    """Rows of ops.quality of daily runs, which found so many rows."""
    return [
        {"run_id": f"run {day}", "table": table, "dimension": "uniqueness", "count_rows": count,
         "measured_at": FIRST + timedelta(days=day)}
        for day, count in enumerate(counts)
    ]  # fmt: skip


def days(**newest_on):
    """Rows of one run's timeliness."""
    return [
        {"run_id": "run", "table": f"silver.{name}", "dimension": "timeliness", "newest_on": day, "measured_at": FIRST}
        for name, day in newest_on.items()
    ]


@pytest.mark.parametrize("now", [50, 100, 200])
def test_a_number_of_rows_within_the_range_is_usual(now):
    assert RowCount(runs=3).finding("silver.orders", runs(90, 100, 110, now)) is None


@pytest.mark.parametrize("now", [49, 201, 0])
def test_a_number_of_rows_beyond_the_range_is_told_with_what_is_usual(now):
    assert RowCount(least=0.5, most=2.0, runs=3).finding("silver.orders", runs(90, 100, 110, now)) == (
        f"silver.orders has {now} rows; the usual number, the median of the 3 runs before, is 100, and 0.5 to 2 times "
        "that is expected"
    )


def test_the_usual_number_is_that_of_the_last_runs_alone():
    check = RowCount(runs=3)

    assert check.finding("silver.orders", runs(1, 1, 1, 100, 110, 120, 115)) is None
    assert check.finding("silver.orders", runs(100, 110, 120, 1, 1, 1, 115)) is not None


def test_the_usual_number_of_an_even_number_of_runs_lies_between_the_two_in_the_middle():
    check = RowCount(most=1.0, runs=4)  # of 10, 20, 40, 80: 30

    assert check.finding("silver.orders", runs(10, 80, 20, 40, 30)) is None
    assert check.finding("silver.orders", runs(10, 80, 20, 40, 31)) is not None


def test_one_run_that_stands_out_does_not_change_what_is_usual():
    assert RowCount(runs=3).finding("silver.orders", runs(100, 5000, 100, 100)) is None


def test_a_table_that_was_not_measured_often_enough_is_not_judged():
    assert RowCount(runs=3).finding("silver.orders", runs(100, 100, 1)) is None
    assert RowCount(runs=3).finding("silver.orders", []) is None


def test_rows_of_other_tables_and_dimensions_do_not_count():
    others = runs(1, 1, 1, table="silver.tickets")
    timeliness = [row | {"dimension": "timeliness", "count_rows": 1} for row in runs(1, 1, 1)]

    assert RowCount(runs=3).finding("silver.orders", [*runs(100, 100, 100, 100), *others, *timeliness]) is None


def test_the_newest_run_is_judged_in_whatever_order_the_rows_come():
    history, check = runs(100, 100, 100, 10), RowCount(runs=3)

    assert check.finding("silver.orders", history) is not None
    assert check.finding("silver.orders", history[::-1]) == check.finding("silver.orders", history)


@pytest.mark.parametrize("runs_before", [3, 7, 10])
def test_a_table_that_grows_by_the_same_in_each_run_is_always_usual(runs_before):
    for count in range(1, 40):
        history = runs(*[1000 * (day + 1) for day in range(count)])
        assert RowCount(runs=runs_before).finding("silver.orders", history) is None


def test_a_table_is_fresh_up_to_the_days_that_are_allowed():
    history = days(orders=date(2011, 12, 9), tickets=date(2011, 12, 2))

    assert Fresh(within_days=7).finding("silver.tickets", history) is None
    assert Fresh(within_days=7).finding("silver.orders", history) is None
    assert Fresh(within_days=6).finding("silver.tickets", history) == (
        "the newest row of silver.tickets is of 2011-12-02, 7 days behind 2011-12-09, the newest day of the lake; "
        "6 are allowed"
    )


def test_the_newest_run_alone_tells_how_fresh_a_table_is():
    before = [
        row | {"run_id": "before", "measured_at": FIRST - timedelta(days=1)}
        for row in days(orders=date(2011, 12, 31), tickets=date(2011, 11, 1))
    ]

    history = [*days(orders=date(2011, 12, 9), tickets=date(2011, 12, 9)), *before]

    assert Fresh(within_days=7).finding("silver.tickets", history) is None


def test_of_a_table_without_days_nothing_is_told():
    assert Fresh(within_days=1).finding("silver.tickets", days(orders=date(2011, 12, 9))) is None
    assert Fresh(within_days=1).finding("silver.tickets", []) is None
