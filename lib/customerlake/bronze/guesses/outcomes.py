"""A table of customers with attributes and an outcome: which column is the outcome, which is the customer, what the
others are."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from customerlake.bronze.guesses.names import meaning, plain, says_a_time, words
from customerlake.bronze.guesses.values import NO, YES, Look

NAMED_CATEGORY = {
    "type", "types", "kind", "category", "class", "group", "segment", "region", "area", "district", "country", "state",
    "city", "zip", "postcode", "browser", "browsers", "system", "systems", "os", "device", "code", "channel", "status",
    "plan", "product", "brand", "branch", "store", "sex", "gender", "occupation", "job", "education", "marital",
    "month", "weekday", "language", "currency",
}  # fmt: skip
NAMED_ID = {
    "id",
    "no",
    "nr",
    "number",
    "num",
    "rownumber",
    "row",
    "index",
    "key",
    "uuid",
    "guid",
    "record",
    "phone",
    "email",
}
MOST_CATEGORIES = 50
HAPPENED = re.compile(
    r"(?:churn|exit|attrit|left|leav|lost|cancel|default|bad|bought|purchas|convert|respon|accept|subscri|positive|>)\w*",
    re.IGNORECASE,
)
Kind = Literal["number", "category"]


@dataclass(frozen=True)
class Attributes:
    """A file read as customers with attributes."""

    customer_id: str | None
    outcome: str | None
    outcome_is: str | None  # the text that means that it happened
    is_outcome_named: bool  # its name says that it is one
    attributes: dict[str, Kind]
    left_out: dict[str, str] = field(default_factory=dict)  # column -> why it is no attribute
    remarks: tuple[str, ...] = ()


def as_attributes(looks: Sequence[Look], *, decimal_comma: bool = False) -> Attributes:
    """What each column of a table of customers is."""
    outcome, is_named = _outcome(looks)
    customer = _customer(looks, outcome)
    kinds: dict[str, Kind] = {}
    left_out: dict[str, str] = {}
    for look in looks:
        if look in (outcome, customer):
            continue
        reason = _no_attribute(look, decimal_comma)
        if reason:
            left_out[look.name] = reason
        else:
            kinds[look.name] = _kind(look, decimal_comma)
    happened, remark = _happened(outcome) if outcome else (None, None)
    return Attributes(
        customer.name if customer else None, outcome.name if outcome else None, happened, is_named, kinds, left_out,
        (remark,) if remark else (),
    )  # fmt: skip


def _outcome(looks: Sequence[Look]) -> tuple[Look | None, bool]:
    """The column of two values that is called an outcome, else the last column when it says yes or no."""
    named = [look for look in looks if len(_said(look)) == 2 and meaning("outcome", look.name) > 0.8]
    if named:
        return max(named, key=lambda look: meaning("outcome", look.name)), True
    last = looks[-1] if looks else None
    return (last, False) if last and last.is_yes_or_no and len(_said(last)) == 2 else (None, False)


def _customer(looks: Sequence[Look], outcome: Look | None) -> Look | None:
    """The unique column that is called a customer's number, else the first unique one that is called a number."""
    unique = [look for look in looks if look.is_unique and look is not outcome and look.times is None]
    named = [look for look in unique if meaning("customer_id", look.name) > 0.7]
    ids = [look for look in unique if words(look.name)[-1:] == ["id"]]
    return next(iter([*named, *ids]), None)


def _said(look: Look) -> set[str]:
    return {value.lower() for value in look.counts}


def _happened(outcome: Look) -> tuple[str, str | None]:
    """The outcome's text for a customer to whom it happened."""
    values = sorted(outcome.counts, key=lambda value: outcome.counts[value])  # the rarer first
    yes = [value for value in values if value.lower() in YES]
    if yes and any(value.lower() in NO for value in values):
        return yes[0], None
    told = [value for value in values if HAPPENED.match(value)]
    if len(told) == 1:
        return told[0], None
    return values[0], f"{values[0]!r} is the rarer value of {outcome.name}, and was taken for: it happened"


def _no_attribute(look: Look, decimal_comma: bool) -> str | None:
    """Why a column says nothing of a customer that a model could learn from; None when it may."""
    is_number = look.is_number(decimal_comma=decimal_comma)
    if not look.values:
        return "empty"
    if len(look.counts) == 1:
        return "one value"
    if (look.is_unique and not is_number) or (len(look.counts) > 0.9 * len(look.values) and _is_named_id(look.name)):
        return "tells records apart"
    if look.times is not None and (says_a_time(look.name) or not look.times.is_number_too):
        return "a time"
    if not is_number and len(look.counts) > MOST_CATEGORIES:
        return f"{len(look.counts)} different texts"
    return None


def _is_named_id(name: str) -> bool:
    return not NAMED_ID.isdisjoint([*words(name)[-1:], plain(name)])


def _kind(look: Look, decimal_comma: bool) -> Kind:
    if not look.is_number(decimal_comma=decimal_comma):
        return "category"
    is_coded = look.is_whole and len(look.counts) <= MOST_CATEGORIES and not NAMED_CATEGORY.isdisjoint(words(look.name))
    counts = {"count", "number", "num", "n", "amount", "sum", "total", "days"}.intersection(words(look.name))
    return "category" if is_coded and not counts and len(look.counts) > 2 else "number"
