"""What the values of a file's columns look like."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from customerlake.bronze.guesses.times import TimePattern, time_pattern

ENOUGH = 0.9  # share of a column's values that must be of a kind
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
WHOLE = re.compile(r"[+-]?\d+(?:\.0+)?")
COMMA_NUMBER = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+)(?:,\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
URL = re.compile(r"https?://\S+|/\S*")
YES, NO = ("yes", "true", "1", "y", "t", "on"), ("no", "false", "0", "n", "f", "off")
YES_OR_NO = re.compile("|".join((*YES, *NO)), re.IGNORECASE)
SYMBOLS = {"€": "EUR", "£": "GBP", "R$": "BRL", "$": "USD", "₹": "INR", "zł": "PLN", "元": "CNY", "¥": "CNY"}
CURRENCIES = (
    "AED", "ARS", "AUD", "BGN", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK", "EGP", "EUR", "GBP", "HKD",
    "HUF",
    "IDR", "ILS", "INR", "JPY", "KRW", "MXN", "MYR", "NOK", "NZD", "PEN", "PHP", "PLN", "RON", "RUB", "SAR", "SEK",
    "SGD", "THB", "TRY", "TWD", "UAH", "USD", "VND", "ZAR",
)  # fmt: skip


@dataclass(frozen=True)
class Look:
    """A column: its name in the file, and its values without empty ones."""

    name: str
    values: tuple[str, ...]
    count_records: int

    @cached_property
    def counts(self) -> Counter[str]:
        return Counter(self.values)

    @cached_property
    def times(self) -> TimePattern | None:
        return time_pattern(self.values)

    @property
    def is_unique(self) -> bool:
        return len(self.values) > 1 and len(self.counts) == len(self.values) == self.count_records

    @property
    def is_whole(self) -> bool:
        return self.mostly(WHOLE)

    @property
    def is_yes_or_no(self) -> bool:
        said = {value.lower() for value in self.counts}
        return 0 < len(said) <= 2 and said <= {*YES, *NO}

    @property
    def is_mostly_yes_or_no(self) -> bool:
        return self.mostly(YES_OR_NO)

    def is_number(self, *, decimal_comma: bool = False) -> bool:
        return self.mostly(NUMBER) or (decimal_comma and self.mostly(COMMA_NUMBER))

    def mostly(self, kind: re.Pattern[str]) -> bool:
        """Most values are of a kind; a column without values is of none."""
        fitting = sum(count for value, count in self.counts.items() if kind.fullmatch(value))
        return bool(self.values) and fitting >= ENOUGH * len(self.values)


def look(name: str, values: Sequence[str | None]) -> Look:
    present = [value.strip() for value in values if value is not None]
    return Look(name, tuple(value for value in present if value), len(values))


def decimal_commas(looks: Iterable[Look]) -> tuple[list[str], list[str]]:
    """The columns with numbers such as 1.234,50, and those with numbers such as 1234.50."""
    commas, points = [], []
    for column in looks:
        with_comma = [value for value in column.counts if "," in value]
        with_point = [value for value in column.counts if "." in value]
        if with_comma and column.mostly(COMMA_NUMBER) and not all(map(THOUSANDS.fullmatch, with_comma)):
            commas.append(column.name)
        elif with_point and column.mostly(NUMBER) and not all(map(COMMA_NUMBER.fullmatch, with_point)):
            points.append(column.name)
    return commas, points


def numbers_not_read(column: Look) -> str | None:
    """What keeps the numbers of a column from being read, in words; None when nothing does, or it has none."""
    if any("," in value for value in column.counts) and column.mostly(
        re.compile(rf"{THOUSANDS.pattern}|{NUMBER.pattern}")
    ):
        return "commas between thousands"
    symbols = "|".join(re.escape(symbol) for symbol in SYMBOLS)
    codes = "|".join(CURRENCIES)
    if column.mostly(re.compile(rf"(?:{symbols}|{codes}) ?-?\d[\d.,]*|-?\d[\d.,]* ?(?:{symbols}|{codes})")):
        return "the currency beside each number"
    return None


def currency_of(looks: Sequence[Look]) -> tuple[str, str] | None:
    """The currency's code, and what says so: a column of codes, a symbol beside numbers, or a column's name."""
    for column in looks:
        codes = {value.upper() for value in column.counts}
        if codes and codes <= set(CURRENCIES):
            code = column.counts.most_common(1)[0][0].upper()
            return code, f"the column {column.name} says it" + (" most often" if len(codes) > 1 else "")
    for column in looks:
        if numbers_not_read(column) == "the currency beside each number":
            text = column.counts.most_common(1)[0][0]
            code = next(
                (code for mark, code in [*SYMBOLS.items(), *zip(CURRENCIES, CURRENCIES, strict=True)] if mark in text),
                "",
            )
            return code, f"it stands beside the numbers in {column.name}"
    for column in looks:
        for mark, code in [*SYMBOLS.items(), *zip(CURRENCIES, CURRENCIES, strict=True)]:
            if re.search(rf"(?:^|[^A-Za-z]){re.escape(mark)}(?:[^A-Za-z]|$)", column.name, re.IGNORECASE) and (
                column.is_number(decimal_comma=True)
            ):
                return code, f"the name of the column {column.name} says it"
    return None
