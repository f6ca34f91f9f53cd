"""The part of a lake file that one feed is: its columns, times and what it lacks, and comments on these."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pyspark.sql import types as T

from customerlake.bronze.guesses.contracts import Match, foreign_values, is_time
from customerlake.bronze.guesses.outcomes import Attributes
from customerlake.bronze.guesses.samples import Sample
from customerlake.bronze.guesses.values import Look, numbers_not_read
from customerlake.bronze.sources import OF_SALES
from customerlake.contracts.source import Received, Source, bronze_table

NOT_SURE = 0.8  # a column that is less likely is marked
MACHINE_TIME, MACHINE_DAY = "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd"
MOST_VALUES_SAID = 8
STANDS_IN = {
    "order_id": "the file has none: what a customer bought on one day is an order",
    "product_id": "the file has none: its lines are of no product",
    "quantity": "the file has none: it is 1",
    "unit_price": "the file has none: it is the amount by unit",
}
"""What silver.order_lines makes of a column that sales lack."""


@dataclass(frozen=True)
class Drafted:
    """A feed's settings beside those by which its files are read."""

    feed: str
    settings: dict[str, Any]
    comments: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def as_customers(found: Attributes, last_changed_on: date) -> Drafted:
    """A table of customers with attributes."""
    comments = {
        "observed_on": "the day on which the file last changed; correct it: the day on which the attributes were true",
        "attributes": "take out what was only known after the outcome",
    }
    if found.customer_id is None:
        comments["columns.customer_id"] = "no column is unique and called so: a record's number stands for its customer"
    if found.outcome is None:
        comments["columns.outcome"] = "no column of two values is called so, nor is the last one yes or no"
    elif not found.is_outcome_named:
        comments["columns.outcome"] = "a guess: the last column, which says yes or no"
    settings: dict[str, Any] = {"columns": {"customer_id": found.customer_id, "outcome": found.outcome}}
    settings |= {"outcome_is": found.outcome_is} if found.outcome_is else {}
    settings |= {"observed_on": last_changed_on, "attributes": found.attributes}
    left_out = ", ".join(f"{name} ({reason})" for name, reason in found.left_out.items())
    said = [f"kept, but no attributes: {left_out}"] if left_out else []
    return Drafted("customer_attributes", settings, comments, (*found.remarks, *said))


def as_records(found: Match, seen: Sample, last_changed_on: date) -> Drafted:
    """Records of a feed with a contract."""
    source, looks = found.source, {look.name: look for look in seen.looks}
    columns: dict[str, str | None] = dict(found.columns)
    columns |= {c.name: None for c in source.columns if c.name not in columns and not c.is_optional}
    constants = {
        c.name: f"{last_changed_on}"
        for c in source.columns
        if columns.get(c.name, "") is None and _needs_time(c, source)
    }
    constants = {
        name: f"{day} 00:00:00" if isinstance(source.column(name).type, T.TimestampType) else day
        for name, day in constants.items()
    }
    times, comments, remarks = _times(source, columns, looks)
    comments |= _of_columns(found, columns, constants, seen, looks)
    comments |= {
        f"constants.{name}": "no column says it: the day on which the file last changed; correct it"
        for name in constants
    }
    settings: dict[str, Any] = dict(times)
    if source.feed in OF_SALES:
        prefix, comment = _cancellations(looks.get(columns.get("order_id") or ""))
        settings |= prefix | ({"channel": "store"} if source.feed == "pos_sales" else {})
        comments |= {"cancellation_prefix": comment} if comment else {}
    settings["columns"] = {c.name: columns[c.name] for c in source.columns if c.name in columns}
    settings |= {"constants": constants} if constants else {}
    others = [look.name or "(without a name)" for look in seen.looks if look.name not in columns.values()]
    if others:
        remarks.append(
            f"not of the feed {source.feed}, kept in {bronze_table(source).name}._extra: {', '.join(others)}"
        )
    return Drafted(source.feed, settings, comments, tuple(remarks))


