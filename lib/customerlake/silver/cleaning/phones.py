"""Phone numbers, as international numbers."""

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType, ValidationResult
from pyspark.sql import Column
from pyspark.sql import functions as F

from customerlake.silver.cleaning.reference import once_per_value

LONGEST_PHONE = 60  # signs; what is longer is no number
WORDS = re.compile(
    r"(?i)\b(tel|telephone|telefon|phone|mobile|mobil|mob|cell|handy|fax|privat|private|home|work)\b[.:]*"
)
EXTENSION = re.compile(r"(?i)[ ,;/(-]*(?:\bext(?:ension)?|x|#|durchwahl|\bdw|\bposte)\.?:? ?[0-9]{1,6}\)?\s*$")
SECOND = re.compile(r"(?i)\s+/\s+|[;,|]|\s+(?:or|oder|ou|and|und|et)\s+")


def e164(phone: Column, country: Column, *, default_country: str | None) -> Column:
    """The number as E.164 (+442079460018), by the library phonenumbers; null when it is none.

    A country code in front (+, 00) says the country; else `country`, ISO 3166 alpha-2, does; else `default_country`.
    Where several numbers are said, the first that is in use. Extensions are left out; a zero in brackets is left out
    where the country writes none. A number of a range that is not in use by the library's tables is kept if its length
    fits, as ranges are opened faster than tables are renewed; one digit over and over, or digits in a row, is a
    placeholder and no number.
    """
    return once_per_value(_e164, phone, F.coalesce(country, F.lit(default_country)))


def phone_region(number: Column) -> Column:
    """The country, ISO 3166 alpha-2, of a number in E.164; null where its range is not in use."""
    return once_per_value(_region, number)


def is_mobile(number: Column) -> Column:
    """Whether a number in E.164 may be a mobile's: also where, as in the USA, numbers do not tell. False of what is not
    in use.
    """
    return once_per_value(_mobile, number).cast("boolean")


def _e164(phone: str, country: str | None) -> str | None:
    text = re.sub(r"\.0$", "", phone.strip())  # spreadsheets take numbers for amounts
    if len(text) > LONGEST_PHONE or "@" in text:
        return None
    region = country.upper() if country else None
    possible = None
    for part in dict.fromkeys((text, *SECOND.split(text))):
        for form in _forms(EXTENSION.sub("", WORDS.sub("", part))):
            number = _parsed(form, region)
            if number is not None and phonenumbers.is_valid_number(number):
                return phonenumbers.format_number(number, PhoneNumberFormat.E164)
            possible = possible or (number if number is not None and _is_possible(number) else None)
    return None if possible is None else phonenumbers.format_number(possible, PhoneNumberFormat.E164)


def _forms(text: str) -> list[str]:
    """A number with a country code behind 00 read as such first; with a zero in brackets, and without it."""
    if re.search(r"[^\W\d_]", text):  # keypads of letters are not read: words are likelier
        return []
    international = re.sub(r"^[\s(]*[0０]{2}(?=[\s)]*[1-9１-９])", "+", text)
    return [
        form
        for said in dict.fromkeys((international, text))
        for form in dict.fromkeys((said, re.sub(r"[(（]\s*[0０]\s*[)）]", "", said)))
    ]


def _parsed(text: str, region: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except NumberParseException:
        return None


def _is_possible(number: PhoneNumber) -> bool:
    digits = str(number.national_number)
    is_placeholder = len(set(digits)) == 1 or digits in "01234567890123456789" or digits in "98765432109876543210"
    return not is_placeholder and phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE


def _region(number: str) -> str | None:
    parsed = _parsed(number, None)
    return None if parsed is None else phonenumbers.region_code_for_number(parsed)


def _mobile(number: str) -> str | None:
    parsed = _parsed(number, None)
    if parsed is None:
        return None
    kinds = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
    return "true" if phonenumbers.number_type(parsed) in kinds else "false"
