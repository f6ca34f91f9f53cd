from pathlib import Path

import pytest
from pydantic import ValidationError

from customerlake.bronze.sources import SOURCES
from customerlake.bronze.sources.sales import SALES
from customerlake.errors import ConfigError
from customerlake.runtime.config import LakeFile, load_lake_file, shipped

SMALLEST = "name: shop\ncurrency: EUR\nfeeds:\n  sales:\n    path: sales\n"


@pytest.fixture
def lake_file(tmp_path):
    """Writes a lake file and returns its path."""

    def written(text):
        file = tmp_path / "lake.yaml"
        file.write_text(text, encoding="utf-8")
        return str(file)

    return written


def refusal_of(path):
    with pytest.raises(ConfigError) as refusal:
        load_lake_file(path)
    return str(refusal.value)


def test_a_lake_file_needs_only_a_name_a_currency_and_a_folder(lake_file):
    lake = load_lake_file(lake_file(SMALLEST))

    assert (lake.name, lake.currency, lake.time_zone) == ("shop", "EUR", "UTC")
    assert lake.feeds.sales.delimiter == ","
    assert lake.feeds.sales.names(SALES)["order_id"] == "order_id"
    assert lake.churn.horizon_days == 90


def test_a_folder_is_meant_relative_to_the_lake_file(lake_file, tmp_path):
    assert load_lake_file(lake_file(SMALLEST)).feeds.sales.path == str(tmp_path / "sales")


@pytest.mark.parametrize("path", ["/data/sales", "s3://bucket/sales", "embedded"])
def test_a_folder_that_is_not_relative_stays_as_written(lake_file, path):
    assert load_lake_file(lake_file(SMALLEST.replace("path: sales", f"path: {path}"))).feeds.sales.path == path


def test_without_a_lake_file_the_sales_that_ship_with_the_package_are_meant():
    lake = load_lake_file(None)

    assert (lake.name, lake.currency, lake.feeds.sales.path) == ("online_retail", "GBP", "embedded")


@pytest.mark.parametrize("file", sorted(Path(str(shipped("conf"))).glob("lakes/*.yaml")), ids=lambda file: file.name)
def test_every_lake_file_that_ships_can_be_used(file):
    assert load_lake_file(str(file)).name == file.stem


def test_values_cannot_be_changed_after_they_are_read():
    with pytest.raises(ValidationError, match="frozen"):
        load_lake_file(None).currency = "EUR"


def test_an_unknown_key_is_refused_with_the_nearest_known_one(lake_file):
    file = lake_file(SMALLEST + "    delimeter: ';'\n")

    assert refusal_of(file) == (
        f"The lake file {file} cannot be used:\n  - feeds.sales.delimeter: unknown key; did you mean delimiter?"
    )


def test_an_unknown_key_that_is_near_to_none_is_refused_with_all_known_ones(lake_file):
    refusal = refusal_of(lake_file(SMALLEST + "zzz: 1\n"))

    assert refusal.endswith(
        "zzz: unknown key; known here: churn, compared_dates, country, currency, engine, feeds, identity, "
        "lifetime_value, name, outcome, purchase_intent, quality, segments, session_intent, time_zone, web_channels."
    )


def test_an_unknown_column_is_compared_with_the_columns_of_the_feed(lake_file):
    refusal = refusal_of(lake_file(SMALLEST + "    columns: {customer: CustomerID}\n"))

    assert "feeds.sales.columns.customer: unknown key; did you mean customer_id?" in refusal


TWO_SHOPS = (
    "name: shop\ncurrency: EUR\nfeeds:\n  web_orders: {path: a, channel: eshop, order_prefix: W}\n"
    "  pos_sales: {path: b, channel: store, order_prefix: S}\n"
)


def test_a_lake_file_says_which_channels_are_the_web_shop(lake_file):
    named = load_lake_file(lake_file(TWO_SHOPS + "web_channels: [eshop]\n"))
    unsaid, smallest = load_lake_file(lake_file(TWO_SHOPS)), load_lake_file(lake_file(SMALLEST))

    assert (named.web_channels, named.web_order_prefixes) == (("eshop",), ("W",))
    assert (unsaid.web_channels, unsaid.web_order_prefixes) == (("web", "online"), ("",))
    assert smallest.web_order_prefixes == ("",)


