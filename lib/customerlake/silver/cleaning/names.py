"""Names of persons: their parts as people write them, and keys by which they are compared."""

import re
import unicodedata
from functools import cache, lru_cache

from pyspark.sql import Column
from pyspark.sql import functions as F

from customerlake.silver.cleaning.letters import ALIKE, composed, plain_letters, proper_case
from customerlake.silver.cleaning.readings import IN_SCRIPT, latin_reading
from customerlake.silver.cleaning.reference import once_per_value, reference_values, struct_once_per_value

LONGEST_NAME = 200  # signs; what is behind them is cut off
WIDE_LETTER = re.compile("[\uff21-\uff3a\uff41-\uff5a]")
SCRIPT = re.compile(f"[{IN_SCRIPT}]")
USUAL_WORD = re.compile("[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ]+")  # most names: taken as they are, which spares half the time
USUAL_SIGNS = re.compile("[A-Za-z '.,-]*")


def name_parts(first: Column, last: Column, full: Column, *, country: Column | None = None) -> Column:
    """A person's name as struct<first_name, last_name, native_name>: for display, each null when nothing is known.

    Names in Latin letters: titles, suffixes and maiden names off, capitals where they belong, particles kept. `full` is
    split where `first` and `last` are both absent: at its comma; else the family name is the first word in full-width
    letters, as Japanese systems write, and what is in capitals where the rest is not (DUPONT Jean); else it is the last
    word, with its particles. A single word is a family name. Two family names cannot be told from two given names:
    without a comma, Márquez alone is the family name of Gabriel García Márquez.

    Names in Chinese, Japanese or Korean script are the native_name, family name first. Beside it stand the Latin
    letters that script tells, by latin_reading(), which takes `country`, an ISO code. Words without a letter are left
    out, and what is longer than 200 signs is cut.
    """
    said_country = F.lit(None).cast("string") if country is None else country
    return struct_once_per_value(
        _name_parts, first, last, full, said_country, fields=["first_name", "last_name", "native_name"]
    )


def name_key(name: Column) -> Column:
    """A name as it is compared: small letters without accents (see plain_letters), and nothing that is no letter."""
    return F.nullif(F.regexp_replace(plain_letters(name), r"[^\p{L}\p{M}]", ""), F.lit(""))


def formal_name(key: Column) -> Column:
    """The key of the formal name that the key of a short form stands for (bill: william); any other key as it is.

    A short form of several names counts as one of them, by conf/reference/nicknames.yaml: Alex as Alexander, which is
    two letters from Alexandra, and Sam as Samuel. A comparison takes the better of the keys and the formal names: so
    Sam and Samantha, whose keys are near, stay near.
    """
    return once_per_value(_formal, key)


def _formal(key: str) -> str:
    return _formal_names().get(key, key)


@cache
def _formal_names() -> dict[str, str]:
    return {short: formal for formal, shorts in reference_values("nicknames").items() for short in shorts}


@cache
def _words(kind: str) -> frozenset[str]:
    """Words of conf/reference/name_words.yaml."""
    return frozenset(reference_values("name_words")[kind])


def _name_parts(
    first: str | None, last: str | None, full: str | None, country: str | None
) -> tuple[str | None, str | None, str | None]:
    given, family = first and _given_name(first), last and _family_name(last)
    if full and not given and not family:
        family, given = _family_and_given(full)
    in_order = " ".join(filter(None, (last, first)))
    native, family_read, given_read = next(
        filter(None, (_native_and_reading(text, country) for text in (full, in_order) if text)), ("", "", "")
    )
    return given or given_read or None, family or family_read or None, native or None


@lru_cache(maxsize=50_000)
def _given_name(text: str) -> str | None:
    if USUAL_WORD.fullmatch(text) and _bare(text) not in _words("titles"):
        return text[:LONGEST_NAME]
    return _cased_given(_without_titles(_latin(text)).replace(",", "")) or None


@lru_cache(maxsize=50_000)
def _family_name(text: str) -> str | None:
    if USUAL_WORD.fullmatch(text):
        return text[:LONGEST_NAME]
    said = _latin(text)
    return _cased_family((_without_titles(said) or said).replace(",", "")) or None  # some are called Sir


def _family_and_given(text: str) -> tuple[str, str]:
    """The parts of a whole name in Latin letters."""
    name = _without_titles(_latin(text))
    family, comma, given = name.partition(",")
    if not comma:
        words = name.split(" ")
        at, is_family_first = _place_of_family(words, is_wide=WIDE_LETTER.search(text) is not None)
        family, given = " ".join(words[at:]), " ".join(words[:at])
        if is_family_first:
            family, given = given, family
    return _cased_family(family.strip()), _cased_given(given.replace(",", "").strip())


