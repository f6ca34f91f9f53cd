"""Postal addresses: keys of streets, house numbers, postcodes and cities in one spelling."""

import re
import unicodedata
from functools import cache

from pyspark.sql import Column

from customerlake.silver.cleaning.letters import ALIKE, NARROW, WIDE, composed, proper_case, without_accents
from customerlake.silver.cleaning.reference import once_per_value, reference_rows, reference_values

LONGEST_STREET, LONGEST_CITY, LONGEST_POSTCODE = 200, 100, 20  # signs; what is behind them is cut off
UNIT = re.compile(
    r"\b(flat|apartment|apt|appartement|appt|unit|suite|room|wohnung|whg|floor|level|etage|"
    r"p\.? ?o\.? ?box|box|postfach|bp)\b"
    r"[ .:#-]*([0-9]+[a-z]?)\b"
)
BOXES = ("postfach", "bp")
SIGN_OF_NUMBER = re.compile(r"\b(?:nr|no|num|numero)\b\.?\s*(?=[0-9])|\bs/n\b")
ONE_NUMBER = r"[0-9]{1,5}(?:[a-z](?![a-z0-9])| ?[a-z](?=\s*(?:,|$))| ?(?:bis|ter|quater)\b)?"
NUMBER = re.compile(
    rf"(?<![a-z0-9#])({ONE_NUMBER}(?:\s*[-/]\s*(?:{ONE_NUMBER}|[a-z](?![a-z0-9])))*)(?![a-z0-9]|\.\s*[a-z])"
)
JOINED = ("strasse", "weg", "gasse", "platz", "allee")  # Goethe-Str., Goethestr. and Goethestraße are one street
DIRECTIONS = ("north", "south", "east", "west", "upper", "lower", "n", "s", "e", "w")
SIGN_OF_COUNTRY = re.compile("^[A-Z]{1,3} ?- ?(?=[0-9])")  # as in D-80331
TO_HALF_WIDTH = str.maketrans(WIDE, NARROW)
WILD = {"#": "[0-9]", "@": "[A-Z]", "*": "[A-Z0-9]"}


def street_key(street: Column) -> Column:
    """A street with its house number as it is compared, so that "12 High Rd" is "High Road 12": "12 high road".

    The house number first, then the words in small letters without accents and punctuation, abbreviations written out
    by conf/reference/street_words.csv, with one word for a kind of way (av., avda. and avenida are avenue); last flats
    and boxes. St is street where a name ends, and before it Saint. Null without a letter or digit.
    """
    return once_per_value(_street_key, street)


def house_number(street: Column) -> Column:
    """The house number in a street line: 12, 12a, 12-14, 5bis; in small letters without spaces, null without one.

    At the start; else the first at the end of the line or before a comma; else the first. Numbers of flats, floors and
    boxes, ordinals (5th Avenue, Straße des 17. Juni) and what stands close to letters (Q7) are none.
    """
    return once_per_value(_house_number, street)


def postcode(text: Column, country: Column) -> Column:
    """A postcode as its country, ISO 3166 alpha-2, writes it (SW1A 1AA, 1234 AB, 00-001); null when it does not fit
    there.

    Forms are those of conf/reference/postcodes.yaml. Spaces, hyphens and case do not matter, nor a country's sign in
    front (D-80331). Of countries without a form, and of none, the text in capitals.
    """
    return once_per_value(_postcode, text, country)


def city_name(text: Column) -> Column:
    """A city in one spelling: München for Munich, MÜNCHEN and Muenchen; for display.

    By conf/reference/cities.yaml its own people's spelling, or the English one where they do not write Latin letters;
    of other cities as said, with capitals where they belong. A postcode in front is left out. Null without a letter.
    """
    return once_per_value(_city_name, text)


def _street_key(street: str) -> str | None:
    line, units = _line_and_units(street)
    number = _number_in(line)
    rest = f"{line[: number.start()]} {line[number.end() :]}" if number else line
    words = _written_out(re.findall(r"[^\W_]+", re.sub(r"'(?=s\b)", "", rest)))
    return " ".join([*([_spelt(number)] if number else []), *words, *units]) or None


def _house_number(street: str) -> str | None:
    number = _number_in(_line_and_units(street)[0])
    return _spelt(number) if number else None


