"""Numbers and yes or no out of text. What cannot be read is null; a check then says so."""

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY

TRUE = ("true", "yes", "y", "t", "1", "on")
FALSE = ("false", "no", "n", "f", "0", "off")


def number(text: Column, kind: T.DataType = MONEY, *, decimal_comma: bool = False) -> Column:
    """The number that a text says with digits and a point, as spreadsheets do also with an exponent (1E-3); else null.

    With `decimal_comma`, points part the thousands and a comma the decimals. The two patterns are what every engine
    reads alike.
    """
    plain = F.replace(F.replace(text, F.lit("."), F.lit("")), F.lit(","), F.lit(".")) if decimal_comma else text
    exact = F.when(plain.rlike(r"^[+-]?[0-9]*\.?[0-9]*$"), plain.try_cast(kind))
    with_exponent = F.when(
        plain.rlike(r"^[+-]?[0-9]+\.?[0-9]*[eE][+-]?[0-9]+$"), plain.try_cast("double").try_cast(kind)
    )
    return F.coalesce(exact, with_exponent)


def whole_number(text: Column) -> Column:
    """The whole number that a text says, also with a point and zeros (17850.0), as spreadsheets write it."""
    return without_zero_decimals(text).try_cast("long")


def without_zero_decimals(text: Column) -> Column:
    """17850.0 and 17850.00 are 17850. The usual .0 is cut off, which takes a fraction of what a pattern does."""
    cut = F.when(text.endswith(".0"), F.left(text, F.length(text) - 2))
    return F.when(text.contains("."), F.coalesce(cut, F.regexp_replace(text, r"\.0+$", ""))).otherwise(text)


def yes_or_no(text: Column) -> Column:
    """Whether a text says yes; null when it says neither."""
    said = F.lower(text)
    return F.when(said.isin(*TRUE), True).when(said.isin(*FALSE), False)
