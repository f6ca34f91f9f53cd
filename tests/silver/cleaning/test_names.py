import re
from importlib import resources

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.runtime.config import shipped
from customerlake.silver.cleaning.names import formal_name, name_key, name_parts
from customerlake.silver.cleaning.reference import reference_values

SAID = "id int, first string, last string, full string, country string"


def parts(spark, *names):
    """(first_name, last_name, native_name) of each (first, last, full) or (first, last, full, country)."""
    rows = [(place, *name, *[None] * (4 - len(name))) for place, name in enumerate(names)]
    read = name_parts(F.col("first"), F.col("last"), F.col("full"), country=F.col("country"))
    return [
        tuple(row.name)
        for row in spark.createDataFrame(rows, SAID).select("id", read.alias("name")).sort("id").collect()
    ]


def parts_of_full(spark, *names):
    return dict(zip(names, parts(spark, *[(None, None, name) for name in names]), strict=True))


def keys(spark, *names):
    rows = spark.createDataFrame(list(enumerate(names)), "id int, name string")
    return [row.key for row in rows.select("id", name_key(F.col("name")).alias("key")).sort("id").collect()]


def formal(spark, *names):
    rows = spark.createDataFrame(list(enumerate(names)), "id int, name string")
    return [row.key for row in rows.select("id", formal_name(F.col("name")).alias("key")).sort("id").collect()]


def test_names_in_capitals_or_small_letters_get_the_capitals_that_they_have(spark):
    names = {
        ("JOHN", "SMITH"): ("John", "Smith"),
        ("jean-luc", "o'brien"): ("Jean-Luc", "O'Brien"),
        ("ÉLODIE", "MCDONALD"): ("Élodie", "McDonald"),
        ("Anna", "McDONALD"): ("Anna", "McDonald"),
        ("LUDWIG", "VAN BEETHOVEN"): ("Ludwig", "van Beethoven"),
        ("jan", "van der berg"): ("Jan", "van der Berg"),
        ("ANA", "DE LA CRUZ"): ("Ana", "de la Cruz"),
        ("MARÍA DE LOS ÁNGELES", "garcía y lópez"): ("María de los Ángeles", "García y López"),
        ("VAN", "NGUYEN"): ("Van", "Nguyen"),
        ("hélène", "D'ARCY-MÜLLER"): ("Hélène", "D'Arcy-Müller"),
        ("İBRAHİM", "ÖZTÜRK"): ("Ibrahim", "Öztürk"),
        ("inge", "TEN BRINK"): ("Inge", "ten Brink"),
    }

    assert parts(spark, *[(*name, None) for name in names]) == [(*name, None) for name in names.values()]


def test_a_name_with_capitals_and_small_letters_stays_as_it_is(spark):
    names = [
        ("LaToya", "DeVito"),
        ("Marie", "MacKenzie"),
        ("Robert", "De Niro"),
        ("Ana", "de la Cruz"),
        ("Mehmet", "Ay"),
    ]

    assert parts(spark, *[(*name, None) for name in names]) == [(*name, None) for name in names]


def test_titles_suffixes_and_maiden_names_are_no_names(spark):
    names = {
        ("Mr. John", "Smith, PhD"): ("John", "Smith"),
        ("MR JOHN", "DR SMITH"): ("John", "Smith"),
        ("Prof.Dr.med. Käthe", "Weiß"): ("Käthe", "Weiß"),
        ("Dipl.-Ing. (FH) Jörg", "von der Heide"): ("Jörg", "von der Heide"),
        ("FRÄULEIN INGE", "KÖHLER geb. MÜLLER"): ("Inge", "Köhler"),
        ("Doña Ana", "Ruiz"): ("Ana", "Ruiz"),
        ("Dr.", "Dr. Meyer"): (None, "Meyer"),
        ("Martin Luther", "King Jr."): ("Martin Luther", "King"),
        ("Henry", "Ford III"): ("Henry", "Ford"),
        ("Mme Claire", "Petit née Blanc"): ("Claire", "Petit"),
    }

    assert parts(spark, *[(*name, None) for name in names]) == [(*name, None) for name in names.values()]


def test_names_that_look_like_titles_stay(spark):
    names = [("Charlie", "Lord"), ("Yo-Yo", "Ma"), ("Bo", "Sir"), ("Drew", "Mrazek"), ("Mag", "Nee"), ("Sig", "Col")]

    assert parts(spark, *[(*name, None) for name in names]) == [(*name, None) for name in names]


def test_an_initial_stays_one(spark):
    names = [("J.", "Smith", None), ("j", "Smith", None), ("J.R.R.", "Tolkien", None), ("Mary K", "O", None)]

    assert parts(spark, *names) == [
        ("J.", "Smith", None),
        ("J.", "Smith", None),
        ("J. R. R.", "Tolkien", None),
        ("Mary K.", "O.", None),
    ]


