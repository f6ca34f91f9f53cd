"""silver.orders, gold.rfm, features -> a registered version of lifetime value, when the last one is too old."""

from datetime import timedelta

from customerlake.features.labels import LABELS
from customerlake.features.snapshot import SNAPSHOT
from customerlake.gold.rfm import RFM
from customerlake.models.lifetime.training import Sales, Training, repeat_customers
from customerlake.models.lifetime_value import MODEL
from customerlake.models.registry import Registry
from customerlake.runtime import job
from customerlake.silver.orders import ORDERS


def main(run: job.Run) -> None:
    registry, config = Registry(run.root), run.config.lifetime_value
    if not run.retrain and not registry.is_due(MODEL, run.as_of, config.retrain_after_days):
        run.remark("kept: the last version is young enough")
        return
    orders, held_out_on = run.read(ORDERS), run.as_of - timedelta(days=config.holdout_days)
    if repeat_customers(orders, held_out_on=held_out_on).isEmpty():
        run.remark(f"not trained: by {held_out_on}, after which models are judged, nobody had bought on a second day")
        return
    sales = Sales(orders, run.read_as_of(RFM), run.read(SNAPSHOT), run.read(LABELS))
    training = Training(registry, config, as_of=run.as_of, tags=run.tags(), progress=run.progress)
    run.report_model(MODEL, **training.run(sales, run.inputs()).told())


if __name__ == "__main__":
    job.run(main)
