"""gold.web_sessions -> a registered version of the intent of the visit at hand, when the last one is too old."""

from pyspark.sql import functions as F

from customerlake.features.session import sessions_at_hand
from customerlake.gold.web_sessions import WEB_SESSIONS
from customerlake.models.registry import Registry
from customerlake.models.session_intent import MODEL
from customerlake.models.session_intent_training import train_session_intent
from customerlake.runtime import job


def main(run: job.Run) -> None:
    registry, config = Registry(run.root), run.config.session_intent
    if not run.retrain and not registry.is_due(MODEL, run.as_of, config.retrain_after_days):
        run.remark("kept: the last version is young enough")
        return
    by_then = run.read(WEB_SESSIONS).where(F.col("started_on") <= F.lit(run.as_of))
    visits = sessions_at_hand(by_then, seconds=config.seconds, time_zone=run.config.time_zone)
    trained = train_session_intent(
        registry, config, visits, as_of=run.as_of, inputs=run.inputs(), tags=run.tags(), progress=run.progress
    )
    if trained is None:
        run.remark("not trained: too few visits end in an order")
        return
    run.report_model(MODEL, **trained.told())


if __name__ == "__main__":
    job.run(main)
