import pytest
from pyspark.sql import functions as F

from customerlake.errors import ContractError
from customerlake.silver.cleaning.categories import one_of_list, plain_spellings, sex
from customerlake.silver.cleaning.reference import reference_values

SIZES = {"small": ("S", "klein"), "large": ("L", "groß", "X.L.")}


def read(spark, function, texts):
    rows = spark.createDataFrame(list(enumerate(texts)), "id int, text string")
    return [row[0] for row in rows.orderBy("id").select(function(F.col("text"))).collect()]


def test_a_spelling_is_its_value_whatever_its_capitals_points_and_spaces(spark):
    texts = {
        "s": "small", "S.": "small", " KLEIN\u00a0": "small", "Small": "small", "xl": "large", "GROß": "large",
        "medium": None, "sl": None, "": None, None: None,
    }  # fmt: skip

    said = read(spark, lambda text: one_of_list(text, SIZES), texts)

    assert dict(zip(texts, said, strict=True)) == texts


def test_a_spelling_of_two_values_is_refused():
    with pytest.raises(ContractError, match=r"'s': \['small', 'short'\]"):
        plain_spellings({"small": ("S",), "short": ("s.",)})


def test_an_empty_list_knows_nothing(spark):
    assert read(spark, lambda text: one_of_list(text, {}), ["a", None]) == [None, None]


def test_sexes_are_read_in_several_languages(spark):
    texts = {
        "F": "female", "w": "female", "Frau": "female", "女": "female", "Mrs.": "female", "Mme": "female",
        "mujer": "female", "kobieta": "female", "K": "female", "женский": "female", "여자": "female", "2": "female",
        "m": "male", "MALE": "male", "Herr": "male", "男": "male", "homme": "male", "H": "male", "mężczyzna": "male",
        "erkek": "male", "мужской": "male", "1": "male",
        "divers": "other", "X": "other", "non-binary": "other",
        "unknown": None, "0": None, "9": None, "Dr": None, None: None,
    }  # fmt: skip

    assert dict(zip(texts, read(spark, sex, texts), strict=True)) == texts


def test_the_list_of_sexes_is_one_of_texts():
    listed = reference_values("sexes")

    assert set(listed) == {"female", "male", "other"}
    assert all(
        isinstance(text, str) for texts in listed.values() for text in texts
    )  # YAML takes a bare no or 1 otherwise