def test_a_web_channel_that_no_feed_has_is_refused(lake_file):
    refusal = refusal_of(lake_file(TWO_SHOPS + "web_channels: [eshop, shop]\n"))

    assert "web_channels: " in refusal
    assert "no feed of sales has the channel shop; there are eshop, store." in refusal


def test_a_missing_key_is_named_by_its_full_path(lake_file):
    assert "feeds.tickets.database.table: is missing; add it." in refusal_of(
        lake_file("name: shop\ncurrency: EUR\nfeeds:\n  tickets: {database: {url: 'jdbc:postgresql://h/d'}}\n")
    )


@pytest.mark.parametrize(
    ("said", "has"),
    [("{pattern: '*.csv'}", "none"), ("{path: a, stream: {brokers: 'b:9092', topic: t}}", "path, stream")],
)
def test_a_feed_has_exactly_one_origin(lake_file, said, has):
    refusal = refusal_of(lake_file(f"name: shop\ncurrency: EUR\nfeeds:\n  sales: {said}\n"))

    assert f"feeds.sales: it needs exactly one of path, database, api, stream; it has {has}." in refusal


def test_a_feed_that_there_is_not_is_refused_with_the_nearest(lake_file):
    refusal = refusal_of(lake_file("name: shop\ncurrency: EUR\nfeeds:\n  tickts: {path: a}\n"))

    assert "feeds.tickts: unknown key; did you mean tickets?" in refusal


def test_a_lake_file_without_a_feed_is_refused(lake_file):
    assert "feeds: it names no feed; there are sales, pos_sales, web_orders" in refusal_of(
        lake_file("name: shop\ncurrency: EUR\nfeeds: {}\n")
    )


def test_everything_that_is_wrong_is_said_at_once(lake_file):
    refusal = refusal_of(
        lake_file(
            "name: shop\ncurrency: EUR\ntimezone: UTC\nfeeds:\n"
            "  sales: {path: a, encoding: utf-9, columns: {custmer_id: x}, constants: {channel: y}}\n"
            "  tickets: {api: {url: 'http://h', cursor: c}}\n"
        )
    )

    assert sorted(line.split(":")[0] for line in refusal.splitlines()[1:]) == [
        "  - feeds.sales.columns.custmer_id",
        "  - feeds.sales.constants.channel",
        "  - feeds.sales.encoding",
        "  - feeds.tickets.api.cursor",
        "  - timezone",
    ]


def test_a_column_that_the_source_has_cannot_be_a_constant_too(lake_file):
    refusal = refusal_of(lake_file(SMALLEST + "    columns: {country: Land}\n    constants: {country: France}\n"))

    assert "country stands in columns and in constants" in refusal


def test_a_source_needs_what_its_lake_file_names_and_what_the_contract_does_not_leave_open(lake_file):
    feed = load_lake_file(
        lake_file(SMALLEST + "    columns: {customer_id: null, currency: Curr}\n    constants: {country: France}\n")
    ).feeds.sales

    needed = ["order_id", "product_id", "description", "quantity", "ordered_at", "unit_price", "Curr"]
    assert feed.needed(SALES) == needed
    assert "customer_id" not in feed.names(SALES)
    assert "country" not in feed.names(SALES)
    assert feed.names(SALES)["amount"] == "amount"


def test_every_feed_of_the_contracts_can_be_named(lake_file):
    for feed, source in SOURCES.items():
        needs = "observed_on: 2020-01-31" if feed == "customer_attributes" else "pattern: '*'"
        lake = load_lake_file(lake_file(f"name: a\ncurrency: EUR\nfeeds:\n  {feed}: {{path: a, {needs}}}\n"))

        assert list(lake.feeds.named()) == [feed]
        assert set(lake.feeds.named()[feed].names(source)) == set(source.column_names)


