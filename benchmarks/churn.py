"""Churn on the real sales by three time splits, beside the recency rule, BG/NBD and LightGBM; growth by customers.

    .venv/bin/pip install -e '.[bench]'
    .venv/bin/python benchmarks/churn.py                                   # real sales
    .venv/bin/python benchmarks/churn.py --customers 10000,100000,1000000  # and how training and scoring grow

The pipeline's own steps make features.snapshot and features.labels of the sales that ship with the package; then each
candidate is fitted, with its usual settings, on the training dates of each split, and judged on the held-out date;
LightGBM learns from the same rows and features. Differences are of the mean ROC AUC over the splits, and their
intervals of 95 % come from drawing customers again, each with its rows of all splits (500 times). For growth, customers
are drawn again from the real rows of one date with a little noise.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import psutil
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score

from classifiers import COMPETITORS, METRICS, measured
from contenders.customerlake_jobs import done
from customerlake.features.labels import LABELS, with_labels
from customerlake.features.snapshot import FEATURES, SNAPSHOT
from customerlake.models.churn import baselines, churn_model, still_buying
from customerlake.models.classifiers.candidates import CANDIDATES
from customerlake.models.classifiers.competition import Split, split_rows
from customerlake.models.splits import time_splits
from customerlake.runtime import job
from customerlake.runtime.pipeline import PIPELINE
from medallion import machine

HERE = Path(__file__).parent
STEPS = [step.name for step in PIPELINE if step.job.startswith(("bronze/", "silver/"))] + ["features"]
LABEL, PROBABILITY = "is_churned", "churn_probability"
LIGHTGBM = "LightGBM"
RESAMPLES = 500


def labelled(run: job.Run) -> DataFrame:
    """Customers still buying on each date, with what became of them."""
    config, snapshot, labels = run.config.churn, run.lake.read(SNAPSHOT), run.lake.read(LABELS)
    known = with_labels(snapshot, labels, horizon_days=config.horizon_days, gap_days=config.gap_days)
    return known.transform(still_buying(config))


def told_by_all(run: job.Run, split: Split, console: Console) -> tuple[pd.DataFrame, dict[str, float]]:
    """The held-out customers with the label and what every contender says of them; and the seconds of its fit."""
    config, seconds = run.config.churn, {}
    training, holdout = split.training.cache(), split.holdout.cache()
    rows = holdout.select("customer_id", LABEL).toPandas().set_index("customer_id").sort_index()
    for name in (*baselines(config), *CANDIDATES):
        model, started = churn_model(config, name), perf_counter()
        fitted = model.fit(training)
        seconds[name] = perf_counter() - started
        told = model.score(holdout, fitted).select("customer_id", PROBABILITY).toPandas()
        rows[name] = told.set_index("customer_id")[PROBABILITY]
        console.print(f"{split.name} {name}: {seconds[name]:.1f} s", style="dim")
    rows[LIGHTGBM], seconds[LIGHTGBM] = of_lightgbm(training, holdout, rows.index)
    return rows, seconds


def of_lightgbm(training: DataFrame, holdout: DataFrame, customers: pd.Index) -> tuple[np.ndarray, float]:
    """What LightGBM says of the customers, learnt from the same features, and the seconds of its fit."""
    names = [feature.name for feature in FEATURES]
    learnt, judged = (rows.select("customer_id", LABEL, *names).toPandas() for rows in (training, holdout))
    both = pd.concat([learnt, judged.set_index("customer_id").loc[customers].reset_index()], ignore_index=True)
    words = [feature.name for feature in FEATURES if feature.is_category]
    inputs = both[names].astype(dict.fromkeys(words, "category") | {n: float for n in names if n not in words})
    model = COMPETITORS[LIGHTGBM]()
    started = perf_counter()
    model.fit(inputs[: len(learnt)], learnt[LABEL].astype(bool))
    seconds = perf_counter() - started
    return model.predict_proba(inputs[len(learnt) :])[:, 1], seconds


def differences(splits: Sequence[pd.DataFrame], against: Sequence[str]) -> dict[tuple[str, str], list[float]]:
    """By contender and baseline: by how much the mean ROC AUC over the splits is higher, and its 95 % interval."""
    names = [name for name in splits[0].columns if name != LABEL]
    customers = sorted(set().union(*[rows.index for rows in splits]))
    random, resamples = np.random.default_rng(20), []
    for number in range(RESAMPLES + 1):
        drawn = np.ones(len(customers)) if number == 0 else random.poisson(1.0, len(customers)).astype(float)
        weights = pd.Series(drawn, index=customers)
        areas = [
            [roc_auc_score(rows[LABEL].astype(bool), rows[n], sample_weight=weights[rows.index]) for n in names]
            for rows in splits
        ]
        resamples.append(np.mean(areas, axis=0))
    means = pd.DataFrame(resamples, columns=names)
    found = {}
    for name in names:
        for other in [one for one in against if one != name]:
            apart = means[name] - means[other]
            found[name, other] = [float(apart[0]), *map(float, apart[1:].quantile([0.025, 0.975]))]
    return found


def compared(
    splits: Mapping[str, pd.DataFrame], seconds: Sequence[Mapping[str, float]], against: Sequence[str]
) -> list[dict[str, object]]:
    """One row per contender: its metrics by split and on average, and how far above the baselines it is."""
    apart, found = differences(list(splits.values()), against), []
    for name in [one for one in next(iter(splits.values())).columns if one != LABEL]:
        by_split = {
            split: measured(rows[LABEL].to_numpy().astype(bool), rows[name].to_numpy())
            for split, rows in splits.items()
        }
        mean = {metric: float(np.mean([one[metric] for one in by_split.values()])) for metric in METRICS}
        above = {f"above {other}": apart[name, other] for other in against if other != name}
        spent = float(np.mean([one[name] for one in seconds]))
        found.append({"contender": name, **mean, "by_split": by_split, **above, "fit_seconds": spent})
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
    console = Console(width=170)
    root = values.root or Path(tempfile.mkdtemp(prefix="customerlake-churn-"))
    run = job.Run(root=str(root.resolve()), engine="spark")
    if not (root / "features").exists():
        for step in STEPS:
            done(run, step)
    rows, against = labelled(run).cache(), list(baselines(run.config.churn))
    dates = time_splits(run.config.churn, first_ordered_on=run.first_ordered_on, as_of=run.as_of)
    told = {split.name: told_by_all(run, split, console) for split in split_rows(rows, dates)}
    found = compared({name: one for name, (one, _) in told.items()}, [one for _, one in told.values()], against)
    console.print(table_of(found, against))
    result: dict[str, object] = {"machine": machine(), "contenders": found}
    sizes = [int(size) for size in values.customers.split(",") if size]
    newest = rows.where(F.col("as_of") == F.lit(dates[0].holdout))
    result["growth"] = by_size = [row for size in sizes for row in growth(run, newest, size)]
    if sizes:
        console.print(table_of_growth(by_size))
    values.results.mkdir(parents=True, exist_ok=True)
    (values.results / "churn.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def table_of(found: Sequence[Mapping[str, object]], against: Sequence[str]) -> Table:
    splits = list(found[0]["by_split"])
    result = Table("contender", *[f"ROC AUC, {one}" for one in splits], "mean", "PR AUC", "lift", "Brier",
                   *[f"above {one}" for one in against], "fit, s")  # fmt: skip
    for row in found:
        cells = []
        for other in against:
            values = row.get(f"above {other}")
            cells.append("{:+.3f} ({:+.3f} to {:+.3f})".format(*values) if values else "")
        result.add_row(
            str(row["contender"]), *[f"{row['by_split'][one]['roc_auc']:.4f}" for one in splits],
            f"{row['roc_auc']:.4f}", f"{row['pr_auc']:.4f}", f"{row['lift_top_tenth']:.2f}",
            f"{row['brier']:.4f}", *cells, f"{row['fit_seconds']:.1f}",
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
