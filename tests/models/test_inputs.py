import math

import numpy as np
import pandas as pd
import pytest

from customerlake.errors import ModelError
from customerlake.features.feature import Feature
from customerlake.models.classifiers.inputs import Category, Inputs, Number, by_feature, learnt_inputs

ROWS = "age double, spend double, tier string"
AGE = Feature("age", "age", "{value} years (typical {typical})")
SPEND = Feature("spend", "spend", "spent {value} (typical {typical})", is_skewed=True)
TIER = Feature("tier", "tier", "is in tier {value}", is_category=True)
BY_HAND = Inputs(
    numbers=(Number(name="age", typical=40.0, is_flagged=True), Number(name="spend", typical=3.0, is_logged=True)),
    categories=(Category(name="tier", levels=("gold", "silver")),),
)


def learnt(spark, rows, *features, schema=ROWS, **settings):
    return learnt_inputs(spark.createDataFrame(rows, schema), features, **settings)


def test_a_matrix_of_hand_worked_rows_has_no_value_missing():
    rows = pd.DataFrame(
        {
            "age": [30.0, np.nan, np.inf],
            "spend": [math.e - 1, -7.0, np.nan],
            "tier": ["gold", "silver", None],
        }
    )

    matrix = BY_HAND.matrix(rows)

    # age, log(1 + spend) with nothing below zero and log(1 + 3) where it is missing, age is missing, gold, silver
    expected = [[30, 1, 0, 1, 0], [40, 0, 1, 0, 1], [40, math.log(4), 1, 0, 0]]
    np.testing.assert_allclose(matrix, expected)


def test_the_columns_say_their_feature_and_meaning_in_the_order_of_the_matrix():
    assert BY_HAND.features == ["age", "spend", "tier"]
    assert BY_HAND.columns == [
        ("age", "age"),
        ("spend", "spend"),
        ("age", "age is not known"),
        ("tier", "tier is gold"),
        ("tier", "tier is silver"),
    ]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, "bronze"])
def test_a_level_that_is_missing_or_was_never_seen_is_zero_in_all_columns(missing):
    rows = pd.DataFrame({"age": [30.0], "spend": [0.0], "tier": pd.Series([missing], dtype=object)})

    assert BY_HAND.matrix(rows)[0, 3:].tolist() == [0, 0]


def test_columns_of_pandas_own_types_with_missing_values_are_taken():
    rows = pd.DataFrame(
        {
            "age": pd.array([30, None], dtype="Int64"),
            "spend": pd.array([0.0, None], dtype="Float64"),
            "tier": pd.array(["gold", None], dtype="string"),
        }
    )

    np.testing.assert_allclose(BY_HAND.matrix(rows), [[30, 0, 0, 1, 0], [40, math.log(4), 1, 0, 0]])


def test_inputs_without_a_category_or_without_a_number_make_a_matrix():
    of_numbers = Inputs(numbers=(Number(name="age", typical=1.0),), categories=())
    of_words = Inputs(numbers=(), categories=(Category(name="tier", levels=("gold",)),))
    rows = pd.DataFrame({"age": [2.0, np.nan], "tier": ["gold", "silver"]})

    assert of_numbers.matrix(rows).tolist() == [[2.0], [1.0]]
    assert of_words.matrix(rows).tolist() == [[1.0], [0.0]]
    assert BY_HAND.matrix(pd.DataFrame({"age": [], "spend": [], "tier": []})).shape == (0, 5)


def test_the_typical_value_is_the_median_of_the_values_that_are_known(spark):
    rows = [(value, 1.0, None) for value in (5.0, 1.0, 3.0, None, math.nan, 1000.0, 4.0)]

    assert learnt(spark, rows, AGE).numbers == (Number(name="age", typical=4.0),)


def test_a_number_with_a_long_tail_is_logged(spark):
    assert learnt(spark, [(1.0, 1.0, None), (1.0, 2.0, None)], SPEND).numbers[0].is_logged


@pytest.mark.parametrize(("missing", "is_flagged"), [(19, False), (20, True)])
def test_missing_values_are_told_of_from_twenty_rows_on(spark, missing, is_flagged):
    rows = [(float(i), 1.0, None) for i in range(30)] + [(None, 1.0, None)] * missing

    assert learnt(spark, rows, AGE).numbers[0].is_flagged is is_flagged


def test_a_number_that_only_some_have_is_learnt_from_though_it_is_one_for_all_of_them(spark):
    rows = [(1.0, 1.0, None)] * 20 + [(None, 1.0, None)] * 20

    assert learnt(spark, rows, AGE).columns == [("age", "age"), ("age", "age is not known")]


def test_what_never_varies_or_is_known_of_nobody_is_left_out(spark):
    rows = [(float(i), 7.0, "gold") for i in range(30)]
    nobodys = Feature("nobody", "known of nobody", "{value}")

    found = learnt(
        spark, [(*row, None) for row in rows], AGE, SPEND, TIER, nobodys, schema=f"{ROWS}, nobody double"
    )  # fmt: skip

    assert found.features == ["age"]


def test_a_constant_number_is_kept_for_those_who_need_it_in_its_place(spark):
    rows = [(1.0, 7.0, None)] * 3

    found = learnt(spark, rows, SPEND, AGE, keeps_constant=True)

    assert found.numbers == (Number(name="spend", typical=7.0, is_logged=True), Number(name="age", typical=1.0))


def test_levels_are_those_of_twenty_rows_or_more_the_commonest_first(spark):
    levels = ["monthly"] * 30 + ["yearly"] * 20 + ["by the hour"] * 19 + [None] * 50

    found = learnt(spark, [(1.0, 1.0, level) for level in levels], TIER)

    assert found.categories == (Category(name="tier", levels=("monthly", "yearly")),)


def test_a_level_beside_missing_ones_is_learnt_from(spark):
    found = learnt(spark, [(1.0, 1.0, "gold")] * 20 + [(1.0, 1.0, None)] * 3, TIER)

    assert found.categories == (Category(name="tier", levels=("gold",)),)


def test_nothing_that_varies_is_an_error_with_the_features_and_what_to_do(spark):
    with pytest.raises(ModelError, match=r"None of the features age, spend, tier varies.*--as-of"):
        learnt(spark, [(1.0, 2.0, "gold")] * 40, AGE, SPEND, TIER)


def test_a_feature_that_is_no_column_is_an_error_with_its_name(spark):
    with pytest.raises(ModelError, match=r"lack the features tier; they have age.*--from features"):
        learnt(spark, [(1.0,)], AGE, TIER, schema="age double")


def test_a_feature_may_have_the_name_of_a_count(spark):
    named_rows = Feature("rows", "rows", "{value}")

    found = learnt(spark, [(1.0,), (2.0,), (9.0,)], named_rows, schema="rows double")

    assert found.numbers == (Number(name="rows", typical=2.0),)


def test_contributions_of_a_features_columns_are_added_up():
    contributions = np.array([[1.0, 2.0, 4.0, 8.0, 16.0], [0.0, 0.0, -1.0, 0.0, 0.5]])

    summed = by_feature(BY_HAND.columns, contributions)

    assert {name: values.tolist() for name, values in summed.items()} == {
        "age": [5.0, -1.0],
        "spend": [2.0, 0.0],
        "tier": [24.0, 0.5],
    }


def test_inputs_come_back_from_json():
    assert Inputs.model_validate_json(BY_HAND.model_dump_json()) == BY_HAND