@pytest.mark.parametrize("pattern", ["epoch_seconds", "epoch_millis"])
def test_a_timestamp_may_be_a_count_of_seconds(lake_file, pattern):
    lake = load_lake_file(lake_file(f"{SMALLEST}    timestamp_format: {pattern}\n"))

    assert lake.feeds.sales.timestamp_format == pattern


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("churn: {horizon_days: 0}", "churn.horizon_days: 0 cannot be used: Input should be greater than 0."),
        ("churn: {warning_probability: 1.5}", "churn.warning_probability: 1.5 cannot be used"),
        ("churn: {horizon_days: soon}", "churn.horizon_days: 'soon' cannot be used"),
        ("segments: {min_segments: 1}", "segments.min_segments: 1 cannot be used"),
        (
            "time_zone: Europe/Amsterdm",
            "time_zone: 'Europe/Amsterdm' cannot be used: there is no such time zone; did you mean Europe/Amsterdam.",
        ),
        ("time_zone: '+25'", "time_zone: '+25' cannot be used: there is no such time zone; Europe/London is one."),
    ],
)
def test_a_value_out_of_range_is_refused_with_where_and_why(lake_file, line, where):
    assert where in refusal_of(lake_file(f"{SMALLEST}{line}\n"))


def test_an_encoding_that_python_does_not_know_is_refused(lake_file):
    assert (
        "feeds.sales.encoding: 'utf-9' cannot be used: Python knows no such encoding; "
        "utf-8, cp1252, latin-1, gb18030 and utf-16 are common."
    ) in refusal_of(lake_file(SMALLEST + "    encoding: utf-9\n"))


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("yyyy-MM-dd nn", "Spark reads no n in a pattern"),
        ("YYYY-MM-dd", "Spark reads no Y in a pattern"),
        ("HH:mm", "it needs year, month and day"),
    ],
)
def test_a_timestamp_format_that_spark_cannot_read_is_refused(lake_file, pattern, reason):
    refusal = refusal_of(lake_file(f"{SMALLEST}    timestamp_format: {pattern!r}\n"))

    assert f"feeds.sales.timestamp_format: {pattern!r} cannot be used: {reason}" in refusal


def test_a_timestamp_format_may_hold_words_in_quotes(lake_file):
    lake = load_lake_file(lake_file(f"""{SMALLEST}    timestamp_format: "d. MMM yyyy 'um' H:mm"\n"""))

    assert lake.feeds.sales.timestamp_format == "d. MMM yyyy 'um' H:mm"


def test_fewer_segments_at_most_than_at_least_are_refused(lake_file):
    refusal = refusal_of(lake_file(f"{SMALLEST}segments: {{min_segments: 5, max_segments: 4}}\n"))

    assert "segments: min_segments 5 is more than max_segments 4." in refusal


def test_thresholds_of_quality_may_be_set_for_all_tables_for_one_and_for_a_column(lake_file):
    quality = load_lake_file(
        lake_file(
            f"{SMALLEST}quality:\n  validity: 0.95\n  tables:\n"
            "    silver.tickets: {validity: 0.5, columns: {customer_id: 0.6}}\n"
        )
    ).quality

    assert (quality.validity, quality.uniqueness) == (0.95, 1.0)
    tickets = quality.tables["silver.tickets"]
    assert (tickets.validity, tickets.uniqueness, tickets.columns) == (0.5, None, {"customer_id": 0.6})


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ("{validty: 0.9}", "quality.validty: unknown key; did you mean validity?"),
        (
            "{tables: {silver.tickets: {validty: 0.9}}}",
            "quality.tables.silver.tickets.validty: unknown key; did you mean validity?",
        ),
        ("{validity: 90}", "quality.validity: 90 cannot be used: Input should be less than or equal to 1."),
        (
            "{tables: {silver.tickets: {columns: {email: 2}}}}",
            "quality.tables.silver.tickets.columns.email: 2 cannot be used: Input should be less than or equal to 1.",
        ),
        ("{tables: {tickets: {validity: 1}}}", "quality.tables.tickets.[key]: 'tickets' cannot be used"),
        ("{usual_rows: [3, 2]}", "quality: usual_rows 3.0 is more than 2.0."),
        ("{fewest_rows: 0}", "quality.fewest_rows: 0 cannot be used"),
    ],
)
def test_a_threshold_of_quality_that_cannot_be_is_refused_with_where_and_why(lake_file, said, where):
    assert where in refusal_of(lake_file(f"{SMALLEST}quality: {said}\n"))


