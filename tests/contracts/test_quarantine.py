from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import types as T

from customerlake.contracts.checks import InRange, NotNegative, NotNull, RefersTo, Unique, looked_up
from customerlake.contracts.quarantine import quarantine, quarantine_table
from customerlake.contracts.table import Field, Table

COLUMNS = (Field("id", T.StringType(), "the key"), Field("price", T.IntegerType(), "what it costs"))
THINGS = Table(
    name="silver.things",
    grain="one row per id",
    key=("id",),
    columns=COLUMNS,
    checks=(NotNull("id"), NotNegative("price")),
)
THINGS_DDL = "id string, price int"
REJECTED_DDL = f"{THINGS_DDL}, reasons array<string>"


def test_a_row_that_keeps_every_rule_is_accepted_unchanged(spark):
    accepted, rejected = quarantine(spark.createDataFrame([("a", 1)], THINGS_DDL), THINGS)

    assert_df_equality(accepted, spark.createDataFrame([("a", 1)], THINGS_DDL), ignore_nullable=True)
    assert rejected.isEmpty()


def test_a_row_is_rejected_with_every_rule_that_it_breaks_in_words(spark):
    received = spark.createDataFrame([(None, -2), (None, 3), ("c", -4)], THINGS_DDL)

    accepted, rejected = quarantine(received, THINGS)

    expected = spark.createDataFrame(
        [
            ("c", -4, ["price -4 is negative"]),
            (None, -2, ["id is missing", "price -2 is negative"]),
            (None, 3, ["id is missing"]),
        ],
        REJECTED_DDL,
    )
    assert accepted.isEmpty()
    assert_df_equality(rejected.orderBy("price"), expected, ignore_nullable=True)


def test_a_rule_that_meets_a_missing_value_does_not_lose_the_row(spark):
    accepted, _ = quarantine(spark.createDataFrame([("a", None)], THINGS_DDL), THINGS)

    assert_df_equality(accepted, spark.createDataFrame([("a", None)], THINGS_DDL), ignore_nullable=True)


def test_a_table_without_checks_accepts_every_row(spark):
    unchecked = Table(name="silver.things", grain="one row per id", key=("id",), columns=COLUMNS)

    accepted, rejected = quarantine(spark.createDataFrame([(None, -2)], THINGS_DDL), unchecked)

    assert accepted.count() == 1
    assert rejected.isEmpty()


def test_rules_about_other_rows_and_tables_are_told_beside_those_about_the_row(spark):
    prices = Table(name="silver.prices", grain="one row per price", key=("price",), columns=COLUMNS)
    things = Table(
        name="silver.things", grain="one row per id", key=("id",), columns=COLUMNS,
        checks=(Unique(("id",)), InRange("price", most=5), RefersTo("price", prices)),
    )  # fmt: skip
    received = spark.createDataFrame([("a", 1), ("a", 9), ("b", 2), ("c", 1), (None, 1), (None, None)], THINGS_DDL)
    known = {"silver.prices": spark.createDataFrame([("one", 1)], THINGS_DDL)}

    accepted, rejected = quarantine(received.transform(looked_up(things.checks, known)), things)

    kept = spark.createDataFrame([("c", 1), (None, 1), (None, None)], THINGS_DDL)
    assert_df_equality(accepted.select("id", "price"), kept, ignore_nullable=True, ignore_row_order=True)
    told = {(row["id"], row["price"]): row["reasons"] for row in rejected.collect()}
    assert told == {
        ("a", 1): ["id a is not unique: 2 rows have it"],
        ("a", 9): [
            "id a is not unique: 2 rows have it", "price 9 is above 5", "price 9 is not in silver.prices",
        ],
        ("b", 2): ["price 2 is not in silver.prices"],
    }  # fmt: skip


@given(st.lists(st.tuples(st.none() | st.text("ab", max_size=1), st.none() | st.integers(-2, 2)), max_size=12))
def test_every_row_is_either_accepted_or_rejected_as_received(spark, rows):
    received = spark.createDataFrame(rows, THINGS_DDL)

    accepted, rejected = quarantine(received, THINGS)

    together = accepted.unionByName(rejected.drop("reasons"))
    assert_df_equality(together, received, ignore_nullable=True, ignore_row_order=True)


def test_the_quarantine_of_a_table_has_its_name_and_is_known_by_file_and_line():
    rejected = quarantine_table(THINGS)

    assert rejected.name == "quarantine.things"
    assert rejected.key == ("file_digest", "line_number")


def test_the_raw_row_of_a_quarantine_is_personal():
    assert quarantine_table(THINGS).personal_columns == ["raw"]
