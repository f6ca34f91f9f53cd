"""features.attributes and the champion -> scores.outcome."""

from customerlake.features.attributes import ATTRIBUTES
from customerlake.models.outcome import MODEL, OUTCOME, outcome_scores
from customerlake.models.outcome_training import usable
from customerlake.models.registry import Registry
from customerlake.runtime import job


def main(run: job.Run) -> None:
    registry = Registry(run.root)
    version = registry.usable(MODEL, run.observed_on)
    if version is None:
        run.remark("not scored: no version was trained")
        return
    fitted, threshold, features = usable(registry, version)
    scored = outcome_scores(
        fitted, run.read(ATTRIBUTES), run.config.outcome, features,
        threshold=threshold, model_version=version.number,
    )  # fmt: skip
    run.overwrite(OUTCOME, scored)


if __name__ == "__main__":
    job.run(main)
