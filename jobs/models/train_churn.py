"""features.snapshot and features.labels -> a registered version of the churn model, when the last one is too old."""

from customerlake.features.labels import LABELS
from customerlake.features.snapshot import SNAPSHOT
from customerlake.gold.segment_rules import SEGMENT_RULES
from customerlake.models.churn import MODEL
from customerlake.models.churn_training import train_churn
from customerlake.models.classifiers.fairness import groups_of_people
from customerlake.models.registry import Registry
from customerlake.models.splits import needed_days, time_splits
from customerlake.runtime import job


def main(run: job.Run) -> None:
    registry, config = Registry(run.root), run.config.churn
    if not run.retrain and not registry.is_due(MODEL, run.as_of, config.retrain_after_days):
        run.remark("kept: the last version is young enough")
        return
    splits = time_splits(config, first_ordered_on=run.first_ordered_on, as_of=run.as_of)
    if not splits:
        run.remark(f"not trained: needs {needed_days(config)} days of sales before --as-of")
        return
    if run.read_as_of(SNAPSHOT).isEmpty():
        run.remark("not trained: the sales name no customer")
        return
    trained = train_churn(
        registry, config, run.read(SNAPSHOT), run.read(LABELS), splits,
        as_of=run.as_of, inputs=run.inputs(), tags=run.tags(), progress=run.progress,
        people=groups_of_people(run.read_as_of(SEGMENT_RULES)),
    )  # fmt: skip
    run.report_model(MODEL, **trained.told())


if __name__ == "__main__":
    job.run(main)
