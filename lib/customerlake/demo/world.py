"""The demo's world, from which every feed and every truth is told: each part made once, from those before it."""

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession

from customerlake.demo import (
    clicks,
    email,
    experiences,
    loyalty,
    people,
    posts,
    profiles,
    reference,
    sales,
    service,
    sessions,
    surveys,
)
from customerlake.demo.chance import Chance
from customerlake.demo.consents import with_mail_consent

Keep = Callable[[str, DataFrame], DataFrame]
"""Write a frame aside and read it back, so that what follows does not make it again."""


@dataclass(frozen=True)
class World:
    """Grains: customers: customer_id; sold: line; orders and experienced: order_id; products: product_id; messages:
    campaign_id and customer_id; visits: session_id; tickets: ticket_id; invitations: invitation_id; posts: post_id;
    profiles: profile_id; cards: card_id."""

    chance: Chance
    customers: DataFrame
    sold: DataFrame
    orders: DataFrame
    experienced: DataFrame
    products: DataFrame
    messages: DataFrame
    visits: DataFrame
    tickets: DataFrame
    invitations: DataFrame
    posts: DataFrame
    profiles: DataFrame
    cards: DataFrame


def world(spark: SparkSession, folder: str, *, customers: int, chance: Chance, keep: Keep) -> World:
    """Make the world around the real sales in `folder`."""
    lines = sales.real_lines(spark, folder)
    named = keep(
        "names",
        sales.chosen_customers(lines, chance=chance, customers=customers)
        .transform(lambda df: people.persons_of(df, chance=chance))
        .transform(people.with_lists)
        .transform(lambda df: people.with_traits(df, chance=chance))
        .transform(lambda df: people.with_times(df, chance=chance))
        .transform(lambda df: people.with_names(df, chance=chance)),
    )
    known = keep(
        "customers",
        named.transform(lambda df: people.with_addresses(df, chance=chance))
        .transform(lambda df: with_mail_consent(df, chance=chance))
        .withColumn("has_mailbox", chance.happens(0.93, "has a mailbox", "person_id")),
    )
    anonymous = sales.chosen_anonymous_orders(lines, chance=chance, customers=customers)
    sold = sales.sold_lines(lines, known, anonymous, chance=chance)
    orders = keep("orders", sales.orders_of(sold))
    products = keep("products", reference.product_values(lines))
    experienced = keep("experienced", experiences.with_experience(orders, known, chance=chance))
    by_orders = sessions.order_sessions(orders, known, chance=chance)
    messages = keep(
        "messages",
        email.messages(known, email.campaign_values(spark), sessions.certain_visitors(by_orders), chance=chance),
    )
    shelves = keep("shelves", sessions.shelves_of(products))
    all_sessions = (
        by_orders.unionByName(sessions.browsing(known, shelves, messages, chance=chance))
        .unionByName(sessions.from_email(messages, shelves, chance=chance))
        .unionByName(sessions.passers_by(spark, shelves, customers=customers, chance=chance))
    )
    visits = keep("visits", clicks.visits_of(all_sessions, chance=chance))
    tickets = keep("tickets", service.tickets_of(experienced, chance=chance))
    return World(
        chance=chance,
        customers=known,
        sold=sold,
        orders=orders,
        experienced=experienced,
        products=products,
        messages=messages,
        visits=visits,
        tickets=tickets,
        invitations=keep("invitations", surveys.invitations(experienced, tickets, chance=chance)),
        posts=keep("posts", posts.posts_of(sold, experienced, chance=chance)),
        profiles=keep("profiles", profiles.profiles_of(known, chance=chance)),
        cards=keep("cards", loyalty.cards_of(known, chance=chance)),
    )
