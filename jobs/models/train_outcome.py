"""features.attributes -> a registered version of the outcome model, when the last one is too old."""

from customerlake.features.attributes import ATTRIBUTES
from customerlake.models.outcome import MODEL
from customerlake.models.outcome_training import train_outcome
from customerlake.models.registry import Registry
from customerlake.runtime import job


def main(run: job.Run) -> None:
    registry, config = Registry(run.root), run.config.outcome
    as_of = run.observed_on
    if not run.retrain and not registry.is_due(MODEL, as_of, config.retrain_after_days):
        run.remark("kept: the last version is young enough")
        return
    trained = train_outcome(
        registry, config, run.read(ATTRIBUTES),
        as_of=as_of, inputs=run.inputs(), tags=run.tags(as_of), progress=run.progress,
    )  # fmt: skip
    run.report_model(MODEL, **trained.told())


if __name__ == "__main__":
    job.run(main)
