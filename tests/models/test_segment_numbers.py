import numpy as np
import pandas as pd
import pytest

from customerlake.errors import ModelError
from customerlake.features.snapshot import Feature
from customerlake.models.segmentation.numbers import ScaledFeature, kept_segments, learnt_scaling


def feature(name="spend", **about):
    return Feature(name, "what it is", "{value} (typical {typical})", **about)


def test_a_feature_is_scaled_by_the_mean_and_deviation_of_the_customers_learnt_from():
    (found,) = learnt_scaling(np.array([[1.0], [2.0], [6.0]]), [feature()])

    assert (found.typical, found.mean, found.deviation) == (2, 3, pytest.approx(7**0.5))
    assert found.scaled(np.array([3.0, 3 + 7**0.5])).tolist() == pytest.approx([0, 1])


@pytest.mark.parametrize("about", [{"is_skewed": True}, {"unit": "days"}])
def test_a_long_tail_and_days_are_taken_as_logarithms(about):
    (found,) = learnt_scaling(np.array([[0.0], [np.e - 1], [np.e**2 - 1]]), [feature(**about)])

    assert (found.typical, found.mean, found.deviation) == pytest.approx((np.e - 1, 1, 1))
    assert found.scaled(np.array([np.e**3 - 1, -5.0])).tolist() == pytest.approx([2, -1])


def test_a_missing_value_is_the_median_of_the_known_ones():
    raw = np.array([[1.0], [np.nan], [2.0], [np.inf], [9.0]])

    (found,) = learnt_scaling(raw, [feature()])

    # 1, 2, 2, 2, 9
    assert (found.typical, found.mean) == (2, 3.2)
    assert found.scaled(np.array([np.nan, 2.0]))[0] == found.scaled(np.array([2.0]))[0]


def test_a_value_five_deviations_off_or_more_counts_as_five():
    found = ScaledFeature(name="spend", is_logged=False, typical=3, mean=3, deviation=2)

    assert found.scaled(np.array([12.9, 13.0, 1e9, -7.0, -99.0])).tolist() == pytest.approx([4.95, 5, 5, -5, -5])


def test_a_feature_that_never_varies_is_nought_whatever_comes():
    constant, _ = learnt_scaling(np.array([[5.0, 1.0], [5.0, 2.0]]), [feature("a"), feature("b")])

    assert constant.scaled(np.array([5.0, 7.0, np.nan])).tolist() == [0, 0, 0]


def test_a_feature_that_is_known_of_nobody_is_refused_by_name():
    raw = np.array([[np.nan, 1.0], [np.nan, 2.0]])

    with pytest.raises(ModelError, match=r"No customer has a value of open_rate: .*segments\.features"):
        learnt_scaling(raw, [feature("open_rate"), feature("spend")])


def test_customers_that_are_all_alike_are_refused():
    with pytest.raises(ModelError, match="All 3 customers are alike in spend"):
        learnt_scaling(np.full((3, 1), 4.0), [feature()])


def test_values_of_another_release_are_refused_with_what_to_do():
    with pytest.raises(ModelError, match=r"Version 7 of the segments was kept by another release.*--retrain"):
        kept_segments({"names": {"0": "Rare"}, "formula": {}}, "7")


def test_a_scaled_feature_is_the_same_as_a_column_and_as_an_array(spark):
    values = [0.0, 3.5, -2.0, None, float("nan"), float("inf"), 1e6]
    rows = spark.createDataFrame([(i, value) for i, value in enumerate(values)], "i int, x double")
    found = ScaledFeature(name="x", is_logged=True, typical=4.0, mean=1.0, deviation=2.0)

    by_column = rows.select("i", found.column().alias("scaled")).toPandas().sort_values("i")["scaled"]

    # log(5), the logarithm of the median, stands for what is missing; (log(10^6 + 1) - 1) / 2 is 6.4
    expected = [*(np.log([1, 4.5, 1, 5, 5, 5]) - 1) / 2, 5]
    np.testing.assert_allclose(by_column, expected)
    np.testing.assert_allclose(found.scaled(pd.Series(values, dtype=float).to_numpy()), expected)
