import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customerlake.silver.identity.blocking import candidates, keyed, too_large
from customerlake.silver.identity.comparison import UNKNOWN, compared, compared_columns
from customerlake.silver.identity.persons import (
    ADDRESS,
    BIRTH,
    COMPARISONS,
    EMAIL,
    FAMILY,
    GIVEN,
    IS_SOMEONE_ELSE,
    NATIVE,
    PHONE,
    RULES,
)

COLUMNS = compared_columns(COMPARISONS)
ANNA = {
    "given_key": "anna",
    "family_key": "marten",
    "birth_text": "19800412",
    "email_key": "anna.marten@example.com",
    "phone": "+4366412345678",
    "postcode": "1010",
    "street_key": "ring 1",
    "city": "vienna",
}
NOBODY = dict.fromkeys(COLUMNS)


def pairs_of(spark, *pairs):
    """Pairs of records, each record a dict of what it says, in the order of `pair`; first names said in full."""
    whole = [tuple({"said_key": side.get("given_key")} | side for side in pair) for pair in pairs]
    rows = [
        (place, *[one.get(name) for name in COLUMNS], *[other.get(name) for name in COLUMNS])
        for place, (one, other) in enumerate(whole)
    ]
    texts = [f"{name}_{side} string" for side in "lr" for name in COLUMNS]
    return spark.createDataFrame(rows, f"pair int, {', '.join(texts)}")


def levels(spark, comparison, *pairs):
    """What the level of each pair is called; None where it cannot be compared."""
    found = compared(pairs_of(spark, *pairs), [comparison]).orderBy("pair").collect()
    places = [row[comparison.level_column] for row in found]
    return [None if place == UNKNOWN else comparison.level_names()[place] for place in places]


def by_values(spark, comparison, *values):
    """As `levels`, of pairs that differ in one column alone."""
    column = comparison.columns[0]
    return levels(spark, comparison, *[({column: one}, {column: other}) for one, other in values])


@pytest.mark.parametrize(
    ("level", "values"),
    [
        ("equal", [("anna", "anna"), ("a", "a"), ("jo", "jo")]),
        ("initial", [("a", "anna"), ("anna", "a")]),
        ("one begins with the other", [("annamaria", "anna"), ("alex", "alexandra"), ("tim", "timo")]),
        ("letters swapped, missing or too many", [("brian", "brain"), ("catherine", "catherne"), ("anna", "annna")]),
        ("1 letter other", [("maria", "marta"), ("christina", "christine")]),
        ("2 edits", [("stephen", "steven"), ("kathrin", "cathryn")]),
        ("different", [("anna", "peter"), ("a", "bob"), ("jo", "joan"), ("john", "joan"), ("mark", "mary")]),
        (None, [("anna", None), (None, "anna"), (None, None)]),
    ],
)
def test_given_names_agree_more_or_less(spark, level, values):
    assert by_values(spark, GIVEN, *values) == [level] * len(values)


@pytest.mark.parametrize(
    ("level", "one", "other"),
    [
        ("one begins with the other", ("samuel", "sam"), ("samantha", "samantha")),  # Sam may be either
        ("one begins with the other", ("alexander", "alex"), ("alexandra", "alexandra")),
        ("different", ("samuel", "samuel"), ("samantha", "samantha")),
        ("equal", ("william", "bill"), ("william", "william")),
    ],
)
def test_a_short_form_agrees_with_each_name_that_it_may_stand_for(spark, level, one, other):
    keys = ("given_key", "said_key")

    assert levels(spark, GIVEN, (dict(zip(keys, one, strict=True)), dict(zip(keys, other, strict=True)))) == [level]


@pytest.mark.parametrize(("one", "other"), [("daniel", "daniela"), ("mario", "maria"), ("patrick", "patricia")])
def test_near_names_of_a_woman_and_a_man_differ(spark, one, other):
    he, she = {"given_key": one, "sex": "male"}, {"given_key": other, "sex": "female"}

    assert levels(spark, GIVEN, (he, she)) == ["different"]
    assert levels(spark, GIVEN, (he, she | {"sex": None})) != ["different"]
    assert levels(spark, GIVEN, (he, he | {"sex": "female"})) == ["equal"]  # a box that was ticked wrongly