@pytest.mark.parametrize("delimiter", ["''", "';;'", "'\"'", '"\\n"', '"\\r"'])
def test_a_delimiter_is_one_character_that_neither_quotes_nor_ends_a_line(lake_file, delimiter):
    assert "feeds.sales.delimiter: " in refusal_of(lake_file(f"{SMALLEST}    delimiter: {delimiter}\n"))


@pytest.mark.parametrize(("written", "delimiter"), [("';'", ";"), ('"\\t"', "\t"), ("'|'", "|"), ("' '", " ")])
def test_a_delimiter_may_be_any_other_character(lake_file, written, delimiter):
    lake = load_lake_file(lake_file(f"{SMALLEST}    delimiter: {written}\n"))

    assert lake.feeds.sales.delimiter == delimiter


@pytest.mark.parametrize("currency", ["eur", "EURO", "978"])
def test_a_currency_is_three_capitals(lake_file, currency):
    refusal = refusal_of(lake_file(SMALLEST.replace("EUR", f"'{currency}'")))

    assert f"currency: '{currency}' cannot be used" in refusal


def test_all_problems_are_told_at_once(lake_file):
    refusal = refusal_of(lake_file("nam: shop\ncurrency: eur\nfeeds:\n  sales: {delimiter: ';;'}\n"))

    assert sorted(line.split(":")[0] for line in refusal.splitlines()[1:]) == [
        "  - currency",
        "  - feeds.sales",
        "  - feeds.sales.delimiter",
        "  - nam",
        "  - name",
    ]


def test_a_file_that_is_not_yaml_is_refused_with_the_place(lake_file):
    file = lake_file("name: [shop\ncurrency: EUR\n")

    refusal = refusal_of(file)

    assert refusal.startswith(f"The lake file {file} is not YAML: ")
    assert "line 2" in refusal


def test_a_file_in_another_encoding_is_refused(tmp_path):
    file = tmp_path / "lake.yaml"
    file.write_bytes("name: café".encode("latin-1"))

    assert refusal_of(str(file)).startswith(f"The lake file {file} is not YAML: ")


@pytest.mark.parametrize("text", ["", "just words\n", "- a\n- list\n"])
def test_a_file_without_keys_is_refused_with_an_example_to_follow(lake_file, text):
    assert "holds no keys; see conf/lakes/online_retail.yaml for an example." in refusal_of(lake_file(text))


def test_a_missing_file_is_refused_with_its_path(tmp_path):
    file = tmp_path / "nowhere.yaml"

    assert refusal_of(str(file)) == f"The lake file {file} cannot be read: No such file or directory. Check --lake."


def test_a_folder_instead_of_a_file_is_refused(tmp_path):
    assert refusal_of(str(tmp_path)) == f"The lake file {tmp_path} cannot be read: Is a directory. Check --lake."


def test_every_key_of_a_lake_file_is_closed_to_unknown_keys():
    with pytest.raises(ValidationError) as refusal:
        LakeFile.model_validate(
            {
                "name": "shop",
                "currency": "EUR",
                "feeds": {"sales": {"path": "sales"}, "x": 1},
                "churn": {"x": 1},
                "quality": {"x": 1, "tables": {"silver.tickets": {"x": 1}}},
                "segments": {"x": 1},
            }
        )

    assert sorted(error["loc"] for error in refusal.value.errors()) == [
        ("churn", "x"),
        ("feeds", "x"),
        ("quality", "tables", "silver.tickets", "x"),
        ("quality", "x"),
        ("segments", "x"),
    ]
