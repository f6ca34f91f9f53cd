"""Text without what surrounds it."""

from pyspark.sql import Column
from pyspark.sql import functions as F


def trimmed(name: str) -> Column:
    """Without surrounding white space; null when nothing remains."""
    return F.nullif(F.btrim(name, F.lit(" \t\r\n\u00a0")), F.lit(""))
