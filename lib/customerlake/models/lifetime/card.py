"""What came of a training of lifetime value, and its model card in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from customerlake.models.classifiers.evaluation import Difference
from customerlake.models.lifetime.gamma_gamma import MOST_CORRELATED
from customerlake.models.lifetime.holdout import MOST_PAST
from customerlake.models.lifetime.numbers import LifetimeFormula
from customerlake.models.lifetime_value import Total
from customerlake.runtime.config import LifetimeValueConfig

BOTH, PAST_RATE, SUPERVISED = "BG/NBD and Gamma-Gamma", "past rate", "supervised"
"""The competitors."""

MOST_OFF = 1.25  # times, either way: a total that is further off is told of
SHOWN = {
    "spend_mae": "spend: mean absolute error",
    "spend_rmse": "spend: root mean squared error",
    "spend_ratio": "spend: foretold / real total",
    "spend_rank_correlation": "spend: Spearman's rank correlation",
    "spend_share_top_tenth": "spend: share of the tenth foretold to spend most",
    "purchases_mae": "purchases: mean absolute error",
    "purchases_rmse": "purchases: root mean squared error",
    "purchases_ratio": "purchases: foretold / real total",
}


@dataclass(frozen=True)
class Report:
    """Everything that a reviewer is shown."""

    config: LifetimeValueConfig
    as_of: date
    held_out_on: date
    fitted: LifetimeFormula  # to all days up to as_of: what is registered; judged is a fit up to held_out_on
    metrics: Mapping[str, Mapping[str, float]]  # of each competitor
    differences: Mapping[str, Difference]  # error of spend per customer, less that of each other competitor
    not_supervised: str | None  # why there is no such competitor
    past: pd.DataFrame  # as of conditional_expectations
    cells: pd.DataFrame
    weeks: pd.DataFrame
    distribution: pd.DataFrame
    total: Total
    age_days: int  # of the typical customer
    most_purchases: int  # that all but a few customers have made

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reviewer must look at before the model is used."""
        told = [self.fitted.purchases.warning, self.fitted.values.warning, self.fitted.independence.warning]
        return tuple(warning for warning in (*told, self._no_better(), self._far_off()) if warning)

    def _no_better(self) -> str | None:
        apart = self.differences[PAST_RATE]
        if apart.high < 0:
            return None
        said = "is above" if apart.low > 0 else "may be no smaller than"
        return (
            f"The error of spend per customer {said} that of everybody's past rate: by {apart.value:,.2f} "
            f"({apart.low:,.2f} to {apart.high:,.2f} at 95 %)."
        )

    def _far_off(self) -> str | None:
        ratio = self.metrics[BOTH].get("spend_ratio")
        if ratio is None or 1 / MOST_OFF <= ratio <= MOST_OFF:
            return None
        return (
            f"All customers together spent {1 / ratio:,.2f} times what was foretold of the {self.config.holdout_days} "
            f"days after {self.held_out_on}. The model knows no season and no growth: look at the weekly figure."
        )


def estimates_table(fitted: LifetimeFormula) -> pd.DataFrame:
    """Columns: model, parameter, value, standard_error, low, high (of the 95 % interval), is_weak."""
    rows: list[dict[str, Any]] = []
    for model, estimates in (("BG/NBD", fitted.purchases), ("Gamma-Gamma", fitted.values)):
        errors, ends = estimates.standard_errors(), estimates.intervals()
        rows += [
            {"model": model, "parameter": name, "value": value, "standard_error": errors[name], "low": ends[name][0],
             "high": ends[name][1], "is_weak": estimates.is_weak}
            for name, value in zip(estimates.names, estimates.values, strict=True)
        ]  # fmt: skip
    return pd.DataFrame(rows)


