"""silver.social_posts: posts and reviews, as last changed; typed from bronze.social_posts by `silver/typed.py`."""

from customerlake.bronze.sources import social_posts
from customerlake.contracts.checks import InOrder, InRange
from customerlake.contracts.quarantine import quarantine_table
from customerlake.silver.typed import silver_table

SOCIAL_POSTS = silver_table(
    social_posts.SOCIAL_POSTS,
    "silver.social_posts",
    checks=(InRange("rating", least=1, most=5),),
    measured=(InOrder(("posted_at", "updated_at")),),
)
REJECTED_SOCIAL_POSTS = quarantine_table(SOCIAL_POSTS)
