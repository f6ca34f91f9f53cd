"""What a feature is: something that was known of a customer on a date, which models learn from."""

from dataclasses import dataclass

from customerlake.contracts.table import Purpose


@dataclass(frozen=True)
class Feature:
    """A number, or a word where `is_category`. `words` says its value to a reader; {value} and {typical} stand in it.

    A count is 0 for a customer without an event, from the channel's first event on. Everything else is null where there
    is nothing to measure, and all of a channel is null where the lake does not have it.
    """

    name: str
    doc: str
    words: str
    unit: str | None = None
    source: str = "silver.orders"  # table that it is made of
    is_category: bool = False
    is_skewed: bool = False  # it has a long tail: models take log(1 + x)
    is_count: bool = False
    personal: Purpose | None = None
