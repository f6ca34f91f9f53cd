from datetime import date, datetime

import pytest
from chispa import assert_df_equality

from customerlake.silver.ages import plausible_age

DDL = "birth_on date, updated_at timestamp"


@pytest.mark.parametrize(
    ("birth_on", "is_kept"),
    [
        (date(1980, 5, 17), True),
        (date(2011, 12, 9), True),  # born on the day
        (date(2011, 12, 10), False),
        (date(1891, 12, 10), True),  # 119 years and 364 days
        (date(1891, 12, 9), False),  # 120 on the day
        (date(1, 1, 1), False),
        (None, True),
    ],
)
def test_a_person_is_born_by_the_day_and_less_than_120_years_before_it(spark, birth_on, is_kept):
    rows = spark.createDataFrame([(birth_on, datetime(2011, 12, 9, 10, 30))], DDL)

    (found,) = rows.select(plausible_age("updated_at").reason().alias("reason")).collect()

    wrong = f"the age is not between 0 and 120 years: birth_on {birth_on}, updated_at 2011-12-09 10:30:00"
    assert found["reason"] == (None if is_kept else wrong)


def test_whose_birth_is_known_and_the_day_is_not_is_kept(spark):
    rows = spark.createDataFrame([(date(1800, 1, 1), None)], DDL)

    found = rows.select(plausible_age("updated_at").reason().alias("reason"))

    assert_df_equality(found, spark.createDataFrame([(None,)], "reason string"), ignore_nullable=True)
