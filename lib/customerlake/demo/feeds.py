"""Every feed of the demo as a frame with the contract's columns, as the source would send it, without dirt of files."""

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from customerlake.demo import clicks, consents, email, loyalty, posts, profiles, reference, service, shop, surveys
from customerlake.demo.world import World

DESK_TIME_ZONE = "Europe/London"  # the desk writes its own time of day


def feeds_of(spark: SparkSession, made: World) -> dict[str, DataFrame]:
    """The frames, by feed."""
    chance = made.chance
    checked_out = shop.checkouts(made.orders, made.customers, chance=chance)
    of_desk = {name: _desk_time(F.col(name)) for name in ("opened_at", "first_response_at", "solved_at", "updated_at")}
    return {
        "web_orders": shop.web_orders(made.sold, checked_out),
        "pos_sales": shop.pos_sales(made.sold, chance=chance),
        "crm_profiles": profiles.crm_profiles(made.profiles, chance=chance),
        "loyalty_events": loyalty.loyalty_events(made.cards, made.orders, chance=chance),
        "web_events": clicks.web_events(made.visits, chance=chance),
        "email_events": email.email_events(made.messages, chance=chance),
        "campaigns": email.campaigns(email.campaign_values(spark)),
        "campaign_members": email.campaign_members(made.messages),
        "social_posts": posts.social_posts(made.posts, chance=chance),
        "tickets": service.tickets(made.tickets, chance=chance).withColumns(of_desk),
        "survey_answers": surveys.survey_answers(made.invitations, chance=chance),
        "consents": consents.consents(made.customers, made.messages, chance=chance),
        "products": reference.products(made.products, chance=chance),
        "exchange_rates": reference.exchange_rates(spark, chance=chance),
    }


def _desk_time(at: Column) -> Column:
    return F.from_utc_timestamp(at, DESK_TIME_ZONE)
