"""How old a person can be."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from customerlake.contracts.checks import Plausible
from customerlake.silver.cleaning.dates import OLDEST


def plausible_age(on: str) -> Plausible:
    """A person is born by the day of `on`, and less than OLDEST years before it. Reads: birth_on."""

    def holds() -> Column:
        day = F.col(on).cast("date")
        return (F.col("birth_on") <= day) & (F.col("birth_on") > F.add_months(day, -12 * OLDEST))

    return Plausible(f"the age is not between 0 and {OLDEST} years", ("birth_on", on), holds)
