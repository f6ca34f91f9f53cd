"""features.snapshot and the champion -> scores.segments, for one --as-of date."""

from customerlake.features.snapshot import SNAPSHOT
from customerlake.models.formula import Clusters
from customerlake.models.registry import Registry
from customerlake.models.segments import SEGMENTS, Segments, named
from customerlake.models.segments_training import MODEL
from customerlake.runtime import job


def main(run: job.Run) -> None:
    registry = Registry(run.root)
    version = registry.usable(MODEL, run.as_of)
    if version is None:
        run.remark("not scored: no version was trained on days up to --as-of")
        return
    kept = registry.values(version, "scoring.json")
    names = {int(number): name for number, name in kept["names"].items()}
    formula = Clusters.model_validate(kept["formula"])
    scored = Segments(run.config.segments).score(run.read_as_of(SNAPSHOT), formula)
    run.replace(SEGMENTS, scored.transform(named(names, version.number)))


if __name__ == "__main__":
    job.run(main)
