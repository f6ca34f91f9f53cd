"""features.snapshot -> a registered version of the segments, when the last one is too old."""

from customerlake.features.snapshot import SNAPSHOT
from customerlake.models.registry import Registry
from customerlake.models.segmentation.training import train_segments
from customerlake.models.segments import MODEL
from customerlake.runtime import job


def main(run: job.Run) -> None:
    registry, config = Registry(run.root), run.config.segments
    if not run.retrain and not registry.is_due(MODEL, run.as_of, config.retrain_after_days):
        run.remark("kept: the last version is young enough")
        return
    snapshot = run.read_as_of(SNAPSHOT)
    if snapshot.isEmpty():
        run.remark("not trained: the sales name no customer")
        return
    trained = train_segments(
        registry, config, snapshot, as_of=run.as_of, inputs=run.inputs(), tags=run.tags(), progress=run.progress
    )
    run.report_model(MODEL, **trained.told())


if __name__ == "__main__":
    job.run(main)
