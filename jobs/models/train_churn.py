"""features.snapshot and features.labels -> a registered version of the churn model, when the last one is too old."""

from customerlake.features.labels import LABELS
from customerlake.features.snapshot import SNAPSHOT
from customerlake.models.churn import churn_split
from customerlake.models.churn_training import MODEL, train_churn
from customerlake.models.registry import Registry
from customerlake.models.splits import needed_days
from customerlake.runtime import job


def main(run: job.Run) -> None:
    registry, config = Registry(run.root), run.config.churn
    if not run.retrain and not registry.is_due(MODEL, run.as_of, config.retrain_after_days):
        run.remark("kept: the last version is young enough")
        return
    split = churn_split(config, first_ordered_on=run.first_ordered_on, as_of=run.as_of)
    if split is None:
        run.remark(f"not trained: needs {needed_days(config.horizon_days)} days of sales before --as-of")
        return
    if run.read_as_of(SNAPSHOT).isEmpty():
        run.remark("not trained: the sales name no customer")
        return
    trained = train_churn(
        registry, config, run.read(SNAPSHOT), run.read(LABELS), split,
        as_of=run.as_of, inputs=run.inputs(), tags=run.tags(), progress=run.progress,
    )  # fmt: skip
    run.report_model(
        MODEL,
        trained.version.number,
        trained.best,
        trained.metrics,
        baseline=trained.baseline,
        is_champion=trained.is_champion,
    )


if __name__ == "__main__":
    job.run(main)
