"""silver.identity_links: pairs of records that may be one person's, each with what speaks for it and against it."""

from collections.abc import Callable
from math import log2

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.quarantine import rows_where
from customerlake.contracts.table import Field, Table
from customerlake.silver.identity.comparison import Comparison
from customerlake.silver.identity.persons import (
    COMPARISONS,
    IS_SOMEONE_ELSE,
    RULES,
    SHARES_BIRTH,
    SHARES_CONTACT,
    WITHOUT_CONTACT,
)

WEIGHTS = tuple(f"weight_{comparison.name}" for comparison in COMPARISONS)
LEVELS = tuple(comparison.level_column for comparison in COMPARISONS)


def _levels_of(comparison: Comparison) -> str:
    named = [f"{place} {name}" for place, name in enumerate(comparison.level_names())]
    return f"{', '.join(named)}; -1 not known"


IDENTITY_LINKS = Table(
    name="silver.identity_links",
    grain="one row per pair of records whose probability ever reached identity.review_probability",
    key=("record_id_l", "record_id_r"),
    columns=(
        Field("record_id_l", T.LongType(), "the smaller record_id of the two"),
        Field("record_id_r", T.LongType(), "the larger one"),
        Field("record_l", T.StringType(), "<source>:<source_record_id> of the first", personal="identify"),
        Field("record_r", T.StringType(), "<source>:<source_record_id> of the second", personal="identify"),
        Field("state", T.StringType(), "linked; review: in the grey zone; someone else: two people; gone"),
        Field("match_weight", T.DoubleType(), "the prior and all weights", unit="bits"),
        Field("match_probability", T.DoubleType(), "that they are one person's", unit="share"),
        Field("found_by", T.StringType(), "the first rule that both have a key of"),
        *[Field(name, T.DoubleType(), f"what {name.removeprefix('weight_')} tells", unit="bits") for name in WEIGHTS],
        *[Field(one.level_column, T.IntegerType(), _levels_of(one)) for one in COMPARISONS],
        Field("_batch", T.LongType(), "write of this table that last changed it"),
    ),
    statistics_on=("_batch",),
)


def is_sure(link_from: float) -> Column:
    """The pair is likely enough, and more than the names speaks for it."""
    by_birth = F.expr(SHARES_BIRTH) & (F.col("match_weight") >= log2(link_from / (1 - link_from)) + WITHOUT_CONTACT)
    return (F.col("match_probability") >= link_from) & (F.expr(SHARES_CONTACT) | by_birth)


def identity_links(*, link_from: float, review_from: float, batch: int) -> Callable[[DataFrame], DataFrame]:
    """Weighed pairs with both records' names (record_l, record_r) -> the links among them."""

    def links(weighed: DataFrame) -> DataFrame:
        names = F.array(*[F.lit(rule.name) for rule in RULES])
        state = F.when(F.expr(IS_SOMEONE_ELSE), "someone else").when(is_sure(link_from), "linked").otherwise("review")
        return (
            weighed.transform(rows_where(F.col("match_probability") >= review_from))
            .withColumns({"state": state, "found_by": F.get(names, F.col("rule")), "_batch": F.lit(batch)})
            .transform(IDENTITY_LINKS.conform)
        )

    return links