def card(report: Report) -> str:
    """The model card in plain words (Mitchell et al. 2019, "Model cards for model reporting")."""
    config, total = report.config, report.total
    return "\n".join(
        [
            f"# Lifetime value: {BOTH}",
            "",
            f"**Purpose.** What the purchases of each customer in the {config.horizon_days} days after a date are "
            "worth, to decide what may be spent on keeping whom. Not for decisions about credit, price or service that "
            "a person is entitled to.",
            "",
            "**Method.** How often and how long customers buy is BG/NBD's (Fader, Hardie and Lee 2005), what a "
            "purchase is worth is Gamma-Gamma's (Fader and Hardie 2013), both at the maximum of their likelihood over "
            "all customers. The value is that of the margin, discounted; its intervals say how sure the model is of "
            "the mean of customers with such a past, not how far a single one may be from it.",
            "",
            f"**All {total.customers:,} customers** as of {report.as_of} are worth {total.lifetime_value:,.0f} "
            f"({total.low:,.0f} to {total.high:,.0f} at 95 %) over {config.horizon_days} days, at a margin of "
            f"{config.margin_share:.0%} and discounted by {config.discount_rate:.1%} a year.",
            "",
            f"**Judged on** the {config.holdout_days} days after {report.held_out_on}, by a fit to the days up to "
            f"then, over the {report.metrics[BOTH]['rows']:,.0f} customers known on it. What is registered is fitted "
            f"to all days up to {report.as_of}.",
            "",
            _metrics_table(report),
            "",
            *_differences_in_words(report),
            "",
            _past_table(report.past),
            "",
            _estimates_in_words(report.fitted),
            "",
            _assumption_in_words(report.fitted),
            "",
            *[f"**Look at this.** {warning}\n" for warning in report.warnings],
            f"**Limits.** {_limits(report)}",
            "",
            "**Approved by:** nobody yet; `customerlake models approve` writes down who and when, as tags of the "
            "version.",
            "",
        ]
    )


def _metrics_table(report: Report) -> str:
    names = list(report.metrics)
    lines = [_row(["", *[f"{name} (baseline)" if name == PAST_RATE else name for name in names]])]
    lines.append("|---" * (len(names) + 1) + "|")
    for measure, words in SHOWN.items():
        values = [report.metrics[name].get(measure) for name in names]
        if any(value is not None for value in values):
            lines.append(_row([words, *["" if value is None else f"{value:,.3f}" for value in values]]))
    return "\n".join(lines)


def _differences_in_words(report: Report) -> list[str]:
    told = [
        f"Against {name}, the error of spend per customer is {abs(apart.value):,.2f} "
        f"{'higher' if apart.value > 0 else 'lower'} (difference {apart.low:,.2f} to {apart.high:,.2f} at 95 %)."
        for name, apart in report.differences.items()
    ]
    if report.not_supervised is None:
        told.append(
            f"{SUPERVISED} is XGBoost over features.snapshot of one date earlier, with the spend of the "
            f"{report.config.holdout_days} days after it: it is shown for comparison, and foretells no other time."
        )
    else:
        told.append(f"No supervised model was compared: {report.not_supervised}")
    return told


def _past_table(past: pd.DataFrame) -> str:
    lines = [_row(["repeat purchases before", *past.columns[1:]]), "|---" * len(past.columns) + "|"]
    for row in past.itertuples(index=False):
        before = f"{MOST_PAST} and more" if row[0] == MOST_PAST else str(row[0])
        lines.append(_row([before, f"{row[1]:,.0f}", *[f"{value:,.2f}" for value in row[2:]]]))
    return "\n".join(lines)


def _estimates_in_words(fitted: LifetimeFormula) -> str:
    lines = ["| model | parameter | estimate | standard error | 95 % interval |", "|---|---|---|---|---|"]
    for row in estimates_table(fitted).itertuples():
        ends = f"{row.low:,.4g} to {row.high:,.4g}"
        lines.append(_row([row.model, row.parameter, f"{row.value:,.4g}", f"{row.standard_error:,.4g}", ends]))
    return "\n".join(lines)


def _assumption_in_words(fitted: LifetimeFormula) -> str:
    told = fitted.independence
    verdict = "holds well enough" if told.warning is None else "does not hold"
    return (
        "**Assumption.** How much one spends has nothing to do with how often one buys. The correlation of frequency "
        f"and monetary_value is {told.correlation:.3f} ({told.low:.3f} to {told.high:.3f} at 95 %, over "
        f"{told.customers:,} customers who have repeated): up to {MOST_CORRELATED} either way is taken as none, so it "
        f"{verdict}."
    )


def _limits(report: Report) -> str:
    told = [
        "The model knows no season, no trend, no campaign and no price: it takes the days ahead to be like those that "
        "it has seen. Days with a purchase are counted, not orders; spend is before returns. Who bought once counts as "
        "alive however long ago that was, with a rate that falls. Customers won after the date are not in the total. "
        "No personal attribute is used."
    ]
    if report.fitted.purchases.is_weak:
        told.append(
            "The history is too short, or too few stop, to tell who has left: p_alive tells little, and values far "
            "ahead are likely too high."
        )
    return " ".join(told)


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"
