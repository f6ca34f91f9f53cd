"""features.snapshot and the champion -> scores.segments, for one --as-of date."""

from customerlake.features.snapshot import SNAPSHOT
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
    names = {int(number): name for number, name in registry.values(version, "scoring.json")["names"].items()}
    snapshot = run.read_as_of(SNAPSHOT)  # before the model: loading one needs the engine that this starts
    scored = Segments(run.config.segments).score(snapshot, registry.load(version))
    run.replace(SEGMENTS, scored.transform(named(names, version.number)))


if __name__ == "__main__":
    job.run(main)
