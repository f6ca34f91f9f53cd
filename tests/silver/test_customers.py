from collections import Counter
from datetime import date, datetime

from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.silver.customer_records import CARDS, CRM, CUSTOMER_RECORDS, SENT, SHOP, TICKETS
from customerlake.silver.customers import CUSTOMERS, customers
from customerlake.silver.identities import IDENTITIES

USUAL = {
    "source": SHOP,
    "source_record_id": "17850",
    "valid_from": datetime(2024, 1, 1),
    "evidence": "a",
    "is_deleted": False,
    "_batch": 1,
}


def records_of(spark, *records):
    """Records of sources; each dict says only what is unlike USUAL."""
    rows = [tuple((USUAL | record).get(name) for name in CUSTOMER_RECORDS.column_names) for record in records]
    return spark.createDataFrame(rows, CUSTOMER_RECORDS.schema)


def identities_of(spark, customer_of):
    """Whose the records are: customer by (source, source_record_id)."""
    rows = [(*record, customer, None, 0, 0, 1) for record, customer in customer_of.items()]
    return spark.createDataFrame(rows, IDENTITIES.schema)


def summed(spark, *records, customer_of=None):
    """silver.customers of records that are all customer 17850's, or those of `customer_of`."""
    keys = {(row["source"], row["source_record_id"]) for row in (USUAL | record for record in records)}
    known = identities_of(spark, dict.fromkeys(keys, "17850") if customer_of is None else customer_of)
    return customers(records_of(spark, *records), known)


def only(df, *names):
    (row,) = df.select(*names).collect()
    return tuple(row)


def test_a_customer_has_of_each_attribute_what_survives_and_where_it_is_from(spark):
    shop = {
        "country": "France",
        "valid_from": datetime(2024, 3, 1),
        "first_seen_on": date(2023, 1, 5),
        "last_seen_on": date(2024, 3, 1),
    }
    crm = {
        "source": CRM,
        "source_record_id": "C1",
        "title": "Ms",
        "first_name": "Anna",
        "last_name": "Marten",
        "sex": "female",
        "birth_on": date(1980, 4, 12),
        "email": "anna@example.com",
        "phone": "+33145678901",
        "street": "Rue de Lyon 1",
        "postcode": "75012",
        "city": "Paris",
        "region": "Ile-de-France",
        "country": "FR",
        "first_seen_on": date(2020, 1, 1),
        "last_seen_on": date(2024, 1, 1),
        "_batch": 4,
    }
    card = {
        "source": CARDS,
        "source_record_id": "K9",
        "first_name": "A.",
        "last_name": "Martin",
        "native_name": "安娜",
        "phone": "+33611111111",
        "postcode": "69001",
        "valid_from": datetime(2024, 2, 1),
        "_batch": 3,
    }

    found = summed(spark, shop, crm, card)

    row = {
        "customer_id": "17850",
        "first_name": "Anna",
        "first_name_from": "crm_profiles:C1",
        "last_name": "Marten",
        "last_name_from": "crm_profiles:C1",
        "native_name": "安娜",
        "native_name_from": "loyalty_events:K9",
        "title": "Ms",
        "title_from": "crm_profiles:C1",
        "sex": "female",
        "sex_filled_by": None,
        "sex_from": "crm_profiles:C1",
        "birth_on": date(1980, 4, 12),
        "birth_on_from": "crm_profiles:C1",
        "email": "anna@example.com",
        "email_from": "crm_profiles:C1",
        "phone": "+33611111111",
        "phone_from": "loyalty_events:K9",
        "postcode": "75012",
        "street": "Rue de Lyon 1",
        "city": "Paris",
        "region": "Ile-de-France",
        "postcode_from": "crm_profiles:C1",
        "country": "France",
        "country_from": "shop:17850",
        "first_seen_on": date(2023, 1, 5),
        "last_seen_on": date(2024, 3, 1),
        "count_records": 3,
        "sources": "crm_profiles, loyalty_events, shop",
        "_batch": 4,
    }
    expected = spark.createDataFrame([tuple(row[name] for name in CUSTOMERS.column_names)], CUSTOMERS.schema)
    assert_df_equality(found, expected, ignore_nullable=True)


def test_a_sex_that_was_said_goes_before_one_that_was_inferred_and_an_unknown_one_tells_nothing(spark):
    unknown = {"source": CRM, "sex": None, "sex_filled_by": "leave"}
    inferred = {"source": CARDS, "source_record_id": "K1", "sex": "male", "sex_filled_by": "inferred"}
    said = {"source": TICKETS, "source_record_id": "T1", "sex": "female"}

    columns = ("sex", "sex_filled_by", "sex_from")
    assert only(summed(spark, unknown, inferred, said), *columns) == ("female", None, "tickets:T1")
    assert only(summed(spark, unknown, inferred), *columns) == ("male", "inferred", "loyalty_events:K1")
    assert only(summed(spark, unknown), *columns) == (None, None, None)


