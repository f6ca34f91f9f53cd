import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F
from scipy import constants

from customerlake.silver.cleaning.reference import reference_values
from customerlake.silver.cleaning.units import in_si


def in_si_of(spark, pairs, kind, **settings):
    rows = spark.createDataFrame([(i, *pair) for i, pair in enumerate(pairs)], "id int, value double, unit string")
    converted = rows.orderBy("id").select(in_si(F.col("value"), F.col("unit"), kind, **settings))
    return [row[0] for row in converted.collect()]


def one_of_each(spark, units, kind, **settings):
    return dict(zip(units, in_si_of(spark, [(1.0, unit) for unit in units], kind, **settings), strict=True))


def test_weights_are_kilograms_by_the_international_definitions(spark):
    worth = {
        "kg": 1.0, "KG": 1.0, "Kilogram": 1.0, "g": 0.001, "mg": 1e-6, "t": 1000.0,
        "lb": constants.lb, "lbs": constants.lb, "Lbs.": constants.lb, "pound": constants.lb,
        "oz": constants.oz, "oz.": constants.oz, " st ": constants.stone,
    }  # fmt: skip

    assert one_of_each(spark, worth, "weight") == pytest.approx(worth, rel=1e-12)


def test_lengths_are_metres_by_the_international_definitions(spark):
    worth = {
        "m": 1.0, "cm": 0.01, "MM": 0.001, "km": 1000.0, "inch": 0.0254, "in.": 0.0254, '"': 0.0254, "″": 0.0254,
        "ft": 0.3048, "'": 0.3048, "feet": 0.3048, "yd": constants.yard, "mile": constants.mile,
    }  # fmt: skip

    assert one_of_each(spark, worth, "length") == pytest.approx(worth, rel=1e-12)


def test_volumes_are_cubic_metres_and_those_of_two_sizes_are_american_unless_said(spark):
    worth = {
        "l": 0.001, "L": 0.001, "Litre": 0.001, "ml": 1e-6, "mL": 1e-6, "cl": 1e-5, "m³": 1.0,
        "gal": constants.gallon, "fl oz": constants.fluid_ounce, "fl. oz.": constants.fluid_ounce,
        "oz": constants.fluid_ounce, "pt": constants.gallon / 8, "qt": constants.gallon / 4,
    }  # fmt: skip

    assert one_of_each(spark, worth, "volume") == pytest.approx(worth, rel=1e-12)


def test_imperial_volumes_are_imperial(spark):
    worth = {
        "gal": constants.gallon_imp, "fl oz": constants.fluid_ounce_imp, "pint": constants.gallon_imp / 8, "ml": 1e-6,
    }  # fmt: skip

    assert one_of_each(spark, worth, "volume", volumes="imperial") == pytest.approx(worth, rel=1e-12)


def test_unknown_units_and_units_of_another_kind_are_null(spark):
    pairs = [(1.0, "furlong per fortnight"), (1.0, "cm"), (1.0, ""), (1.0, None), (None, "kg"), (-2.0, "kg")]

    assert in_si_of(spark, pairs, "weight") == [None, None, None, None, None, -2.0]


def test_no_spelling_stands_for_two_units_of_a_kind():
    for units in reference_values("units").values():
        spellings = [spelling for listed in units.values() for spelling in listed]
        assert len(spellings) == len(set(spellings))
        assert all(
            spelling == spelling.lower() and " " not in spelling and "." not in spelling for spelling in spellings
        )


@given(ounces=st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_sixteen_ounces_are_a_pound(spark, ounces):
    of_ounces = in_si_of(spark, [(float(16 * n), "oz") for n in ounces], "weight")
    of_pounds = in_si_of(spark, [(float(n), "lb") for n in ounces], "weight")

    assert of_ounces == pytest.approx(of_pounds, rel=1e-12)
