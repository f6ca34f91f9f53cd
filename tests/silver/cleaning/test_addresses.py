import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.silver.cleaning.addresses import city_name, house_number, postcode, street_key
from customerlake.silver.cleaning.reference import reference_rows, reference_values


def read(spark, function, texts):
    rows = spark.createDataFrame(list(enumerate(texts)), "id int, text string")
    return [row.read for row in rows.select("id", function(F.col("text")).alias("read")).sort("id").collect()]


def postcodes(spark, *said):
    rows = spark.createDataFrame(
        [(place, *one) for place, one in enumerate(said)], "id int, text string, country string"
    )
    spelt = postcode(F.col("text"), F.col("country")).alias("spelt")
    return [row.spelt for row in rows.select("id", spelt).sort("id").collect()]


def test_one_street_written_in_several_ways_has_one_key(spark):
    keys = {
        "12 high road": [
            "12 High Rd",
            "High Road 12",
            "12, HIGH RD.",
            "High Rd, 12",
            "No. 12 High Road",
            "１２ Ｈｉｇｈ Ｒｄ",
        ],
        "5 saint johns road": ["5 St Johns Road", "5 St. John's Rd", "St John’s Rd 5", "5 Saint Johns Road"],
        "7 church street": ["7 Church St", "Church Street 7", "7 church st."],
        "7 church street north": ["7 Church St North", "7 Church Street Nth"],
        "5 hauptstrasse": ["Hauptstr. 5", "Hauptstraße 5", "HAUPTSTRASSE 5", "Haupt-Str. 5", "Haupt Straße Nr. 5"],
        "12 karl marxplatz": ["Karl-Marx-Platz 12", "Karl Marx Platz 12"],
        "4 kerkstrasse": ["Kerkstraat 4", "Kerkstr. 4"],
        "3 avenue de la constitucion": [
            "Avenida de la Constitución 3",
            "Av. de la Constitución, 3",
            "Avda de la Constitucion 3",
        ],
        "5 calle mayor": ["Calle Mayor 5", "C/ Mayor, 5", "CALLE MAYOR Nº 5", "calle mayor, 5, 2º"],
        "7 boulevard gambetta": ["7 boulevard Gambetta", "7, bd. Gambetta", "Bvd Gambetta 7"],
        "3 place de l eglise": ["3 place de l'Église", "3, Place de l’Eglise"],
        "5bis rue victor hugo": ["5 bis rue Victor Hugo", "rue Victor Hugo, 5bis"],
        "12 high street flat 2": ["Flat 2, 12 High Street", "12 High St, Apt. 2", "12 High Street Flat 2"],
        "1234 north main street": ["1234 N Main St", "1234 North Main Street"],
        "7 lipowa": ["ul. Lipowa 7", "Lipowa 7"],
        "1-2-3 銀座": ["銀座1-2-3", "銀座１－２－３"],
        "box 123": ["PO Box 123", "P.O. Box 123", "Postfach 123"],
        "kingsway": ["Kingsway", "KINGSWAY "],
    }
    lines = {line: key for key, lines in keys.items() for line in lines}

    assert dict(zip(lines, read(spark, street_key, lines), strict=True)) == lines


def test_streets_that_differ_have_keys_that_differ(spark):
    lines = ["12 High Road", "12 High Street", "12a High Road", "2 High Road", "High Road", "12 St Johns Road"]
    lines += ["12 Johns Street", "Flat 2, 12 High Road", "12-14 High Road"]

    assert len(set(read(spark, street_key, lines))) == len(lines)


def test_a_house_number_is_found_at_either_end(spark):
    numbers = {
        "12 High Road": "12",
        "High Road 12": "12",
        "221B Baker Street": "221b",
        "Hauptstr. 5 a": "5a",
        "12 – 14 Mill Lane": "12-14",
        "Via Roma 10/A": "10a",
        "Hauptstr. 12/3": "12/3",
        "rue Victor Hugo, 5 bis": "5bis",
        "Straße des 17. Juni 135": "135",
        "5th Avenue 12": "12",
        "Via 20 Settembre 15": "15",
        "Calle Mayor, 5, 2º B": "5",
        "Flat 2, 12 High Street": "12",
        "Q7, 24": "24",
        "銀座1-2-3": "1-2-3",
        "PO Box 123": None,
        "The Avenue": None,
        "Unit 5 Mill Lane": None,
        "Calle Mayor s/n": None,
        "": None,
        None: None,
    }

    assert read(spark, house_number, numbers) == list(numbers.values())


def test_a_street_without_letter_or_digit_is_null_and_a_long_one_is_cut(spark):
    assert read(spark, street_key, ["", " ", "-", "😀", None, "x" * 10_000]) == [None] * 5 + ["x" * 200]


NAMES = st.lists(st.text("bdfghjkmopquvxyz", min_size=4, max_size=8), min_size=1, max_size=3).map(" ".join)


@given(streets=st.lists(st.tuples(NAMES, st.integers(1, 9999)), min_size=1, max_size=50))
def test_it_does_not_matter_on_which_side_the_number_stands(spark, streets):
    in_front = read(spark, street_key, [f"{number} {name} Road" for name, number in streets])
    behind = read(spark, street_key, [f"{name.upper()} RD. {number}" for name, number in streets])

    assert in_front == behind == [f"{number} {name} road" for name, number in streets]


