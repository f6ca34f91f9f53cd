"""From where on a table is read again, for each kind of watermark."""

from datetime import UTC, datetime

from customerlake.bronze.windows import first_landing_since, window_start

MAY_1, MAY_2, MAY_3 = (datetime(2024, 5, day, 6, tzinfo=UTC) for day in (1, 2, 3))


def landing(number, watermark, received_at):
    return {"landing": number, "watermark": watermark, "received_at": received_at}


def test_a_window_of_instants_begins_so_many_minutes_before_the_last_watermark():
    known = [landing(1, "2024-05-01 05:59:00.000001", MAY_1)]

    assert window_start(known, "instant", late_minutes=60, time_zone="Europe/Berlin") == "2024-05-01 04:59:00.000001"
    assert window_start(known, "instant", late_minutes=0, time_zone="UTC") == "2024-05-01 05:59:00.000001"


def test_a_window_of_local_times_reaches_over_the_hour_that_comes_twice():
    known = [landing(1, "2024-05-01 07:00:00", MAY_1)]

    assert window_start(known, "local time", late_minutes=30, time_zone="Europe/Berlin") == "2024-05-01 05:30:00"
    assert window_start(known, "local time", late_minutes=30, time_zone="UTC") == "2024-05-01 05:30:00"  # 06:00 was it


def test_a_watermark_in_the_future_does_not_hide_what_comes_until_then():
    assert window_start([landing(1, "2999-01-01 00:00:00", MAY_1)], "instant", late_minutes=60, time_zone="UTC") == (
        "2024-05-01 05:00:00"
    )
    assert window_start([landing(1, "infinity", MAY_1)], "local time", late_minutes=60, time_zone="UTC") == (
        "2024-05-01 05:00:00"
    )
    assert window_start([landing(1, "-infinity", MAY_1)], "local time", late_minutes=60, time_zone="UTC") is None


def test_a_window_of_days_takes_the_day_on_which_a_late_row_may_have_been_written():
    known = [landing(1, "2024-05-01", MAY_1)]

    assert window_start(known, "day", late_minutes=60, time_zone="UTC") == "2024-04-30"


def test_a_window_of_numbers_begins_where_a_landing_ended_that_began_long_enough_before_the_last():
    known = [landing(1, "100", MAY_1), landing(2, "200", MAY_2), landing(3, "300", MAY_3)]

    assert window_start(known, "number", late_minutes=60, time_zone="UTC") == "200"
    assert window_start(known, "number", late_minutes=0, time_zone="UTC") == "300"
    assert window_start(known, "number", late_minutes=1440, time_zone="UTC") == "100"
    assert (
        window_start(known[:1], "number", late_minutes=60, time_zone="UTC") is None
    )  # all: a row below 100 may be late


def test_a_table_without_a_watermark_has_no_window():
    assert window_start([landing(1, None, MAY_1)], "instant", late_minutes=60, time_zone="UTC") is None
    assert window_start([landing(1, "5", MAY_1)], None, late_minutes=60, time_zone="UTC") is None


def test_rows_are_compared_with_the_landings_whose_watermark_reaches_into_the_window():
    known = [landing(1, "9", MAY_1), landing(2, "100", MAY_2), landing(3, "20", MAY_3)]

    assert first_landing_since(known, "100", "number") == 2
    assert first_landing_since(known, "9.0", "number") == 1
    assert first_landing_since([landing(1, None, MAY_1), *known[1:]], "100", "number") == 1


def test_after_another_column_was_made_the_watermark_the_table_is_read_from_its_start():
    assert window_start([landing(1, "12345", MAY_1)], "instant", late_minutes=60, time_zone="UTC") is None
    assert window_start([landing(1, "2024-05-01", MAY_1)], "number", late_minutes=0, time_zone="UTC") is None
    known = [landing(1, "12345", MAY_1), landing(2, "2024-05-01 06:00:00", MAY_2)]
    assert first_landing_since(known, "2024-05-01 05:00:00", "instant") == 1


def test_a_number_that_is_none_bounds_nothing_and_hides_nothing():
    known = [landing(1, "100", MAY_1), landing(2, "NaN", MAY_2)]

    assert window_start(known, "number", late_minutes=60, time_zone="UTC") == "100"
    assert window_start(known, "number", late_minutes=0, time_zone="UTC") == "100"
    assert first_landing_since(known, "500", "number") == 2
