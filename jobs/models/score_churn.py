"""features.snapshot and the champion -> scores.churn, for one --as-of date."""

from customerlake.features.snapshot import SNAPSHOT
from customerlake.models.churn import CHURN, MODEL, churn_scores
from customerlake.models.classifiers.training import kept_classifier
from customerlake.models.registry import Registry
from customerlake.runtime import job


def main(run: job.Run) -> None:
    registry = Registry(run.root)
    version = registry.usable(MODEL, run.as_of)
    if version is None:
        run.remark("not scored: no version was trained on days up to --as-of")
        return
    fitted, threshold = kept_classifier(registry, version)
    snapshot = run.read_as_of(SNAPSHOT)
    scored = churn_scores(fitted, snapshot, run.config.churn, threshold=threshold, model_version=version.number)
    run.replace(CHURN, scored)


if __name__ == "__main__":
    job.run(main)
