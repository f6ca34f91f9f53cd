from datetime import date

import numpy as np
import pandas as pd

from customerlake.models.churn import churn_task
from customerlake.models.classifiers.competition import Competitor, Report, split_rows
from customerlake.models.splits import TimeSplit
from customerlake.runtime.config import ChurnConfig

CONFIG = ChurnConfig(suspicious_roc_auc=0.9)


def competitor(name, *areas):
    return Competitor(name, {}, None, [], pd.DataFrame(), metrics=[{"roc_auc": area} for area in areas])


def report(best, baseline, interval):
    return Report(
        task=churn_task(CONFIG), config=CONFIG, as_of=date(2011, 12, 9), splits=["2011-09-03", "2011-08-13"],
        competitors=[best, baseline], best=best, baseline=baseline, threshold=0.5, curve=None,
        intervals={"roc_auc": interval}, learning=pd.DataFrame(), sample=np.empty((0, 0)), fairness=None,
    )  # fmt: skip


def test_a_model_that_is_surely_better_than_its_baseline_is_not_warned_of():
    found = report(competitor("XGBoost", 0.8, 0.79), competitor("recency rule", 0.7, 0.72), (0.76, 0.84))

    assert found.warnings == ()


def test_a_model_whose_interval_holds_the_baseline_may_be_better_by_chance():
    found = report(competitor("XGBoost", 0.8, 0.79), competitor("recency rule", 0.77, 0.72), (0.76, 0.84))

    assert found.warnings == (
        "The 95 % interval of XGBoost, 0.760 to 0.840, holds the ROC AUC of recency rule, 0.770: the difference may be "
        "chance.",
    )


def test_a_model_that_is_no_better_over_all_dates_is_told_to_be_left():
    found = report(competitor("XGBoost", 0.8, 0.7), competitor("recency rule", 0.75, 0.75), (0.76, 0.84))

    assert found.warnings == ("XGBoost is no better than recency rule: use the simpler one, or no model.",)


def test_a_result_above_what_is_believable_sends_the_reviewer_to_look_for_a_leak():
    found = report(competitor("XGBoost", 0.95, 0.94), competitor("recency rule", 0.7, 0.72), (0.93, 0.96))

    (warning,) = found.warnings
    assert warning.startswith("ROC AUC 0.950 is above 0.9: better than such data mostly allow.")


def test_the_best_is_known_by_its_mean_over_the_dates():
    assert competitor("XGBoost", 0.8, 0.7).mean == 0.75


def test_rows_are_split_by_the_dates_of_each_split(spark):
    days = [date(2011, 1, 1), date(2011, 2, 1), date(2011, 3, 1), date(2011, 4, 1)]
    labelled = spark.createDataFrame([(str(day), day) for day in days], "customer_id string, as_of date")
    splits = [TimeSplit(training=(days[1], days[0]), holdout=days[3]), TimeSplit(training=(days[0],), holdout=days[2])]

    newest, older = split_rows(labelled, splits)

    def dates(rows):
        return sorted(row["as_of"] for row in rows.collect())

    assert (newest.name, dates(newest.training), dates(newest.holdout)) == ("2011-04-01", days[:2], days[3:])
    assert (older.name, dates(older.training), dates(older.holdout)) == ("2011-03-01", days[:1], days[2:3])