def test_a_postcode_is_spelt_as_its_country_does(spark):
    # addresses of parliaments, posts and the Universal Postal Union's examples
    said = {
        ("sw1a0aa", "GB"): "SW1A 0AA",
        ("SW1A  0AA", "GB"): "SW1A 0AA",
        ("ec1a-1bb", "GB"): "EC1A 1BB",
        ("m11ae", "GB"): "M1 1AE",
        ("gir 0aa", "GB"): "GIR 0AA",
        ("GY11AA", "GG"): "GY1 1AA",
        ("je2 4wj", "GG"): "JE2 4WJ",
        ("2511cv", "NL"): "2511 CV",
        ("NL-2511 CV", "NL"): "2511 CV",
        ("00902", "PL"): "00-902",
        ("10012", "SE"): "100 12",
        ("SE-100 12", "SE"): "100 12",
        ("11853", "CZ"): "118 53",
        ("20515", "US"): "20515",
        ("205150001", "US"): "20515-0001",
        ("1008914", "JP"): "100-8914",
        ("〒１００－８９１４", "JP"): "100-8914",
        ("D-11011", "DE"): "11011",
        ("11011.0", "DE"): "11011",
        ("01067", "DE"): "01067",
        ("A-1017", "AT"): "1017",
        ("CH-3003", "CH"): "3003",
        ("75355", "FR"): "75355",
        ("d02cx76", "IE"): "D02 CX76",
        ("D6W XY00", "IE"): "D6W XY00",
        ("1249068", "PT"): "1249-068",
        ("k1a0a6", "CA"): "K1A 0A6",
        ("70160900", "BR"): "70160-900",
        ("1811", "LV"): "LV-1811",
        ("lt-01109", "LT"): "LT-01109",
        ("500", "AD"): "AD500",
        ("vlt1117", "MT"): "VLT 1117",
        ("FI-00102", "FI"): "00102",
        ("179369", "SG"): "179369",
    }

    assert dict(zip(said, postcodes(spark, *said), strict=True)) == said


def test_a_postcode_that_does_not_fit_its_country_is_null(spark):
    said = [("SW1A", "GB"), ("12345", "GB"), ("8033", "DE"), ("803311", "DE"), ("D80", "DE"), ("1234", "NL")]
    said += [
        ("AB 1234", "NL"),
        ("1234", "US"),
        ("1249", "PT"),
        ("XY00", "IE"),
        ("999077", "HK"),
        ("", "GB"),
        (None, "GB"),
    ]

    assert postcodes(spark, *said) == [None] * len(said)


def test_a_postcode_of_no_known_country_is_tidy_text(spark):
    assert postcodes(spark, (" ab  12c ", None), ("ab 12c", "XX"), ("x" * 10_000, None), ("  ", None)) == [
        *("AB 12C", "AB 12C", "X" * 20, None)
    ]


@given(
    said=st.lists(
        st.tuples(st.text("AB12 -", max_size=9), st.sampled_from(["GB", "NL", "SE", "LV", "US"])), max_size=200
    )
)
def test_a_postcode_that_was_spelt_is_spelt_so_again(spark, said):
    once = postcodes(spark, *said, ("M1 1AE", "GB"))
    again = postcodes(spark, *[(text, country) for text, (_, country) in zip(once, [*said, ("", "GB")], strict=True)])

    assert again == once


def test_a_city_has_one_spelling(spark):
    cities = {
        "München": ["München", "MÜNCHEN", "Munich", "Muenchen", "munchen", "80331 München", "Mu\u0308nchen"],
        "Köln": ["Köln", "Cologne", "KOELN", "koln"],
        "Wien": ["Wien", "Vienna", "Viena"],
        "Genève": ["Geneva", "Genf", "geneve"],
        "København": ["Copenhagen", "Kopenhagen", "Kobenhavn"],
        "Frankfurt am Main": ["Frankfurt", "FRANKFURT/MAIN", "Frankfurt a.M."],
        "London": ["London", "LONDON ", "Londres", "ＬＯＮＤＯＮ"],
        "Tokyo": ["東京", "東京都", "Tokyo", "TOKIO"],
        "Hong Kong": ["香港", "hongkong"],
        "Moscow": ["Москва", "Moskau"],
    }

    said = {one: city for city, names in cities.items() for one in names}

    assert dict(zip(said, read(spark, city_name, said), strict=True)) == said


def test_a_city_that_is_not_listed_gets_its_capitals(spark):
    cities = {
        "STOKE-ON-TRENT": "Stoke-on-Trent",
        "NEWCASTLE UPON TYNE": "Newcastle upon Tyne",
        "king's lynn": "King's Lynn",
        "SAINT-GERMAIN-EN-LAYE": "Saint-Germain-en-Laye",
        "LA ROCHELLE": "La Rochelle",
        "rio de janeiro": "Rio de Janeiro",
        "st. gallen": "St. Gallen",
        "Bad Homburg v.d.H.": "Bad Homburg v.d.H.",
        "松本": "松本",
        "12345": None,
        "😀": None,
        "": None,
        None: None,
    }

    assert read(spark, city_name, cities) == list(cities.values())


@pytest.mark.before_an_engine
def test_reference_lists_hold_each_entry_once():
    names = reference_values("cities")["names"]
    said = [one for city, others in names.items() for one in (city, *others)]
    abbreviations = [(short, place) for short, _, place in reference_rows("street_words")]

    assert len(said) == len(set(said))
    assert len(abbreviations) == len(set(abbreviations))
    assert all(re.fullmatch("[A-Z]{2}", country) for country in reference_values("postcodes"))
