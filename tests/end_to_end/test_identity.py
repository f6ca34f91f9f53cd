"""One customer per person, from landed files to orders: households, new records, merges and what a steward decides."""

import csv
import random
import shutil
from collections import defaultdict
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from customerlake.runtime import job
from customerlake.runtime.pipeline import step_named
from customerlake.silver.customer_records import CUSTOMER_RECORDS
from customerlake.silver.customers import CUSTOMERS
from customerlake.silver.identities import IDENTITIES
from customerlake.silver.identity import stewardship
from customerlake.silver.identity_changes import IDENTITY_CHANGES
from customerlake.silver.identity_decisions import NOT_SAME, OPEN, SAME
from customerlake.silver.identity_links import IDENTITY_LINKS
from customerlake.silver.orders import ORDERS

LAKE = """
name: shop
currency: GBP
country: GB
feeds:
  sales:
    path: landing/sales
    columns: {description: null, country: Country}
  crm_profiles:
    path: landing/crm_profiles
  loyalty_events:
    path: landing/loyalty_events
"""
SALES = ("order_id", "product_id", "quantity", "ordered_at", "unit_price", "customer_id", "Country")
CRM = (
    "profile_id", "customer_id", "first_name", "last_name", "birth_on", "email", "phone", "street", "postcode", "city",
    "updated_at",
)  # fmt: skip
CARDS = (
    "event_id",
    "card_id",
    "customer_id",
    "event_type",
    "full_name",
    "email",
    "phone",
    "postcode",
    "birth_on",
    "happened_at",
)
STEPS = ("land_files", "records", "order_lines", "customer_records", "identities", "orders", "customers")
GIVEN = [
    "Olivia", "Emma", "Margaret", "Susan", "Sarah", "Victoria", "Rebecca", "Charlotte", "Hannah", "Grace", "William",
    "Robert", "James", "Richard", "Michael", "Thomas", "David", "Andrew", "Christopher", "Anthony",
]  # fmt: skip
FAMILY = [
    "Smith", "Jones", "Taylor", "Brown", "Wilson", "Davies", "Robinson", "Wright", "Thompson", "Evans", "Walker",
    "Roberts", "Green", "Wood", "Jackson", "Clarke", "Mitchell", "Bailey", "Marshall", "Cook", "Kelly", "Murphy",
]  # fmt: skip


