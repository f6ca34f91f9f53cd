"""How a classifier does for groups of people: by sex, age and region, on rows it has not learnt from."""

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.models.classifiers.evaluation import BINS, ScoreCounts, classification_metrics

FEWEST = 30  # rows of a group that are told of


def groups_of_people(segment_rules: DataFrame) -> DataFrame:
    """Sex, age and country of each customer of gold.segment_rules, and the region within the country."""
    region = F.when(F.col("region").isNotNull(), F.concat_ws(", ", "country", "region"))
    return segment_rules.select("customer_id", "sex", F.col("age_band").alias("age"), "country", region.alias("region"))


def group_metrics(
    scored: DataFrame, groups: DataFrame, *, probability: str, label: str, threshold: float
) -> pd.DataFrame:
    """Each group beside the others: columns attribute, group, rows, happened_share, mean_probability, flagged_share,
    recall (of those to whom it happened the flagged), precision, roc_auc; attributes are the columns of `groups`.

    Takes: `groups`, one row per customer_id, its other columns are attributes that are words; null is a group.
    """
    attributes = [name for name in groups.columns if name != "customer_id"]
    pairs = [
        F.struct(F.lit(name).alias("attribute"), F.coalesce(name, F.lit("not known")).alias("group"))
        for name in attributes
    ]
    counted = (
        scored.where(F.col(label).isNotNull())
        .select("customer_id", probability, label)
        .join(groups, on="customer_id", how="left")
        .select(probability, label, F.inline(F.array(*pairs)))
        .groupBy("attribute", "group", F.floor(F.col(probability) * BINS + 1e-6).alias("bin"))
        .agg(
            F.count("*").alias("rows"),
            F.count_if(F.col(label)).alias("positives"),
            F.mean(probability).alias("probability"),
        )
        .toPandas()
    )
    found = [
        {"attribute": attribute, "group": group} | _of_group(rows, threshold)
        for (attribute, group), rows in counted.groupby(["attribute", "group"])
        if rows["rows"].sum() >= FEWEST
    ]
    return pd.DataFrame(found)


def _of_group(counted: pd.DataFrame, threshold: float) -> dict[str, float]:
    by_probability = counted.sort_values("bin", ascending=False)
    mean, rows, positives = (by_probability[n].to_numpy(dtype=float) for n in ("probability", "rows", "positives"))
    p = np.maximum(mean, by_probability["bin"].to_numpy(dtype=float) / BINS)  # as in score_counts
    flagged = p >= threshold
    happened, told = positives.sum(), rows[flagged].sum()
    is_told_apart = 0 < happened < rows.sum()
    metrics = classification_metrics(ScoreCounts(p, rows, positives), threshold=threshold) if is_told_apart else {}
    return {
        "rows": float(rows.sum()),
        "happened_share": float(happened / rows.sum()),
        "mean_probability": float((p * rows).sum() / rows.sum()),
        "flagged_share": float(told / rows.sum()),
        "recall": float(positives[flagged].sum() / happened) if happened else np.nan,
        "precision": float(positives[flagged].sum() / told) if told else np.nan,
        "roc_auc": metrics.get("roc_auc", np.nan),
    }
