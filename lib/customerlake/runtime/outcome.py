"""What one step did: rows, tables, models, files, and what it has to say."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from customerlake.runtime.pipeline import Step
from customerlake.runtime.tables import Written


@dataclass
class Counts:
    """What became of the rows that the lake has received up to now: received = accepted + quarantined + duplicates."""

    received: int
    accepted: int
    quarantined: int
    duplicates: int


@dataclass
class TrainedModel:
    """A version that a step trained."""

    name: str
    version: str
    what: str
    metrics: dict[str, float]
    baseline: dict[str, float]
    is_champion: bool


@dataclass
class Outcome:
    """How one step ended."""

    step: Step
    state: Literal["succeeded", "unchanged", "lacking", "refused", "failed"] = (
        "succeeded"  # refused: and nothing else was done; lacking: the lake has not what it needs
    )
    seconds: float = 0.0
    written: list[Written] = field(default_factory=list)
    versions_read: dict[str, int] = field(default_factory=dict)
    counts: dict[str, Counts] = field(default_factory=dict)  # by table
    remarks: list[str] = field(default_factory=list)  # for the person who watches
    refused: list[str] = field(default_factory=list)  # sources, files and contracts that stopped, in words
    exports: list[Path] = field(default_factory=list)
    models: list[TrainedModel] = field(default_factory=list)
    batches: dict[str, int] = field(default_factory=dict)  # last landing taken, by table
    message: str | None = None