class Shop:
    """A company whose files are landed by the tests, and whose lake they look at."""

    def __init__(self, folder: Path, spark, engine):
        self.folder, self.spark, self.engine = folder, spark, engine
        self.count = 0
        for feed in ("sales", "crm_profiles", "loyalty_events"):
            (folder / "landing" / feed).mkdir(parents=True, exist_ok=True)
        (folder / "lake.yaml").write_text(LAKE)

    def land(self, feed, header, rows):
        self.count += 1
        with (self.folder / "landing" / feed / f"{self.count:03}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])

    def open(self):
        self.last = job.Run(
            root=str(self.folder / "lake"),
            lake_file=str(self.folder / "lake.yaml"),
            spark=self.spark,
            engine=self.engine,
        )

    def run(self):
        self.open()
        outcomes = {name: job.execute(step_named(name), self.last) for name in STEPS}
        assert {outcome.state for outcome in outcomes.values()} <= {"succeeded", "unchanged", "lacking"}, {
            name: outcome.message for name, outcome in outcomes.items()
        }
        return outcomes

    @property
    def lake(self):
        return self.last.lake

    def customers(self):
        """The customer of each record, by `<source>:<number>`."""
        rows = self.lake.read(IDENTITIES).collect()
        return {f"{row['source']}:{row['source_record_id']}": row["customer_id"] for row in rows}

    def decide(self, *records, decision):
        stewardship.decide(
            self.lake, *records, decision, reason=None, decided_by="steward", decided_at=datetime.now(UTC)
        )


def clusters(customers):
    found = defaultdict(set)
    for record, customer in customers.items():
        found[customer].add(record)
    return {frozenset(records) for records in found.values()}


def population(count, seed, first=0):
    """Profiles and cards of as many persons; half of them differ by a slip, one in four cards knows no number."""
    chance = random.Random(seed)
    profiles, cards = [], []
    for person in range(first, first + count):
        given, family = chance.choice(GIVEN), chance.choice(FAMILY)
        birth = date(1940 + chance.randrange(60), 1 + chance.randrange(12), 1 + chance.randrange(28))
        email = f"{given}.{family}{person}@mail.example".lower()
        phone = f"07700 9{person:05}"
        postcode, number = f"AB{1 + person % 9} {person % 9}CD", str(10_000 + person)
        street = f"{person} High Road"
        profiles.append(
            (
                f"C{person}",
                number,
                given,
                family,
                birth,
                email,
                phone,
                street,
                postcode,
                "Aberdeen",
                "2024-01-01 10:00:00",
            )
        )
        slipped = given[:-1] if person % 2 else given
        knows = "" if person % 4 == 0 else number
        cards.append(
            (
                f"e{person}",
                f"L{person}",
                knows,
                "enrolled",
                f"{slipped} {family}",
                email,
                phone,
                postcode,
                birth,
                "2024-02-01 10:00:00",
            )
        )
    return profiles, cards


@pytest.fixture
def shop(tmp_path, spark, engine):
    return Shop(tmp_path / "shop", spark, engine)


@pytest.fixture(scope="module")
def busy_shops(tmp_path_factory, spark, engine):
    """A shop with 80 customers, for tests to copy."""
    shop = Shop(tmp_path_factory.mktemp("busy") / "shop", spark, engine)
    profiles, cards = population(80, seed=1)
    shop.land("crm_profiles", CRM, profiles)
    shop.land("loyalty_events", CARDS, cards)
    shop.land("sales", SALES, [("1", "A", 1, "2024-03-01 10:00:00", "2.50", "10004", "France")])
    shop.run()
    return shop


@pytest.fixture
def busy_shop(busy_shops, tmp_path, spark, engine):
    shutil.copytree(busy_shops.folder, tmp_path / "copy")
    shop = Shop(tmp_path / "copy", spark, engine)
    shop.count = busy_shops.count
    shop.open()
    return shop


def test_a_profile_a_card_and_a_number_become_one_customer_and_its_orders_follow(busy_shop):
    customers = busy_shop.customers()

    assert {customers[f"crm_profiles:C{person}"] for person in range(80)} == {str(10_000 + n) for n in range(80)}
    assert [n for n in range(80) if customers[f"loyalty_events:L{n}"] != customers[f"crm_profiles:C{n}"]] == []
    ((order,),) = [busy_shop.lake.read(ORDERS).select("customer_id").collect()]
    assert order["customer_id"] == "10004"
    (row,) = busy_shop.lake.read(CUSTOMERS).where("customer_id = '10004'").collect()
    profiles, _ = population(80, seed=1)
    assert (row["first_name"], row["last_name"], row["birth_on"], row["email"]) == tuple(
        profiles[4][i] for i in (2, 3, 4, 5)
    )
    assert (row["first_name_from"], row["country"], row["country_from"]) == ("crm_profiles:C4", "France", "shop:10004")
    assert row["sources"] == "crm_profiles, loyalty_events, shop"
    assert row["count_records"] == 3


@pytest.mark.before_an_engine
def test_a_household_with_one_mailbox_telephone_and_home_stays_the_people_it_is(busy_shop):
    home = ("hill.family@mail.example", "01224 555555", "9 Mill Lane", "AB12 3XY", "Aberdeen", "2024-01-01 10:00:00")
    people = {
        "F1": ("John", date(1950, 5, 17)), "F2": ("John", date(1984, 9, 2)),  # father and son
        "F3": ("Mary", date(1952, 11, 30)), "F4": ("Joan", None), "F5": ("Pat", date(2001, 1, 9)),
        "F6": ("Pam", date(2001, 1, 9)),  # twins
    }  # fmt: skip
    rows = [(profile, "", given, "Hill", birth or "", *home) for profile, (given, birth) in people.items()]
    busy_shop.land("crm_profiles", CRM, [*rows, ("F7", "", "", "", "", *home)])  # whoever reads the mailbox

    busy_shop.run()

    customers = busy_shop.customers()
    assert len({customers[f"crm_profiles:{profile}"] for profile in people}) == len(people)


@pytest.mark.before_an_engine
def test_new_records_leave_customers_their_ids_and_end_in_the_clusters_of_a_rebuild(busy_shop, tmp_path, spark, engine):
    before = busy_shop.customers()
    profiles, cards = population(8, seed=2, first=80)
    again, _ = population(80, seed=1)
    twice = [(f"D{row[0]}", "", *row[2:]) for row in again[:4]]  # known people, registered once more
    busy_shop.land("crm_profiles", CRM, profiles + twice)
    busy_shop.land("loyalty_events", CARDS, cards)
    busy_shop.run()
    after = busy_shop.customers()

    assert {record: after[record] for record in before} == before
    assert [after[f"crm_profiles:DC{n}"] for n in range(4)] == [after[f"crm_profiles:C{n}"] for n in range(4)]
    rebuilt = Shop(tmp_path / "rebuilt", spark, engine)
    for feed in ("sales", "crm_profiles", "loyalty_events"):
        for file in sorted((busy_shop.folder / "landing" / feed).iterdir()):
            (rebuilt.folder / "landing" / feed / file.name).write_bytes(file.read_bytes())
    rebuilt.run()
    assert clusters(rebuilt.customers()) == clusters(after)


@pytest.mark.before_an_engine
def test_a_run_with_nothing_new_writes_nothing(busy_shop):
    busy_shop.run()  # the copy of the lake has other paths
    versions = {
        table.name: busy_shop.lake.version(table) for table in (CUSTOMER_RECORDS, IDENTITIES, CUSTOMERS, ORDERS)
    }

    outcomes = busy_shop.run()

    assert {outcomes[name].state for name in ("customer_records", "identities", "customers", "orders")} == {"unchanged"}
    assert {
        table.name: busy_shop.lake.version(table) for table in (CUSTOMER_RECORDS, IDENTITIES, CUSTOMERS, ORDERS)
    } == versions


def test_two_customers_are_merged_by_what_arrives_and_parted_again_as_they_were(busy_shop):
    """C4 and a second number of the same person become one; orders follow; unmerge gives both profiles back."""
    profiles, _ = population(80, seed=1)
    person = profiles[4]
    busy_shop.land(
        "crm_profiles",
        CRM,
        [("Z1", "20000", "Zoe", "Other", "", "zoe@mail.example", "", "", "", "", "2024-04-01 10:00:00")],
    )
    busy_shop.land("sales", SALES, [("2", "A", 1, "2024-03-02 10:00:00", "2.50", "20000", "Spain")])
    busy_shop.run()
    columns = [name for name in CUSTOMERS.column_names if not name.startswith("_")]
    of_both = busy_shop.lake.read(CUSTOMERS).where("customer_id IN ('10004', '20000')").select(columns)
    before = sorted(of_both.collect())
    corrected = ("Z1", "20000", *person[2:10], "2024-05-01 10:00:00")  # the clerk had taken the wrong form
    busy_shop.land("crm_profiles", CRM, [corrected])
    busy_shop.run()

    assert busy_shop.customers()["shop:20000"] == "10004"
    orders = {row["order_id"]: row["customer_id"] for row in busy_shop.lake.read(ORDERS).collect()}
    assert orders == {"1": "10004", "2": "10004"}
    assert busy_shop.lake.read(CUSTOMERS).where("customer_id = '20000'").isEmpty()
    (change,) = busy_shop.lake.records(IDENTITY_CHANGES)
    assert (change["kind"], change["from_customer_id"], change["to_customer_id"]) == ("merged", "20000", "10004")

    assert stewardship.unmerge(busy_shop.lake, "20000", decided_by="steward", decided_at=datetime.now(UTC)) == (
        "10004",
        2,
    )
    busy_shop.run()

    customers = busy_shop.customers()
    assert (customers["shop:20000"], customers["crm_profiles:Z1"], customers["shop:10004"]) == (
        "20000",
        "20000",
        "10004",
    )
    orders = {row["order_id"]: row["customer_id"] for row in busy_shop.lake.read(ORDERS).collect()}
    assert orders == {"1": "10004", "2": "20000"}
    after = sorted(busy_shop.lake.read(CUSTOMERS).where("customer_id IN ('10004', '20000')").select(columns).collect())
    assert after[0] == before[0]  # the customer that had kept its id
    assert (after[1]["customer_id"], after[1]["country"], after[1]["count_records"]) == ("20000", "Spain", 2)


@pytest.mark.before_an_engine
def test_what_a_steward_decides_wins_and_can_be_taken_back(busy_shop):
    of_one, of_other = "crm_profiles:C4", "crm_profiles:C7"
    first = busy_shop.customers()

    busy_shop.decide(of_one, of_other, decision=SAME)
    busy_shop.run()
    assert busy_shop.customers()[of_other] == busy_shop.customers()[of_one]

    busy_shop.decide(of_one, of_other, decision=OPEN)
    busy_shop.run()
    assert busy_shop.customers() == first

    busy_shop.decide("crm_profiles:C4", "loyalty_events:L4", decision=NOT_SAME)  # linked by every attribute
    busy_shop.run()
    parted = busy_shop.customers()
    assert parted["loyalty_events:L4"] != parted["crm_profiles:C4"]
    assert {record for record in first if first[record] != parted[record]} <= {
        "loyalty_events:L4",
        "crm_profiles:C4",
        "shop:10004",
    }


@pytest.mark.before_an_engine
def test_every_link_says_what_it_is_made_of(busy_shop):
    link, told = stewardship.explained(busy_shop.lake, "loyalty_events:L4", "crm_profiles:C4")

    assert link["state"] == "linked"
    assert sum(one.weight for one in told) == pytest.approx(link["match_weight"])
    levels = {one.comparison: one.level for one in told}
    assert (levels["given_name"], levels["email"], levels["birth"], levels["native_name"]) == (
        "equal",
        "equal",
        "equal",
        "not known",
    )
    linked = busy_shop.lake.read(IDENTITY_LINKS).where("state = 'linked'").count()
    assert linked >= 80


def profile(number, given="", family="", birth="", email="", phone=""):
    return (number, "", given, family, birth, email, phone, "", "", "", "2024-01-01 10:00:00")


HARD = [
    profile("N1"),  # nothing but a number
    profile("N2"),
    profile("N3", "🙂🙂", "🙂"),
    profile("N4", "🙂🙂", "🙂"),
    profile("N5", "x" * 10_000, "y" * 10_000, "0001-01-01", "me@mail.example", "me@mail.example"),
    profile("N6", "x" * 9_999, "y" * 10_000, "9999-12-31", "07700 900123", "07700 900123"),
    profile("N7", "Ann", "\ufffd\ufffd", "9999-12-31", "@", "+"),
    profile("N8", "Bob", "\ufffd\ufffd", "9999-12-31", "@", "+"),
]


def test_records_that_say_nothing_or_nonsense_are_all_there_and_merge_with_nobody(busy_shop):
    shared = [profile(f"S{n}", email="info@mail.example") for n in range(300)]
    busy_shop.land("crm_profiles", CRM, HARD + shared)

    outcomes = busy_shop.run()

    customers = busy_shop.customers()
    profiles = [f"crm_profiles:{row[0]}" for row in HARD + shared]
    assert len({customers[profile] for profile in profiles}) == len(profiles)
    assert outcomes["identities"].remarks == [
        "300 records share one e-mail: they are not compared for it (identity.most_records_of_key)"
    ]
    counts = outcomes["records"].counts["silver.crm_profiles"]
    assert counts.received == counts.accepted + counts.quarantined + counts.duplicates


@pytest.mark.before_an_engine
def test_a_shop_that_has_sales_alone_has_its_numbers_as_customers(shop):
    (shop.folder / "lake.yaml").write_text(LAKE.partition("  crm_profiles")[0])
    shop.land("sales", SALES, [(str(n), "A", 1, "2024-03-01 10:00:00", "2.50", str(n), "France") for n in range(60)])

    shop.run()

    assert shop.customers() == {f"shop:{n}": str(n) for n in range(60)}


def card(number, customer, name, *, email="", phone="", birth=""):
    return (f"e{number}", f"L{number}", customer, "enrolled", name, email, phone, "", birth, "2024-02-01 10:00:00")


@pytest.mark.before_an_engine
def test_a_number_that_stands_for_nobody_makes_no_customer_of_those_who_name_it(busy_shop):
    guests = [
        card(500 + n, "0", f"{GIVEN[n % 20]} {FAMILY[n % 22]}", email=f"guest{n}@mail.example") for n in range(40)
    ]
    busy_shop.land("loyalty_events", CARDS, guests)

    outcomes = busy_shop.run()

    customers = busy_shop.customers()
    assert len({customers[f"loyalty_events:L{500 + n}"] for n in range(40)}) == 40
    assert any("customer number 0 stands beside more than 20 names" in text for text in outcomes["identities"].remarks)
    assert customers["loyalty_events:L41"] == customers["crm_profiles:C41"] == "10041"  # others keep theirs


def test_records_of_which_no_two_agree_are_customers_each_and_nothing_fails(shop):
    strangers = [card(n, "", f"Given{n}x Family{n}y", email=f"mail{n}@mail.example") for n in range(60)]
    shop.land("loyalty_events", CARDS, strangers)
    shop.land(
        "crm_profiles",
        CRM,
        [("C1", "", "Olivia", "Smith", "", "o@mail.example", "", "", "", "", "2024-01-01 10:00:00")],
    )
    shop.land("sales", SALES, [("1", "A", 1, "2024-03-01 10:00:00", "2.50", "10004", "France")])

    outcomes = shop.run()

    assert outcomes["identities"].state == "succeeded"
    assert len(set(shop.customers().values())) == 62


@pytest.mark.before_an_engine
def test_a_setting_that_changed_holds_for_the_pairs_that_were_known(busy_shop):
    before = busy_shop.customers()
    text = (busy_shop.folder / "lake.yaml").read_text()
    (busy_shop.folder / "lake.yaml").write_text(text + "identity: {link_probability: 0.9999999999999999}\n")

    busy_shop.run()

    states = {row["state"] for row in busy_shop.lake.read(IDENTITY_LINKS).select("state").distinct().collect()}
    assert "linked" not in states
    after = busy_shop.customers()
    assert before["loyalty_events:L0"] == before["crm_profiles:C0"]  # the card names no number
    assert after["loyalty_events:L0"] != after["crm_profiles:C0"]
    assert after["loyalty_events:L1"] == after["crm_profiles:C1"]


@pytest.mark.before_an_engine
def test_without_a_record_that_its_source_deleted_those_it_had_joined_part_again(busy_shop):
    unknown = ("", "", "", "", "2024-01-01 10:00:00")
    busy_shop.land(
        "crm_profiles", CRM,
        [
            ("C900", "", "Zelda", "Quirke", "", "zq@mail.example", *unknown),
            ("C901", "", "Zelda", "Quirke", "", "", "07700 988888", *unknown[1:]),
        ],
    )  # fmt: skip
    busy_shop.land(
        "loyalty_events", CARDS, [card(900, "", "Zelda Quirke", email="zq@mail.example", phone="07700 988888")]
    )
    busy_shop.run()
    joined = busy_shop.customers()
    records = busy_shop.lake.read(CUSTOMER_RECORDS)
    batch = busy_shop.lake.largest(CUSTOMER_RECORDS, "_batch") + 1
    deleted = records.where("source_record_id = 'L900'").withColumns(
        {"is_deleted": F.lit(True), "_batch": F.lit(batch).cast("long")}
    )
    busy_shop.lake.merge(CUSTOMER_RECORDS, deleted)

    job.execute(step_named("identities"), busy_shop.last)

    assert joined["crm_profiles:C900"] == joined["crm_profiles:C901"] == joined["loyalty_events:L900"]
    parted = busy_shop.customers()
    assert parted["crm_profiles:C900"] != parted["crm_profiles:C901"]
    (state,) = busy_shop.lake.read(IDENTITY_LINKS).where("record_l LIKE '%L900' OR record_r LIKE '%L900'").select(
        "state"
    ).distinct().collect()  # fmt: skip
    assert state["state"] == "gone"
