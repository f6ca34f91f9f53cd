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
    free = [place for place, column in enumerate(columns) if column.values]

    def take(name: str, places: Sequence[int]) -> Look | None:
        """Give the first of the places that is still free this name."""
        place = next((place for place in places if place in free), None)
        if place is None:
            return None
        names[place] = name
        free.remove(place)
        return columns[place]

    take("email", [place for place in free if columns[place].mostly(EMAIL)])
    times = {place: found for place in free if (found := columns[place].times)}
    at = take("ordered_at", sorted(times, key=lambda place: times[place].is_number_too))
    if at is None:
        return list(names.values())
    numbers = [place for place in free if columns[place].is_number(decimal_comma=decimal_comma)]
    fractions = [place for place in numbers if not columns[place].is_whole]
    ids = [place for place in free if place not in fractions and not _is_text(columns[place])]
    counts = [place for place in numbers if place not in (*fractions, *ids[:1]) and _is_small(columns[place])]
    quantity = take("quantity", counts if fractions or len(counts) > 1 else [])
    money = fractions or [place for place in reversed(numbers) if place in free and place not in ids[:1]]
    ids = [place for place in ids if place in free and place not in money[:1]]
    of_orders = [place for place in ids if _tells(columns[place], at)] if len(ids) > 1 else []
    order = take("order_id", of_orders)
    of_customers = [place for place in ids if order and _tells(order, columns[place])]
    take("customer_id", [*of_customers, *ids])
    product = take("product_id", ids)
    is_price = [bool(product and quantity and _is_price(columns[place], product, quantity)) for place in money]
    take("unit_price", [place for place, is_one in zip(money, is_price, strict=True) if is_one] or money[:-1][:1])
    take("amount", money)
    take("description", [place for place in free if _is_text(columns[place])])
    return list(names.values())


def _is_small(column: Look) -> bool:
    sizes = sorted(abs(float(value)) for value in column.values if NUMBER.fullmatch(value))
    is_code = any(len(value) > 1 and value.startswith("0") and value.isdigit() for value in column.counts)
    return bool(sizes) and sizes[len(sizes) // 2] < SMALL and not is_code


def _is_text(column: Look) -> bool:
    return sum(" " in value for value in column.values) > len(column.values) / 2


def _tells(column: Look, other: Look) -> bool:
    """Values that come again come with one value of another column, as those of an order; and they do come again."""
    if len(column.values) != len(other.values) or len(column.counts) == len(column.values):
        return False
    return len({*zip(column.values, other.values, strict=True)}) == len(column.counts)


def _is_price(column: Look, product: Look, quantity: Look) -> bool:
    """A product has fewer prices than quantities in which it is sold; its amounts are as many."""
    if not len(column.values) == len(product.values) == len(quantity.values):
        return False
    prices = {*zip(product.values, column.values, strict=True)}
    return len(prices) < len({*zip(product.values, quantity.values, strict=True)})
