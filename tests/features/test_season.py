from datetime import date

import pytest

from customerlake.features.snapshot import snapshot
from tests.features.events import AS_OF, ORDERS, of_customer, order


@pytest.fixture
def season(spark):
    def found(names, *orders, as_of=AS_OF):
        return of_customer(snapshot(spark.createDataFrame(list(orders), ORDERS), as_of=[as_of]), names)

    return found


@pytest.mark.parametrize(
    ("as_of", "angle"),
    [
        (date(2012, 1, 31), (0, 1)),
        (date(2012, 3, 1), (0.866025, 0.5)),
        (date(2012, 4, 15), (1, 0)),
        (date(2012, 7, 1), (0, -1)),
        (date(2012, 10, 31), (-1, 0)),
        (date(2012, 12, 1), (-0.5, 0.866025)),
    ],
)
def test_months_go_round_like_the_hours_of_a_clock(season, as_of, angle):
    assert season(["month_sine", "month_cosine"], order("1", 5, "1"), as_of=as_of) == angle


def test_the_last_quarter_begins_in_october(season):
    """273 days before 30 June 2011 was 30 September 2010, 181 before it 31 December."""
    orders = [order(str(days), days, "1") for days in (273, 272, 181, 180, 20)]

    assert season(["fourth_quarter_orders_share"], *orders) == (pytest.approx(2 / 5),)


@pytest.mark.parametrize(("days_before", "spend"), [(365, 0), (364, 12.5), (275, 12.5), (274, 0)])
def test_the_same_season_is_the_90_days_after_the_date_a_year_before(season, days_before, spend):
    found = season(["spend_same_season_last_year"], order("1", 400, "3"), order("2", days_before, "12.5"))

    assert found == (spend,)


def test_who_was_no_customer_a_year_ago_has_no_season_to_compare_with(season):
    assert season(["spend_same_season_last_year"], order("1", 364, "12.5")) == (None,)
    assert season(["spend_same_season_last_year"], order("1", 365, "12.5")) == (0,)
