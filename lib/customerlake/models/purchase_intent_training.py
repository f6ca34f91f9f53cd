"""features.snapshot and features.labels -> the competition for purchase intent."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.features.group_history import largest_groups, of_groups
from customerlake.features.labels import with_labels
from customerlake.models.classifiers.competition import Split, split_rows
from customerlake.models.classifiers.evaluation import classification_metrics, score_counts
from customerlake.models.classifiers.numbers import Classifier
from customerlake.models.classifiers.training import Training
from customerlake.models.purchase_intent import LABEL, group_model, intent_task
from customerlake.models.registry import Registry, Version
from customerlake.models.splits import TimeSplit, told_of
from customerlake.models.trained import Trained
from customerlake.runtime.config import PurchaseIntentConfig

FEWEST_BUYERS = 100  # of groups of products, for them to be learnt


def train_purchase_intent(
    registry: Registry,
    config: PurchaseIntentConfig,
    snapshot: DataFrame,
    labels: DataFrame,
    splits: Sequence[TimeSplit],
    *,
    as_of: date,
    inputs: Mapping[str, tuple[str, int]],
    tags: Mapping[str, str],
    progress: Callable[[str], None],
    people: DataFrame | None = None,
    history: DataFrame | None = None,
) -> Trained:
    """Fit every candidate on the training dates of each split, judge it on the held-out date, register the best.

    With the `history` of groups of products one model of all groups is fitted beside, on the newest split.
    """
    known = with_labels(snapshot, labels, horizon_days=config.horizon_days, gap_days=config.gap_days)
    rows = split_rows(known.withColumn(LABEL, F.col("count_orders_after") > 0), splits)
    kept: dict[str, object] = {}
    metrics: dict[str, float] = {}
    if history is not None:
        progress("purchase_intent: groups of products")
        kept, metrics = learnt_groups(config, rows[0], history)
    training = Training(
        registry, config, intent_task(config), rows, as_of=as_of, tags=tags, progress=progress, kept=kept
    )
    return training.run(inputs, groups=people, parameters=told_of(splits), metrics=metrics)


def learnt_groups(
    config: PurchaseIntentConfig, split: Split, history: DataFrame
) -> tuple[dict[str, object], dict[str, float]]:
    """What scores the groups, and how good it is beside the share of customers who have bought the group.

    Nothing where the lake names too few purchases of groups.
    """
    known = history.where(F.col("as_of") < F.lit(split.name).cast("date")).cache()
    groups = largest_groups(known, config.product_groups) if config.product_groups else []
    model = group_model(config)
    training, holdout = (
        of_groups(rows, history, groups).withColumn(
            model.label, F.array_contains(F.coalesce("bought_groups", F.array()), F.col("product_group"))
        )
        for rows in (split.training, split.holdout)
    )
    if not groups or training.where(model.label).limit(FEWEST_BUYERS).count() < FEWEST_BUYERS:
        return {}, {}
    fitted = model.fit(training)
    found = model.evaluate(model.score(holdout, fitted))
    baseline = classification_metrics(
        score_counts(holdout, probability="group_popularity", label=model.label), threshold=model.threshold
    )
    known.unpersist()
    told = {f"groups_{name}": found[name] for name in ("roc_auc", "pr_auc", "brier", "lift_top_tenth")}
    told |= {f"groups_baseline_{name}": baseline[name] for name in ("roc_auc", "pr_auc")}
    return {"groups": groups, "group_classifier": fitted.model_dump()}, told


def kept_groups(registry: Registry, version: Version) -> tuple[list[str], Classifier] | None:
    """The groups of products that a version tells of, and what scores them; None where it tells of none."""
    kept = registry.values(version, "scoring.json")
    if "groups" not in kept:
        return None
    return kept["groups"], Classifier.model_validate(kept["group_classifier"])
