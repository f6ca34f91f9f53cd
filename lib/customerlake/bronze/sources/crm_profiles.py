"""The CRM feed: the profile of a person as the CRM holds it."""

from pyspark.sql import types as T

from customerlake.contracts.source import Received, Source, bronze_table
from customerlake.contracts.table import MONEY

TEXT = T.StringType()

CRM_PROFILES = Source(
    feed="crm_profiles",
    grain="one record per state of a CRM profile",
    key=("profile_id",),
    at="updated_at",
    is_event=False,
    columns=(
        Received("profile_id", TEXT, "number of the profile in the CRM", personal="identify"),
        Received(
            "customer_id",
            TEXT,
            "the shop's number of the customer, where the CRM knows it",
            personal="identify",
            is_optional=True,
        ),
        Received("title", TEXT, "Mr, Ms, Dr and the like", personal="analyse", is_optional=True),
        Received("first_name", TEXT, "given names", personal="identify", is_optional=True),
        Received("last_name", TEXT, "family name", personal="identify", is_optional=True),
        Received(
            "full_name",
            TEXT,
            "the whole name, also in another script, where the parts are not kept apart",
            personal="identify",
            is_optional=True,
        ),
        Received(
            "sex", TEXT, "female, male or other, in the words of the source", personal="analyse", is_optional=True
        ),
        Received("birth_on", T.DateType(), "day of birth", personal="analyse", is_optional=True),
        Received("email", TEXT, "e-mail address", personal="contact", is_optional=True),
        Received("phone", TEXT, "phone number as written", personal="contact", is_optional=True),
        Received("street", TEXT, "street and house number", personal="contact", is_optional=True),
        Received("postcode", TEXT, "postal code", personal="analyse", is_optional=True),
        Received("city", TEXT, "city", personal="analyse", is_optional=True),
        Received("region", TEXT, "state, county or province", personal="analyse", is_optional=True),
        Received("country", TEXT, "country, by name or ISO 3166 code", personal="analyse", is_optional=True),
        Received(
            "income",
            MONEY,
            "yearly household income as stated",
            unit="lake's currency",
            personal="analyse",
            is_optional=True,
        ),
        Received("occupation", TEXT, "occupation as stated", personal="analyse", is_optional=True),
        Received("created_at", T.TimestampType(), "when the profile was made", unit="UTC", is_optional=True),
        Received("updated_at", T.TimestampType(), "when the profile last changed", unit="UTC"),
    ),
)

BRONZE = bronze_table(CRM_PROFILES)
