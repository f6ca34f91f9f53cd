"""silver.web_events and identities -> gold.web_sessions: those of visitors with new events, or known by another now."""

from pyspark.sql import functions as F

from customerlake.gold.web_sessions import WEB_SESSIONS, web_sessions
from customerlake.runtime import job
from customerlake.silver.identities import IDENTITIES
from customerlake.silver.identity.naming import visitors_of, web_events_of_customers
from customerlake.silver.web_events import WEB_EVENTS


def main(run: job.Run) -> None:
    new, renamed = run.new_batches(WEB_EVENTS), run.new_batches(IDENTITIES)
    events, identities = run.read(WEB_EVENTS), run.read(IDENTITIES)
    devices = visitors_of(identities.where(F.col("_batch") >= renamed.start)).select("visitor_id")
    touched = events.where(F.col("_batch") >= new.start).select("visitor_id").union(devices).distinct()
    is_all = not run.lake.exists(WEB_SESSIONS) or new.start == 1 or run.has_new_settings
    concerned = events if is_all else events.join(touched, on="visitor_id", how="left_semi")
    sessions = web_sessions(concerned.transform(web_events_of_customers(identities)), time_zone=run.config.time_zone)
    if is_all:
        run.overwrite(WEB_SESSIONS, sessions)
        return
    place = ["session_id", "started_month"]  # a session that moved to another month is gone from the one it was in
    known = run.read(WEB_SESSIONS).join(touched, on="visitor_id", how="left_semi").select(*place)
    gone = known.join(sessions.select(*place), on=place, how="left_anti").collect()
    run.remove(WEB_SESSIONS, "session_id", [row["session_id"] for row in gone])
    run.merge(WEB_SESSIONS, sessions)


if __name__ == "__main__":
    job.run(main)
