import zipfile

from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.silver.cleaning.reference import once_per_value, struct_once_per_value


def note(file, text):
    with file.open("a") as notes:
        notes.write(f"{text}\n")
    return text.upper()


def test_a_function_is_called_once_for_each_distinct_value_and_never_with_null(spark, tmp_path):
    file = tmp_path / "called"
    rows = spark.createDataFrame([(text,) for text in ["a", "b", "a", None, "a", "b"]], "text string").coalesce(1)
    read = rows.select(once_per_value(lambda text: note(file, text), F.col("text")).alias("read")).collect()

    assert sorted(row.read for row in read if row.read) == ["A", "A", "A", "B", "B"]
    assert sum(row.read is None for row in read) == 1
    assert len(file.read_text().split()) <= 4  # in one batch or two


def test_other_texts_than_the_first_may_be_null(spark):
    rows = spark.createDataFrame([("a", None), ("a", "b"), (None, "b")], "one string, other string")
    read = once_per_value(lambda one, other: f"{one}{other}", F.col("one"), F.col("other"))

    assert sorted(str(row.read) for row in rows.select(read.alias("read")).collect()) == ["None", "aNone", "ab"]


def test_a_struct_has_a_field_for_each_text(spark):
    rows = spark.createDataFrame([("a b",), ("c",), (None,)], "text string")
    read = struct_once_per_value(
        lambda text: tuple([*(text or "").split(), None, None][:2]), F.col("text"), fields=["first", "second"]
    )

    found = {tuple(row.read) for row in rows.select(read.alias("read")).collect()}
    assert found == {("a", "b"), ("c", None), (None, None)}


@given(texts=st.lists(st.none() | st.text("abc", max_size=2), min_size=1, max_size=100))
def test_every_row_keeps_its_own_value(spark, texts):
    rows = spark.createDataFrame(list(enumerate(texts)), "id int, text string")
    read = rows.select("id", once_per_value(lambda text: text + "!", F.col("text")).alias("read")).sort("id").collect()

    assert [row.read for row in read] == [None if text is None else text + "!" for text in texts]


def test_the_lists_ship_in_the_wheel(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    for name in ("nicknames.yaml", "country_names.csv", "postcodes.yaml", "kana.csv", "mail_domains.yaml"):
        assert f"customerlake/conf/reference/{name}" in names
