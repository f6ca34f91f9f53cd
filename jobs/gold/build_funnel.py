"""gold.web_sessions and silver.orders -> gold.funnel and gold.attribution, for one --as-of date."""

from customerlake.gold.attribution import ATTRIBUTION, attribution, removal_effects
from customerlake.gold.funnel import FUNNEL, funnel
from customerlake.gold.journeys import WebShop, transitions
from customerlake.gold.rfm import RFM, segments_of
from customerlake.gold.web_sessions import WEB_SESSIONS
from customerlake.runtime import job
from customerlake.silver.orders import ORDERS


def main(run: job.Run) -> None:
    sessions, orders, as_of = run.read(WEB_SESSIONS), run.read(ORDERS), run.as_of
    segments = segments_of(run.read_as_of(RFM))
    run.replace(FUNNEL, funnel(sessions, segments, as_of=as_of))
    shop = WebShop(channels=run.config.web_channels, order_prefixes=run.config.web_order_prefixes)
    effects = removal_effects(map(tuple, transitions(sessions, orders, as_of=as_of, shop=shop).collect()))
    run.replace(ATTRIBUTION, attribution(sessions, orders, effects, as_of=as_of, shop=shop))


if __name__ == "__main__":
    job.run(main)
