from datetime import date, datetime
from decimal import Decimal
from math import isnan
from statistics import median

import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.errors import ContractError
from customerlake.silver.cleaning.missing import (
    Constant,
    Fills,
    Inferred,
    Leave,
    Mean,
    Median,
    Mode,
    filled,
    learn,
)

NAN = float("nan")


def filled_values(spark, values, strategy, kind="double", training=None):
    """Pairs of value and how it was filled, of a column that learnt from `training`, else from itself."""
    frame = spark.createDataFrame([(i, value) for i, value in enumerate(values)], f"id int, x {kind}")
    taught = frame if training is None else spark.createDataFrame([(value,) for value in training], f"x {kind}")
    rows = filled(frame, learn(taught, {"x": strategy})).orderBy("id").collect()
    assert [row["id"] for row in rows] == list(range(len(values)))
    return [(row["x"], row["x_filled_by"]) for row in rows]


def test_mean_median_and_mode_of_all_rows(spark):
    rows = spark.createDataFrame([(x, x, x) for x in (1.0, 1.0, 4.0, 10.0, None)], "a double, b double, c double")

    last = filled(rows, learn(rows, {"a": Mean(), "b": Median(), "c": Mode()})).where("a_filled_by is not null")

    assert [row.asDict() for row in last.collect()] == [
        {"a": 4.0, "b": 2.5, "c": 1.0, "a_filled_by": "mean", "b_filled_by": "median", "c_filled_by": "mode"}
    ]


def test_what_was_there_stays_and_says_so(spark):
    assert filled_values(spark, [0.0, None, 3.0], Constant(7.5)) == [(0.0, None), (7.5, "constant"), (3.0, None)]


def test_nan_is_missing_and_teaches_nothing(spark):
    assert filled_values(spark, [2.0, NAN, 4.0, None], Mean()) == [
        (2.0, None), (3.0, "mean"), (4.0, None), (3.0, "mean"),
    ]  # fmt: skip


def test_what_is_to_be_left_stays_missing(spark):
    assert filled_values(spark, [1.0, None], Leave()) == [(1.0, None), (None, "leave")]


@pytest.mark.parametrize("strategy", [Mean(), Median(), Mode()])
def test_where_there_was_nothing_to_learn_the_value_stays_missing(spark, strategy):
    assert filled_values(spark, [None, 5.0], strategy, training=[None, NAN]) == [(None, "leave"), (5.0, None)]
    assert filled_values(spark, [None], strategy, training=[]) == [(None, "leave")]


@pytest.mark.parametrize("strategy", [Mean(), Median(), Mode()])
def test_one_row_and_equal_rows_teach_their_value(spark, strategy):
    assert filled_values(spark, [None], strategy, training=[3.5])[0][0] == 3.5
    assert filled_values(spark, [None], strategy, training=[0.1, 0.1, 0.1])[0][0] == pytest.approx(0.1, rel=1e-12)


def test_only_the_training_frame_teaches(spark):
    assert filled_values(spark, [1000.0, None], Mean(), training=[1.0, 3.0]) == [(1000.0, None), (2.0, "mean")]


def test_of_equally_common_values_the_least_is_the_mode(spark):
    assert filled_values(spark, ["b", "a", "b", "a", "c", None], Mode(), kind="string")[-1] == ("a", "mode")


def test_every_type_comes_back_as_it_was(spark):
    instant, leap_day = datetime(2024, 1, 1, 12, 30), date(2024, 2, 29)
    ddl = (
        "is_new boolean, born_on date, seen_at timestamp, cents decimal(18,4), rounded decimal(18,2), tiny double, "
        "set_on date, set_at timestamp, is_set boolean"
    )
    learnt = {
        "is_new": Mode(), "born_on": Mode(), "seen_at": Mode(), "cents": Mean(), "rounded": Median(), "tiny": Mean(),
    }  # fmt: skip
    declared = {"set_on": Constant(leap_day), "set_at": Constant(instant), "is_set": Constant(False)}
    training = spark.createDataFrame(
        [
            (True, leap_day, instant, Decimal("0.10"), Decimal("0.10"), 1e-7, None, None, None),
            (True, leap_day, instant, Decimal("0.25"), Decimal("0.25"), 3e-7, None, None, None),
        ],
        ddl,
    )

    fills = learn(training, learnt | declared)
    (row,) = filled(spark.createDataFrame([(None,) * 9], ddl), fills).collect()

    assert tuple(row[:9]) == (
        True, leap_day, instant, Decimal("0.1750"), Decimal("0.18"), pytest.approx(2e-7, rel=1e-12),
        leap_day, instant, False,
    )  # fmt: skip


def test_means_and_medians_of_whole_numbers_round_half_up(spark):
    training = spark.createDataFrame([(2, -2), (3, -3)], "a int, b long")

    fills = learn(training, {"a": Mean(), "b": Median()})

    assert [fill.value for fill in fills.fills] == ["3", "-3"]  # halves away from zero, as Spark rounds


