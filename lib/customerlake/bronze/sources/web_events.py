"""The clickstream feed: what a visitor of the web shop did."""

from pyspark.sql import types as T

from customerlake.contracts.source import Received, Source, bronze_table

TEXT = T.StringType()

WEB_EVENTS = Source(
    feed="web_events",
    grain="one record per event of a visitor",
    key=("event_id",),
    at="happened_at",
    is_event=True,
    columns=(
        Received("event_id", TEXT, "number of the event"),
        Received("visitor_id", TEXT, "cookie or device", personal="identify", is_required=True),
        Received(
            "customer_id",
            TEXT,
            "the shop's number of the customer, once logged in",
            personal="identify",
            is_optional=True,
        ),
        Received(
            "event_type",
            TEXT,
            "what was done",
            is_required=True,
            one_of=(
                "page_view",
                "product_view",
                "search",
                "add_to_cart",
                "remove_from_cart",
                "checkout",
                "order",
                "login",
            ),
        ),
        Received("product_id", TEXT, "product looked at or put into the cart", is_optional=True),
        Received("order_id", TEXT, "order that the event completed", is_optional=True),
        Received("search_text", TEXT, "what was searched for", personal="analyse", is_optional=True),
        Received("url", TEXT, "page", personal="analyse", is_optional=True),
        Received("referrer", TEXT, "page before, outside of the shop", personal="analyse", is_optional=True),
        Received("campaign_id", TEXT, "campaign that brought the visitor", is_optional=True),
        Received("channel", TEXT, "direct, search, social, email, affiliate or paid", is_optional=True),
        Received("device", TEXT, "desktop, mobile or tablet", personal="analyse", is_optional=True),
        Received("country", TEXT, "country of the visitor", personal="analyse", is_optional=True),
        Received("happened_at", T.TimestampType(), "when", unit="UTC"),
    ),
)

BRONZE = bronze_table(WEB_EVENTS)
