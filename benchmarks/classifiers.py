"""Judge the classifiers on public tables beside scikit-learn, XGBoost and LightGBM, with the same folds.

    .venv/bin/pip install -e '.[bench]'
    .venv/bin/python benchmarks/classifiers.py                              # both tables, 5 x 5 folds
    .venv/bin/python benchmarks/classifiers.py --tables telco --repeats 1 --candidates XGBoost
    .venv/bin/python benchmarks/classifiers.py --tables shoppers --candidates XGBoost --trials 12    # searched settings

Tables: IBM's Telco customer churn and UCI's online shoppers' intention, in ../shared/data beside the project. Each of
ours is fitted by Spark with its usual settings, or those found by a search within the training rows, and calibrated
within them; a competitor gets settings that do well on such tables. All metrics are scikit-learn's, on the rows of the
fold that nobody has learnt from; intervals are of the mean over the folds. The last column is the mean difference to
the best competitor, with its interval by the same folds (Nadeau and Bengio 2003: folds share rows, so that the variance
is corrected).
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from customerlake.features.feature import Feature
from customerlake.models.classifiers.candidates import CANDIDATES
from customerlake.models.classifiers.classification import Classification
from customerlake.models.classifiers.search import searched
from customerlake.runtime import session
from customerlake.runtime.config import SearchConfig
from medallion import machine

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "shared" / "data"
METRICS = ("roc_auc", "pr_auc", "lift_top_tenth", "brier")


@dataclass(frozen=True)
class PublicTable:
    """A public table: its file, what is foretold, and the aims."""

    file: str
    label: Callable[[pd.DataFrame], pd.Series]
    left_out: tuple[str, ...]
    categories: tuple[str, ...]  # beside the columns of text
    aims: dict[str, float]  # brier at most, the others at least

    def rows(self) -> pd.DataFrame:
        rows = pd.read_csv(DATA / self.file, sep=None, engine="python")  # commas or semicolons
        told = self.label(rows)
        rows = rows.drop(columns=list(self.left_out))
        if "TotalCharges" in rows:
            rows["TotalCharges"] = pd.to_numeric(rows["TotalCharges"], errors="coerce")
        for name in rows.columns:
            if name in self.categories or not pd.api.types.is_numeric_dtype(rows[name]):
                rows[name] = rows[name].astype(str)
            else:
                rows[name] = rows[name].astype(float)
        return rows.assign(customer_id=[f"{i:06}" for i in range(len(rows))], label=told.to_numpy())


TABLES = {
    "telco": PublicTable(
        "telco_churn.csv", lambda rows: rows["Churn"] == "Yes", ("customerID", "Churn"), ("SeniorCitizen",),
        {"roc_auc": 0.847, "pr_auc": 0.665, "lift_top_tenth": 2.85, "brier": 0.135},
    ),
    "shoppers": PublicTable(
        "online_shoppers_intention.csv", lambda rows: rows["Revenue"].astype(str).str.upper() == "TRUE", ("Revenue",),
        ("OperatingSystems", "Browser", "Region", "TrafficType", "Weekend"), {"roc_auc": 0.93},
    ),
}  # fmt: skip

COMPETITORS: dict[str, Callable[[], object]] = {
    "logistic regression in scikit-learn": lambda: make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, max_iter=500)
    ),
    "XGBoost in scikit-learn": lambda: XGBClassifier(
        n_estimators=300, max_depth=3, learning_rate=0.04, min_child_weight=5, subsample=0.8, colsample_bytree=0.7,
        random_state=0,
    ),
    "LightGBM": lambda: LGBMClassifier(
        n_estimators=250, num_leaves=8, learning_rate=0.04, min_child_samples=30, subsample=0.8, subsample_freq=1,
        colsample_bytree=0.7, random_state=0, verbose=-1,
    ),
}  # fmt: skip


def measured(label: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    tenth = np.argsort(-probability, kind="stable")[: round(len(label) / 10)]
    return {
        "roc_auc": roc_auc_score(label, probability),
        "pr_auc": average_precision_score(label, probability),
        "lift_top_tenth": label[tenth].mean() / label.mean(),
        "brier": brier_score_loss(label, probability),
    }


def features_of(rows: pd.DataFrame) -> list[Feature]:
    names = [name for name in rows.columns if name not in ("customer_id", "label")]
    return [
        Feature(name, name, f"{name} is {{value}}", is_category=not pd.api.types.is_numeric_dtype(rows[name]))
        for name in names
    ]


def judged(
    spark: SparkSession, rows: pd.DataFrame, candidates: Sequence[str], repeats: int, trials: int, console: Console
) -> dict[str, list[dict[str, float]]]:
    """The metrics of every contender on every fold."""
    features = features_of(rows)
    frame = spark.createDataFrame(rows).cache()
    encoded = pd.get_dummies(rows.drop(columns=["customer_id", "label"])).astype(float)
    encoded = encoded.fillna(encoded.median()).to_numpy()
    label = rows["label"].to_numpy()
    found: dict[str, list[dict[str, float]]] = {}
    folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=repeats, random_state=0)
    for number, (training, holdout) in enumerate(folds.split(encoded, label)):
        for name in candidates:
            started = perf_counter()
            told = measured(label[holdout], ours(frame, features, name, holdout, rows, trials))
            found.setdefault(f"customerlake, {name}", []).append(told | {"seconds": perf_counter() - started})
        for name, made in COMPETITORS.items():
            started = perf_counter()
            fitted = made().fit(encoded[training], label[training])
            told = measured(label[holdout], fitted.predict_proba(encoded[holdout])[:, 1])
            found.setdefault(name, []).append(told | {"seconds": perf_counter() - started})
        console.print(f"fold {number + 1}", style="dim")
    return found


def ours(
    frame: DataFrame, features: Sequence[Feature], candidate: str, holdout: np.ndarray, rows: pd.DataFrame,
    trials: int,
) -> np.ndarray:  # fmt: skip
    """Probabilities of the rows held out, in their order."""
    of_fold = F.broadcast(frame.sparkSession.createDataFrame(rows[["customer_id"]].iloc[holdout]))
    model = Classification(features=features, label="label", probability="probability", candidate=candidate)
    prepared = model.prepared(frame.join(of_fold, on="customer_id", how="left_anti"))
    found = searched(model.how, prepared, SearchConfig(trials=trials, seconds=3600), seed=20)
    fitted = model.fit_prepared(prepared, found.settings, found.calibration)
    prepared.release()
    scored = model.score(frame.join(of_fold, on="customer_id", how="left_semi"), fitted)
    by_id = scored.select("customer_id", "probability").toPandas().set_index("customer_id")["probability"]
    return by_id.loc[rows["customer_id"].iloc[holdout]].to_numpy()


def interval(values: np.ndarray, *, held_out: float = 0.2) -> float:
    """Half of the 95 % interval of the mean over repeated folds, its variance corrected for rows that they share."""
    count = len(values)
    if count < 2:
        return float("nan")
    variance = values.var(ddof=1) * (1 / count + held_out / (1 - held_out))
    return float(student.ppf(0.975, count - 1) * np.sqrt(variance))


def told(found: dict[str, list[dict[str, float]]], aims: dict[str, float]) -> list[dict[str, object]]:
    """One row per contender: mean and interval of each metric, and the difference of ROC AUC to the best competitor."""
    areas = {name: np.array([fold["roc_auc"] for fold in folds]) for name, folds in found.items()}
    best = max((name for name in areas if name in COMPETITORS), key=lambda name: areas[name].mean())
    rows = []
    for name, folds in found.items():
        values = {metric: np.array([fold[metric] for fold in folds]) for metric in METRICS}
        row: dict[str, object] = {"contender": name}
        row |= {metric: float(value.mean()) for metric, value in values.items()}
        row |= {f"{metric}_interval": interval(value) for metric, value in values.items()}
        row["seconds_a_fold"] = float(np.mean([fold["seconds"] for fold in folds]))
        difference = areas[name] - areas[best]
        row |= {"against": best, "difference": float(difference.mean()), "difference_interval": interval(difference)}
        row["meets"] = {
            metric: bool(values[metric].mean() <= aim if metric == "brier" else values[metric].mean() >= aim)
            for metric, aim in aims.items()
        }
        rows.append(row)
    return rows


def shown(title: str, rows: Sequence[dict[str, object]], aims: dict[str, float]) -> Table:
    aim = ", ".join(f"{name} {'at most' if name == 'brier' else 'at least'} {value}" for name, value in aims.items())
    result = Table("contender", *METRICS, "to the best competitor", "aims", "s a fold", title=f"{title}; aims: {aim}")
    for row in rows:
        values = [f"{row[metric]:.4f} ± {row[f'{metric}_interval']:.4f}" for metric in METRICS]
        difference = f"{row['difference']:+.4f} ± {row['difference_interval']:.4f}"
        met = row["meets"]
        assert isinstance(met, dict)
        result.add_row(
            str(row["contender"]), *values, difference, "all met" if all(met.values()) else
            "not met: " + ", ".join(name for name, is_met in met.items() if not is_met), f"{row['seconds_a_fold']:.1f}",
        )  # fmt: skip
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", default=",".join(TABLES), help=f"some of {','.join(TABLES)}")
    parser.add_argument("--candidates", default=",".join(CANDIDATES), help=f"some of {','.join(CANDIDATES)}")
    parser.add_argument("--repeats", type=int, default=5, help="of the five folds")
    parser.add_argument("--trials", type=int, default=1, help="settings that each of ours tries; 1: the usual ones")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="where classifiers-TABLE.json goes")
    values = parser.parse_args()
    if not DATA.exists():
        sys.exit(f"The public tables are not there: {DATA}. Nothing was measured.")
    console, spark = Console(width=170), session.start("spark")
    candidates, told_of = values.candidates.split(","), {"machine": machine(), "folds": f"{values.repeats} x 5"}
    values.results.mkdir(parents=True, exist_ok=True)
    for name in values.tables.split(","):
        table = TABLES[name]
        found = judged(spark, table.rows(), candidates, values.repeats, values.trials, console)
        rows = told(found, table.aims)
        console.print(shown(table.file, rows, table.aims))
        result = told_of | {"trials": values.trials, "contenders": rows}
        (values.results / f"classifiers-{name}.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