SHOPS = "shop string, country string, spent double"


def test_a_group_has_its_own_value_and_a_new_one_that_of_all(spark):
    training = spark.createDataFrame(
        [
            ("a", "DE", 1.0),
            ("a", "DE", 3.0),
            ("a", "FR", 10.0),
            (None, "DE", 50.0),
            ("c", "DE", None),
            ("c", "DE", NAN),
        ],
        SHOPS,
    )
    rows = spark.createDataFrame(
        [
            ("a", "DE", None),
            ("a", "FR", NAN),
            (None, "DE", None),
            ("b", "DE", None),
            ("c", "DE", None),
            ("a", "DE", 9.0),
        ],
        SHOPS,
    )

    result = filled(rows, learn(training, {"spent": Mean(by=("shop", "country"))}))

    expected = spark.createDataFrame(
        [
            ("a", "DE", 2.0, "mean"),
            ("a", "FR", 10.0, "mean"),
            (None, "DE", 50.0, "mean"),  # null is a group
            ("b", "DE", 16.0, "mean"),  # (1 + 3 + 10 + 50) / 4
            ("c", "DE", 16.0, "mean"),  # training had the group, but no value in it
            ("a", "DE", 9.0, None),
        ],
        f"{SHOPS}, spent_filled_by string",
    )
    assert_df_equality(result, expected, ignore_nullable=True, ignore_row_order=True)


def test_columns_are_filled_side_by_side_from_what_was_there_before(spark):
    rows = spark.createDataFrame(
        [("a", 2.0, None), (None, None, None), ("a", 4.0, 8.0)], "shop string, x double, y double"
    )
    double_x = {"y": Inferred(lambda: F.col("x") * 2)}
    fills = learn(rows, {"shop": Mode(), "x": Median(by=("shop",)), **double_x})

    result = filled(rows, fills, inferred=double_x)

    expected = spark.createDataFrame(
        [
            ("a", 2.0, 4.0, None, None, "inferred"),
            ("a", 3.0, None, "mode", "median", "leave"),  # its shop and its x were missing
            ("a", 4.0, 8.0, None, None, None),
        ],
        "shop string, x double, y double, shop_filled_by string, x_filled_by string, y_filled_by string",
    )
    assert_df_equality(result, expected, ignore_nullable=True, ignore_row_order=True, ignore_column_order=True)


def test_what_was_learnt_can_be_kept_as_json(spark):
    training = spark.createDataFrame([("a", "x", 1.5), ("a", None, None)], SHOPS)
    fills = learn(
        training,
        {"shop": Constant("none"), "country": Mode(by=("shop",)), "spent": Mean(by=("shop", "country"))},
    )

    assert Fills.model_validate_json(fills.model_dump_json()) == fills


def test_an_inferred_column_without_its_expression_is_refused(spark):
    rows = spark.createDataFrame([(1.0,)], "x double")
    fills = learn(rows, {"x": Inferred(lambda: F.lit(1.0))})

    with pytest.raises(ContractError, match=r"\['x'\] are inferred, and no expression is given"):
        filled(rows, fills)


def test_columns_that_are_not_there_and_means_of_texts_are_refused(spark):
    rows = spark.createDataFrame([("a",)], "x string")

    with pytest.raises(ContractError, match="not there: \\['y'\\]"):
        learn(rows, {"y": Leave()})
    with pytest.raises(ContractError, match="not there: \\['shop'\\]"):
        learn(rows, {"x": Mode(by=("shop",))})
    with pytest.raises(ContractError, match="x is string, which has no mean"):
        learn(rows, {"x": Mean()})
    with pytest.raises(ContractError, match="not there: \\['x'\\]"):
        filled(rows.withColumnRenamed("x", "z"), learn(rows, {"x": Mode()}))


values = st.one_of(st.none(), st.just(NAN), st.integers(-1000, 1000).map(float))
rows = st.lists(st.tuples(st.sampled_from(["a", "b", None]), values), min_size=1, max_size=30)


@given(training=rows, scored=rows)
def test_medians_by_group_are_those_of_pythons_statistics(spark, training, scored):
    ddl = "shop string, x double"
    fills = learn(spark.createDataFrame(training, ddl), {"x": Median(by=("shop",))})
    numbered = spark.createDataFrame([(i, *row) for i, row in enumerate(scored)], f"id int, {ddl}")

    ours = [row["x"] for row in filled(numbered, fills).orderBy("id").collect()]

    def expected(shop, x):
        if is_there(x):
            return x
        every = [value for _, value in training if is_there(value)]
        own = [value for name, value in training if name == shop and is_there(value)]
        return median(own or every) if every else NAN

    theirs = [expected(shop, x) for shop, x in scored]
    assert [NAN if value is None else value for value in ours] == pytest.approx(theirs, rel=1e-12, nan_ok=True)


def is_there(value):
    return value is not None and not isnan(value)
