"""What the engines can do. What one lacks or does differently is known under `runtime/`, and listed here."""

from collections.abc import Collection
from typing import Literal

from customerlake.errors import EngineError

Engine = Literal["spark", "sail"]
NAMES: dict[Engine, str] = {"spark": "JVM Spark", "sail": "sail"}

Feature = Literal[
    "MLlib", "table upkeep", "table history", "change data feed", "tables by name", "streaming", "JDBC",
    "session windows", "SQL PIVOT",
]  # fmt: skip

LACKS: dict[Engine, dict[Feature, str]] = {
    "spark": {},
    "sail": {
        "MLlib": "fits no models",
        "table upkeep": "knows no OPTIMIZE, VACUUM and RESTORE",
        "table history": "knows no DESCRIBE HISTORY",
        "change data feed": "reads a table as if the feed had not been asked for",
        "tables by name": "replaces all rows of a named table where those of a part are to be replaced",
        "streaming": "writes no stream into a table in memory, and keeps no checkpoint of one",
        "JDBC": "has no such source",
        "session windows": "knows no session_window",
        "SQL PIVOT": "reads no such clause",
    },
}
"""What an engine does not have, and what it does instead: tests/runtime/test_engines.py holds each to the engine."""


def engine_for(needs: Collection[Feature], asked: Engine) -> Engine:
    """The engine asked for where it has all that is needed; else JVM Spark, which has everything."""
    return "spark" if any(feature in LACKS[asked] for feature in needs) else asked


def require(engine: Engine, needs: Collection[Feature], what: str) -> None:
    """Raises: EngineError when `engine` lacks what `what` (a step or an option) needs."""
    lacking = [feature for feature in needs if feature in LACKS[engine]]
    if lacking:
        raise EngineError(
            f"{what} needs {', '.join(lacking)}: {NAMES[engine]} {LACKS[engine][lacking[0]]}. Choose --engine spark."
        )