def _line_and_units(street: str) -> tuple[str, list[str]]:
    """A street line in small letters without accents; and the flats and boxes that were in it, as "flat 2", "box 2"."""
    floors_off = re.sub(r"[0-9]+\s*[ºª]", " ", street[:LONGEST_STREET])
    line = without_accents(composed(floors_off, longest=LONGEST_STREET).translate(ALIKE))
    units = [f"{'box' if name in BOXES or 'box' in name else 'flat'} {number}" for name, number in UNIT.findall(line)]
    return SIGN_OF_NUMBER.sub(" ", UNIT.sub(",", line)).strip(" ,"), units


def _number_in(line: str) -> re.Match[str] | None:
    found = list(NUMBER.finditer(line))
    if not found or found[0].start() == 0:
        return found[0] if found else None
    return next((number for number in found if re.match(r"\s*(,|$)", line[number.end() :])), found[0])


def _spelt(number: re.Match[str]) -> str:
    return re.sub(r"(?<=[0-9])/(?=[a-z])", "", re.sub(r"\s", "", number[1]))


def _written_out(words: list[str]) -> list[str]:
    anywhere, in_front, at_end = (_street_words(place) for place in ("any", "first", "last"))
    last = len(words) - 1
    written: list[str] = []
    for place, word in enumerate(words):
        full = anywhere.get(word, word)
        if word == "st":
            full = "street" if place and (place == last or words[place + 1] in DIRECTIONS) else "saint"
        elif last > 0 and place in (0, last):
            full = (in_front if place == 0 else at_end).get(word, full)
        full = re.sub("(str|straat)$", "strasse", full) if len(full) > 3 else full
        if full in JOINED and written:
            full = written.pop() + full
        written.append(full)
    return list(filter(None, written))  # what goes without saying, as ul. in Poland, is written as nothing


@cache
def _street_words(place: str) -> dict[str, str]:
    return {short: word for short, word, where in reference_rows("street_words") if where == place}


def _postcode(text: str, country: str | None) -> str | None:
    tidy = " ".join("".join(" " if _is_blank(sign) else sign for sign in _narrow(text)).upper().split())
    bare = SIGN_OF_COUNTRY.sub("", tidy.removesuffix(".0"))  # .0 by spreadsheets
    signs = re.sub("[^A-Z0-9]", "", bare)
    forms = _postcode_forms().get(country or "")
    if forms is None:
        return tidy or None
    return next((form.sub(spelling, signs) for form, spelling in forms if form.fullmatch(signs)), None)


def _narrow(text: str) -> str:
    return text.strip(" ")[:LONGEST_POSTCODE].translate(TO_HALF_WIDTH)


def _is_blank(sign: str) -> bool:
    return sign.isspace() or unicodedata.category(sign) in ("Zs", "Zl", "Zp", "Cc", "Cf")


@cache
def _postcode_forms() -> dict[str, list[tuple[re.Pattern[str], str]]]:
    """Of each country, patterns over a postcode's letters and digits, and how such a one is spelt."""
    return {
        country: [_postcode_form(country, form) for form in written]
        for country, written in reference_values("postcodes").items()
    }


def _postcode_form(country: str, form: str) -> tuple[re.Pattern[str], str]:
    parts = re.fullmatch(f"({country}[ -]?)?(.*)", form)
    sign, groups = (parts[1] or "", re.split("([ -])", parts[2])) if parts else ("", [form])
    pattern = "".join(f"({''.join(WILD.get(one, one) for one in group)})" for group in groups[::2])
    spelling = sign + "".join(rf"\{place // 2 + 1}" if place % 2 == 0 else gap for place, gap in enumerate(groups))
    optional = f"(?:{sign.strip(' -')})?" if sign else ""
    return re.compile(optional + pattern), spelling


def _city_name(text: str) -> str | None:
    said = re.sub(r"^[A-Z]{0,3}-?[0-9]{4,6}\s+", "", composed(text, longest=LONGEST_CITY)).strip(" ,;-")
    if not any(map(str.isalpha, said)):
        return None
    return _cities().get(_city_key(said)) or proper_case(said, small=reference_values("cities")["small_words"])


def _city_key(name: str) -> str:
    return "".join(filter(str.isalnum, without_accents(name)))


@cache
def _cities() -> dict[str, str]:
    return {
        _city_key(said): city
        for city, others in reference_values("cities")["names"].items()
        for said in (city, *others)
    }
