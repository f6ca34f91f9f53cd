"""Letters: their width, their accents, their script, and capitals."""

import re
import unicodedata
from collections.abc import Collection
from functools import cache
from itertools import pairwise

from pyspark.sql import Column
from pyspark.sql import functions as F

WIDE = "".join(map(chr, range(0xFF01, 0xFF5F))) + "\u3000"
NARROW = "".join(map(chr, range(0x21, 0x7F))) + " "
WITHOUT_BASE = {
    "ß": "ss",
    "æ": "ae",
    "œ": "oe",
    "ĳ": "ij",
    "þ": "th",
    "ø": "o",
    "đ": "d",
    "ð": "d",
    "ł": "l",
    "ħ": "h",
    "ı": "i",
    "ς": "σ",
}
ALIKE = str.maketrans("’‘ʼ`´′‐‑‒–—−、", "''''''------,")  # one apostrophe, one dash, one comma
ACCENTS = "\u0300-\u036f"
BETWEEN_WORDS = re.compile("([ -])")
PART = re.compile(r"(?:^|[(/.&]|['’](?=[^\W\d_]{2}))[^\W\d_]")  # begins behind these signs, but not the s of King's
MC = re.compile(r"\bMc([^\W\d_])(?=[^\W\d_])")
MAC = re.compile(r"(^|[ -])Ma?c")


def half_width(text: Column) -> Column:
    """The full-width forms of ASCII, which Japanese systems write, as ASCII."""
    return F.translate(text, WIDE, NARROW)


def plain_letters(text: Column) -> Column:
    """In small letters without accents, by one rule for every language: the letter below the accent (ü is u, ø is o),
    and ß, æ, œ, þ as ss, ae, oe, th.

    Source: Unicode CLDR, transform Latin-ASCII. What Germans write ue is not ü here; comparison finds it one letter
    away.
    """
    plain = F.translate(F.regexp_replace(F.lower(text), f"[{ACCENTS}]", ""), *_accents())
    for letter, letters in WITHOUT_BASE.items():
        if len(letters) > 1:
            plain = F.replace(plain, F.lit(letter), F.lit(letters))
    return F.when(text.rlike("[^\u0000-\u007f]"), plain).otherwise(F.lower(text))


def without_accents(text: str) -> str:
    """What plain_letters() makes of a column, of one text: for the keys of reference lists."""
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text.lower())
    plain = "".join(WITHOUT_BASE.get(sign, sign) for sign in parts if not "\u0300" <= sign <= "\u036f")
    return unicodedata.normalize("NFC", plain)


@cache
def _accents() -> tuple[str, str]:
    """Small letters of Latin and Greek that carry accents, and the letters below, sign for sign."""
    letters = [chr(code) for block in ((0xDF, 0x250), (0x370, 0x400), (0x1E00, 0x2000)) for code in range(*block)]
    pairs = [(letter, without_accents(letter)) for letter in letters if letter.islower()]
    changed = [(letter, plain) for letter, plain in pairs if len(plain) == 1 and plain != letter]
    return "".join(letter for letter, _ in changed), "".join(plain for _, plain in changed)


def composed(text: str, *, longest: int) -> str:
    """In Unicode's form NFKC (full-width and half-width forms as the usual ones, accents on their letters), without
    control signs, each stretch of white space one space, cut after `longest` signs.
    """
    words = " ".join(unicodedata.normalize("NFKC", text.strip()[:longest]).split())
    return words if words.isprintable() else "".join(sign for sign in words if unicodedata.category(sign)[0] != "C")


def proper_case(text: str, *, small: Collection[str], small_in_front: Collection[str] = ()) -> str:
    """Each word, and each part of one behind a hyphen or an apostrophe, with a capital, and Mc with a second one. The
    words of `small` in small letters inside, those of `small_in_front` at the start too, as long as another word
    follows.

    A text in which a capital is followed by a small letter was meant as it is, and stays.
    """
    if any(one.isupper() and next_one.islower() for one, next_one in pairwise(MAC.sub(r"\1", text))):
        return text
    words = BETWEEN_WORDS.split(text.lower().replace("i\u0307", "i"))  # what the small letter of İ is
    last = len(words) - 1
    return "".join(
        word if place < last and word in (small if place else small_in_front) else _with_capital(word)
        for place, word in enumerate(words)
    )


def _with_capital(word: str) -> str:
    return MC.sub(lambda found: "Mc" + found[1].upper(), PART.sub(lambda found: found[0].upper(), word))