def _needs_time(column: Received, source: Source) -> bool:
    return is_time(column) and column.name in {*source.required, source.at}


def _times(
    source: Source, columns: dict[str, str | None], looks: dict[str, Look]
) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """timestamp_format and date_format with comments on them, and remarks on columns that are written otherwise."""
    settings: dict[str, str] = {}
    comments: dict[str, str] = {}
    remarks: list[str] = []
    for setting, kind, default in (
        ("timestamp_format", T.TimestampType, MACHINE_TIME),
        ("date_format", T.DateType, MACHINE_DAY),
    ):
        patterns = {
            there: times
            for column in sorted(source.columns, key=lambda column: column.name != source.at)
            if isinstance(column.type, kind)
            and (there := columns.get(column.name))
            and there in looks
            and (times := looks[there].times)
        }
        if not patterns:
            continue
        first = next(iter(patterns.values()))
        if first.pattern != default:
            settings[setting] = first.pattern
        if first.doubt:
            settings[setting] = first.pattern
            comments[setting] = first.doubt
        elif first.pattern.endswith("X"):
            comments[setting] = "its times say their zone: leave time_zone at UTC"
        remarks += [
            f"{there} is written as {times.pattern}, other than {setting}: see whether it is read"
            for there, times in patterns.items()
            if times.pattern not in (first.pattern, default)
        ]
    return settings, comments, remarks


def _of_columns(
    found: Match, columns: dict[str, str | None], constants: dict[str, str], seen: Sample, looks: dict[str, Look]
) -> dict[str, str]:
    comments = {}
    for name, there in columns.items():
        column = found.source.column(name)
        if there is None:
            said = _of_lacking(column, found, constants)
        else:
            said = _of_found(column, found.likelihoods.get(name, 1.0), looks.get(there), seen.decimal_comma)
        if said:
            comments[f"columns.{name}"] = said
    return comments


def _of_lacking(column: Received, found: Match, constants: dict[str, str]) -> str | None:
    if column.name in constants:
        return "the file has none: see constants"
    if found.source.feed in OF_SALES:
        has_amount = "amount" in found.columns
        if column.name == "unit_price" and not has_amount:
            return "the file has none, and no amount: it is 0, and nothing a sale"
        return STANDS_IN.get(column.name, "the file has none")
    if column.name in found.source.required:
        return "NEEDED, and not found: name the file's column, or give a constant; else every record is rejected"
    return "the file has none"


def _of_found(column: Received, likelihood: float, look: Look | None, decimal_comma: bool) -> str | None:
    said = []
    foreign = foreign_values(column, look) if look is not None else []
    if likelihood < NOT_SURE and not foreign:
        said.append("a guess: see whether it is meant")
    if look is not None and look.values:
        if foreign:
            few = (
                ", ".join(foreign[:MOST_VALUES_SAID])
                if len(foreign) <= 3 * MOST_VALUES_SAID
                else f"{len(foreign)} others"
            )
            said.append(f"it says {few}, but {', '.join(column.one_of)} are known: other records are rejected")
        if isinstance(column.type, T.IntegerType) and not look.is_whole:
            said.append("not all are whole numbers: other records are rejected")
        if isinstance(column.type, T.NumericType) and not look.is_number(decimal_comma=decimal_comma):
            said.append(f"its numbers will not be read, for {numbers_not_read(look)}: export it without")
    return "; ".join(said) or None


def _cancellations(orders: Look | None) -> tuple[dict[str, str], str | None]:
    """The prefix of orders that take one back, by how the orders begin."""
    ids: Sequence[str] = list(orders.counts) if orders else []
    with_c = sum(text.upper().startswith("C") for text in ids)
    if 2 * with_c > len(ids):
        return {"cancellation_prefix": ""}, "orders begin with C; name what those begin with that take one back"
    if with_c:
        return {
            "cancellation_prefix": "C"
        }, f"{with_c} of {len(ids)} orders begin with it: see whether they take one back"
    return {}, None
