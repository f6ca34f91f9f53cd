"""Look at a file or folder and write a first draft of a lake file, with what there is to check as comments."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import yaml

from customerlake.bronze.guesses.contracts import Match, match, matches
from customerlake.bronze.guesses.drafts import Drafted, as_customers, as_records
from customerlake.bronze.guesses.forms import form_of
from customerlake.bronze.guesses.outcomes import Attributes, as_attributes
from customerlake.bronze.guesses.samples import Place, Sample, place_of, sample
from customerlake.bronze.guesses.values import currency_of
from customerlake.bronze.landing import content
from customerlake.bronze.sources import OF_SALES, SOURCES
from customerlake.errors import ConfigError, LandingError

SURE = 0.8  # of what a feed needs: its contract is then the file's, whatever else is there
LIKELY = 0.5
LEAST_SHARE = 0.4  # of the file's columns that the contract of a feed names
DEFAULT_CURRENCY = "EUR"
ATTRIBUTES = "customer_attributes"


@dataclass(frozen=True)
class Draft:
    """A lake file's values for one feed, and what a person should check."""

    path: str
    name: str  # of the lake
    currency: str
    feed: str
    settings: dict[str, Any]  # of the feed, as the lake file holds them
    comments: dict[str, str] = field(default_factory=dict)  # currency, or a setting as in columns.order_id -> a remark
    remarks: tuple[str, ...] = ()
    time_zone: str = "UTC"


def draft(path: str, *, feed: str | None = None, encoding: str | None = None) -> Draft:
    """A draft for the file, or for the files of one kind in the folder, at a path; of `feed`, or the likeliest.

    Raises: LandingError when nothing is there or it cannot be read; ConfigError for a feed or encoding that is none.
    """
    if feed is not None and feed not in SOURCES:
        near = difflib.get_close_matches(feed, SOURCES, n=1)
        advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(SOURCES)}."
        raise ConfigError(f"There is no feed {feed}; {advice}")
    place = place_of(path)
    try:
        contents = [content(place.folder, file.path)[0] for file in place.files]
        seen = sample(contents, form_of(contents[0], encoding))
    except LandingError as error:
        raise LandingError(f"{path}: {error}.") from error
    drafted = _drafted(seen, place, feed)
    found = currency_of(seen.looks)
    comments = {
        "currency": f"{found[1]}; correct it when the lake reports in another" if found else
        "a guess: nothing in the file says it; correct it",
        "time_zone": "a guess: the file does not say it; correct it, as in Europe/London",
    }  # fmt: skip
    settings = {"path": place.folder, "pattern": place.pattern, "format": seen.form.format} | seen.form.settings
    settings |= {"header": list(seen.header)} if seen.header else {}
    settings |= {"decimal_comma": True} if seen.decimal_comma else {}
    if seen.header:
        comments["header"] = (
            "the file has none: these names are a guess by the values; correct them here and in columns"
        )
    return Draft(
        path, _name(place), found[0] if found else DEFAULT_CURRENCY, drafted.feed, settings | drafted.settings,
        comments | drafted.comments, (_summary(seen, place), *seen.remarks, *drafted.remarks),
    )  # fmt: skip


def inspect_command(path: str, feed: str | None = None) -> str:
    """The text that `customerlake inspect` prints: a lake file, ready to be saved and corrected."""
    return as_yaml(draft(path, feed=feed))


def as_yaml(drafted: Draft) -> str:
    """The lake file, with remarks above and comments beside what they are about."""
    lines = [
        f"# A first draft, made by: customerlake inspect {drafted.path}",
        "# Check what the comments say, correct it, and save this as a lake file.",
        *[f"# - {_one_line(remark)}" for remark in drafted.remarks],
    ]
    values = {"name": drafted.name, "currency": drafted.currency, "time_zone": drafted.time_zone}
    lines += _lines(values, drafted.comments, indent=0)
    lines += ["feeds:", f"  {drafted.feed}:", *_lines(drafted.settings, drafted.comments, indent=4)]
    return "\n".join(lines) + "\n"


def _lines(values: dict[str, Any], comments: dict[str, str], *, indent: int, above: str = "") -> list[str]:
    lines = []
    for name, value in values.items():
        key = f"{' ' * indent}{_scalar(name)}:"
        comment = f" # {_one_line(comments[above + name])}" if above + name in comments else ""
        if isinstance(value, dict) and value:
            lines += [key + comment, *_lines(value, comments, indent=indent + 2, above=f"{name}.")]
        else:
            lines.append(f"{key} {_scalar(value)}{comment}")
    return lines


def _scalar(value: Any) -> str:
    """A value as YAML on one line: text in quotes where it would be read as something else."""
    text = yaml.safe_dump(value, allow_unicode=True, width=10**9, default_flow_style=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _drafted(seen: Sample, place: Place, feed: str | None) -> Drafted:
    """The draft of the feed that was asked for, else of the likeliest."""
    day = place.last_changed_on
    if feed == ATTRIBUTES:
        return as_customers(as_attributes(seen.looks, decimal_comma=seen.decimal_comma), day)
    if seen.form.format == "baskets":
        if feed not in (None, *OF_SALES):
            raise ConfigError(
                f"{place.pattern} holds baskets, which are lines of sales; ask for {', '.join(OF_SALES)}."
            )
        baskets = Match(SOURCES[feed or "sales"], {"order_id": "basket", "product_id": "item"}, {}, 1, 1, 0)
        return as_records(baskets, seen, day)
    if feed is not None:
        return as_records(match(seen.looks, SOURCES[feed], decimal_comma=seen.decimal_comma), seen, day)
    ranked = matches(seen.looks, decimal_comma=seen.decimal_comma)
    customers = as_attributes(seen.looks, decimal_comma=seen.decimal_comma)
    if _are_customers(customers, ranked[0]):
        return as_customers(customers, day)
    drafted = as_records(ranked[0], seen, day)
    return Drafted(drafted.feed, drafted.settings, drafted.comments, (*_second(ranked), *drafted.remarks))


def _are_customers(customers: Attributes, best: Match) -> bool:
    """A table of customers with an outcome, that is of no other feed; or of nothing that a contract is for."""
    if customers.outcome is None:
        return best.coverage < LIKELY and best.share < LIKELY and bool(customers.attributes or not best.columns)
    return best.coverage < (SURE if customers.is_outcome_named else LIKELY) or best.share < LEAST_SHARE


def _second(ranked: Sequence[Match]) -> list[str]:
    best, second = ranked[0], ranked[1]
    said = []
    if best.coverage < LIKELY:
        said.append(f"no feed fits well; {best.source.feed} fits best. There are {', '.join(SOURCES)}: ask by --feed")
    elif best.source.feed == "sales":
        said.append(
            "sales of any kind; ask by --feed pos_sales or --feed web_orders when they are of tills or a web shop"
        )
    elif second.score > 0.9 * best.score:
        said.append(f"it may also be {second.source.feed}: ask by --feed {second.source.feed}")
    return said


def _summary(seen: Sample, place: Place) -> str:
    count = max(column.count_records for column in seen.looks)
    files = f", of {len(place.files)} of {place.count_files} files" if place.count_files > 1 else ""
    return f"read: {count:,} records of {len(seen.looks)} columns{files}, as {seen.form.format}"


def _name(place: Place) -> str:
    """The lake's name: the file's, or its folder's where that says more than a date."""
    folder = PurePosixPath(place.folder).name
    stem = place.pattern.partition(".")[0]
    for text in (stem, folder):
        name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
        if re.match(r"[a-z]", name):
            return name
    return "my_lake"
