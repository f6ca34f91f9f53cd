import pytest

from customerlake.silver.identity.comparison import (
    UNKNOWN,
    Comparison,
    Level,
    both_known,
    by_edits,
    compared,
    compared_columns,
    exactly,
)

NAMES = "name_l string, name_r string"
NEAR = by_edits("surname", "name", 1, 2, least_letters=4)


def levels(spark, comparison, *pairs):
    """The level of each pair, in the order of the pairs."""
    numbered = [(place, *pair) for place, pair in enumerate(pairs)]
    found = compared(spark.createDataFrame(numbered, f"place int, {NAMES}"), [comparison])
    return [row[comparison.level_column] for row in found.orderBy("place").collect()]


def test_texts_are_equal_or_so_many_edits_apart(spark):
    found = levels(
        spark,
        NEAR,
        ("marten", "marten"),
        ("marten", "martin"),  # e -> i
        ("marten", "maarten"),  # a added
        ("marten", "martins"),  # e -> i, s added
        ("marten", "matren"),  # Levenshtein counts two letters swapped as two edits
        ("marten", "merlin"),  # a -> e, t -> l, e -> i
    )

    assert found == [0, 1, 1, 2, 2, 3]


def test_of_texts_of_fewer_letters_than_the_least_only_equality_counts(spark):
    found = levels(spark, NEAR, ("ann", "ann"), ("ann", "anne"), ("anne", "anna"))

    assert found == [0, 3, 1]


def test_letters_beyond_ascii_are_one_edit_each(spark):
    assert levels(spark, NEAR, ("grün", "grun"), ("müller", "mueller"), ("山田太郎", "山田次郎")) == [1, 2, 1]


def test_compared_exactly_texts_agree_or_differ(spark):
    found = levels(spark, exactly("surname", "name"), ("marten", "marten"), ("marten", "Marten"))

    assert found == [0, 1]


@pytest.mark.parametrize("comparison", [NEAR, exactly("surname", "name")], ids=["by edits", "exactly"])
def test_a_pair_of_which_a_record_lacks_the_attribute_is_at_no_level(spark, comparison):
    assert levels(spark, comparison, ("marten", None), (None, "marten"), (None, None)) == [UNKNOWN] * 3


def test_a_pair_is_at_the_first_level_that_holds(spark):
    comparison = Comparison(
        name="surname",
        columns=("name",),
        known=both_known("name"),
        levels=(
            Level("same initial", "substr(name_l, 1, 1) = substr(name_r, 1, 1)"),
            Level("equal", "name_l = name_r"),
            Level("same length", "length(name_l) = length(name_r)"),
        ),
    )

    assert levels(spark, comparison, ("lee", "lee"), ("lee", "low"), ("lee", "kay"), ("lee", "kayo")) == [0, 0, 2, 3]


def test_a_condition_that_a_missing_value_leaves_open_does_not_hold(spark):
    home = Comparison(
        name="home",
        columns=("postcode", "street"),
        known=both_known("postcode"),
        levels=(
            Level("street", "postcode_l = postcode_r AND street_l = street_r"),
            Level("postcode", "postcode_l = postcode_r"),
        ),
    )
    pairs = spark.createDataFrame(
        [
            ("both streets", "1010", "ring 1", "1010", "ring 1"),
            ("one street", "1010", None, "1010", "ring 1"),
            ("no street, other postcode", "1010", None, "1020", None),
            ("no postcode", None, "ring 1", "1010", "ring 1"),
        ],
        "pair string, postcode_l string, street_l string, postcode_r string, street_r string",
    )

    found = {row["pair"]: row["level_home"] for row in compared(pairs, [home]).collect()}

    assert found == {"both streets": 0, "one street": 1, "no street, other postcode": 2, "no postcode": UNKNOWN}


def test_pairs_keep_what_they_have_and_get_whole_numbers_for_levels(spark):
    pairs = spark.createDataFrame([("a", "marten", "martin")], f"pair string, {NAMES}")

    found = compared(pairs, [NEAR, exactly("same", "name")])

    assert [(column, kind) for column, kind in found.dtypes if column not in ("name_l", "name_r")] == [
        ("pair", "string"),
        ("level_surname", "int"),
        ("level_same", "int"),
    ]
    assert [tuple(row) for row in found.collect()] == [("a", "marten", "martin", 1, 1)]


@pytest.mark.before_an_engine
def test_levels_are_named_from_the_closest_to_no_agreement():
    assert by_edits("surname", "name", 1, 2).level_names() == ["equal", "1 edit", "2 edits", "different"]
    assert exactly("phone", "phone").level_names() == ["equal", "different"]


@pytest.mark.before_an_engine
def test_only_equality_tells_more_the_rarer_the_value_is():
    comparison = by_edits("surname", "name", 1, of_frequency=True)

    assert comparison.of_frequency == "name"
    assert [level.is_of_frequency for level in comparison.levels] == [True, False]
    assert by_edits("surname", "name", 1).of_frequency is None


@pytest.mark.before_an_engine
def test_a_column_of_two_comparisons_is_named_once():
    home = Comparison("home", ("postcode", "name"), "true", ())

    assert compared_columns([NEAR, home, exactly("phone", "phone")]) == ["name", "postcode", "phone"]
