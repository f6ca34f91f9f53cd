"""Fit lifetime value, judge it beside what it must beat on the days held out, register it, judge the champion."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.errors import ModelError
from customerlake.features.labels import with_labels
from customerlake.features.snapshot import FEATURES
from customerlake.gold.rfm import purchases_until, rfm
from customerlake.models.lifetime.bg_nbd import expected_purchases
from customerlake.models.lifetime.card import BOTH, PAST_RATE, SUPERVISED, Report
from customerlake.models.lifetime.gamma_gamma import expected_value
from customerlake.models.lifetime.holdout import (
    Foretold,
    accuracy,
    cells,
    conditional_expectations,
    observed_after,
    order_measures,
    spend_differences,
    weekly_tracking,
    with_observed,
)
from customerlake.models.lifetime.numbers import INPUTS, LifetimeFormula
from customerlake.models.lifetime.packaged import PackagedLifetimeValue
from customerlake.models.lifetime.report import log_report
from customerlake.models.lifetime.supervised import SETTINGS, SPEND, SupervisedSpend
from customerlake.models.lifetime_value import MODEL, OF_MODELS, LifetimeValue, value_distribution
from customerlake.models.registry import Registry, Version
from customerlake.models.trained import Trained
from customerlake.runtime.config import LifetimeValueConfig

DECIDED_BY = "spend_mae"
"""On the days held out a challenger must be below the champion by the margin of the config."""

FEWEST_DRAWS = 20  # where no interval is looked at
CHAMPION = "champion_spend"
WHAT = {
    BOTH: "fitted to the days up to the held-out ones",
    PAST_RATE: "everybody goes on at their own past rate and mean spend",
    SUPERVISED: "XGBoost on Spark over features.snapshot of one date earlier",
}


@dataclass(frozen=True)
class Sales:
    """What a training learns from and is judged by. Of features.snapshot and features.labels the rows of the two
    `dates_learnt_from` are used, where they are there."""

    orders: DataFrame
    rfm: DataFrame  # of as_of
    snapshot: DataFrame | None = None
    labels: DataFrame | None = None


def repeat_customers(orders: DataFrame, *, held_out_on: date) -> DataFrame:
    """One row per customer who had bought on a second day by then: without any, nothing can be learnt or judged."""
    days = orders.transform(purchases_until(held_out_on)).groupBy("customer_id")
    return days.agg(F.min("ordered_on").alias("first_on"), F.max("ordered_on").alias("last_on")).where(
        F.col("first_on") < F.col("last_on")
    )


class Training:
    """One training: its settings, and where it is written down."""

    def __init__(
        self, registry: Registry, config: LifetimeValueConfig, *, as_of: date, tags: Mapping[str, str],
        progress: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.registry, self.config, self.as_of, self.tags = registry, config, as_of, tags
        self.progress: Callable[[str], None] = lambda text: progress(f"{MODEL}: {text}")
        self.held_out_on = as_of - timedelta(days=config.holdout_days)
        self.champion = registry.champion(MODEL)
        of_holdout = {"horizon_days": config.holdout_days, "draws": FEWEST_DRAWS}
        self.for_holdout = LifetimeValue(config.model_copy(update=of_holdout))

    def run(self, sales: Sales, inputs: Mapping[str, tuple[str, int]]) -> Trained:
        """Fit up to the held-out days and judge on them, then fit to all days and register that.

        It takes the alias `champion` when there is none, or when its fit up to the held-out days errs less there than
        the champion's numbers, by the config's margin.
        """
        with self.registry.run(MODEL, f"Lifetime value as of {self.as_of}", self.tags) as run_id:
            parameters = {"as_of": str(self.as_of), "held_out_on": str(self.held_out_on), "decided_by": DECIDED_BY}
            self.registry.log_params(self.config.model_dump() | parameters)
            self.registry.log_inputs(inputs, "training")
            known = rfm(sales.orders, as_of=self.held_out_on).cache()
            report, before = self._judged(known, sales)
            log_report(self.registry, report)
            version = self._registered(report, sales.rfm, run_id)
            wins = self._wins(report.metrics[BOTH][DECIDED_BY], before)
            self.registry.log_params({"best": BOTH, "became_champion": wins})
            if before is not None:
                self.registry.log_metrics({f"champion_{DECIDED_BY}": before})
        self.registry.judge(version, wins=wins)
        known.unpersist()
        metrics = {name: dict(report.metrics[name]) for name in (BOTH, PAST_RATE)}
        return Trained(version, BOTH, metrics[BOTH], metrics[PAST_RATE], before, wins, report.warnings)

    def _judged(self, known: DataFrame, sales: Sales) -> tuple[Report, float | None]:
        """The report, and the champion's error of spend on the same customers."""
        fitted, rows, why_not = self._foretold(known, sales)
        models = {BOTH: OF_MODELS["model"], PAST_RATE: OF_MODELS["baseline"]}
        models |= {} if why_not else {SUPERVISED: Foretold(spend=SPEND)}
        counted = cells(rows, models)
        metrics = self._measured(rows, models, counted)
        before = None
        if self._may_be_challenged():
            before = accuracy(rows, {CHAMPION: Foretold(spend=CHAMPION)})[CHAMPION][DECIDED_BY]
        report = Report(
            config=self.config,
            as_of=self.as_of,
            held_out_on=self.held_out_on,
            metrics=metrics,
            differences=spend_differences(rows, models[BOTH], {n: one for n, one in models.items() if n != BOTH}),
            not_supervised=why_not,
            past=conditional_expectations(rows, models),
            cells=counted,
            weeks=weekly_tracking(fitted.purchases, known, sales.orders, as_of=self.held_out_on, until=self.as_of),
            **self._of_all_days(sales.rfm),
        )
        rows.unpersist()
        return report, before

    def _foretold(self, known: DataFrame, sales: Sales) -> tuple[LifetimeFormula, DataFrame, str | None]:
        """The fit up to the held-out days; customers with what everyone foretells of those and what came, cached; and
        why the supervised model is not among them."""
        self.progress(f"fitting up to {self.held_out_on}")
        fitted = self.for_holdout.fit(known)
        observed = observed_after(sales.orders, as_of=self.held_out_on, days=self.config.holdout_days)
        rows = self.for_holdout.score(known, fitted).transform(self._with_champion)
        rows, why_not = self._with_supervised(with_observed(rows, observed), sales)
        return fitted, rows.cache(), why_not

    def _measured(
        self, rows: DataFrame, models: Mapping[str, Foretold], counted: pd.DataFrame
    ) -> dict[str, dict[str, float]]:
        """The metrics of each competitor, written down in a run of its own."""
        found = {}
        for name, measures in accuracy(rows, models).items():
            found[name] = measures | order_measures(counted[counted["model"] == name])
            with self.registry.run(MODEL, name, self.tags, nested=True):
                settings = SETTINGS if name == SUPERVISED else {}
                self.registry.log_params({"candidate": name, "what": WHAT[name], **settings})
                self.registry.log_metrics(found[name])
        return found

    def _of_all_days(self, rows: DataFrame) -> dict[str, Any]:
        """The parts of a report that are of the fit to all days up to as_of, which is registered."""
        self.progress("fitting to all days")
        model = LifetimeValue(self.config)
        fitted = model.fit(rows)
        without_intervals = LifetimeValue(self.config.model_copy(update={"draws": FEWEST_DRAWS}))
        typical = rows.agg(
            F.percentile_approx("T", 0.5).alias("age"), F.percentile_approx("frequency", 0.98).alias("most")
        )
        age, most = typical.collect()[0]
        return {
            "fitted": fitted,
            "distribution": value_distribution(without_intervals.score(rows, fitted)),
            "total": model.total(rows, fitted),
            "age_days": max(int(age), 7),
            "most_purchases": min(max(int(most), 3), 30),
        }

    def _with_champion(self, rows: DataFrame) -> DataFrame:
        """Adds what the champion's numbers foretell of the same customers, where there is one to beat."""
        if self.champion is None or not self._may_be_challenged():
            return rows
        fitted = kept_formula(self.registry, self.champion)
        purchases = expected_purchases(fitted.purchases, float(self.config.holdout_days))
        return rows.withColumn(CHAMPION, purchases * expected_value(fitted.values))

    def _with_supervised(self, rows: DataFrame, sales: Sales) -> tuple[DataFrame, str | None]:
        """Adds supervised_spend; or says why it cannot."""
        if sales.snapshot is None or sales.labels is None:
            return rows, "there are no features."
        days = self.config.holdout_days
        learnt_on = self.held_out_on - timedelta(days=days)
        known = with_labels(sales.snapshot, sales.labels, horizon_days=days, gap_days=0)
        learnt = known.where(F.col("as_of") == F.lit(learnt_on))
        held_out = sales.snapshot.where(F.col("as_of") == F.lit(self.held_out_on))
        if learnt.isEmpty() or held_out.isEmpty():
            return rows, f"features.snapshot and features.labels of {days} days hold nothing of {learnt_on}."
        self.progress(SUPERVISED)
        model, learnt = SupervisedSpend(FEATURES, seed=self.config.seed), learnt.cache()
        try:
            fitted = model.fit(learnt)
        except ModelError as error:
            return rows, str(error)
        finally:
            learnt.unpersist()
        foretold = model.score(held_out, fitted).select("customer_id", SPEND)
        return rows.join(foretold, on="customer_id", how="left").fillna(0.0, [SPEND]), None

    def _registered(self, report: Report, rows: DataFrame, run_id: str) -> Version:
        self.progress("registering")
        self.registry.log_values({"formula": report.fitted.model_dump()}, "scoring.json")
        sample = rows.select(*[F.col(name).cast("double").alias(name) for name in INPUTS]).limit(5).toPandas()
        scorer = PackagedLifetimeValue(report.fitted, self.config)
        return self.registry.register(
            MODEL, scorer, run_id=run_id, as_of=self.as_of, inputs=sample, output=scorer.predict(None, sample),
            metrics=report.metrics[BOTH],
        )  # fmt: skip

    def _may_be_challenged(self) -> bool:
        """A model trained for a back-test never replaces one that has seen more."""
        return self.champion is not None and self.champion.as_of <= self.as_of

    def _wins(self, error: float, before: float | None) -> bool:
        if self.champion is None:
            return True
        return before is not None and error <= before * (1 - self.config.promotion_margin)


def kept_formula(registry: Registry, version: Version) -> LifetimeFormula:
    """What a version scores by."""
    return LifetimeFormula.model_validate(registry.values(version, "scoring.json")["formula"])
