"""The CRM's profiles: persons as somebody typed them in, state after state, some of them twice."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.demo.chance import Chance
from customerlake.demo.dirt import ASCII, FULL_WIDTH, called, cased, kept, mistyped_mailbox, slipped, written_phone
from customerlake.demo.times import DAY, end, later

IN_CRM, TWICE = 0.93, 0.03  # of customer numbers
KNOWS_NUMBER = 0.85


def profiles_of(customers: DataFrame, *, chance: Chance) -> DataFrame:
    """Which profiles the CRM holds, and of whom.

    Grain: one row per profile_id. Adds: profile_id, known_number (null where the CRM does not know it), created_at.
    A second profile of a customer was made by mistake some weeks after the first.
    """
    has = chance.happens(IN_CRM, "in CRM", "customer_id")
    twice = chance.happens(TWICE, "twice in CRM", "customer_id")
    # unknown to the CRM as number, still the profile is of that customer
    knows = chance.happens(
        F.when(F.col("_copy") == 1, KNOWS_NUMBER).otherwise(0.3), "number in CRM", "customer_id", "_copy"
    )
    weeks = F.when(F.col("_copy") == 1, 0.0).otherwise(F.lit(7.0) + 90 * chance.uniform("made again", "customer_id"))
    return (
        customers.where(has)
        .withColumn("_copy", F.explode(F.sequence(F.lit(1), F.when(twice, 2).otherwise(1))))
        .withColumns(
            {
                "profile_id": chance.identifier("profile", "customer_id", "_copy", letter="C"),
                "known_number": F.when(knows, F.col("customer_id")),
                "created_at": later("joined_at", weeks * DAY),
            }
        )
        .where(F.col("created_at") < later(end(), -DAY))
        .drop("_copy")
    )


def crm_profiles(held: DataFrame, *, chance: Chance) -> DataFrame:
    """The feed: one row per state of a profile: as made, after the household moved, after a new address of e-mail."""
    record = "profile_id"
    delay = chance.uniform("told the CRM", record)
    moved, changed = later("moved_at", (delay * 30 + 1) * DAY), later("new_email_at", (delay * 20 + 1) * DAY)
    tells = chance.happens(0.8, "tells of moving", record)
    # a state is made by what had happened by then: a profile made after the move never shows the old address
    states = F.array(
        F.col("created_at"),
        F.when(tells & (moved > F.col("created_at")) & (moved < end()), moved),
        F.when((changed > F.col("created_at")) & (changed < end()), changed),
    )
    lives_new = F.coalesce(
        (F.col("updated_at") >= moved) & tells | (F.col("created_at") > F.col("moved_at")), F.lit(False)
    )
    writes_new = F.coalesce(
        (F.col("updated_at") >= changed) | (F.col("created_at") > F.col("new_email_at")), F.lit(False)
    )

    def kept_as(name: str, value: Column, missing: float) -> Column:
        return kept(value, missing, chance=chance, name=name, record=record).alias(name)

    def now(name: str) -> Column:
        return F.when(lives_new, F.col(f"new_{name}")).otherwise(F.col(name))

    first = cased("_first", chance=chance, record=record)
    last = cased("_last", chance=chance, record=record)
    in_script = F.col("native_name").isNotNull() & chance.happens(0.6, "in script", record)
    wide = F.translate(F.upper(F.concat_ws("　", "last_name", "first_name")), ASCII, FULL_WIDTH)
    full = F.when(in_script & chance.happens(0.15, "full width", record), wide).when(in_script, F.col("native_name"))
    whole = chance.happens(0.05, "name in one field", record) & ~in_script
    mail = F.when(writes_new, F.col("new_email")).otherwise(F.col("email"))
    number = F.when(chance.happens(0.3, "landline", record), F.col("landline")).otherwise(F.col("mobile"))
    outlier = F.when(chance.happens(0.004, "income in pence", record), F.col("income") * 100).otherwise(F.col("income"))
    country = F.when(
        chance.happens(0.5, "ISO code", record) & (F.col("iso_country") != ""), F.col("iso_country")
    ).otherwise(F.col("country"))
    sex = F.col("sex")
    coded = F.when(chance.happens(0.3, "code of sex", record), F.upper(F.substring(sex, 1, 1))).otherwise(sex)
    return (
        held.withColumn("updated_at", F.explode(F.array_distinct(F.array_compact(states))))
        .withColumns({"_whole": whole, "_script": in_script, "_mail": mail, "_number": number})
        .withColumns({"_first": _first(chance), "_last": slipped("last_name", 0.04, chance=chance, record=record)})
        .select(
            record,
            F.col("known_number").alias("customer_id"),
            kept_as("title", F.col("title"), 0.3),
            F.when(~F.col("_script") & ~F.col("_whole"), first).alias("first_name"),
            F.when(~F.col("_script") & ~F.col("_whole"), last).alias("last_name"),
            F.when(F.col("_whole"), F.concat_ws(" ", "first_name", "last_name")).otherwise(full).alias("full_name"),
            kept_as("sex", coded, 0.1),
            kept_as("birth_on", F.col("birth_on"), 0.25),
            kept_as("email", mistyped_mailbox(F.col("_mail"), 0.02, chance=chance, record=record), 0.1),
            kept_as("phone", written_phone(F.col("_number"), chance=chance, record=record), 0.2),
            kept_as("street", _street(now("street"), chance), 0.05),
            kept_as("postcode", _postcode(now("postcode"), chance), 0.04),
            kept_as("city", now("city"), 0.03),
            kept_as("region", now("region"), 0.4),
            country.alias("country"),
            kept_as("income", outlier, 0.5),
            kept_as("occupation", F.col("occupation"), 0.4),
            "created_at",
            "updated_at",
        )
    )


def _first(chance: Chance) -> Column:
    slip = slipped("first_name", 0.03, chance=chance, record="profile_id")
    short = called(0.15, chance=chance, record="profile_id")
    initial = F.concat(F.substring("first_name", 1, 1), F.lit("."))
    form = chance.uniform("form of the first name", "profile_id")
    return F.when(form < 0.04, initial).when(short != F.col("first_name"), short).otherwise(slip)


def _street(street: Column, chance: Chance) -> Column:
    """Streets as people write them: Rd for Road, str. for straße."""
    short = F.regexp_replace(F.regexp_replace(F.regexp_replace(street, "Road", "Rd"), "Street", "St"), "straße", "str.")
    return F.when(chance.happens(0.25, "short street", "profile_id"), short).otherwise(street)


def _postcode(postcode: Column, chance: Chance) -> Column:
    close = F.regexp_replace(postcode, " ", "")
    form = chance.uniform("form of the postcode", "profile_id")
    return F.when(form < 0.12, close).when(form < 0.2, F.lower(postcode)).otherwise(postcode)