def test_initials_stand_back_behind_names(spark):
    crm = {"source": CRM, "first_name": "A.", "last_name": "M."}
    ticket = {"source": TICKETS, "first_name": "Anna", "last_name": "Marten"}

    assert only(summed(spark, crm, ticket), "first_name", "last_name") == ("Anna", "Marten")
    assert only(summed(spark, crm), "first_name", "last_name") == ("A.", "M.")


def test_what_no_record_says_is_null_and_so_is_where_it_is_from(spark):
    assert only(summed(spark, {}), "email", "email_from", "postcode", "city", "postcode_from") == (None,) * 5


def test_a_record_that_its_source_deleted_tells_nothing_and_counts_for_nothing(spark):
    shop = {"first_seen_on": date(2024, 1, 1), "last_seen_on": date(2024, 1, 1)}
    deleted = {"source": CRM, "source_record_id": "C1", "first_name": "Anna", "is_deleted": True, "_batch": 7}

    found = summed(spark, shop, deleted)

    assert only(found, "first_name", "first_name_from", "count_records", "sources", "_batch") == (
        None,
        None,
        1,
        "shop",
        1,
    )


def test_a_customer_whose_records_are_all_deleted_is_no_customer(spark):
    assert summed(spark, {"source": CRM, "is_deleted": True}).isEmpty()


def test_a_customer_is_seen_from_the_first_day_in_the_shop_to_the_last(spark):
    days = [("17850", 5, 9), ("18000", 3, 6)]
    of_shop = [
        {"source_record_id": number, "first_seen_on": date(2024, 1, first), "last_seen_on": date(2024, 1, last)}
        for number, first, last in days
    ]
    elsewhere = {"source": SENT, "first_seen_on": date(2023, 1, 1), "last_seen_on": date(2025, 1, 1)}

    assert only(summed(spark, *of_shop, elsewhere), "first_seen_on", "last_seen_on") == (
        date(2024, 1, 3),
        date(2024, 1, 9),
    )
    assert only(summed(spark, elsewhere), "first_seen_on", "last_seen_on") == (None, None)


def test_a_source_of_several_records_is_named_once(spark):
    records = [{"source": TICKETS, "source_record_id": number} for number in ("1", "2")]

    assert only(summed(spark, *records, {}), "sources", "count_records") == ("shop, tickets", 3)


def test_customers_are_kept_apart_by_whose_the_records_are(spark):
    # number 1 is a customer in the shop and, another one, a profile of the CRM
    found = summed(
        spark,
        {"source_record_id": "1", "country": "France"},
        {"source_record_id": "2", "country": "Spain", "valid_from": datetime(2024, 2, 1)},
        {"source": CRM, "source_record_id": "1", "first_name": "Anna"},
        customer_of={(SHOP, "1"): "1", (SHOP, "2"): "1", (CRM, "1"): "crm_profiles:1"},
    )

    rows = {row["customer_id"]: (row["country"], row["first_name"], row["count_records"]) for row in found.collect()}
    assert rows == {"1": ("Spain", None, 2), "crm_profiles:1": (None, "Anna", 1)}


def test_a_record_that_is_nobodys_yet_is_left_out(spark):
    found = summed(spark, {"source_record_id": "1"}, {"source_record_id": "2"}, customer_of={(SHOP, "1"): "1"})

    assert only(found, "customer_id", "count_records") == ("1", 1)


drawn_records = st.lists(
    st.fixed_dictionaries(
        {
            "source": st.sampled_from([SHOP, CRM, CARDS]),
            "source_record_id": st.sampled_from("123"),
            "first_name": st.sampled_from(["Anna", "A.", "Bert", None]),
            "postcode": st.sampled_from(["1010", "8010", None]),
            "city": st.sampled_from(["Vienna", "Graz", None]),
            "valid_from": st.none() | st.integers(1, 3).map(lambda day: datetime(2024, 1, day)),
            "is_deleted": st.booleans(),
            "customer": st.sampled_from("ab"),
        }
    ),
    min_size=1,
    max_size=9,
    unique_by=lambda record: (record["source"], record["source_record_id"]),
)


@given(records=drawn_records, shuffle=st.randoms())
def test_every_value_of_a_customer_is_what_the_named_record_says_in_any_order_of_records(spark, records, shuffle):
    customer_of = {(record["source"], record["source_record_id"]): record["customer"] for record in records}
    shuffled = list(records)
    shuffle.shuffle(shuffled)

    found = summed(spark, *records, customer_of=customer_of)

    assert_df_equality(summed(spark, *shuffled, customer_of=customer_of), found, ignore_row_order=True)
    alive = [record for record in records if not record["is_deleted"]]
    rows = {row["customer_id"]: row for row in found.collect()}
    assert {name: row["count_records"] for name, row in rows.items()} == Counter(one["customer"] for one in alive)
    said = {(one["customer"], f"{one['source']}:{one['source_record_id']}"): one for one in alive}
    for name, row in rows.items():
        for origin, attributes in {"first_name_from": ["first_name"], "postcode_from": ["postcode", "city"]}.items():
            if row[origin] is not None:
                assert [row[one] for one in attributes] == [said[name, row[origin]][one] for one in attributes]
            else:  # nobody says it
                assert not [one for (whose, _), one in said.items() if whose == name and one[attributes[0]] is not None]
