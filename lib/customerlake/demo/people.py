"""Who the customers are: persons, their households, their latent traits, and when they lapse.

A person is behind one customer number, or behind two (registered twice). Nobody of these people exists.
"""

from datetime import datetime
from importlib import resources
from typing import Any

import yaml
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from customerlake.demo.chance import Chance
from customerlake.demo.times import DAY, FIRST_PROFILE, HOUR, MINUTE, days_between, end, instant, later

REGISTERED_TWICE = 26  # of so many customer numbers, two are one person's
HOUSEHOLD_BLOCK = 15  # of so many persons, two live together, and three more do
OCCUPATIONS = [
    "teacher",
    "shopkeeper",
    "nurse",
    "engineer",
    "retired",
    "florist",
    "clerk",
    "manager",
    "student",
    "self-employed",
]


def listed(name: str) -> Any:
    """The lists of names.yaml, places.yaml or texts.yaml."""
    return yaml.safe_load((resources.files("customerlake") / "demo" / f"{name}.yaml").read_text(encoding="utf-8"))


def persons_of(customers: DataFrame, *, chance: Chance) -> DataFrame:
    """Say which customer numbers are one person's, and which persons live together.

    Adds: person_id, household_id, lives_alone. Persons with two numbers have them in one country.
    """
    among = Window.partitionBy("copy", "country")
    by_chance = among.orderBy(chance.bits("persons", "customer_id"), "customer_id")
    by_household = among.orderBy(chance.bits("households", "person_id"), "person_id")
    place = F.row_number().over(by_chance)
    is_second = (place % REGISTERED_TWICE) == 0
    lead = F.when(is_second, F.coalesce(F.lag("customer_id").over(by_chance), F.col("customer_id")))
    block = F.floor((F.col("_place") - 1) / HOUSEHOLD_BLOCK).cast("string")
    seat = (F.col("_place") - 1) % HOUSEHOLD_BLOCK
    home = F.when(seat < 2, F.lit("pair")).when(seat < 5, F.lit("family"))
    shared = chance.identifier("household", "copy", "country", block, home, letter="h")
    return (
        customers.withColumn("_lead", F.coalesce(lead, F.col("customer_id")))
        .withColumn("person_id", chance.identifier("person", "_lead", letter="p"))
        .withColumn("_place", F.dense_rank().over(by_household))
        .withColumn("lives_alone", home.isNull())
        .withColumn("household_id", F.when(home.isNotNull(), shared).otherwise(_alone(chance)))
        .drop("_lead", "_place")
    )


def _alone(chance: Chance) -> Column:
    return chance.identifier("household", "person_id", letter="h")


def with_traits(customers: DataFrame, *, chance: Chance) -> DataFrame:
    """The latent traits of each person, from 0 to 1, on every one of the person's customer numbers.

    Adds: engagement (opens and visits), price_sensitivity, satisfaction (before any experience), web_share (of orders),
          privacy (wish to withhold consent), writes_chinese.
    """
    key = "person_id"
    is_abroad = ~F.col("country").isin("United Kingdom", "Channel Islands", "Unspecified")
    habit = chance.uniform("channel habit", key)
    return customers.withColumns(
        {
            "engagement": F.round(F.lit(0.05) + F.lit(0.9) * F.pow(chance.uniform("engagement", key), F.lit(1.3)), 4),
            "price_sensitivity": F.round(chance.uniform("price sensitivity", key), 4),
            "satisfaction": F.round(F.lit(0.35) + F.lit(0.6) * F.sqrt(chance.uniform("satisfaction", key)), 4),
            "privacy": F.round(chance.uniform("privacy", key), 4),
            "web_share": F.when(is_abroad, 0.95).when(habit < 0.35, 0.12).when(habit < 0.6, 0.5).otherwise(0.88),
        }
    ).withColumn("writes_chinese", (F.col("language") == "zh") | chance.happens(0.15, "writes Chinese", key))


def with_times(customers: DataFrame, *, chance: Chance) -> DataFrame:
    """When each customer was first known, moved, changed address of e-mail, and lapsed.

    Adds: joined_at (before the first order, or on its day), moved_at (of the household), new_email_at (of the person),
          each null where it never happens; lapsed_on: after the last order, when the silence until the end is long
          against the customer's own rhythm. It is the one thing here that knows how the real orders end.
    """
    first = F.col("first_at")
    before = later(first, -chance.exponential(150.0, "joined", "customer_id") * DAY - 2 * HOUR)
    # the session that ends in the first order begins up to 17 minutes before it
    on_the_day = later(first, -chance.uniform("joined", "customer_id") * HOUR - 30 * MINUTE)
    joined = F.when(chance.happens(0.6, "joined before", "customer_id"), before).otherwise(on_the_day)
    silence = days_between(end(), "last_at")
    is_long = silence > F.greatest(F.lit(45.0), F.lit(2.0) * F.coalesce(F.col("rhythm_days"), F.lit(45.0)))
    after = F.greatest(F.lit(2.0), silence * (F.lit(0.1) + F.lit(0.3) * chance.uniform("lapse", "customer_id")))
    return customers.withColumns(
        {
            "joined_at": F.greatest(joined, instant(FIRST_PROFILE)),
            "moved_at": _sometime(chance, 0.12, "moved", "household_id"),
            "new_email_at": _sometime(chance, 0.06, "new e-mail", "person_id"),
            "lapsed_on": F.when(is_long, F.to_date(later("last_at", after * DAY))),
        }
    )


