"""Chance without a generator: every draw is a hash of the seed, the name of the draw and a row's own key.

So the same seed gives the same rows, whatever the engine, the partitions and the order in which rows are made.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

Key = Column | str
_STEP = 2.0**-53  # a double holds 53 bits exactly


@dataclass(frozen=True)
class Chance:
    """Draws of one seed. `name` tells draws about the same row apart; `key` are columns that tell the rows apart."""

    seed: int

    def bits(self, name: str, *key: Key) -> Column:
        """64 bits, as a long."""
        return F.xxhash64(F.lit(f"{self.seed}|{name}"), *[_column(part).cast("string") for part in key])

    def identifier(self, name: str, *key: Key, letter: str = "") -> Column:
        """A number of a record that tells nothing: 16 hexadecimal digits after `letter`."""
        return F.concat(F.lit(letter), F.lower(F.lpad(F.hex(self.bits(name, *key)), 16, "0")))

    def uniform(self, name: str, *key: Key) -> Column:
        """At least 0, less than 1."""
        return F.shiftrightunsigned(self.bits(name, *key), 11).cast("double") * F.lit(_STEP)

    def happens(self, probability: Column | float, name: str, *key: Key) -> Column:
        return self.uniform(name, *key) < probability

    def whole(self, low: int, high: Column | int, name: str, *key: Key) -> Column:
        """A whole number from low to high, both included."""
        count = (high if isinstance(high, Column) else F.lit(high)) - F.lit(low - 1)
        return (F.lit(low) + F.floor(self.uniform(name, *key) * count)).cast("int")

    def normal(self, name: str, *key: Key) -> Column:
        """Mean 0, standard deviation 1 (Box and Muller)."""
        length = F.sqrt(F.lit(-2.0) * F.log(F.lit(1.0) - self.uniform(f"{name}, length", *key)))
        return length * F.cos(F.lit(2 * math.pi) * self.uniform(f"{name}, angle", *key))

    def exponential(self, mean: Column | float, name: str, *key: Key) -> Column:
        return -F.log(F.lit(1.0) - self.uniform(name, *key)) * mean

    def chosen(self, values: Sequence[str], name: str, *key: Key) -> Column:
        """One of the texts, each as likely."""
        return one_of(values, self.uniform(name, *key))

    def weighted(self, weights: Mapping[str, float], name: str, *key: Key) -> Column:
        """One of the texts, by weights that sum to 1; what is left of 1 falls to the last."""
        draw, reached = self.uniform(name, *key), 0.0
        *firsts, last = weights
        chain = F.when(F.lit(False), F.lit(last))
        for value in firsts:
            reached += weights[value]
            chain = chain.when(draw < reached, F.lit(value))
        return chain.otherwise(F.lit(last))


def one_of(values: Sequence[str], draw: Column) -> Column:
    """The text at `draw`, from 0 to 1, of the way through the list."""
    position = F.floor(draw * len(values)).cast("int") + 1
    return F.element_at(F.split(F.lit("\n".join(values)), "\n"), position)  # one literal, not one for each text


def _column(part: Key) -> Column:
    return F.col(part) if isinstance(part, str) else part
