"""Churn on the real sales by three time splits, beside the recency rule and BG/NBD's p(alive); growth by customers.

    .venv/bin/pip install -e '.[bench]'
    .venv/bin/python benchmarks/churn.py                                   # real sales
    .venv/bin/python benchmarks/churn.py --customers 10000,100000,1000000  # and how training and scoring grow

The pipeline's own steps make features.snapshot and features.labels of the sales that ship with the package; then each
candidate is fitted, with its usual settings, on the training dates of each split, and judged on the held-out date.
Differences are of the same customers, resampled as pairs (200 times); their interval is of
95 %. For growth, customers are drawn again from the real rows of one date with a little noise.
"""

import argparse
import json
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import psutil
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from contenders.customerlake_jobs import done
from customerlake.features.labels import LABELS, with_labels
from customerlake.features.snapshot import FEATURES, SNAPSHOT
from customerlake.models.churn import BASELINES, churn_model, still_buying
from customerlake.models.classifiers.candidates import CANDIDATES
from customerlake.models.classifiers.competition import Split, split_rows
from customerlake.models.classifiers.evaluation import classification_metrics, paired_differences, score_counts
from customerlake.models.splits import time_splits
from customerlake.runtime import job
from customerlake.runtime.pipeline import PIPELINE
from medallion import machine

HERE = Path(__file__).parent
STEPS = [step.name for step in PIPELINE if step.job.startswith(("bronze/", "silver/"))] + ["features"]
LABEL, PROBABILITY = "is_churned", "churn_probability"


def labelled(run: job.Run) -> DataFrame:
    """Customers still buying on each date, with what became of them."""
    config, snapshot, labels = run.config.churn, run.lake.read(SNAPSHOT), run.lake.read(LABELS)
    known = with_labels(snapshot, labels, horizon_days=config.horizon_days, gap_days=config.gap_days)
    return known.transform(still_buying(config))


def judged(run: job.Run, split: Split, console: Console) -> list[dict[str, object]]:
    """One row per contender on one split; candidates with their differences to each baseline."""
    config, found = run.config.churn, []
    holdout = split.holdout.cache()
    scored = holdout.select("customer_id", LABEL)
    for name in (*BASELINES, *CANDIDATES):
        model, started = churn_model(config, name), perf_counter()
        fitted = model.fit(split.training)
        seconds = perf_counter() - started
        told = model.score(holdout, fitted).select("customer_id", F.col(PROBABILITY).alias(name)).cache()
        scored = scored.join(told, on="customer_id", how="inner")
        counts = score_counts(told.join(holdout, on="customer_id", how="inner"), probability=name, label=LABEL)
        metrics = classification_metrics(counts, threshold=0.5)
        row: dict[str, object] = {"split": split.name, "contender": name, "seconds": seconds, **metrics}
        if name in CANDIDATES:
            for baseline in BASELINES:
                both = scored.select(LABEL, name, baseline).cache()
                difference = paired_differences(both, probability=name, other=baseline, label=LABEL, seed=20)["roc_auc"]
                row[f"above {baseline}"] = [difference.value, difference.low, difference.high]
        found.append(row)
        console.print(f"{split.name} {name}: ROC AUC {metrics['roc_auc']:.4f}, {seconds:.1f} s", style="dim")
    return found


def grown(rows: DataFrame, customers: int) -> DataFrame:
    """So many customers, drawn from `rows` by turns; numbers within a thousandth of the real ones."""
    real = rows.count()
    times = -(-customers // real)
    noise = 1 + (F.rand(seed=20) - 0.5) / 500
    numbers = {f.name: F.col(f.name) * noise for f in FEATURES if not f.is_category}
    return (
        rows.withColumn("copy", F.explode(F.sequence(F.lit(1), F.lit(times))))
        .withColumn("customer_id", F.concat_ws("-", "customer_id", "copy"))
        .drop("copy")
        .limit(customers)
        .withColumns(numbers)
    )


def growth(run: job.Run, rows: DataFrame, customers: int) -> list[dict[str, object]]:
    """Seconds of a fit and of scoring so many customers, and the memory that is held then."""
    made, found = grown(rows, customers).cache(), []
    made.count()
    for name in CANDIDATES:
        model, started = churn_model(run.config.churn, name), perf_counter()
        fitted = model.fit(made)
        fit_seconds, started = perf_counter() - started, perf_counter()
        model.score(made, fitted).agg(F.sum(PROBABILITY)).collect()
        seconds = perf_counter() - started
        found.append(
            {
                "customers": customers,
                "contender": name,
                "fit_seconds": fit_seconds,
                "score_seconds": seconds,
                "rows_per_second": customers / seconds,
                "memory_gib": memory() / 2**30,
            }
        )
    made.unpersist()
    return found


def memory() -> int:
    """Bytes that this process, the JVM and their workers hold now."""
    this = psutil.Process()
    return sum(one.memory_info().rss for one in [this, *this.children(recursive=True)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, help="a lake of the real sales, made when it is not there")
    parser.add_argument("--customers", default="", help="how many to grow to, 10000,100000 for example")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="where churn.json goes")
    values = parser.parse_args()
    console = Console(width=150)
    root = values.root or Path(tempfile.mkdtemp(prefix="customerlake-churn-"))
    run = job.Run(root=str(root.resolve()), engine="spark")
    if not (root / "features").exists():
        for step in STEPS:
            done(run, step)
    rows = labelled(run).cache()
    splits = time_splits(run.config.churn, first_ordered_on=run.first_ordered_on, as_of=run.as_of)
    found = [row for split in split_rows(rows, splits) for row in judged(run, split, console)]
    console.print(table_of(found))
    result: dict[str, object] = {"machine": machine(), "splits": found}
    sizes = [int(size) for size in values.customers.split(",") if size]
    newest = rows.where(F.col("as_of") == F.lit(splits[0].holdout))
    result["growth"] = by_size = [row for size in sizes for row in growth(run, newest, size)]
    if sizes:
        console.print(table_of_growth(by_size))
    values.results.mkdir(parents=True, exist_ok=True)
    (values.results / "churn.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def table_of(found: list[dict[str, object]]) -> Table:
    above = [f"above {name}" for name in BASELINES]
    result = Table("held out", "contender", "ROC AUC", "PR AUC", "lift", "Brier", *above, "fit, s")
    for row in found:
        differences = []
        for name in above:
            values = row.get(name)
            differences.append("{:+.3f} ({:+.3f} to {:+.3f})".format(*np.array(values)) if values else "")
        result.add_row(
            str(row["split"]), str(row["contender"]), *[f"{row[name]:.4f}" for name in ("roc_auc", "pr_auc")],
            f"{row['lift_top_tenth']:.2f}", f"{row['brier']:.4f}", *differences, f"{row['seconds']:.1f}",
        )  # fmt: skip
    return result


def table_of_growth(found: list[dict[str, object]]) -> Table:
    result = Table("customers", "contender", "fit, s", "score, s", "rows a second", "memory, GiB")
    for row in found:
        result.add_row(
            f"{row['customers']:,}", str(row["contender"]), f"{row['fit_seconds']:.1f}", f"{row['score_seconds']:.1f}",
            f"{row['rows_per_second']:,.0f}", f"{row['memory_gib']:.2f}",
        )  # fmt: skip
    return result


if __name__ == "__main__":
    main()