def _sometime(chance: Chance, probability: float, name: str, key: str) -> Column:
    """An instant in the working hours of some day from January to November 2011, for a share of the rows."""
    seconds = chance.whole(0, 320, f"day of {name}", key) * DAY + chance.whole(0, 9 * HOUR, f"hour of {name}", key)
    at = later(instant(datetime(2011, 1, 10, 9)), seconds)
    return F.when(chance.happens(probability, name, key), at)


def activity(at: Column) -> Column:
    """How active a customer is at an instant against before: 1, falling to 0.4 in the 60 days before the lapse, 0.15
    after it."""
    left = F.datediff(F.col("lapsed_on"), at.cast("date")).cast("double")
    falling = F.lit(0.4) + F.lit(0.6) * left / 60.0
    return F.when(left.isNull() | (left >= 60), 1.0).when(left >= 0, falling).otherwise(0.15)


def with_lists(customers: DataFrame) -> DataFrame:
    """The lists that names and addresses are drawn from: those of each customer's country and language.

    Adds: language, iso_country, phone_code, phone_trunk, mobile_pattern, landline_pattern, postcode_pattern,
          cities, streets, mailboxes, women, men, families.
    """
    spark, places, names = customers.sparkSession, listed("places"), listed("names")
    of_country = [
        (
            country,
            *[place[what] for what in ("iso", "language", "code", "trunk", "mobile", "landline", "postcode", "cities")],
        )
        for country, place in {**places["countries"], "": places["other"]}.items()
    ]
    of_language = [
        (name, places["streets"][name], places["mailboxes"][name], lists["female"], lists["male"], lists["last"])
        for name, lists in names.items()
        if name != "nicknames"
    ]
    countries = spark.createDataFrame(
        of_country,
        "place string, iso_country string, language string, phone_code string, phone_trunk string, "
        "mobile_pattern string, landline_pattern string, postcode_pattern string, cities array<string>",
    )
    languages = spark.createDataFrame(
        of_language,
        "language string, streets array<string>, mailboxes array<string>, women array<string>, men array<string>, "
        "families array<string>",
    )
    known = F.when(F.col("country").isin(list(places["countries"])), F.col("country")).otherwise(F.lit(""))
    return (
        customers.withColumn("place", known)
        .join(F.broadcast(countries), on="place", how="inner")
        .join(F.broadcast(languages), on="language", how="inner")
        .drop("place")
    )


def with_names(customers: DataFrame, *, chance: Chance) -> DataFrame:
    """Each person's sex, names and day of birth, from the lists.

    Adds: sex, first_name, last_name (Latin letters), native_name (the whole name in its own script, family name first;
          null where that is Latin), nickname (null: none), birth_on, title, income [GBP], occupation.
    """
    short_forms = list(listed("names")["nicknames"].items())
    nicknames = customers.sparkSession.createDataFrame(short_forms, "first_name string, nickname string")
    own = F.col("person_id")
    last_key = F.when(chance.happens(0.85, "family name", own), F.col("household_id")).otherwise(own)
    is_female = F.col("sex") == "female"
    titles = chance.weighted({"plain": 0.93, "Dr": 0.06, "Prof": 0.01}, "title", own)
    women = chance.chosen(["Mrs", "Mrs", "Ms", "Miss"], "title of a woman", own)
    income = F.exp(F.lit(10.3) + F.lit(0.45) * chance.normal("income", "household_id"))
    first = F.when(is_female, F.col("women")).otherwise(F.col("men"))
    script = F.concat(F.substring_index("_last", "/", 1), F.substring_index("_first", "/", 1))
    return (
        customers.withColumn("sex", chance.weighted({"female": 0.58, "male": 0.42}, "sex", own))
        .withColumns(
            {
                "_first": item_of(first, chance.uniform("first", own)),
                "_last": item_of(F.col("families"), chance.uniform("last", last_key)),
                "birth_on": F.date_add(F.lit("1935-01-01").cast("date"), chance.whole(0, 20800, "birth", own)),
                "title": F.when(titles != "plain", titles).when(is_female, women).otherwise("Mr"),
                "income": F.round(income / 100).cast("long") * 100,
                "occupation": chance.chosen(OCCUPATIONS, "occupation", own),
            }
        )
        .withColumns(
            {
                "first_name": F.substring_index("_first", "/", -1),
                "last_name": F.substring_index("_last", "/", -1),
                "native_name": F.when(F.col("language").isin("ja", "zh"), script),
            }
        )
        .drop("_first", "_last", "women", "men", "families")
        .join(F.broadcast(nicknames), on="first_name", how="left")
    )