def test_family_names_agree_or_are_some_edits_apart(spark):
    found = by_values(
        spark, FAMILY, ("hansen", "hansen"), ("hansen", "hanson"), ("smith", "smythe"), ("lee", "lea"), ("lee", None)
    )

    assert found == ["equal", "1 edit", "2 edits", "different", None]


def test_names_in_their_own_script_are_equal_or_not(spark):
    assert by_values(spark, NATIVE, ("山田太郎", "山田太郎"), ("山田太郎", "山田次郎"), ("山田太郎", None)) == [
        "equal",
        "different",
        None,
    ]


def test_days_of_birth_may_have_day_and_month_swapped_or_a_digit_wrong(spark):
    found = by_values(
        spark,
        BIRTH,
        ("19800412", "19800412"),
        ("19800412", "19801204"),
        ("19800412", "19800413"),
        ("19800412", "19900412"),
        ("19800412", "19811204"),  # swapped, and of another year
        ("19800412", "19790413"),
        ("19800412", None),
    )

    assert found == ["equal", "day and month swapped", "1 digit", "1 digit", "different", "different", None]


def test_mailboxes_may_be_of_one_name_at_two_hosts_unless_the_name_is_short(spark):
    found = by_values(
        spark,
        EMAIL,
        ("anna.marten@example.com", "anna.marten@example.com"),
        ("anna.marten@example.com", "anna.marten@example.org"),
        ("info@example.com", "info@example.org"),
        ("sales@example.com", "sales@example.org"),
        ("anna.marten@example.com", "a.marten@example.com"),
        ("anna.marten@example.com", None),
    )

    assert found == ["equal", "same before the @", "different", "different", "different", None]


def test_telephone_numbers_are_equal_or_not(spark):
    found = by_values(spark, PHONE, ("+4366412", "+4366412"), ("+4366412", "+4366413"), ("+4366412", None))

    assert found == ["equal", "different", None]


def home(postcode=None, street=None, city=None):
    return {"postcode": postcode, "street_key": street, "city": city}


def test_homes_agree_on_street_postcode_or_city(spark):
    found = levels(
        spark,
        ADDRESS,
        (home("1010", "ring 1", "vienna"), home("1010", "ring 1", "wien")),
        (home("1010", "ring 1", "vienna"), home("1010", "graben 2", "vienna")),
        (home("1010", "ring 1"), home("1010")),
        (home("1010", "12 high road"), home("1010", "12 hihg road")),
        (home("1010", "ring 1"), home("1010", "weg 1")),
        (home("1010", "ring 1", "vienna"), home("1020", "ring 1", "vienna")),
        (home(None, "ring 1", "vienna"), home("1010", "ring 1", "vienna")),
        (home("1010", "ring 1", "vienna"), home("8010", "ring 1", "graz")),
    )

    perhaps, another = "same postcode, and perhaps street", "same postcode, another street"
    assert found == [
        "same street and postcode", another, perhaps, perhaps, another, "same city", "same city", "different",
    ]  # fmt: skip


def test_homes_of_which_no_part_is_known_of_both_are_not_compared(spark):
    pairs = [
        (home("1010"), home(city="vienna")),
        (home("1010"), home()),
        (home(street="ring 1"), home(street="ring 1")),
    ]

    assert levels(spark, ADDRESS, *pairs) == [None, None, None]


