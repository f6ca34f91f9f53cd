import pytest

from customerlake.silver.identity.persons import BIRTH, COMPARISONS, GIVEN, RULES, WITHOUT_CONTACT
from customerlake.silver.identity_links import IDENTITY_LINKS, identity_links

LEVELS = [one.level_column for one in COMPARISONS]
WEIGHTS = [f"weight_{one.name}" for one in COMPARISONS]
WEIGHED = ", ".join(
    [
        "record_id_l long, record_id_r long, rule int, match_weight double, match_probability double",
        *[f"{name} int" for name in LEVELS],
        *[f"{name} double" for name in WEIGHTS],
        "record_l string, record_r string, given_key_l string",
    ]
)
NO_NAME, NO_BIRTH = {"level_given_name": -1}, {"level_birth": -1}


def weighed(spark, *pairs):
    """Weighed pairs, each of so much probability, agreeing on all; a dict says what is unlike that."""
    rows = []
    for number, (probability, unlike) in enumerate(pairs):
        levels = dict.fromkeys(LEVELS, 0) | unlike
        weights = [float(place) for place in range(len(WEIGHTS))]
        ends = (f"shop:{number}", f"crm_profiles:{number}", "anna")
        rows.append(
            (
                number,
                number + 100,
                unlike.get("rule", 0),
                unlike.get("match_weight", 7.5),
                probability,
                *[levels[one] for one in LEVELS],
                *weights,
                *ends,
            )
        )
    return spark.createDataFrame(rows, WEIGHED)


def links(spark, *pairs):
    return identity_links(link_from=0.9, review_from=0.5, batch=4)(weighed(spark, *pairs))


def states(spark, *pairs):
    """The state of each pair by its place; pairs that are no links are not there."""
    return {row["record_id_l"]: row["state"] for row in links(spark, *pairs).collect()}


def test_a_link_says_who_how_likely_by_which_rule_and_what_spoke_for_it(spark):
    pairs = links(spark, (0.95, {"rule": 3, "level_address": 2}))

    assert [(one.name, one.dataType) for one in pairs.schema] == [
        (one.name, one.dataType) for one in IDENTITY_LINKS.schema
    ]
    (row,) = pairs.collect()
    told = {name: float(place) for place, name in enumerate(WEIGHTS)}
    levels = dict.fromkeys(LEVELS, 0) | {"level_address": 2}
    assert row.asDict() == told | levels | {
        "record_id_l": 0,
        "record_id_r": 100,
        "record_l": "shop:0",
        "record_r": "crm_profiles:0",
        "state": "linked",
        "match_weight": 7.5,
        "match_probability": 0.95,
        "found_by": RULES[3].name,
        "_batch": 4,
    }


def test_what_is_likely_is_linked_the_grey_zone_is_for_review_and_what_is_unlikely_is_no_link(spark):
    found = states(spark, (1.0, {}), (0.9, {}), (0.8999, {}), (0.5, {}), (0.4999, {}))

    assert found == {0: "linked", 1: "linked", 2: "review", 3: "review"}


@pytest.mark.parametrize(
    ("unlike", "state"),
    [
        ({"level_given_name": len(GIVEN.levels)}, "someone else"),
        ({"level_birth": len(BIRTH.levels)}, "someone else"),
        ({"level_given_name": len(GIVEN.levels)} | NO_BIRTH, "someone else"),
        ({"level_birth": len(BIRTH.levels)} | NO_NAME, "someone else"),
        ({"level_given_name": len(GIVEN.levels) - 1, "level_birth": len(BIRTH.levels) - 1}, "linked"),
        (NO_NAME | NO_BIRTH, "linked"),
    ],
)
def test_two_people_are_never_linked_however_likely(spark, unlike, state):
    assert states(spark, (0.999, unlike)) == {0: state}


def test_two_people_are_told_apart_in_the_grey_zone_too(spark):
    assert states(spark, (0.6, {"level_birth": len(BIRTH.levels)})) == {0: "someone else"}


NO_CONTACT = {"level_email": -1, "level_phone": -1, "level_address": -1}
SURE = 3.17 + WITHOUT_CONTACT  # bits: odds of 9 to 1, as 0.9 is, are log2(9) = 3.1699


@pytest.mark.parametrize(
    ("unlike", "state"),
    [
        (NO_BIRTH, "review"),
        ({"level_birth": 0, "match_weight": SURE - 0.1}, "review"),
        ({"level_birth": 0, "match_weight": SURE + 0.1}, "linked"),
        ({"level_birth": 2, "match_weight": SURE + 0.1}, "linked"),
        (NO_BIRTH | {"match_weight": 40.0}, "review"),
        (NO_BIRTH | {"level_address": 2, "match_weight": 40.0}, "review"),
        (NO_BIRTH | {"level_email": 2, "level_phone": 1, "level_address": 3, "match_weight": 40.0}, "review"),
    ],
    ids=[
        "names", "birth and names, not enough", "birth and names, enough", "birth but a digit", "names, rare ones",
        "names and city", "names, all contact differs",
    ],
)  # fmt: skip
def test_names_alone_never_link_and_with_a_birthday_more_must_speak_for_it(spark, unlike, state):
    assert states(spark, (0.999, NO_CONTACT | unlike)) == {0: state}


@pytest.mark.parametrize(
    "shared", [{"level_email": 0}, {"level_email": 1}, {"level_phone": 0}, {"level_address": 0}, {"level_address": 1}]
)
def test_a_pair_that_shares_a_mailbox_telephone_or_home_is_linked_when_it_is_likely(spark, shared):
    pair = NO_CONTACT | NO_BIRTH | shared

    assert states(spark, (0.91, pair), (0.89, pair)) == {0: "linked", 1: "review"}
