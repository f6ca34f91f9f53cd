"""features.attributes and the champion -> scores.outcome."""

from customerlake.features.attributes import ATTRIBUTES
from customerlake.models.outcome import OUTCOME, outcome_scores
from customerlake.models.outcome_training import MODEL, usable
from customerlake.models.registry import Registry
from customerlake.runtime import job


def main(run: job.Run) -> None:
    registry = Registry(run.root)
    version = registry.usable(MODEL, run.observed_on)
    if version is None:
        run.remark("not scored: no version was trained")
        return
    model, formula = usable(registry, run.config.churn, version)
    run.overwrite(OUTCOME, outcome_scores(model, formula, run.read(ATTRIBUTES), model_version=version.number))


if __name__ == "__main__":
    job.run(main)
