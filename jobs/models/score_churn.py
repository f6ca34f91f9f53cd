"""features.snapshot and the champion -> scores.churn, for one --as-of date."""

from customerlake.features.snapshot import SNAPSHOT
from customerlake.models.churn import CHURN, Churn, churn_scores
from customerlake.models.churn_training import MODEL
from customerlake.models.formula import kept_classifier
from customerlake.models.registry import Registry
from customerlake.runtime import job


def main(run: job.Run) -> None:
    registry = Registry(run.root)
    version = registry.usable(MODEL, run.as_of)
    if version is None:
        run.remark("not scored: no version was trained on days up to --as-of")
        return
    kept = registry.values(version, "scoring.json")
    model = Churn(run.config.churn, kept["candidate"])
    formula = kept_classifier(kept["formula"])
    snapshot = run.read_as_of(SNAPSHOT)
    scored = churn_scores(model, formula, snapshot, typical=kept["typical"], model_version=version.number)
    run.replace(CHURN, scored)


if __name__ == "__main__":
    job.run(main)
