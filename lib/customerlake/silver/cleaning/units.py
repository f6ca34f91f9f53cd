"""Weight, length and volume in SI units. What a unit is worth comes from pint, once, when the expression is made."""

from decimal import Decimal
from functools import cache
from typing import Literal

from pyspark.sql import Column
from pyspark.sql import functions as F

from customerlake.silver.cleaning.reference import reference_values

Kind = Literal["weight", "length", "volume"]
System = Literal["US", "imperial"]

SI: dict[Kind, str] = {"weight": "kilogram", "length": "meter", "volume": "meter ** 3"}
OF_TWO_SIZES = ("fluid_ounce", "cup", "pint", "quart", "gallon")  # a pint holds a fifth more in Britain


def in_si(value: Column, unit: Column, kind: Kind, *, volumes: System = "US") -> Column:
    """A value in kilograms, metres or cubic metres, as a double; null where the unit is none of its kind.

    Capitals, spaces and points of a unit do not matter. `volumes` says whose gallons, pints and fluid ounces are meant;
    the oz of a volume is a fluid ounce.
    """
    spelled = F.lower(F.translate(unit, " .\t\u00a0", ""))
    worth = F.when(F.lit(False), F.lit(0.0))
    for factor, spellings in _factors(kind, volumes).items():
        worth = worth.when(spelled.isin(*spellings), F.lit(factor))
    return value.try_cast("double") * worth


@cache
def _factors(kind: Kind, volumes: System) -> dict[float, list[str]]:
    """What one of a unit is in SI -> how that unit is spelled."""
    import pint

    units: pint.UnitRegistry[Decimal] = pint.UnitRegistry(non_int_type=Decimal)
    factors = {}
    for unit, spellings in reference_values("units")[kind].items():
        name = f"imperial_{unit}" if volumes == "imperial" and unit in OF_TWO_SIZES else unit
        factors[float(units.Quantity(Decimal(1), name).m_as(SI[kind]))] = spellings
    return factors