def test_a_whole_name_is_split_at_its_comma_else_before_its_last_word(spark):
    names = {
        "SMITH, John": ("John", "Smith", None),
        "Smith , Mr John Paul": ("John Paul", "Smith", None),
        "King, Jr., Martin Luther": ("Martin Luther", "King", None),
        "Sammy Davis, Jr.": ("Sammy", "Davis", None),
        "Smith,": (None, "Smith", None),
        "García Márquez, Gabriel": ("Gabriel", "García Márquez", None),
        "John Smith": ("John", "Smith", None),
        "john paul smith": ("John Paul", "Smith", None),
        "Dr. Hans-Peter von der Heide": ("Hans-Peter", "von der Heide", None),
        "María de la Cruz": ("María", "de la Cruz", None),
        "John Smith Jr.": ("John", "Smith", None),
        "Robert (Bob) Smith": ("Robert", "Smith", None),
        "O' BRIEN, mary - ann": ("Mary-Ann", "O'Brien", None),
        "Иван Петров": ("Иван", "Петров", None),
    }

    assert parts_of_full(spark, *names) == names


def test_a_single_word_and_a_particle_with_one_are_a_family_name(spark):
    names = {
        "Herr Müller": (None, "Müller", None),
        "SMITH": (None, "Smith", None),
        "von Berg": (None, "von Berg", None),
        "van der Berg": (None, "van der Berg", None),
        "Van Morrison": ("Van", "Morrison", None),
        "Bin Sun": ("Bin", "Sun", None),
    }

    assert parts_of_full(spark, *names) == names


def test_a_family_name_in_capitals_beside_others_is_found_on_either_side(spark):
    names = {
        "DUPONT Jean": ("Jean", "Dupont", None),
        "Jean DUPONT": ("Jean", "Dupont", None),
        "DE GAULLE Charles": ("Charles", "de Gaulle", None),
        "JP Morgan": ("Jp", "Morgan", None),  # two letters are initials
    }

    assert parts_of_full(spark, *names) == names


def test_full_width_letters_say_that_the_family_name_comes_first(spark):
    names = {
        "ＳＭＩＴＨ　ＪＯＨＮ": ("John", "Smith", None),
        "ＳＡＴＯ　ＹＵＩ": ("Yui", "Sato", None),
        "ＶＡＮ　ＤＥＲ　ＢＥＲＧ　ＪＡＮ": ("Jan", "van der Berg", None),
    }

    assert parts_of_full(spark, *names) == names
    assert parts(spark, ("Ｊｏｈｎ", "ＳＭＩＴＨ", None)) == [("John", "Smith", None)]


def test_a_japanese_name_is_native_and_only_kana_tell_its_reading(spark):
    names = {
        "佐藤 結衣": (None, None, "佐藤結衣"),
        "佐藤　結衣 様": (None, None, "佐藤結衣"),
        "髙橋誠": (None, None, "髙橋誠"),
        "佐々木さくら": ("Sakura", None, "佐々木さくら"),
        "サトウ ユイ": ("Yui", "Sato", "サトウ ユイ"),
        "ｻﾄｳ ﾕｳｼﾞ": ("Yuji", "Sato", "サトウ ユウジ"),
        "ジョン・スミス": (None, None, "ジョン・スミス"),
        "佐藤結衣 Yui SATO": ("Yui", "Sato", "佐藤結衣"),
        "김민준": (None, None, "김민준"),
    }

    assert parts_of_full(spark, *names) == names


def test_a_chinese_name_is_native_with_its_pinyin_beside_it(spark):
    names = {
        "王小明": ("Xiaoming", "Wang", "王小明"),
        "王 小明": ("Xiaoming", "Wang", "王小明"),
        "欧阳娜娜": ("Nana", "Ouyang", "欧阳娜娜"),
        "王小明 (Wang Xiaoming)": ("Xiaoming", "Wang", "王小明"),
        "王小明 Michael WANG": ("Michael", "Wang", "王小明"),
    }

    assert parts_of_full(spark, *names) == names


def test_the_country_says_how_a_chinese_name_is_read(spark):
    names = [
        (None, None, "林美玲", "CN"),
        (None, None, "林美玲", "JP"),
        (None, None, "陈嘉欣", "HK"),
        (None, None, "林美玲"),
    ]

    assert parts(spark, *names) == [
        ("Meiling", "Lin", "林美玲"),
        (None, None, "林美玲"),
        (None, None, "陈嘉欣"),
        (None, None, "林美玲"),  # Hayashi or Lin: nobody can tell
    ]


def test_parts_in_script_make_the_native_name_and_parts_in_latin_win_over_a_whole_name(spark):
    names = [
        ("小明", "王", None),
        ("ユイ", "サトウ", None),
        ("Yui", "Sato", "佐藤結衣"),
        ("Liz", None, "Elizabeth Smith"),
    ]

    assert parts(spark, *names) == [
        ("Xiaoming", "Wang", "王小明"),
        ("Yui", "Sato", "サトウ ユイ"),
        ("Yui", "Sato", "佐藤結衣"),
        ("Liz", None, None),
    ]


def test_what_is_no_name_is_null(spark):
    nothing = ["😀😀", "12345", "   ", "", "-", "...", "\u200b", "Mr.", "!?", "　", None]

    assert set(parts(spark, *[(text, None, None) for text in nothing])) == {(None, None, None)}
    assert set(parts(spark, *[(None, None, text) for text in nothing if text != "Mr."])) == {(None, None, None)}


