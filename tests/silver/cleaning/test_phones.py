import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from pyspark.sql import functions as F

from customerlake.silver.cleaning.phones import e164, is_mobile, phone_region


def numbers(spark, *said, default_country=None):
    rows = spark.createDataFrame(
        [(place, *one) for place, one in enumerate(said)], "id int, phone string, country string"
    )
    read = e164(F.col("phone"), F.col("country"), default_country=default_country)
    return [row.number for row in rows.select("id", read.alias("number")).sort("id").collect()]


def read(spark, function, texts):
    rows = spark.createDataFrame(list(enumerate(texts)), "id int, text string")
    return [row.read for row in rows.select("id", function(F.col("text")).alias("read")).sort("id").collect()]


def test_a_number_in_any_form_that_people_write_is_one_number(spark):
    # of 020 7946 0xxx, which Ofcom keeps for drama
    forms = [
        *("+44 20 7946 0018", "+442079460018", "0044 20 7946 0018", "(0044) 20-7946-0018", "+44 (0) 20 7946 0018"),
        *("+44(0)20.7946.0018", "020 7946 0018", "02079460018", "(020) 7946-0018", "(0)20 7946 0018"),
        *(
            "２０７９４６００１８",
            "０２０－７９４６－００１８",
            "٠٢٠٧٩٤٦٠٠١٨",
            "tel:+44-20-7946-0018",
            "Tel. 020 7946 0018",
        ),
        *("020 7946 0018 ext. 12", "020 7946 0018 x12", "020 7946 0018 #12", "442079460018", "2079460018.0"),
        *("\u200e020 7946 0018 ", "020 7946 0018 / 07700 900123", "020 7946 0018; home"),
    ]

    assert dict(zip(forms, numbers(spark, *[(form, "GB") for form in forms]), strict=True)) == dict.fromkeys(
        forms, "+442079460018"
    )


def test_the_code_in_front_says_the_country_then_the_record_then_the_default(spark):
    said = [
        ("+49 170 1234567", "GB"),
        ("0049 170 1234567", "US"),
        ("0170 1234567", "DE"),
        ("0170 1234567", "de"),
        ("0170 1234567", None),
        ("020 7946 0018", None),
        ("0011 44 20 7946 0018", "AU"),  # Australia dials 0011 before a country's code
        ("010 44 20 7946 0018", "JP"),
        ("+1 212 555 0123", "XX"),
    ]

    assert numbers(spark, *said) == [
        *("+491701234567", "+491701234567", "+491701234567", "+491701234567", None, None),
        *("+442079460018", "+442079460018", "+12125550123"),
    ]
    assert numbers(spark, *said, default_country="DE")[4] == "+491701234567"


def test_a_zero_in_brackets_stays_where_the_country_writes_it(spark):
    said = [
        ("+39 (0)6 6982", "IT"),
        ("+39 (0) 06 6982 1234", "IT"),
        ("+34 (0) 612 345 678", "ES"),
        ("+41 (0)44 668 18 00", "CH"),
    ]

    assert numbers(spark, *said) == ["+39066982", "+390669821234", "+34612345678", "+41446681800"]


def test_slashes_may_part_a_number_or_two(spark):
    said = [("089/1234567", "DE"), ("089 1234567 / 0170 1234567", "DE"), ("+43 1 5123456, +43 664 1234567", "AT")]

    assert numbers(spark, *said) == ["+49891234567", "+49891234567", "+4315123456"]


def test_what_is_no_number_is_null(spark):
    texts = [
        *("unknown", "a12345678@example.com", "12345", "112", "0000000000", "0123456789", "9999999999", "n/a", "-", ""),
        *(None, "4.47911E+11", "+99912345678", "1-800-FLOWERS", "call after 6pm 02079460018", "9" * 500, "+", "😀"),
    ]

    assert numbers(spark, *[(text, "GB") for text in texts]) == [None] * len(texts)


def test_a_number_of_the_right_length_in_a_range_that_is_not_in_use_is_kept(spark):
    assert numbers(spark, ("01999 999998", "GB")) == ["+441999999998"]
    assert read(spark, phone_region, ["+441999999998"]) == [None]
    assert read(spark, is_mobile, ["+441999999998"]) == [False]


def test_the_example_of_every_country_is_read_in_every_form(spark):
    """The examples that phonenumbers ships, written by it in each of its forms."""
    examples = {
        region: phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
        for region in phonenumbers.SUPPORTED_REGIONS
    }
    forms = (
        PhoneNumberFormat.NATIONAL,
        PhoneNumberFormat.INTERNATIONAL,
        PhoneNumberFormat.RFC3966,
        PhoneNumberFormat.E164,
    )
    said = [
        (
            phonenumbers.format_number(number, form),
            region,
            f"+{number.country_code}{phonenumbers.national_significant_number(number)}",
        )
        for region, number in examples.items()
        for form in forms
        if number is not None
    ]

    assert len(said) > 900
    found = numbers(spark, *[(text, region) for text, region, _ in said])
    assert [(*one, number) for one, number in zip(said, found, strict=True) if one[2] != number] == []


def test_region_and_kind_follow_from_the_number(spark):
    numbers_of = {
        "+442079460018": ("GB", False),
        "+491701234567": ("DE", True),
        "+441534456789": ("JE", False),
        "+12125550123": ("US", True),  # of American numbers nobody can tell
        "+81312345678": ("JP", False),
        "nonsense": (None, None),
        None: (None, None),
    }

    assert read(spark, phone_region, numbers_of) == [region for region, _ in numbers_of.values()]
    assert read(spark, is_mobile, numbers_of) == [mobile for _, mobile in numbers_of.values()]


@pytest.mark.parametrize("form", ["{} x{}", "{} ext {}", "{}#{}"])
def test_extensions_do_not_change_a_number(spark, form):
    said = [(form.format("020 7946 0018", extension), "GB") for extension in (1, 22, 333, 4444)]

    assert numbers(spark, *said) == ["+442079460018"] * 4
