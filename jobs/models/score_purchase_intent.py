"""features.snapshot, order lines and the champion -> scores.purchase_intent, for one --as-of date."""

from customerlake.features.group_history import group_history, of_groups
from customerlake.features.snapshot import SNAPSHOT
from customerlake.models.classifiers.training import kept_classifier
from customerlake.models.purchase_intent import MODEL, PURCHASE_INTENT, likely_groups, purchase_intent_scores
from customerlake.models.purchase_intent_training import kept_groups
from customerlake.models.registry import Registry
from customerlake.runtime import job
from customerlake.silver.identities import IDENTITIES, of_number
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.product_list import PRODUCT_LIST


def main(run: job.Run) -> None:
    registry, config = Registry(run.root), run.config.purchase_intent
    version = registry.usable(MODEL, run.as_of)
    if version is None:
        run.remark("not scored: no version was trained on days up to --as-of")
        return
    fitted, threshold = kept_classifier(registry, version)
    snapshot, listed, groups = run.read_as_of(SNAPSHOT), run.read_if_any(PRODUCT_LIST), None
    kept = kept_groups(registry, version)
    if kept is not None and listed is not None:
        names, of_group = kept
        lines = run.read(ORDER_LINES).transform(of_number(run.read(IDENTITIES)))
        history = lines.transform(group_history(listed, [run.as_of]))
        groups = likely_groups(of_groups(snapshot, history, names), of_group, config)
    scored = purchase_intent_scores(
        fitted, snapshot, config, threshold=threshold, model_version=version.number, groups=groups
    )
    run.replace(PURCHASE_INTENT, scored)


if __name__ == "__main__":
    job.run(main)