def are_two_people(spark, one, other):
    """Whether the two are surely someone else, whichever of them comes first."""
    both = compared(pairs_of(spark, (one, other), (other, one)), COMPARISONS)
    counted = both.where(IS_SOMEONE_ELSE).count()
    assert counted in (0, 2)
    return counted == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(ANNA, ANNA | {"given_key": "peter", "birth_text": "19780103"}, id="a couple in one house"),
        pytest.param(
            ANNA | {"birth_text": None},
            ANNA | {"given_key": "peter", "birth_text": None},
            id="a couple, no births known",
        ),
        pytest.param(ANNA, ANNA | {"given_key": "peter", "birth_text": None}, id="a couple, one birth known"),
        pytest.param(ANNA, ANNA | {"birth_text": "19520730"}, id="mother and daughter of one name"),
        pytest.param(ANNA, ANNA | {"given_key": "berta"}, id="twins"),
        pytest.param(ANNA, ANNA | {"given_key": None, "birth_text": "19520730"}, id="other birth, one without a name"),
        pytest.param(ANNA | {"given_key": "mark"}, ANNA | {"given_key": "mary"}, id="short names, one letter other"),
        pytest.param(ANNA | {"given_key": "a"}, ANNA | {"given_key": "peter"}, id="another initial"),
    ],
)
def test_two_people_are_told_apart_though_mailbox_telephone_and_home_agree(spark, one, other):
    assert are_two_people(spark, one, other)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(ANNA, id="the same"),
        pytest.param(ANNA | {"given_key": "a"}, id="her initial"),
        pytest.param(ANNA | {"birth_text": "19801204"}, id="day and month swapped"),
        pytest.param(ANNA | {"birth_text": "19900412"}, id="a digit of the year wrong"),
        pytest.param(ANNA | {"given_key": "annna"}, id="her name misspelt"),
        pytest.param(ANNA | {"given_key": "annamaria", "birth_text": None}, id="with her second name"),
        pytest.param(ANNA | {"family_key": "weber"}, id="married"),
        pytest.param(
            ANNA | home("8010", "platz 3", "graz") | {"phone": "+43316777", "email_key": "a@b.org"}, id="moved"
        ),
        pytest.param(ANNA | {"given_key": None, "family_key": None, "birth_text": None}, id="without name and birth"),
        pytest.param(ANNA | {"family_key": "marden", "birth_text": None}, id="at one home, another spelling"),
        pytest.param(
            ANNA | {"family_key": "marden", "birth_text": None, "street_key": "graben 2", "email_key": None},
            id="another spelling and home, the same telephone",
        ),
        pytest.param(NOBODY, id="says nothing"),
    ],
)
def test_what_may_be_one_person_is_not_told_apart_by_name_and_birth(spark, other):
    assert not are_two_people(spark, ANNA, other)


HALL = {"given_key": "jonathan", "family_key": "hall"} | home("NR3 7NE", "116 alexander road", "norwich")
HILL = {"given_key": "jonathan", "family_key": "hill"} | home("NR3 7NE", "29 station road", "norwich")


def test_names_that_are_near_at_two_homes_with_nothing_else_in_common_are_two_peoples(spark):
    assert are_two_people(spark, HALL, HILL)
    assert are_two_people(spark, HALL | {"email_key": "a@b", "phone": "+441"}, HILL | {"email_key": "c@d"})
    assert not are_two_people(spark, HALL, HILL | {"street_key": None})
    assert not are_two_people(spark, HALL, HILL | {"family_key": "hall"})
    assert not are_two_people(spark, HALL | {"birth_text": "19640105"}, HILL | {"birth_text": "19640105"})


def found_by(spark, one, other):
    """The first rule by which two records are compared; None when none does."""
    rows = [(number, True, *[record.get(name) for name in COLUMNS]) for number, record in enumerate((one, other))]
    texts = ", ".join(f"{name} string" for name in COLUMNS)
    keys = keyed(spark.createDataFrame(rows, f"record_id long, is_new boolean, {texts}"), RULES)
    found = candidates(keys, too_large(keys, most=2)).collect()
    return RULES[found[0]["rule"]].name if found else None


ELSEWHERE = {"email_key": None, "phone": None} | home("8010", "platz 3", "graz")
"""As the home and contact of somebody who says nothing that agrees with ANNA's."""


