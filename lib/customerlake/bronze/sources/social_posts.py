"""The feed of posts and reviews."""

from pyspark.sql import types as T

from customerlake.contracts.source import Received, Source, bronze_table

TEXT = T.StringType()

SOCIAL_POSTS = Source(
    feed="social_posts",
    grain="one record per state of a post or review",
    key=("post_id",),
    at="updated_at",
    is_event=False,
    columns=(
        Received("post_id", TEXT, "number of the post"),
        Received("network", TEXT, "where it was posted", is_required=True),
        Received("author", TEXT, "name of the author there", personal="identify", is_optional=True),
        Received(
            "customer_id", TEXT, "the shop's number of the customer, where known", personal="identify", is_optional=True
        ),
        Received("language", TEXT, "ISO 639 code of the language", is_optional=True),
        Received("text", TEXT, "what was said", personal="analyse", is_required=True),
        Received("rating", T.DoubleType(), "stars given, 1 to 5", unit="stars", is_optional=True),
        Received("product_id", TEXT, "product it is about", is_optional=True),
        Received("posted_at", T.TimestampType(), "when", unit="UTC", is_required=True),
        Received(
            "updated_at", T.TimestampType(), "when it was last changed; when posted, for one never changed", unit="UTC"
        ),
    ),
)

BRONZE = bronze_table(SOCIAL_POSTS)
