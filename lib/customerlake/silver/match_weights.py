"""silver.match_weights: what each agreement of two records tells, as it was learnt. The newest version is used."""

from datetime import datetime
from typing import Any

from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.silver.identity.match_weight import LevelWeight, MatchWeights

MATCH_WEIGHTS = Table(
    name="silver.match_weights",
    grain="one row per version, comparison and level",
    key=("version", "comparison", "place"),
    columns=(
        Field("version", T.LongType(), "from 1"),
        Field("comparison", T.StringType(), "what is compared"),
        Field("place", T.LongType(), "of the level, 0 for the closest"),
        Field("level", T.StringType(), "agreement"),
        Field("m", T.DoubleType(), "how often two records of one person agree like that", unit="share"),
        Field("u", T.DoubleType(), "how often two of different persons do", unit="share"),
        Field("match_weight", T.DoubleType(), "log2(m / u)", unit="bits"),
        Field("prior", T.DoubleType(), "that two records at random are one person's", unit="share"),
        Field("count_records", T.LongType(), "records that say enough of a person to learn from, when it was learnt"),
        Field("learnt_at", T.TimestampType(), "when", unit="UTC"),
    ),
)


def match_weights(weights: MatchWeights, *, version: int, learnt_at: datetime) -> list[dict[str, Any]]:
    """The rows of one version."""
    return [
        {
            "version": version, "comparison": name, "place": place, "level": one.level, "m": one.m, "u": one.u,
            "match_weight": one.weight, "prior": weights.prior, "count_records": weights.count_records,
            "learnt_at": learnt_at,
        }
        for name, levels in weights.levels.items()
        for place, one in enumerate(levels)
    ]  # fmt: skip


def newest(rows: list[dict[str, Any]]) -> tuple[int, MatchWeights | None]:
    """The newest version among the table's rows; 0 and None when there is none."""
    version = max((row["version"] for row in rows), default=0)
    own = sorted((row for row in rows if row["version"] == version), key=lambda row: row["place"])
    if not own:
        return 0, None
    names = dict.fromkeys(row["comparison"] for row in own)
    levels = {
        name: tuple(LevelWeight(level=row["level"], m=row["m"], u=row["u"]) for row in own if row["comparison"] == name)
        for name in names
    }
    return version, MatchWeights(prior=own[0]["prior"], levels=levels, count_records=own[0]["count_records"])
