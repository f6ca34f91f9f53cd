"""What MLflow shows of a training of lifetime value: metrics with intervals, figures, tables, the model card."""

from customerlake.models.lifetime.bg_nbd import p_alive_matrix
from customerlake.models.lifetime.card import BOTH, PAST_RATE, SUPERVISED, Report, card, estimates_table
from customerlake.models.lifetime.figures import (
    conditional_figure,
    gain_figure,
    p_alive_figure,
    tracking_figure,
    value_figure,
)
from customerlake.models.lifetime.holdout import gain
from customerlake.models.registry import Registry

PREFIXES = {BOTH: "", PAST_RATE: "baseline_", SUPERVISED: "supervised_"}
"""What the names of the competitors' metrics begin with in the run of them all."""


def log_report(registry: Registry, report: Report) -> None:
    """Log everything of a report into the active run."""
    for name, metrics in report.metrics.items():
        registry.log_metrics({f"{PREFIXES[name]}{measure}": value for measure, value in metrics.items()})
    for name, apart in report.differences.items():
        of = f"spend_mae_less_{name.replace(' ', '_')}"
        registry.log_metrics({of: apart.value, f"{of}_low": apart.low, f"{of}_high": apart.high})
    registry.log_metrics(_told_as_metrics(report))
    for name, table in (("estimates", estimates_table(report.fitted)), ("past_purchases", report.past)):
        registry.log_table(table, name)
    _log_figures(registry, report)
    registry.log_card(card(report))


def _told_as_metrics(report: Report) -> dict[str, float]:
    told, total = report.fitted.independence, report.total
    found = {
        "frequency_value_correlation": told.correlation,
        "frequency_value_correlation_low": told.low,
        "frequency_value_correlation_high": told.high,
        "customers": float(total.customers),
        "lifetime_value_total": total.lifetime_value,
        "lifetime_value_total_low": total.low,
        "lifetime_value_total_high": total.high,
    }
    for row in estimates_table(report.fitted).to_dict("records"):
        name = str(row["parameter"])
        found |= {name: row["value"]} | {f"{name}_{of}": row[of] for of in ("standard_error", "low", "high")}
    return found


def _log_figures(registry: Registry, report: Report) -> None:
    after = f"{report.config.holdout_days} days after {report.held_out_on}"
    registry.log_figure(
        tracking_figure(f"Repeat purchases by week, fitted up to {report.held_out_on}", report.weeks), "tracking"
    )
    matrix = p_alive_matrix(report.fitted.purchases, age_days=report.age_days, most_purchases=report.most_purchases)
    registry.log_figure(
        p_alive_figure(f"Who still buys, as of {report.as_of}", matrix, age_days=report.age_days), "p_alive"
    )
    registry.log_figure(conditional_figure(f"By past purchases, {after}", report.past), "past_purchases")
    of_model = {name: report.cells[report.cells["model"] == name] for name in report.metrics}
    curves = {name: gain(rows, by="foretold") for name, rows in of_model.items()}
    curves |= {"best possible order": gain(of_model[BOTH], by="spent")}
    registry.log_figure(gain_figure(f"Gain of spend, {after}", curves), "gain")
    registry.log_figure(value_figure(f"Lifetime value as of {report.as_of}", report.distribution), "lifetime_value")
