"""Which record's value stands for a customer, attribute by attribute, by rules that are stated here."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from customerlake.silver.customer_records import CARDS, CRM, ORDERED, SENT, SHOP, TICKETS

BY_A_PERSON = (CRM, CARDS, TICKETS)  # whose forms people filled in, the most trusted first
OF_MAILBOXES = (CRM, ORDERED, CARDS, TICKETS, SENT)


@dataclass(frozen=True)
class Survives:
    """Attributes that stand or fall together. Only records that have one of them take part.

    Of those the ones that are `complete` go before the others; then `first` decides, the most trusted source or the
    newest value; then the other one; of equals the record with the higher evidence and number.
    """

    attributes: tuple[str, ...]
    first: str  # "trusted" or "newest"
    trusted: tuple[str, ...] = BY_A_PERSON  # the most trusted source first; others come after them
    complete: str = "true"  # SQL over the record
    with_it: tuple[str, ...] = ()  # what is said about them, and counts for nothing alone

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.attributes, *self.with_it)

    @property
    def origin(self) -> str:
        return f"{self.attributes[0]}_from"

    def value(self) -> Column:
        """Over the records of one customer: rank, attributes and origin of what survives; null when none has it."""
        trust = F.lit(0)
        for place, source in enumerate(reversed(self.trusted), start=1):
            trust = F.when(F.col("source") == source, place).otherwise(trust)
        newest = F.coalesce(F.unix_micros("valid_from"), F.lit(-(2**62)))
        order = (trust, newest) if self.first == "trusted" else (newest, trust)
        rank = [F.expr(self.complete).cast("int"), *[column.cast("long") for column in order], F.col("evidence")]
        says = F.struct(
            *[column.alias(f"rank_{place}") for place, column in enumerate(rank)],
            F.concat_ws(":", "source", "source_record_id").alias("origin"),
            *self.columns,
            F.col("valid_from"),
        )
        return F.max(F.when(F.coalesce(*self.attributes).isNotNull(), says))


SURVIVORSHIP: Sequence[Survives] = (
    Survives(("first_name",), "trusted", complete="length(first_name) > 2"),  # no initial
    Survives(("last_name",), "trusted", complete="length(last_name) > 2"),
    Survives(("native_name",), "trusted"),
    Survives(("title",), "trusted"),
    Survives(("sex",), "trusted", complete="sex_filled_by IS NULL", with_it=("sex_filled_by",)),  # said, then inferred
    Survives(("birth_on",), "trusted"),
    Survives(("email",), "newest", OF_MAILBOXES),
    Survives(("phone",), "newest"),
    Survives(("postcode", "street", "city", "region"), "newest", complete="street IS NOT NULL"),  # one home, not two
    Survives(("country",), "trusted", (SHOP, *BY_A_PERSON)),  # where the shop delivered last
)
