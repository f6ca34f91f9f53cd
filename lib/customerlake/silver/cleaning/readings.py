"""Latin letters of names in Japanese and Chinese script."""

import re
from functools import cache

from pypinyin import lazy_pinyin

from customerlake.silver.cleaning.reference import reference_pairs, reference_rows

IN_SCRIPT = "\u3005\u3041-\u3096\u30a1-\u30fe\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
KANA = "\u3041-\u3096\u30a1-\u30fa\u30fc"  # without the point between foreign names, which stand given name first
HAN = "\u3005\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
IN_KANA = re.compile(f"[{KANA}]+")
HAN_THEN_KANA = re.compile(f"[{HAN}]+([{KANA}]{{2,}})")
IN_HAN = re.compile(f"[{HAN}]+")
SPELL_BY_OTHER_RULES = ("JP", "KR", "HK", "MO", "TW", "SG", "MY")  # 陳 is Chan in Hong Kong, Tan in Singapore
UNKNOWN = ("", "")


def latin_reading(words: list[str], country: str | None) -> tuple[str, str]:
    """Family and given name in Latin letters, of a name's words in script, family name first; empty texts when script
    alone does not tell.

    Kana by Hepburn as in Japanese passports, where long vowels have no mark (さとう is Sato), when the two names stand
    apart, or the given name alone is in kana. Nobody can tell a reading from kanji.

    Chinese by pinyin, with the readings that family names have. Signs alone do not say whether a name is Chinese: it
    must begin with a Chinese family name, of two signs or of one, have one or two more signs, and hold a sign that
    Japanese has not, or begin with no family name that is frequent in Japan. In China (CN) the last need not be. Where
    Chinese spell their names by other rules, as in Hong Kong, there is no reading.
    Source: Hepburn table of Japan's Ministry of Foreign Affairs; GB/T 28039-2011 for how names in pinyin are written.
    """
    name = "".join(words)
    if country == "KR":
        return UNKNOWN
    if only_given := HAN_THEN_KANA.fullmatch(name):
        return "", _hepburn(only_given[1])
    if len(words) == 2 and IN_KANA.fullmatch(name):
        return _hepburn(words[0]), _hepburn(words[1])
    if country in SPELL_BY_OTHER_RULES or not IN_HAN.fullmatch(name):
        return UNKNOWN
    return _pinyin(words, is_chinese=country == "CN")


def _hepburn(kana: str) -> str:
    latin = reference_pairs("kana")
    katakana = re.sub("[\u3041-\u3096]", lambda hiragana: chr(ord(hiragana[0]) + 0x60), kana).replace("ー", "")
    text = re.sub("|".join(sorted(latin, key=len, reverse=True)), lambda found: latin[found[0]], katakana)
    text = re.sub("ッ(.)", r"\1\1", text.replace("ッch", "tch")).replace("ッ", "")
    text = re.sub("n(?=[bmp])", "m", text)
    text = re.sub("(?<=[yhj])uu", "u", re.sub("oo(?=.)", "o", text))
    text = re.sub("(?<!n)ou|nou(?!e|chi)", lambda long: long[0][:-1], text)  # Sato, but Inoue and Takenouchi
    return text.capitalize()


def _pinyin(words: list[str], *, is_chinese: bool) -> tuple[str, str]:
    name, surnames = "".join(words), reference_pairs("chinese_surnames")
    family = next((name[:length] for length in (2, 1) if name[:length] in surnames), "")
    given = name.removeprefix(family)
    is_name = family and len(given) in (1, 2) and (len(words) == 1 or words[0] == family)
    if not is_name or not (is_chinese or len(family) == 2 or _cannot_be_japanese(name)):
        return UNKNOWN
    first, *others = lazy_pinyin(given, v_to_u=True)
    syllables = [first, *(f"'{other}" if other[0] in "aoe" else other for other in others)]
    return surnames[family], "".join(syllables).capitalize()


def _cannot_be_japanese(name: str) -> bool:
    """By the sets of signs that Japanese, simplified and traditional Chinese have, and by Japan's family names."""
    if not _can_be_written_in("cp932", name):
        return True
    is_chinese = _can_be_written_in("gb2312", name) or _can_be_written_in("big5", name)
    return is_chinese and not name.startswith(_japanese_surnames())


def _can_be_written_in(encoding: str, name: str) -> bool:
    try:
        return bool(name.encode(encoding))
    except UnicodeEncodeError:
        return False


@cache
def _japanese_surnames() -> tuple[str, ...]:
    return tuple(surname for (surname,) in reference_rows("japanese_surnames"))
