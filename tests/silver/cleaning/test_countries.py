from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.silver.cleaning.countries import country_code


def codes(spark, texts):
    rows = spark.createDataFrame(list(enumerate(texts)), "id int, text string")
    return [row.code for row in rows.select("id", country_code(F.col("text")).alias("code")).sort("id").collect()]


# ISO 3166-1: alpha-2, alpha-3
ISO = {
    "AE": "ARE", "AT": "AUT", "AU": "AUS", "BE": "BEL", "BR": "BRA", "CA": "CAN", "CH": "CHE", "CN": "CHN", "CY": "CYP",
    "CZ": "CZE", "DE": "DEU", "DK": "DNK", "ES": "ESP", "FI": "FIN", "FR": "FRA", "GB": "GBR", "GG": "GGY", "GR": "GRC",
    "HK": "HKG", "IE": "IRL", "IL": "ISR", "IS": "ISL", "IT": "ITA", "JE": "JEY", "JP": "JPN", "KR": "KOR", "LB": "LBN",
    "LT": "LTU", "MT": "MLT", "NA": "NAM", "NL": "NLD", "NO": "NOR", "PL": "POL", "PT": "PRT", "RO": "ROU", "SA": "SAU",
    "SE": "SWE", "SG": "SGP", "TR": "TUR", "TW": "TWN", "US": "USA", "ZA": "ZAF",
}  # fmt: skip


def test_every_country_of_the_real_sales_has_its_code(spark):
    sales = {
        "United Kingdom": "GB", "Germany": "DE", "France": "FR", "EIRE": "IE", "Spain": "ES", "Netherlands": "NL",
        "Belgium": "BE", "Switzerland": "CH", "Portugal": "PT", "Australia": "AU", "Norway": "NO", "Italy": "IT",
        "Channel Islands": "GG", "Finland": "FI", "Cyprus": "CY", "Sweden": "SE", "Unspecified": None, "Austria": "AT",
        "Denmark": "DK", "Japan": "JP", "Poland": "PL", "Israel": "IL", "USA": "US", "Hong Kong": "HK",
        "Singapore": "SG", "Iceland": "IS", "Canada": "CA", "Greece": "GR", "Malta": "MT", "United Arab Emirates": "AE",
        "European Community": None, "RSA": "ZA", "Lebanon": "LB", "Lithuania": "LT", "Brazil": "BR",
        "Czech Republic": "CZ", "Bahrain": "BH", "Saudi Arabia": "SA",
    }  # fmt: skip

    assert dict(zip(sales, codes(spark, sales), strict=True)) == sales


def test_codes_of_two_and_three_letters_are_read_in_any_case(spark):
    said = [*ISO, *[code.lower() for code in ISO], *ISO.values(), *[f" {code.title()} " for code in ISO.values()]]

    assert codes(spark, said) == [*ISO] * 4


def test_names_in_many_languages_are_one_country(spark):
    names = {
        "DE": [
            "Germany",
            "Deutschland",
            "Allemagne",
            "Alemania",
            "Germania",
            "Duitsland",
            "Niemcy",
            "Tyskland",
            "ドイツ",
            "德国",
            "德國",
        ],
        "GB": [
            "Vereinigtes Königreich",
            "Royaume-Uni",
            "Reino Unido",
            "Regno Unito",
            "イギリス",
            "英国",
            "UNITED KINGDOM",
        ],
        "AT": ["Österreich", "oesterreich", "AUTRICHE", "オーストリア"],
        "CH": ["Schweiz", "Suisse", "Svizzera", "Suiza", "瑞士"],
        "JP": ["Japón", "Japon", "Giappone", "日本", "ＪＡＰＡＮ"],
        "ES": ["España", "espana", "Espagne", "スペイン"],
        "GR": ["Ελλάδα", "Hellas", "Griechenland"],
        "RU": ["Россия", "Russian Federation"],
    }

    said = {name: code for code, names in names.items() for name in names}

    assert dict(zip(said, codes(spark, said), strict=True)) == said


def test_what_sales_call_a_country_is_known(spark):
    names = {
        "England": "GB", "Scotland": "GB", "Northern Ireland": "GB", "Great Britain": "GB", "UK": "GB", "U.K.": "GB",
        "Republic of Ireland": "IE", "Holland": "NL", "The Netherlands": "NL", "U.S.A.": "US",
        "United States of America": "US", "South Korea": "KR", "Korea, Republic of": "KR", "Republic of Korea": "KR",
        "Korea, Democratic People's Republic of": "KP", "Iran, Islamic Republic of": "IR", "Viet Nam": "VN",
        "Taiwan, Province of China": "TW", "People's Republic of China": "CN", "Republic of China": "TW",
        "Ivory Coast": "CI", "Côte d'Ivoire": "CI", "Czechia": "CZ", "Turkey": "TR", "Türkiye": "TR",
        "Macedonia": "MK", "Burma": "MM", "St. Lucia": "LC", "Saint Lucia": "LC", "Bosnia & Herzegovina": "BA",
        "Bosnia and Herzegovina": "BA", "Canary Islands": "ES", "Federal Republic of Germany": "DE",
        "Republic of the Congo": "CG", "DR Congo": "CD", "Kosovo": "XK", "Jersey": "JE",
    }  # fmt: skip

    assert dict(zip(names, codes(spark, names), strict=True)) == names


def test_what_names_no_country_is_null(spark):
    nothing = ["Unspecified", "European Community", "EU", "Europe", "N/A", "n.a.", "unknown", "XX", "ZZ", "AN", "YU"]
    nothing += ["London", "12345", "", "  ", "-", "😀", "x" * 10_000, "Czechoslovakia", "D", None]

    assert codes(spark, nothing) == [None] * len(nothing)


@given(said=st.lists(st.tuples(st.sampled_from([*ISO]), st.integers(0, 9), st.booleans()), min_size=1, max_size=50))
def test_case_and_spaces_do_not_matter(spark, said):
    texts = [" " * spaces + (code.lower() if small else code) + "\t" * (spaces % 2) for code, spaces, small in said]

    assert codes(spark, texts) == [code for code, _, _ in said]
