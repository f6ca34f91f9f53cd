"""What MLflow shows of a competition of classifiers: metrics with intervals, figures, tables, the model card."""

import numpy as np
import pandas as pd

from customerlake.models.classifiers.competition import DECIDED_BY, Report
from customerlake.models.classifiers.figures import (
    confusion_figure,
    importance_figure,
    learning_figure,
    profit_figure,
)
from customerlake.models.classifiers.inputs import by_feature
from customerlake.models.figures import classification_figure
from customerlake.models.registry import Registry

LARGEST_GROUPS = 8  # of each attribute in the card; fairness.json has all
EXPLAINED = 500  # rows by which importance is told
SHOWN = (
    "roc_auc",
    "pr_auc",
    "lift_top_tenth",
    "brier",
    "log_loss",
    "calibration_error",
    "accuracy",
    "precision",
    "recall",
    "f1",
)


def log_report(registry: Registry, report: Report) -> None:
    """Log everything of a report into the active run."""
    best, baseline = report.best.metrics[0], report.baseline.metrics[0]
    ends = {
        f"{name}_{end}": value
        for name, pair in report.intervals.items()
        for end, value in zip(("low", "high"), pair, strict=True)
    }
    over_splits = {f"{DECIDED_BY}_mean_of_splits": report.best.mean, "threshold": report.threshold}
    registry.log_metrics(best | ends | over_splits | {f"baseline_{name}": value for name, value in baseline.items()})
    registry.log_series(f"{DECIDED_BY}_by_split", [metrics[DECIDED_BY] for metrics in report.best.metrics])
    looks_at = importance(report)
    _log_figures(registry, report, looks_at)
    registry.log_table(leaderboard(report), "candidates")
    registry.log_table(feature_list(report), "features")
    if report.fairness is not None and len(report.fairness):
        registry.log_table(report.fairness, "fairness")
    registry.log_card(card(report, looks_at))


def _log_figures(registry: Registry, report: Report, looks_at: pd.DataFrame) -> None:
    title = f"{report.task.title}, {report.splits[0]}"
    named = {one.name: one.counts[0] for one in report.competitors}
    registry.log_figure(classification_figure(title, named), "held_out")
    counts = report.best.counts[0]
    registry.log_figure(
        confusion_figure(f"{report.best.name} at {report.threshold:.2f}", counts, report.threshold), "confusion"
    )
    registry.log_figure(importance_figure(f"What {report.best.name} looks at", looks_at), "importance")
    if len(report.learning) > 1:
        registry.log_figure(
            learning_figure(f"{report.best.name} by the customers learnt from", report.learning), "learning"
        )
    if report.curve is not None:
        registry.log_figure(profit_figure(f"Expected profit, {_chosen_on(report)}", report.curve), "profit")


def importance(report: Report) -> pd.DataFrame:
    """Mean absolute SHAP value of each feature over rows learnt from, largest first: columns feature, importance."""
    fitted = report.best.fitted
    background = np.array(fitted.background)
    told = fitted.decides.contributions(report.sample[:EXPLAINED], background)
    sums = {name: float(np.abs(values).mean()) for name, values in by_feature(fitted.inputs.columns, told).items()}
    return pd.DataFrame({"feature": list(sums), "importance": list(sums.values())}).sort_values(
        ["importance", "feature"], ascending=[False, True], ignore_index=True
    )


def leaderboard(report: Report) -> pd.DataFrame:
    """Every competitor on every split: columns candidate, split, metrics, seconds."""
    rows = [
        {"candidate": one.name, "split": split, **metrics, "seconds": one.seconds}
        for one in report.competitors
        for split, metrics in zip(report.splits, one.metrics, strict=True)
    ]
    return pd.DataFrame(rows)


def feature_list(report: Report) -> pd.DataFrame:
    """The features given, their meaning, and whether the best candidate uses them: those that vary."""
    used = set(report.best.fitted.inputs.features)
    rows = [
        {
            "feature": one.name,
            "meaning": one.doc,
            "unit": one.unit or "",
            "source": one.source,
            "is_used": one.name in used,
        }
        for one in report.task.features
    ]
    return pd.DataFrame(rows)


