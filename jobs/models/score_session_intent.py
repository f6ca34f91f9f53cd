"""gold.web_sessions and the champion -> scores.session_intent, for the visits of one --as-of date."""

from pyspark.sql import functions as F

from customerlake.features.session import sessions_at_hand
from customerlake.gold.web_sessions import WEB_SESSIONS
from customerlake.models.classifiers.training import kept_classifier
from customerlake.models.registry import Registry
from customerlake.models.session_intent import MODEL, SESSION_INTENT, session_intent_scores
from customerlake.runtime import job


def main(run: job.Run) -> None:
    registry, config = Registry(run.root), run.config.session_intent
    version = registry.usable(MODEL, run.as_of)
    if version is None:
        run.remark("not scored: no version was trained on days up to --as-of")
        return
    fitted, threshold = kept_classifier(registry, version)
    by_then = run.read(WEB_SESSIONS).where(F.col("started_on") <= F.lit(run.as_of))
    visits = sessions_at_hand(by_then, seconds=config.seconds, time_zone=run.config.time_zone)
    scored = session_intent_scores(
        fitted, visits, config, as_of=run.as_of, threshold=threshold, model_version=version.number
    )
    run.replace(SESSION_INTENT, scored)


if __name__ == "__main__":
    job.run(main)