def with_addresses(customers: DataFrame, *, chance: Chance) -> DataFrame:
    """Where each household can be reached, before and after it moved, and each person before and after a new e-mail.

    Adds: street, postcode, city, region and the same with `new_` before; email, new_email; mobile, landline (national
          numbers without trunk prefix). A household may share one mailbox.
    """
    family = F.concat(plain("last_name"), F.lit(".family"))
    own = F.concat_ws(".", plain("first_name"), plain("last_name"))
    short = F.concat(F.substring(plain("first_name"), 1, 1), plain("last_name"))
    shares = ~F.col("lives_alone") & chance.happens(0.3, "family mailbox", "household_id")
    begin = F.when(chance.happens(0.6, "mailbox", "person_id"), own).otherwise(short)
    return (
        customers.transform(lambda df: _with_address(df, chance, "home", ""))
        .transform(lambda df: _with_address(df, chance, "new home", "new_"))
        .withColumns(
            {
                "_mobile": _draw_digits(chance, "mobile", "person_id"),
                "_landline": _draw_digits(chance, "landline", "household_id"),
            }
        )
        .withColumns(
            {
                "mobile": _filled("mobile_pattern", "_mobile"),
                "landline": _filled("landline_pattern", "_landline"),
                "email": F.when(shares, _mailbox(chance, family, "household_id")).otherwise(
                    _mailbox(chance, begin, "person_id")
                ),
                "new_email": _mailbox(chance, own, "person_id", "new "),
            }
        )
        .drop("cities", "streets", "mailboxes", "mobile_pattern", "landline_pattern", "postcode_pattern")
        .drop("_mobile", "_landline")
    )


def _with_address(customers: DataFrame, chance: Chance, name: str, prefix: str) -> DataFrame:
    home = "household_id"
    number = chance.whole(1, 140, f"{name}, number", home).cast("string")
    street = item_of(F.col("streets"), chance.uniform(f"{name}, street", home))
    addressed = F.when(F.col("language").isin("en", "fr"), F.concat_ws(" ", number, street)).otherwise(
        F.concat_ws(" ", street, number)
    )
    return (
        customers.withColumn("_city", F.split(item_of(F.col("cities"), chance.uniform(f"{name}, city", home)), "/"))
        .withColumns(
            {
                "_postcode": F.replace("postcode_pattern", F.lit("{}"), F.get("_city", F.lit(2))),
                "_digits": _draw_digits(chance, f"{name}, postcode", home),
            }
        )
        .withColumns(
            {
                f"{prefix}street": addressed,
                f"{prefix}city": F.get("_city", F.lit(0)),
                f"{prefix}region": F.get("_city", F.lit(1)),
                f"{prefix}postcode": _filled("_postcode", "_digits"),
            }
        )
        .drop("_city", "_postcode", "_digits")
    )


def item_of(items: Column, draw: Column) -> Column:
    """The item at `draw`, from 0 to 1, of the way through an array."""
    return F.get(items, F.floor(draw * F.size(items)).cast("int"))


def _mailbox(chance: Chance, begin: Column, key: str, which: str = "") -> Column:
    number = chance.whole(1000, 9999, f"{which}mailbox number", key).cast("string")
    copy = F.when(F.col("copy") > 0, F.col("copy").cast("string")).otherwise(F.lit(""))
    return F.concat(begin, number, copy, F.lit("@"), item_of(F.col("mailboxes"), chance.uniform(f"{which}domain", key)))


def plain(name: str) -> Column:
    """A name in the letters that an address of e-mail takes."""
    plain = F.translate(F.lower(F.col(name)), "äöüéèêëáàâãåæøñçíìîïóòôõúùûšś", "aoueeeeaaaaaaonciiiioooouuuss")
    return F.regexp_replace(F.replace(plain, F.lit("ß"), F.lit("ss")), "[^a-z]", "")


def _draw_digits(chance: Chance, name: str, key: str) -> Column:
    return F.lpad(F.pmod(chance.bits(name, key), F.lit(10**12)).cast("string"), 12, "0")


def _filled(pattern: str, digits: str) -> Column:
    """A pattern of up to 12 signs with each 9 replaced by a digit and each A by a letter, from 12 digits of chance.

    Both are columns: an expression would be repeated for each sign, and outgrow what the JVM compiles.
    """

    def sign_at(position: int) -> Column:
        sign, digit = F.substring(pattern, position, 1), F.substring(digits, position, 1)
        return (
            F.when(sign == "9", digit).when(sign == "A", F.translate(digit, "0123456789", "BDEGHJLNPR")).otherwise(sign)
        )

    return F.concat(*[sign_at(position) for position in range(1, 13)])
