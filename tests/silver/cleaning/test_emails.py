import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.silver.cleaning.emails import email_address, email_key, is_role_address, misspelt_domain
from customerlake.silver.cleaning.reference import reference_values


def read(spark, function, texts):
    rows = spark.createDataFrame(list(enumerate(texts)), "id int, text string")
    return [row.read for row in rows.select("id", function(F.col("text")).alias("read")).sort("id").collect()]


def test_an_address_is_read_out_of_what_stands_around_it(spark):
    texts = {
        " John.Smith+shop@Example.COM ": "john.smith+shop@example.com",
        "mailto:ann@example.co.uk": "ann@example.co.uk",
        "mailto:ann@example.com?subject=Order%20536365": "ann@example.com",
        "Ann Smith <ann@example.com>": "ann@example.com",
        '"Smith, Ann" <ANN@example.com>;': "ann@example.com",
        "<ann@example.com>": "ann@example.com",
        "“ann@example.com”": "ann@example.com",
        "ann@example.com.": "ann@example.com",
        "ann@example.com, ": "ann@example.com",
        "ann@example.com\u200b\n": "ann@example.com",
        "ａｎｎ＠ｅｘａｍｐｌｅ．ｃｏｍ": "ann@example.com",
        "Jürgen@Müller.de": "jürgen@müller.de",
        "o'brien_1@sub.example-shop.travel": "o'brien_1@sub.example-shop.travel",
        "ann@xn--mller-kva.xn--p1ai": "ann@xn--mller-kva.xn--p1ai",
        "who?@example.com": "who?@example.com",
    }

    assert dict(zip(texts, read(spark, email_address, texts), strict=True)) == texts


def test_what_is_no_address_or_more_than_one_is_null(spark):
    texts = [
        *("+44 7700 900123", "ann", "ann@example", "@example.com", "ann@", "ann@@example.com", "a@b@example.com"),
        *("ann@example.com, bob@example.com", "ann smith@example.com", ".ann@example.com", "ann.@example.com"),
        *("a..b@example.com", "ann@-example.com", "ann@example-.com", "ann@example..com", "ann@example.c"),
        *("ann@192.168.0.1", "ann@example.123", "n/a", "", "   ", None, "x" * 10_000, "x" * 65 + "@example.com"),
        *("a@" + "b." * 200 + "com", "a." * 5_000 + "@example.com", "<ann@example.com> <bob@example.com>"),
    ]

    assert read(spark, email_address, texts) == [None] * len(texts)


def test_addresses_that_reach_one_mailbox_have_one_key(spark):
    keys = {
        "john.smith+shop@gmail.com": "johnsmith@gmail.com",
        "j.o.h.n.smith@googlemail.com": "johnsmith@gmail.com",
        "johnsmith@gmial.com": "johnsmith@gmail.com",
        "john.smith@gmail.con": "johnsmith@gmail.com",
        "john.smith+a+b@outlook.com": "john.smith@outlook.com",
        "john.smith@hotmial.co.ku": "john.smith@hotmail.co.uk",
        "john.smith@example.com": "john.smith@example.com",
        "+@example.com": "+@example.com",
        None: None,
    }

    assert read(spark, email_key, keys) == list(keys.values())


def test_a_misspelt_domain_of_a_provider_is_told_with_the_one_that_was_meant(spark):
    meant = {
        "x@gmial.com": "gmail.com",
        "x@gmail.co": "gmail.com",
        "x@gmail.co.uk": "gmail.com",
        "x@hotmial.com": "hotmail.com",
        "x@hotmial.es": "hotmail.es",
        "x@hotmial.co.ku": "hotmail.co.uk",
        "x@yaho.com": "yahoo.com",
        "x@yahoo.co.ku": "yahoo.co.uk",
        "x@outlook.comm": "outlook.com",
        "x@t-onlne.de": "t-online.de",
        "x@btinternet.ocm": "btinternet.com",
        "x@firm.con": "firm.com",
        "x@firm.co.ku": "firm.co.uk",
        "x@firm.couk": "firm.co.uk",
    }

    assert dict(zip(meant, read(spark, misspelt_domain, meant), strict=True)) == meant


def test_a_domain_that_may_be_right_is_not_told(spark):
    right = [
        *("x@gmail.com", "x@googlemail.com", "x@hotmail.fr", "x@hotmail.co.uk", "x@yahoo.co.jp", "x@ymail.com"),
        *("x@mail.com", "x@email.de", "x@gmx.net", "x@aol.com", "x@firm.co", "x@firm.cm", "x@live.nl", "x@me.com"),
        *("x@gmial.example.org", "x@yahoo.example", "x@company.uk", None),
    ]

    assert read(spark, misspelt_domain, right) == [None] * len(right)


def test_addresses_of_jobs_and_machines_are_told_from_persons(spark):
    roles = ["info@x.com", "sales2@x.com", "no-reply@x.com", "noreply123@x.com", "do_not_reply@x.com"]
    roles += ["donotreply@x.de", "kundenservice@x.de", "support+eu@x.com", "buchhaltung@x.de", "contact-1@x.fr"]
    persons = ["ann@x.com", "infodesk.smith@x.com", "ann.sales@x.com", "salesman@x.com", "norepl@x.com", "1@x.com"]

    assert read(spark, is_role_address, [*roles, *persons, None]) == [True] * 10 + [False] * 6 + [None]


MAILBOX = st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9_]{1,8}){0,2}(\+[a-z]{1,5})?", fullmatch=True)
DOMAIN = st.sampled_from(["gmail.com", "googlemail.com", "gmial.com", "hotmial.co.ku", "example.com", "yahoo.con"])


@given(addresses=st.lists(st.builds("{}@{}".format, MAILBOX, DOMAIN), min_size=1, max_size=100))
def test_an_address_and_a_key_that_are_read_again_stay(spark, addresses):
    written = [f" <{address.upper()}>" for address in addresses]
    keys = read(spark, email_key, addresses)

    assert read(spark, email_address, written) == addresses
    assert read(spark, email_key, keys) == keys
    assert read(spark, misspelt_domain, keys) == [None] * len(keys)


@pytest.mark.before_an_engine
def test_a_misspelling_stands_for_one_provider_and_is_none_itself():
    providers = reference_values("mail_domains")["providers"]
    misspelt = [name for said in providers.values() for name in said["misspelt"]]

    assert sorted(misspelt) == sorted(set(misspelt))
    assert not set(misspelt) & set(providers)
