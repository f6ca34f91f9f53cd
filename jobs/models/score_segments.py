"""features.snapshot and the champion -> scores.segments, for one --as-of date."""

from customerlake.features.snapshot import SNAPSHOT
from customerlake.models.registry import Registry
from customerlake.models.segmentation.training import kept_by
from customerlake.models.segments import MODEL, SEGMENTS, segment_scores
from customerlake.runtime import job


def main(run: job.Run) -> None:
    registry = Registry(run.root)
    version = registry.usable(MODEL, run.as_of)
    if version is None:
        run.remark("not scored: no version was trained on days up to --as-of")
        return
    fitted, snapshot = kept_by(registry, version), run.read_as_of(SNAPSHOT)
    run.replace(SEGMENTS, segment_scores(fitted, snapshot, run.config.segments, model_version=version.number))


if __name__ == "__main__":
    job.run(main)
