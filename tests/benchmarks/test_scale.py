"""What is worked out for a size that cannot be measured here."""

import pytest

from scale import worked_out


def asked(lines, step="orders", task_seconds=10.0, shuffled=0, written=0):
    bytes_of = {"shuffled": shuffled, "spilled": 0, "written": written}
    return {"lines": lines, "steps": [{"step": step, "task_seconds": task_seconds, "bytes_of": bytes_of}]}


def test_a_step_goes_on_along_the_line_through_two_sizes():
    small = asked(1_000, task_seconds=10.0, written=50_000, shuffled=5_000)
    large = asked(4_000, task_seconds=40.0, written=80_000, shuffled=5_000)

    (one,) = worked_out(small, large, lines=36_000_000)

    assert one.core_hours == pytest.approx(100.0)  # a hundredth of a second a line
    assert one.growth == pytest.approx(1.0)
    assert one.terabytes == pytest.approx({"shuffled": 0, "spilled": 0, "written": 0.00036})


def test_a_step_of_less_than_two_seconds_says_nothing_of_its_growth():
    (one,) = worked_out(asked(1_000, task_seconds=1.9), asked(4_000, task_seconds=8.0), lines=10_000)

    assert one.growth is None


def test_measures_of_different_steps_are_not_put_together():
    with pytest.raises(SystemExit, match="orders and customers"):
        worked_out(asked(1_000), asked(4_000, step="customers"))
