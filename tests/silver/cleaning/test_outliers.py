from decimal import Decimal

import numpy as np
import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from customerlake.errors import ContractError
from customerlake.silver.cleaning.outliers import Bounds, Business, MedianDeviation, Tukey, bounded, learn

NAN = float("nan")


def frame(spark, values, kind="double"):
    return spark.createDataFrame(list(enumerate(values)), f"id int, x {kind}")


def range_of(spark, values, rule, kind="double"):
    (bound,) = learn(frame(spark, values, kind), {"x": rule}).bounds
    return bound.lower, bound.upper


def test_fences_stand_one_and_a_half_times_the_quartiles_distance_away(spark):
    # of 1..9 the quartiles are 3 and 7: 3 - 1.5 x 4 and 7 + 1.5 x 4
    assert range_of(spark, [float(n) for n in range(1, 10)], Tukey()) == (-3.0, 13.0)
    assert range_of(spark, [float(n) for n in range(1, 10)], Tukey(times=3.0)) == (-9.0, 19.0)


def test_the_modified_z_score_ends_at_three_and_a_half(spark):
    # median 3, distances 2 1 0 1 97: MAD 1; 3.5 x 1 / 0.6745 = 5.18903
    lower, upper = range_of(spark, [1.0, 2.0, 3.0, 4.0, 100.0], MedianDeviation())

    assert (lower, upper) == pytest.approx((-2.18903, 8.18903), abs=1e-5)


def test_the_business_says_its_own_range(spark):
    assert range_of(spark, [1000.0], Business(lower=0.0)) == (0.0, None)


@pytest.mark.parametrize("rule", [Tukey(), MedianDeviation()])
@pytest.mark.parametrize(
    "values",
    [[], [None, None], [NAN, None], [5.0], [5.0, 5.0, 5.0], [5.0] * 9 + [1000.0]],
    ids=["no rows", "nulls", "NaN", "one row", "all equal", "more than half equal"],
)
def test_values_that_do_not_spread_give_no_bounds(spark, rule, values):
    assert range_of(spark, values, rule) == (None, None)


@pytest.mark.parametrize("rule", [Tukey(), MedianDeviation()])
def test_null_and_nan_teach_nothing(spark, rule):
    values = [1.0, 2.0, 4.0, 8.0]

    assert range_of(spark, [*values, None, NAN], rule) == range_of(spark, values, rule)


def test_outliers_are_flagged_and_missing_values_are_none(spark):
    bounds = learn(frame(spark, []), {"x": Business(lower=0.0, upper=10.0)})

    flagged = bounded(frame(spark, [-0.1, 0.0, 10.0, 10.1, None, NAN]), bounds)

    expected = spark.createDataFrame(
        [(0, -0.1, True), (1, 0.0, False), (2, 10.0, False), (3, 10.1, True), (4, None, False), (5, NAN, False)],
        "id int, x double, is_x_outlier boolean",
    )
    assert_df_equality(flagged, expected, ignore_nullable=True, ignore_row_order=True, allow_nan_equality=True)


def test_capped_values_keep_what_they_were(spark):
    bounds = learn(frame(spark, []), {"x": Business(lower=0.0, upper=10.0, action="cap")})

    capped = bounded(frame(spark, [-0.1, 5.0, float("inf"), None, NAN]), bounds)

    expected = spark.createDataFrame(
        [(0, 0.0, -0.1), (1, 5.0, 5.0), (2, 10.0, float("inf")), (3, None, None), (4, NAN, NAN)],
        "id int, x double, x_before_cap double",
    )
    assert_df_equality(capped, expected, ignore_nullable=True, ignore_row_order=True, allow_nan_equality=True)


def test_caps_are_rounded_inwards_to_what_the_type_holds(spark):
    cap = Business(lower=-1.55, upper=9.99, action="cap")

    def capped(values, kind):
        rows = frame(spark, values, kind)
        return [row["x"] for row in bounded(rows, learn(rows, {"x": cap})).orderBy("id").collect()]

    assert capped([-5, 3, 50], "int") == [-1, 3, 9]
    assert capped([Decimal(-5), Decimal(50)], "decimal(6,1)") == [Decimal("-1.5"), Decimal("9.9")]
    assert capped([Decimal(-5), Decimal(50)], "decimal(18,4)") == [Decimal("-1.5500"), Decimal("9.9900")]


def test_an_end_that_the_type_cannot_reach_caps_nothing(spark):
    rows = frame(spark, [2**31 - 1], "int")

    capped = bounded(rows, learn(rows, {"x": Business(lower=-1e12, upper=1e12, action="cap")}))

    assert [row["x"] for row in capped.collect()] == [2**31 - 1]


def test_bounds_are_learnt_on_the_training_frame_alone_and_can_be_kept_as_json(spark):
    bounds = learn(frame(spark, [1.0, 2.0, 3.0]), {"x": Tukey()})  # quartiles 1.5 and 2.5

    kept = Bounds.model_validate_json(bounds.model_dump_json())
    flags = [
        row["is_x_outlier"] for row in bounded(frame(spark, [100.0, 101.0, 4.0, 4.01]), kept).orderBy("id").collect()
    ]

    assert kept == bounds
    assert flags == [True, True, False, True]


def test_columns_without_numbers_are_refused(spark):
    rows = frame(spark, ["a"], "string")

    with pytest.raises(ContractError, match=r"no outliers: \['x', 'y'\]"):
        learn(rows, {"x": Tukey(), "y": Tukey()})


numbers = st.lists(st.integers(-1000, 1000).map(lambda n: n / 4), min_size=1, max_size=40)


@given(values=numbers)
def test_tukeys_fences_are_those_of_numpy(spark, values):
    first, third = np.percentile(values, [25, 75])

    lower, upper = range_of(spark, values, Tukey())

    if first == third:
        assert (lower, upper) == (None, None)
    else:
        assert lower == pytest.approx(first - 1.5 * (third - first), rel=1e-12, abs=1e-9)
        assert upper == pytest.approx(third + 1.5 * (third - first), rel=1e-12, abs=1e-9)


@given(values=numbers)
def test_modified_z_scores_beyond_the_limit_are_those_of_scipy(spark, values):
    rows = frame(spark, values)

    flags = [
        row["is_x_outlier"] for row in bounded(rows, learn(rows, {"x": MedianDeviation()})).orderBy("id").collect()
    ]

    deviation = stats.median_abs_deviation(values)
    scores = [0.6745 * (value - np.median(values)) / deviation if deviation else 0.0 for value in values]
    assert flags == [abs(score) > 3.5 for score in scores]


@given(values=numbers, rule=st.sampled_from([Tukey(action="cap"), MedianDeviation(most=1.0, action="cap")]))
def test_capping_twice_is_capping_once_and_keeps_every_row(spark, values, rule):
    rows = frame(spark, values)
    bounds = learn(rows, {"x": rule})

    once = bounded(rows, bounds)
    twice = bounded(once.drop("x_before_cap"), bounds)

    assert [row["x"] for row in twice.orderBy("id").collect()] == [row["x"] for row in once.orderBy("id").collect()]
    assert [row["x_before_cap"] for row in once.orderBy("id").collect()] == values
