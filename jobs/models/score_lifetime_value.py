"""gold.rfm and the champion -> scores.lifetime_value, for one --as-of date."""

from customerlake.gold.rfm import RFM
from customerlake.models.lifetime.training import kept_formula
from customerlake.models.lifetime_value import LIFETIME_VALUE, MODEL, lifetime_value_scores
from customerlake.models.registry import Registry
from customerlake.runtime import job


def main(run: job.Run) -> None:
    registry = Registry(run.root)
    version = registry.usable(MODEL, run.as_of)
    if version is None:
        run.remark("not scored: no version was trained on days up to --as-of")
        return
    fitted = kept_formula(registry, version)
    config, customers = run.config.lifetime_value, run.read_as_of(RFM)
    run.replace(LIFETIME_VALUE, lifetime_value_scores(fitted, customers, config, model_version=version.number))


if __name__ == "__main__":
    job.run(main)
