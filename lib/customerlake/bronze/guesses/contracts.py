"""Which feed a file's records are of, and which of its columns is which of that feed's contract."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import types as T

from customerlake.bronze.guesses.names import meaning, says_a_time
from customerlake.bronze.guesses.values import EMAIL, URL, Look, numbers_not_read
from customerlake.bronze.sources import OF_SALES, SOURCES
from customerlake.contracts.source import Received, Source
from customerlake.runtime.feeds import EPOCHS

LEAST_LIKELY = 0.4  # of a column to be taken for one of the contract
LESS_SURE = 0.8
NEEDED_OF_SALES: dict[str, tuple[str, ...]] = {
    "order_id": ("order_id", "customer_id"),  # what a customer bought on one day may be an order
    "product_id": ("product_id",),
    "quantity": ("quantity",),
    "ordered_at": ("ordered_at",),
    "unit_price": ("unit_price", "amount"),
    "customer_id": ("customer_id",),
}
NEEDED_OF_PROFILES: dict[str, tuple[str, ...]] = {
    "person": ("last_name", "full_name", "first_name", "email", "phone", "street")
}


@dataclass(frozen=True)
class Match:
    """A file's columns held against one feed's contract."""

    source: Source
    columns: Mapping[str, str]  # the contract's name -> the file's, of those found
    likelihoods: Mapping[str, float]  # of each of them, 0 to 1
    coverage: float  # how much of what the feed needs was found, and how surely, 0 to 1
    share: float  # of the file's columns that the contract names
    told: int  # columns whose values are those that the contract lists

    @property
    def score(self) -> float:
        """For comparing feeds."""
        return 2 * self.coverage + self.share + 0.3 * self.told


def matches(looks: Sequence[Look], *, decimal_comma: bool = False) -> list[Match]:
    """Every feed but that of attributes, the most likely first."""
    found = [
        match(looks, source, decimal_comma=decimal_comma) for feed, source in SOURCES.items() if _has_contract(feed)
    ]
    return sorted(found, key=lambda held: -held.score)


def match(looks: Sequence[Look], source: Source, *, decimal_comma: bool = False) -> Match:
    """The likeliest column of the file for each of the contract, each taken once."""
    likely = {
        (column.name, look.name): _likelihood(column, look, source, decimal_comma)
        for column in source.columns
        for look in looks
    }
    columns: dict[str, str] = {}
    for name, there in sorted(likely, key=lambda pair: -likely[pair]):
        if likely[name, there] >= LEAST_LIKELY and name not in columns and there not in columns.values():
            columns[name] = there
    sure = {name: likely[name, there] for name, there in columns.items()}
    if source.feed == "crm_profiles" and "profile_id" not in columns and "customer_id" in columns:
        columns["profile_id"] = columns["customer_id"]  # a CRM may number its profiles as the shop does its customers
        sure["profile_id"] = LESS_SURE * sure["customer_id"]
    found = {name: max(sure.get(other, 0.0) for other in others) for name, others in needed(source).items()}
    coverage = sum(found.values()) / len(found)
    by_name = {look.name: look for look in looks}
    told = sum(_are_its_values(source.column(name), by_name[there]) for name, there in columns.items())
    return Match(source, columns, sure, coverage, len({*columns.values()}) / max(len(looks), 1), told)


def needed(source: Source) -> dict[str, tuple[str, ...]]:
    """What a feed's records say little without; each with the columns of which one is enough."""
    if source.feed in OF_SALES:
        return NEEDED_OF_SALES
    names = [name for name in source.required if source.is_event or name != source.at]  # a day may stand for that
    own: dict[str, tuple[str, ...]] = {name: (name,) for name in names}
    return own | NEEDED_OF_PROFILES if source.feed == "crm_profiles" else own


def foreign_values(column: Received, look: Look) -> list[str]:
    """The values that the contract does not know, of a column with few."""
    return sorted({value.lower() for value in look.counts} - {*column.one_of}) if column.one_of else []


def is_time(column: Received) -> bool:
    return isinstance(column.type, T.TimestampType | T.DateType)


def _has_contract(feed: str) -> bool:
    return feed != "customer_attributes"  # whose columns are whatever they are


def _likelihood(column: Received, look: Look, source: Source, decimal_comma: bool) -> float:
    named = meaning(column.name, look.name, is_at=column.name == source.at, is_key=source.key == (column.name,))
    if column.name == "email" and look.mostly(EMAIL):
        named = max(named, 0.5)
    return named * _fit(column, look, decimal_comma) if named else 0.0


def _are_its_values(column: Received, look: Look) -> bool:
    """The contract says which values there are, and most are of these."""
    known = sum(count for value, count in look.counts.items() if value.lower() in column.one_of)
    return bool(look.values) and known >= 0.8 * len(look.values)


def _fit(column: Received, look: Look, decimal_comma: bool) -> float:
    """How well a column's values read as the contract's type, 0 to 1."""
    if not look.values:
        return 0.9
    kind = column.type
    if is_time(column):
        return _fit_of_time(column, look)
    if isinstance(kind, T.BooleanType):
        return float(look.is_mostly_yes_or_no)
    if isinstance(kind, T.NumericType):
        if isinstance(kind, T.IntegerType) and not look.is_whole:
            return 0.5 if look.is_number(decimal_comma=decimal_comma) else 0.0
        return 1.0 if look.is_number(decimal_comma=decimal_comma) else 0.6 if numbers_not_read(look) else 0.0
    if column.one_of:
        return 1.0 if _are_its_values(column, look) else 0.6
    return _fit_of_text(column, look)


def _fit_of_time(column: Received, look: Look) -> float:
    times = look.times
    if times is None or (times.is_number_too and not says_a_time(look.name) and look.name not in ("ordered_at",)):
        return 0.0
    return 0.0 if isinstance(column.type, T.DateType) and times.pattern in EPOCHS else 1.0


def _fit_of_text(column: Received, look: Look) -> float:
    if look.times is not None and not look.times.is_number_too:
        return 0.0
    if column.name == "email":
        return 1.0 if look.mostly(EMAIL) else 0.2
    if column.name in ("url", "referrer"):
        return 1.0 if look.mostly(URL) else 0.6
    if look.is_number() and not look.is_whole:
        return 0.2  # a text or code is no fraction
    if look.is_number() and column.name in (
        "description",
        "name",
        "full_name",
        "text",
        "city",
        "first_name",
        "last_name",
    ):
        return 0.2
    return 1.0
