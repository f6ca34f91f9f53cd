"""silver.orders -> features.snapshot and features.labels, for --as-of and for the dates that models learn from."""

from customerlake.features.labels import LABELS, labels
from customerlake.features.snapshot import SNAPSHOT, snapshot
from customerlake.models.churn import churn_split
from customerlake.runtime import job
from customerlake.silver.orders import ORDERS


def main(run: job.Run) -> None:
    orders = run.read(ORDERS)
    split = churn_split(run.config.churn, first_ordered_on=run.first_ordered_on, as_of=run.as_of)
    past = [*split.training, split.holdout] if split else []
    run.replace_dates(SNAPSHOT, snapshot(orders, as_of=[*past, run.as_of]), dates=[*past, run.as_of])
    if past:
        horizon_days = run.config.churn.horizon_days
        labelled = labels(orders, as_of=past, horizon_days=horizon_days, observed_until=run.as_of)
        run.replace_dates(LABELS, labelled, dates=past)


if __name__ == "__main__":
    job.run(main)