def _place_of_family(words: list[str], *, is_wide: bool) -> tuple[int, bool]:
    """Where the two names meet, and whether the family name is in front."""
    is_particle = [word.lower() in _words("particles") | _words("particles_inside") for word in words]
    if all(is_particle[:-1]) and not (len(words) == 2 and words[0] in _words("given_names")):
        return 0, False
    if is_wide:
        return is_particle.index(False) + 1, True
    is_capitals = [
        word.isupper() and (len(word) > 2 or particle) for word, particle in zip(words, is_particle, strict=True)
    ]
    capitals = is_capitals.index(False) if False in is_capitals else 0
    if not all(is_particle[:capitals]) and not any(is_capitals[capitals:]):
        return capitals, True
    at = len(words) - 1
    while at > 1 and is_particle[at - 1]:
        at -= 1
    return at, False


def _native_and_reading(text: str, country: str | None) -> tuple[str, str, str] | None:
    """The name in Chinese, Japanese or Korean script, and its family and given name in Latin letters; null without
    script.
    """
    if text.isascii():
        return None
    words = "".join(sign if SCRIPT.match(sign) else " " for sign in _cleaned(text)).split()
    for respect in reference_values("name_words")["honorifics"]:
        if words and words[-1].endswith(respect) and words != [respect]:
            words = [*words[:-1], *filter(None, [words[-1].removesuffix(respect)])]
    if not words:
        return None
    family, given = latin_reading(words, country)
    is_kana = all("\u3041" <= sign <= "\u30ff" for word in words for sign in word)
    return (" " if is_kana else "").join(words), family, given


def _cleaned(text: str) -> str:
    """With one kind of apostrophe and dash, without brackets, signs that no name has, and words of no letter."""
    name = re.sub(r"\([^)]*\)", " ", composed(text, longest=LONGEST_NAME).translate(ALIKE))
    if not USUAL_SIGNS.fullmatch(name):
        name = "".join(sign if sign in " '.,-・" or unicodedata.category(sign)[0] in "LMN" else " " for sign in name)
    name = re.sub(r"\s*,[\s,]*", ", ", re.sub(r"\s*-[\s-]*", "-", name))
    name = re.sub(r"\.-?(?=[^\W\d_])", ". ", name)
    name = " ".join(word for word in name.split() if any(map(str.isalpha, word)))
    return re.sub(r"\b([OoDd]') +", r"\1", name).strip(" ,-・")


def _latin(text: str) -> str:
    return " ".join(SCRIPT.sub(" ", _cleaned(text)).split()).strip(" ,-")


def _without_titles(name: str) -> str:
    """Without titles in front of a name or of what follows its comma, without suffixes, and without a name borne
    before.
    """
    whole, *behind_commas = re.sub(r"(?i)\bph\. ?d\b", "PhD", name).split(", ")
    suffixes = _words("suffixes") | _words("suffixes_after_comma")
    kept = [part for part in behind_commas if re.sub("[. ]", "", part).lower() not in suffixes]
    return ", ".join(filter(None, (_without_titles_of_part(part) for part in [whole, *kept])))


def _without_titles_of_part(part: str) -> str:
    words = part.split(" ")
    while words and (_bare(words[0]) in _words("titles") or _is_pointed_title(words[0])):
        words = words[1:]
    born = next((place for place, word in enumerate(words[:-1]) if place and _bare(word) in _words("born")), None)
    words = words[:born]
    while len(words) > 1 and _bare(words[-1]) in _words("suffixes"):
        words = words[:-1]
    return " ".join(words)


def _bare(word: str) -> str:
    return word.rstrip(".").lower()


def _is_pointed_title(word: str) -> bool:
    return word.endswith(".") and _bare(word) in _words("titles_with_point")


def _cased_given(name: str) -> str:
    return _with_points(proper_case(name, small=_words("particles") | _words("particles_inside")))


def _cased_family(name: str) -> str:
    particles = _words("particles")
    small = particles | _words("particles_inside")
    return _with_points(proper_case(name, small=small, small_in_front=particles))


def _with_points(name: str) -> str:
    """Initials with their points: J is J."""
    return " ".join(f"{word}." if len(word) == 1 and word.isupper() else word for word in name.split(" "))