@pytest.mark.parametrize(
    ("rule", "one", "other"),
    [
        ("e-mail", ANNA, {"email_key": ANNA["email_key"]}),
        ("phone", ANNA, {"phone": ANNA["phone"]}),
        ("family name and birth", ANNA, ANNA | ELSEWHERE | {"given_key": "a"}),
        ("given name and birth", ANNA, ANNA | ELSEWHERE | {"family_key": "weber"}),
        (
            "given name, family name and postcode",
            ANNA,
            ANNA | {"email_key": None, "phone": None, "birth_text": "19801204", "city": None},
        ),
        (
            "given name, family name and city",
            ANNA,
            ANNA | {"email_key": None, "phone": None, "birth_text": None, "postcode": None},
        ),
        (
            "street, postcode and initial",
            ANNA,
            ANNA | {"email_key": None, "phone": None, "birth_text": None, "given_key": "a", "family_key": "weber"},
        ),
        (
            "sound of both names and postcode",
            home("1010") | {"given_key": "stephen", "family_key": "meyer"},
            home("1010") | {"given_key": "steven", "family_key": "maier"},
        ),
        (
            "sound of both names and year of birth",
            {"given_key": "stephen", "family_key": "meyer", "birth_text": "19800412"},
            {"given_key": "steven", "family_key": "maier", "birth_text": "19801204"},
        ),
        (
            "name in its own script and birth",
            {"native_name": "山田太郎", "birth_text": "19800412"},
            {"native_name": "山田太郎", "birth_text": "19800412"},
        ),
        (
            "name in its own script and postcode",
            {"native_name": "山田太郎", "postcode": "100-0001"},
            {"native_name": "山田太郎", "postcode": "100-0001"},
        ),
        ("birth and postcode", ANNA, home("1010") | {"birth_text": "19800412", "given_key": "mia"}),
        (None, ANNA, {"given_key": "anna", "family_key": "marten"}),
        (None, ANNA, home("1010", "ring 1", "vienna")),
        (None, NOBODY, NOBODY),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pair_is_compared_for_the_first_rule_that_both_have_a_key_of(spark, rule, one, other):
    assert found_by(spark, one, other) == rule


names = st.sampled_from(["a", "an", "ann", "anna", "anan", "hanna", "hannah", "johanna", "joanna", "jon", None])
births = st.sampled_from(["19800412", "19801204", "19800413", "19790413", "20041980", None])
mailboxes = st.sampled_from(["info@a", "info@b", "annam@a", "annam@b", "annam", "@a", None])
places = st.sampled_from(["1010", "1020", None])
a_record = st.fixed_dictionaries(
    {
        "given_key": names | st.text("abc", max_size=7),
        "family_key": names | st.text("abc", max_size=7),
        "native_name": st.sampled_from(["山田太郎", "Анна", None]),
        "birth_text": births,
        "email_key": mailboxes,
        "phone": places,
        "postcode": places,
        "street_key": places,
        "city": places,
    }
)


@given(pairs=st.lists(st.tuples(a_record, a_record), min_size=20, max_size=60))
def test_conditions_are_read_alike_where_weights_are_learnt_and_where_pairs_are_weighed(spark, pairs):
    frame = pairs_of(spark, *pairs)
    cases = [
        f"CASE WHEN NOT coalesce({one.known}, false) THEN {UNKNOWN} "
        + " ".join(f"WHEN {level.condition} THEN {place}" for place, level in enumerate(one.levels))
        + f" ELSE {len(one.levels)} END"
        for one in COMPARISONS
    ]

    weighed_on = compared(frame, COMPARISONS).orderBy("pair").select(*[one.level_column for one in COMPARISONS])

    with duckdb.connect() as connection:
        connection.register("pairs", pa.Table.from_pylist([row.asDict() for row in frame.collect()]))
        learnt_on = connection.sql(f"SELECT {', '.join(cases)} FROM pairs ORDER BY pair").fetchall()
    assert [tuple(row) for row in weighed_on.collect()] == learnt_on
