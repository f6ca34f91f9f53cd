"""What came of a training, for the person who watches."""

from dataclasses import dataclass
from typing import Any

from customerlake.models.registry import Version


@dataclass(frozen=True)
class Trained:
    """A registered version, and how it did beside its baseline and the champion on the same held-out rows."""

    version: Version
    best: str  # what was registered, in words
    metrics: dict[str, float]
    baseline: dict[str, float]
    champion_before: float | None  # its metric on the same rows
    is_champion: bool
    warnings: tuple[str, ...]

    def told(self) -> dict[str, Any]:
        """What `Run.report_model` takes."""
        return {
            "version": self.version.number,
            "what": self.best,
            "metrics": self.metrics,
            "baseline": self.baseline,
            "is_champion": self.is_champion,
            "warnings": self.warnings,
        }