def card(report: Report, looks_at: pd.DataFrame) -> str:
    """The model card in plain words (Mitchell et al. 2019, "Model cards for model reporting"), with the `importance`
    of features."""
    task, best = report.task, report.best
    return "\n".join(
        [
            f"# {task.title}: {best.name}",
            "",
            f"**Purpose.** {task.purpose}",
            "",
            f"**Judged on** {', '.join(report.splits)}: rows that were not learnt from, nor anything after them.",
            "",
            _metrics_table(report),
            "",
            f"Accuracy, precision, recall and F1 are at a probability of {report.threshold:.3f}{_how_chosen(report)} "
            "Intervals are of 95 %, by bootstrap.",
            "",
            _candidates_table(report),
            "",
            "Settings and calibration come from the newest training rows, among which dates held out of older splits "
            "may be: the newest split is the judge.",
            "",
            *[f"**Look at this.** {warning}\n" for warning in report.warnings],
            f"**Looks at most:** {', '.join(looks_at['feature'].head(8))}. All features: features.json.",
            "",
            _fairness_section(report),
            "",
            f"**Limits.** {task.limits}",
            "",
            "**Approved by:** see the version's tags; `customerlake models approve` writes down who and when.",
            "",
        ]
    )


def _chosen_on(report: Report) -> str:
    """The held-out rows by which the threshold is chosen: the older ones where there are any."""
    return ", ".join(report.splits[1:] or report.splits)


def _how_chosen(report: Report) -> str:
    profit = report.config.profit
    if report.curve is None:
        return "."
    return (
        f", where the expected profit is highest on {_chosen_on(report)}: a contact costs {profit.contact_cost:g}, "
        f"succeeds with {profit.success_rate:.0%} of those it is meant for, and {profit.margin_share:.0%} of spend is "
        "profit."
    )


def _metrics_table(report: Report) -> str:
    best, baseline = report.best, report.baseline
    rows = []
    for name in SHOWN:
        low, high = report.intervals.get(name, (float("nan"), float("nan")))
        told = f" ({low:.3f} to {high:.3f})" if low == low else ""
        rows.append(f"| {name} | {best.metrics[0][name]:.4f}{told} | {baseline.metrics[0][name]:.4f} |")
    return "\n".join([f"| on {report.splits[0]} | {best.name} | {baseline.name} (baseline) |", "|---|---|---|", *rows])


def _candidates_table(report: Report) -> str:
    header = " | ".join(f"{DECIDED_BY}, {split}" for split in report.splits)
    lines = [f"| candidate | {header} | mean |", f"|---|{'---|' * len(report.splits)}---|"]
    for one in sorted(report.competitors, key=lambda one: -one.mean):
        values = " | ".join(f"{metrics[DECIDED_BY]:.4f}" for metrics in one.metrics)
        lines.append(f"| {one.name} | {values} | {one.mean:.4f} |")
    return "\n".join(lines)


GROUPS_HEADER = (
    "| group | rows | happened | mean probability | flagged | recall | ROC AUC |",
    "|---|---|---|---|---|---|---|",
)


def _fairness_section(report: Report) -> str:
    if report.fairness is None or report.fairness.empty:
        return (
            "**Groups of people.** Sex, age and region of these rows are not known; whether the model is fair to them "
            "is not shown."
        )
    lines = ["**Groups of people**, none of which is a feature unless features.json says so:", "", *GROUPS_HEADER]
    largest = report.fairness.sort_values("rows", ascending=False).groupby("attribute").head(LARGEST_GROUPS)
    for row in report.fairness.loc[report.fairness.index.isin(largest.index)].to_dict("records"):
        cells = (
            f"{row['attribute']}: {row['group']}",
            f"{row['rows']:,.0f}",
            *[_percent(row[name]) for name in ("happened_share", "mean_probability", "flagged_share", "recall")],
            "" if np.isnan(row["roc_auc"]) else f"{row['roc_auc']:.3f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _percent(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.1%}"
