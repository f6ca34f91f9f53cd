"""gold.kpis, orders, campaign members -> gold.before_after around the lake file's compared_dates, by --as-of date."""

from customerlake.gold.before_after import BEFORE_AFTER, before_after, control_groups
from customerlake.gold.kpis import KPIS
from customerlake.runtime import job
from customerlake.silver.campaign_members import CAMPAIGN_MEMBERS
from customerlake.silver.identities import IDENTITIES, of_number
from customerlake.silver.orders import ORDERS
from customerlake.silver.survey_answers import SURVEY_ANSWERS
from customerlake.silver.tickets import TICKETS


def main(run: job.Run) -> None:
    dates = [(one.name, one.day, one.window_days) for one in run.config.compared_dates]
    members = run.read(CAMPAIGN_MEMBERS).transform(of_number(run.read(IDENTITIES)))
    groups = control_groups(members, as_of=run.as_of)
    began = {"survey_answers": (SURVEY_ANSWERS, "invited_at"), "tickets": (TICKETS, "opened_at")}
    first_days = {feed: first.date() if (first := run.lake.smallest(*at)) else None for feed, at in began.items()}
    compared = before_after(
        run.read(KPIS),
        dates,
        run.read(ORDERS),
        groups,
        first_days={"orders": run.first_ordered_on, **first_days},
        as_of=run.as_of,
    )
    run.replace(BEFORE_AFTER, compared)


if __name__ == "__main__":
    job.run(main)
