"""Countries by their codes."""

import re
from functools import cache

from babel import Locale
from babel.core import get_global
from pyspark.sql import Column

from customerlake.silver.cleaning.letters import composed, without_accents
from customerlake.silver.cleaning.reference import once_per_value, reference_pairs

LONGEST_COUNTRY = 100  # signs
LANGUAGES = (
    "en", "de", "fr", "es", "it", "nl", "pt", "da", "sv", "nb", "fi", "is", "pl", "cs",
    "sk", "hu", "ro", "bg", "el", "tr", "ru", "uk", "ar", "he", "ja", "ko", "zh", "zh_Hant",
)  # fmt: skip
OF_NO_COUNTRY = {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"}  # reserved
KIND_OF_STATE = "republic|kingdom|state|commonwealth|principality|grand duchy|sultanate"
IN_FRONT = re.compile(rf"^(the |((federal|democratic|islamic|arab) )*({KIND_OF_STATE}) of (the )?)")


def country_code(text: Column) -> Column:
    """ISO 3166-1 alpha-2 of a country that is named in any of 28 languages, or by its alpha-2 or alpha-3 code; null
    when it is none (Unspecified, European Community).

    Names are those of the Unicode CLDR, by Babel, with what sales call countries besides in
    conf/reference/country_names.csv: the nations of the United Kingdom are GB; EIRE, RSA and UK are no ISO codes and
    known. The Channel Islands have no code of their own and count as Guernsey (GG); Kosovo has XK, as everywhere where
    it is told apart.
    """
    return once_per_value(_code, text)


def _code(text: str) -> str | None:
    said = composed(text, longest=LONGEST_COUNTRY)
    if code := _codes().get(said.upper()):
        return code
    name = without_accents(said)
    begin, _, _ = name.partition(",")  # Korea, Republic of
    tried = (name, IN_FRONT.sub("", name), begin, re.sub(r"\(.*\)", "", name))
    return next(filter(None, (_names().get(_key(form)) for form in tried)), None)


def _key(name: str) -> str:
    return "".join(filter(str.isalnum, name.replace("&", "and").replace("saint ", "st ")))


@cache
def _codes() -> dict[str, str]:
    """The codes of two letters and, by CLDR's aliases, of three."""
    two = {code for code in map(str, Locale("en").territories) if re.fullmatch("[A-Z]{2}", code)} - OF_NO_COUNTRY
    aliases = get_global("territory_aliases").items()
    three = {code: to[0] for code, to in aliases if re.fullmatch("[A-Z]{3}", code) and len(to) == 1 and to[0] in two}
    return three | {code: code for code in two}


@cache
def _names() -> dict[str, str]:
    """Codes by every name that is one country's alone."""
    codes: dict[str, set[str]] = {}
    for language in LANGUAGES:
        for code, name in Locale.parse(language).territories.items():
            if code in _codes():
                codes.setdefault(_key(without_accents(str(name))), set()).add(str(code))
    certain = {name: next(iter(of_name)) for name, of_name in codes.items() if len(of_name) == 1}
    return certain | {_key(without_accents(name)): code for name, code in reference_pairs("country_names").items()}
