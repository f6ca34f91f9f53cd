import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.silver.cleaning.letters import composed, half_width, plain_letters, proper_case, without_accents

WIDE = [chr(code) for code in range(0xFF01, 0xFF5F)]


def read(spark, function, texts):
    rows = spark.createDataFrame(list(enumerate(texts)), "id int, text string")
    return [row.read for row in rows.select("id", function(F.col("text")).alias("read")).sort("id").collect()]


@given(texts=st.lists(st.text([*WIDE, "\u3000", *"aZ09 é佐ー"], max_size=20), min_size=1, max_size=100))
def test_full_width_forms_become_what_unicode_calls_them(spark, texts):
    assert read(spark, half_width, texts) == [unicodedata.normalize("NFKC", text) for text in texts]


LATIN = [
    chr(code) for code in range(0xC0, 0x180) if chr(code).isalpha() and chr(code) not in "ĸĿŀŉŊŋŦŧſ"
]  # none of a name


@given(texts=st.lists(st.text([*LATIN, *"azAZ \u0301"], max_size=20), min_size=1, max_size=100))
def test_letters_of_latin_alphabets_become_ascii_by_the_same_rule_in_columns_and_in_python(spark, texts):
    plain = read(spark, plain_letters, texts)

    assert plain == [without_accents(text) for text in texts]
    assert all(text.isascii() and text == text.lower() for text in plain)


def test_accents_go_and_letters_of_two_sounds_become_two(spark):
    texts = {"Ärger Öl Übel ß": "arger ol ubel ss", "Æsir Œuvre Þór Ĳssel": "aesir oeuvre thor ijssel"}
    texts |= {
        "Ångström Øster Łódź Đặng": "angstrom oster lodz dang",
        "Ίος ΟΔΟΣ": "ιοσ οδοσ",
        "İzmir Isparta ı": "izmir isparta i",
    }

    assert dict(zip(texts, read(spark, plain_letters, texts), strict=True)) == texts


@pytest.mark.before_an_engine
def test_text_is_composed_cut_and_rid_of_what_nobody_sees():
    assert composed("  ｻﾄｳ\u3000ｶﾞｸ ", longest=100) == "サトウ ガク"
    assert composed("Mu\u0308ller\u200b\x00", longest=100) == "Müller"
    assert composed("a\t\n\u00a0b", longest=100) == "a b"
    assert composed("x" * 10_000, longest=7) == "x" * 7


@pytest.mark.before_an_engine
@pytest.mark.parametrize(
    ("text", "cased"),
    [
        ("STOKE-ON-TRENT", "Stoke-on-Trent"),
        ("king's lynn", "King's Lynn"),
        ("L'AQUILA", "L'Aquila"),
        ("on", "On"),
        ("MCALLEN", "McAllen"),
        ("macy", "Macy"),
        ("bad homburg v.d. höhe", "Bad Homburg V.D. Höhe"),
        ("'t harde", "'t Harde"),
        ("2nd avenue", "2nd Avenue"),
        ("ÉVRY", "Évry"),
        ("DeKalb", "DeKalb"),
    ],
)
def test_words_get_their_capitals(text, cased):
    assert proper_case(text, small=["on"]) == cased
