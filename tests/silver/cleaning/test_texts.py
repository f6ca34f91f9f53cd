import html
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.silver.cleaning.texts import one_line, plain_text, without_emoji


def read(spark, function, texts):
    rows = spark.createDataFrame(list(enumerate(texts)), "id int, text string")
    return [row[0] for row in rows.orderBy("id").select(function(F.col("text"))).collect()]


def test_tags_go_and_those_of_blocks_leave_a_space(spark):
    texts = {
        "<p>Hello<br/>wor<b>ld</b></p><p class='x'>again</p>": "Hello world again",
        '<a href="https://shop.example/?a=1&b=2">link</a>': "link",
        "<UL><LI>one<LI>two</UL>": "one two",
        "<o:p>mail</o:p>": "mail",
        "<style>p {color: red}</style>a<script type='x'>if (a < b)\n{ c() }</script>b<!-- a > b -->c": "a b c",
        "<!DOCTYPE html><html lang=en>x</html>": "x",
    }

    assert dict(zip(texts, read(spark, plain_text, texts), strict=True)) == texts


def test_what_only_looks_like_a_tag_stays(spark):
    texts = ["a < b and c > d", "I <3 you", "write to <ann@example.com>", "x<y", "1 <2> 3", "cut off <div class="]

    assert read(spark, plain_text, texts) == texts


def test_entities_are_read_once(spark):
    texts = {
        "Tom &amp; Jerry": "Tom & Jerry",
        "&lt;b&gt;": "<b>",
        "&amp;lt;": "&lt;",
        "caf&eacute; &#233; &#xE9; &#128512;": "café é é 😀",
        "&euro;5&nbsp;&hellip;": "€5 …",
        "&#150;": "–",  # browsers read 128 to 159 as Windows-1252 does
        "AT&T": "AT&T",
        "?a=1&copy=2": "?a=1&copy=2",
        "&bogus; &;": "&bogus; &;",
        "a&#0;b&#x110000;c": "abc",
    }

    assert dict(zip(texts, read(spark, plain_text, texts), strict=True)) == texts


def test_characters_that_are_not_seen_go(spark):
    texts = {
        "a\u0000b\u0007c\u0085d": "abc d",
        "zero\u200bwidth\ufeff so\u00adft": "zerowidth soft",
        "\u202eleft\u202c": "left",
        "Stra\ufffd\ufffde": "Strae",
        "tab\tline\r\nand\u00a0other\u3000spaces  ": "tab line and other spaces",
        "a\u200d\u200db": "ab",
    }

    assert dict(zip(texts, read(spark, plain_text, texts), strict=True)) == texts


def test_nothing_to_see_is_null(spark):
    assert read(spark, plain_text, [None, "", " \u00a0\t", "<br>", "\u200b", "&nbsp;"]) == [None] * 6


def test_full_width_forms_of_ascii_become_half_width_as_in_nfkc(spark):
    texts = [f"x{character}x" for character in map(chr, range(0xFF01, 0xFF5F))]

    assert read(spark, plain_text, texts) == [unicodedata.normalize("NFKC", text) for text in texts]


def test_other_characters_stay_as_they_are(spark):
    texts = ["½ ﬁ ² ｶﾞ Å Ω é", "日本語 中文 한국어 العربية"]

    assert read(spark, plain_text, texts) == texts


PICTURES = [
    "😀",
    "👍🏽",
    "👩\u200d👩\u200d👧",
    "🇩🇪",
    "❤️",
    "❤",
    "☀️",
    "✈️",
    "⭐",
    "⌚",
    "🏴\U000e0067\U000e0062\U000e007f",
    "ℹ️",
    "🫠",
]


def test_emoji_stay_unless_they_are_to_go(spark):
    texts = [f"good {picture} shop" for picture in PICTURES]

    assert read(spark, plain_text, texts) == texts
    assert read(spark, lambda text: plain_text(text, keep_emoji=False), texts) == ["good shop"] * len(texts)


def test_digits_letters_and_signs_are_no_emoji(spark):
    texts = {"1️⃣ 2": "1 2", "© 2024 ®": "© 2024 ®", "a→b": "a→b", "©️": None, "Grüße 日本 #1 *": "Grüße 日本 #1 *"}

    without = read(spark, lambda text: one_line(without_emoji(text)), texts)

    assert dict(zip(texts, without, strict=True)) == texts


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("<p>é&amp;è" * 4000, 4 * 4000 - 1),
        ("<!--" * 3000, 12000),
        ("<a " + "=" * 12000, 12003),
        ("&" * 12000, 12000),
        ("😀" * 12000, 12000),
    ],
    ids=["paragraphs", "comments that do not end", "a tag that does not end", "ampersands", "emoji"],
)
def test_long_texts_are_read(spark, text, length):
    (plain,) = read(spark, plain_text, [text])

    assert len(plain) == length


def test_long_runs_of_emoji_go(spark):
    texts = ["😀" * 12000, "❤️" * 12000, "a" + "👩\u200d👧" * 6000 + "b", "©️" * 12000]

    assert read(spark, lambda text: plain_text(text, keep_emoji=False), texts) == [None, None, "a b", None]


written = st.text(st.sampled_from("ab<>&;\"'#é 12\n\t/=!-"), max_size=40)


@given(texts=st.lists(written, min_size=1, max_size=30))
def test_what_a_program_escaped_comes_back_in_one_line(spark, texts):
    escaped = [f"<p><b>{html.escape(text)}</b></p>" for text in texts]

    assert read(spark, plain_text, escaped) == [" ".join(text.split()) or None for text in texts]
