"""Whether a file's first line names its columns, and how they may be called when it does not."""

from collections.abc import Sequence

from customerlake.bronze.guesses.names import is_known
from customerlake.bronze.guesses.times import time_pattern
from customerlake.bronze.guesses.values import EMAIL, NUMBER, URL, Look, look

SMALL = 1000  # units: the median quantity of a line is below


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """The first line has a text of its own above each column, of another kind than what stands below it."""
    first, others = rows[0], rows[1:]
    named = [name for name in first if name]
    known = sum(map(is_known, named))
    if not named or len(named) < len(first) - 1 or (len({*named}) < len(named) and not known):
        return False
    if any(_is_value(name) for name in named) and known < len(named) / 2:
        return False
    if known:
        return True
    below = [look(name, [row[place] for row in others if place < len(row)]) for place, name in enumerate(first)]
    if any(_is_value(value) for column in below for value in list(column.counts)[:1]):
        return True
    return not any(name in column.counts for name, column in zip(first, below, strict=True))


def _is_value(text: str) -> bool:
    return any(kind.fullmatch(text) for kind in (NUMBER, EMAIL, URL)) or time_pattern([text]) is not None


def guessed_names(columns: Sequence[Look], *, decimal_comma: bool = False) -> list[str]:
    """Names of the contracts for columns without any, by their values; column_<number> where nothing is likely."""
    names = {place: f"column_{place + 1}" for place in range(len(columns))}
    free = {place: column for place, column in enumerate(columns) if column.values}

    def take(name: str, places: Sequence[int]) -> None:
        if places:
            names[places[0]] = name
            free.pop(places[0])

    take("email", [place for place, column in free.items() if column.mostly(EMAIL)])
    timed = [place for place, column in free.items() if column.times]
    take("ordered_at", sorted(timed, key=lambda place: columns[place].times.is_number_too))  # type: ignore[union-attr]
    if "ordered_at" not in names.values():
        return list(names.values())
    at = next(columns[place] for place, name in names.items() if name == "ordered_at")
    numbers = [place for place, column in free.items() if column.is_number(decimal_comma=decimal_comma)]
    fractions = [place for place in numbers if not columns[place].is_whole]
    whole = [place for place in numbers if columns[place].is_whole and _is_small(columns[place])]
    ids = [place for place in free if place not in fractions and not _is_text(columns[place])]
    rest = [place for place in whole if place != ids[0]]  # the first that may be a number of something is
    take("quantity", rest if fractions or len(rest) > 1 else [])
    if len(fractions) > 1:
        take("unit_price", fractions)
        fractions.pop(0)
    take("amount", fractions or [place for place in reversed(numbers) if place in free and place != ids[0]])
    ids = [place for place in ids if place in free]
    if len(ids) > 1:
        of_orders = [place for place in ids if _tells_the_time(columns[place], at)]
        take("order_id", of_orders)
        ids = [place for place in ids if place in free]
    take("customer_id", ids)
    take("product_id", ids[1:])
    take("description", [place for place in free if _is_text(columns[place])])
    return list(names.values())


def _is_small(column: Look) -> bool:
    sizes = sorted(abs(float(value)) for value in column.values if NUMBER.fullmatch(value))
    is_code = any(len(value) > 1 and value.startswith("0") and value.isdigit() for value in column.counts)
    return bool(sizes) and sizes[len(sizes) // 2] < SMALL and not is_code


def _is_text(column: Look) -> bool:
    return sum(" " in value for value in column.values) > len(column.values) / 2


def _tells_the_time(column: Look, at: Look) -> bool:
    """Values that come again do so at one time only, as the lines of an order; and they do come again."""
    if len(column.values) != len(at.values) or len(column.counts) == len(column.values):
        return False
    return len({*zip(column.values, at.values, strict=True)}) == len(column.counts)
