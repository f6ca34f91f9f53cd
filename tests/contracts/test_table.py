from datetime import date
from decimal import Decimal

import pytest
from chispa import assert_df_equality
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY, Field, Table
from customerlake.errors import ContractError

KEY = Field("id", T.StringType(), "the key")
PRICE = Field("price", MONEY, "what it costs", unit="EUR")
NAME = Field("name", T.StringType(), "who buys", personal="identify")
BATCH = Field("_batch", T.LongType(), "landing")


def table(name="silver.things", key=("id",), columns=(KEY, PRICE, NAME, BATCH), partitioned_by=()):
    return Table(name=name, grain="one row per id", key=key, columns=columns, partitioned_by=partitioned_by)


def test_a_column_declared_twice_is_refused():
    with pytest.raises(ContractError, match=r"silver\.things is declared wrongly: repeated columns \['id'\]"):
        table(columns=(KEY, PRICE, KEY))


def test_a_key_that_is_no_column_is_refused():
    with pytest.raises(ContractError, match=r"not among its columns \['number'\].*Correct the declaration"):
        table(key=("id", "number"))


def test_a_partition_column_that_is_no_column_is_refused():
    with pytest.raises(ContractError, match=r"not among its columns \['as_of'\]"):
        table(partitioned_by=("as_of",))


def test_a_name_without_a_layer_is_refused():
    with pytest.raises(ContractError, match=r"the name must read <layer>\.<table>"):
        table(name="things")


def test_the_layer_is_the_first_part_of_the_name():
    assert table(name="quarantine.things").layer == "quarantine"


def test_business_columns_are_those_without_a_leading_underscore():
    assert table().business_columns == ["id", "price", "name"]


def test_personal_columns_are_those_held_for_a_purpose():
    assert table().personal_columns == ["name"]


def test_the_schema_has_the_declared_types_in_the_declared_order():
    assert table().schema == T.StructType(
        [
            T.StructField("id", T.StringType()),
            T.StructField("price", T.DecimalType(18, 4)),
            T.StructField("name", T.StringType()),
            T.StructField("_batch", T.LongType()),
        ]
    )


def test_conform_orders_types_and_selects_the_declared_columns(spark):
    frame = spark.createDataFrame(
        [(1, "Ann", 1.5, 7, date(2011, 1, 1))], "_batch int, name string, price double, id int, unasked date"
    )

    conformed = table().conform(frame)

    expected = spark.createDataFrame(
        [("7", Decimal("1.5000"), "Ann", 1)], "id string, price decimal(18,4), name string, _batch long"
    )
    assert_df_equality(conformed, expected, ignore_nullable=True)


def test_conform_names_the_missing_columns_and_what_the_frame_has(spark):
    frame = spark.createDataFrame([("7", "Ann")], "id string, name string")

    with pytest.raises(ContractError) as refusal:
        table().conform(frame)

    assert str(refusal.value) == (
        "silver.things needs ['price', '_batch']; the frame has ['id', 'name']. "
        "Rename in bronze or correct the declaration."
    )