def test_what_stands_beside_a_name_is_left_out(spark):
    names = {
        "John 😀 Smith": ("John", "Smith", None),
        "John\u200b \tSmith\n": ("John", "Smith", None),
        "John Smith 12345": ("John", "Smith", None),
        "Je\u0301ro\u0302me Roux": ("J\u00e9r\u00f4me", "Roux", None),  # accents as signs of their own
    }

    assert parts_of_full(spark, *names) == names
    assert parts(spark, ("rené", "L’HÔTE", None)) == [("René", "L'Hôte", None)]


def test_text_of_any_length_is_cut_to_200_signs(spark):
    (first, last, native), *_ = parts(spark, ("x" * 10_000, "王" * 10_000, "😀" * 10_000))

    assert first == "X" + "x" * 199
    assert last is None
    assert native == "王" * 200


NOT_AS_THEY_ARE = {word for words in reference_values("name_words").values() for word in words}  # Dr, de, geb
WORDS = (
    st.text("abcdefghijklmnopqrstuvwxyzäéîõüñ", min_size=2, max_size=8)
    .filter(lambda word: word not in NOT_AS_THEY_ARE and not word.startswith("mc"))
    .map(str.title)
)


@given(names=st.lists(st.tuples(WORDS, WORDS.map(lambda word: f"X{word.lower()}")), min_size=1, max_size=50))
def test_parts_that_were_read_are_read_as_they_are_again(spark, names):
    once = parts(spark, *[(first.upper(), last.lower(), None) for first, last in names])

    assert once == [(first, last, None) for first, last in names]
    assert parts(spark, *once) == [(first, last, None) for first, last, _ in once]


def test_keys_are_small_letters_without_accents_and_signs(spark):
    names = {
        "O'Brien": "obrien",
        "Jean-Luc": "jeanluc",
        "van der Berg": "vanderberg",
        "Müller": "muller",
        "MÜLLER": "muller",
        "Weiß": "weiss",
        "Sørensen": "sorensen",
        "Åkesson": "akesson",
        "Wiśniewski": "wisniewski",
        "Łódź": "lodz",
        "Æsop": "aesop",
        "Đặng": "dang",
        "Ivanović": "ivanovic",
        "José": "jose",
        "Jose\u0301": "jose",
        "İbrahim": "ibrahim",
        "Γεωργίου": "γεωργιου",
        "ΓΕΩΡΓΙΟΥ": "γεωργιου",
        "Νίκος": "νικοσ",
        "佐藤結衣": "佐藤結衣",
        "J.": "j",
        "": None,
        "--": None,
        None: None,
    }

    assert keys(spark, *names) == list(names.values())


LATIN = st.text("aäàåbcçdeéêfghiîïjklłmnñoöøõpqrsštuüúvwxyýzžß' -", min_size=1, max_size=12)


@given(names=st.lists(LATIN, min_size=1, max_size=100))
def test_case_and_signs_do_not_show_in_a_key(spark, names):
    written = [*names, *[name.upper() for name in names], *[name.replace(" ", "-") for name in names]]
    read = keys(spark, *written)
    size = len(names)

    assert read[:size] == read[size : 2 * size] == read[2 * size :]
    assert all(key is None or re.fullmatch("[a-z]+", key) for key in read)


def test_short_forms_are_their_formal_names(spark):
    names = {
        "bill": "william",
        "bob": "robert",
        "peggy": "margaret",
        "sepp": "josef",
        "paco": "francisco",
        "beppe": "giuseppe",
        "kasia": "katarzyna",
        "alex": "alexander",
        "sam": "samuel",
    }

    assert formal(spark, *names) == list(names.values())


def test_a_name_that_is_no_short_form_is_itself(spark):
    names = ["alexander", "alexandra", "samantha", "lena", "hannah", "xiaoming", "zzz", "佐藤", None]

    assert formal(spark, *names) == names


def test_every_nickname_of_the_demo_lake_is_its_formal_name(spark):
    listed = yaml.safe_load((resources.files("customerlake") / "demo" / "names.yaml").read_text(encoding="utf-8"))
    nicknames = {
        formal: short for formal, short in listed["nicknames"].items() if formal != "Samantha"
    }  # Sam is Samuel
    rows = spark.createDataFrame(list(nicknames.items()), "formal string, short string")
    key = formal_name(name_key(F.col("short")))

    assert len(nicknames) > 40
    assert rows.where(~key.eqNullSafe(name_key(F.col("formal")))).collect() == []


@pytest.mark.before_an_engine
def test_a_short_form_stands_once_in_the_list_and_is_no_formal_name():
    listed = yaml.safe_load((shipped("conf") / "reference" / "nicknames.yaml").read_text(encoding="utf-8"))
    shorts = [short for names in listed.values() for short in names]

    assert len(shorts) > 400
    assert sorted(set(shorts)) == sorted(shorts)
    assert not set(shorts) & set(listed)
    assert all(re.fullmatch("[a-z]+", key) for key in [*shorts, *listed])
