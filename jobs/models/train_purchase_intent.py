"""features.snapshot, features.labels, lines -> a registered version of purchase intent, when the last is too old."""

from customerlake.features.group_history import group_history
from customerlake.features.labels import LABELS
from customerlake.features.snapshot import SNAPSHOT
from customerlake.gold.segment_rules import SEGMENT_RULES
from customerlake.models.classifiers.fairness import groups_of_people
from customerlake.models.purchase_intent import MODEL
from customerlake.models.purchase_intent_training import train_purchase_intent
from customerlake.models.registry import Registry
from customerlake.models.splits import dates_of, needed_days, time_splits
from customerlake.runtime import job
from customerlake.silver.identities import IDENTITIES, of_number
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.product_list import PRODUCT_LIST


def main(run: job.Run) -> None:
    registry, config = Registry(run.root), run.config.purchase_intent
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
    listed, lines = run.read_if_any(PRODUCT_LIST), run.read(ORDER_LINES).transform(of_number(run.read(IDENTITIES)))
    trained = train_purchase_intent(
        registry, config, run.read(SNAPSHOT), run.read(LABELS), splits,
        as_of=run.as_of, inputs=run.inputs(), tags=run.tags(), progress=run.progress,
        people=groups_of_people(run.read_as_of(SEGMENT_RULES)),
        history=None if listed is None else lines.transform(group_history(listed, dates_of(splits))),
    )  # fmt: skip
    run.report_model(MODEL, **trained.told())


if __name__ == "__main__":
    job.run(main)
