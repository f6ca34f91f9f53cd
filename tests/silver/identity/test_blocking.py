from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customerlake.silver.identity.blocking import Rule, candidates, keyed, side_by_side, too_large

RECORDS = "record_id long, is_new boolean, email string, phone string, name string, postcode string"
RULES = (
    Rule("e-mail", ("email",)),
    Rule("phone", ("phone",)),
    Rule("initial and postcode", ("substr(name, 1, 1)", "postcode")),
)


def record(number, *, is_new=True, email=None, phone=None, name=None, postcode=None):
    return (number, is_new, email, phone, name, postcode)


def keys_of(spark, *records, rules=RULES):
    return keyed(spark.createDataFrame(records, RECORDS), rules)


def pairs(spark, *records, rules=RULES, most=100):
    """The pairs that are found, each with the place of the rule that found it."""
    keys = keys_of(spark, *records, rules=rules)
    found = candidates(keys, too_large(keys, most=most)).collect()
    return sorted((row["record_id_l"], row["record_id_r"], row["rule"]) for row in found)


def test_a_record_has_a_key_of_each_rule_whose_values_it_all_has(spark):
    keys = keys_of(
        spark,
        record(1, email="a@x", phone="+43", name="ann", postcode="1010"),
        record(2, is_new=False, email="a@x", name="ann"),
        record(3, postcode="1010"),
    )

    found = sorted((row["record_id"], row["is_new"], row["rule"]) for row in keys.collect())

    assert found == [(1, True, 0), (1, True, 1), (1, True, 2), (2, False, 0)]


def test_records_that_agree_on_all_of_a_rule_have_the_same_key(spark):
    keys = keys_of(
        spark,
        record(1, name="ann", postcode="1010"),
        record(2, name="alice", postcode="1010"),
        record(3, name="ann", postcode="1020"),
        record(4, name="bob", postcode="1010"),
    )

    key_of = {row["record_id"]: row["key"] for row in keys.collect()}

    assert key_of[1] == key_of[2]
    assert len(set(key_of.values())) == 3


def test_a_pair_is_found_once_by_the_first_rule_that_finds_it(spark):
    found = pairs(
        spark,
        record(1, email="a@x", phone="+43", name="ann", postcode="1010"),
        record(2, email="a@x", phone="+43", name="ann", postcode="1010"),
        record(3, phone="+43", name="andrea", postcode="1010"),
    )

    assert found == [(1, 2, 0), (1, 3, 1), (2, 3, 1)]


def test_the_smaller_number_comes_first_whichever_of_the_two_is_new(spark):
    old, new = {"is_new": False, "email": "a@x"}, {"is_new": True, "email": "a@x"}

    assert pairs(spark, record(-5, **old), record(7, **new)) == [(-5, 7, 0)]
    assert pairs(spark, record(-5, **new), record(7, **old)) == [(-5, 7, 0)]


def test_new_records_are_compared_with_all_and_old_ones_not_among_themselves(spark):
    found = pairs(
        spark,
        record(1, is_new=False, email="a@x"),
        record(2, is_new=False, email="a@x"),
        record(3, email="a@x"),
        record(4, email="a@x"),
    )

    assert found == [(1, 3, 0), (1, 4, 0), (2, 3, 0), (2, 4, 0), (3, 4, 0)]


def test_one_text_in_columns_of_two_rules_makes_no_pair(spark):
    assert pairs(spark, record(1, email="0043"), record(2, phone="0043")) == []


def test_values_of_a_rule_do_not_run_into_each_other(spark):
    whole = [Rule("name and postcode", ("name", "postcode"))]

    assert pairs(spark, record(1, name="ab", postcode="c"), record(2, name="a", postcode="bc"), rules=whole) == []


def test_values_of_other_types_than_text_make_keys(spark):
    length = [Rule("length of the name", ("length(name)",))]

    assert pairs(spark, record(1, name="ann"), record(2, name="bob"), record(3, name="carl"), rules=length) == [
        (1, 2, 0)
    ]


def test_a_key_of_more_records_than_the_most_is_named_with_its_rule_and_count(spark):
    three = [record(number, email="info@x", phone=f"+{number // 2}") for number in range(1, 4)]

    keys = keys_of(spark, *three)

    (key,) = {row["key"] for row in keys.where("rule = 0").collect()}
    assert [tuple(row) for row in too_large(keys, most=2).select("key", "rule", "count_records").collect()] == [
        (key, 0, 3)
    ]
    assert too_large(keys, most=3).isEmpty()


def test_a_key_that_is_left_out_makes_no_pairs_but_others_of_the_same_records_do(spark):
    three = [record(number, email="info@x", phone=f"+{number // 2}") for number in range(1, 4)]

    assert pairs(spark, *three, most=2) == [(2, 3, 1)]
    assert pairs(spark, *three, most=3) == [(1, 2, 0), (1, 3, 0), (2, 3, 0)]


def test_old_records_count_towards_the_most_of_a_key(spark):
    records = [record(number, is_new=number == 3, email="info@x") for number in range(1, 4)]

    assert pairs(spark, *records, most=2) == []


def test_pairs_get_the_values_of_both_records_side_by_side(spark):
    records = spark.createDataFrame(
        [record(1, email="a@x", name="ann"), record(2, email="b@x"), record(3, name="cid")], RECORDS
    )
    found = spark.createDataFrame([(1, 2, 0), (1, 3, 2)], "record_id_l long, record_id_r long, rule int")

    both = side_by_side(found, records, ["email", "name"])

    columns = ["record_id_l", "record_id_r", "rule", "email_l", "name_l", "email_r", "name_r"]
    assert sorted(both.columns) == sorted(columns)
    assert sorted(tuple(row) for row in both.select(*columns).collect()) == [
        (1, 2, 0, "a@x", "ann", "b@x", None),
        (1, 3, 2, "a@x", "ann", None, "cid"),
    ]


values = st.sampled_from(["a", "b", "c", None])
drawn_records = st.lists(st.tuples(st.booleans(), values, values, values, values), min_size=1, max_size=14).map(
    lambda drawn: [(number, *rest) for number, rest in enumerate(drawn)]
)


def keys_by_hand(row):
    """By rule, what a record must share with another to be compared."""
    _, _, email, phone, name, postcode = row
    whole = [(email,), (phone,), (name, postcode)]  # of one letter, a name is its initial
    return {(rule, key) for rule, key in enumerate(whole) if None not in key}


@given(records=drawn_records, most=st.integers(1, 6))
def test_pairs_are_those_that_comparing_each_with_each_finds(spark, records, most):
    held = Counter(key for row in records for key in keys_by_hand(row))
    usable = {key for key, count in held.items() if count <= most}

    expected = []
    for one, other in combinations(records, 2):
        shared = keys_by_hand(one) & keys_by_hand(other) & usable
        if shared and (one[1] or other[1]):
            expected.append((one[0], other[0], min(rule for rule, _ in shared)))

    assert pairs(spark, *records, most=most) == expected


@pytest.mark.parametrize("row", [record(1), record(1, email="a@x")], ids=["without a key", "alone"])
def test_a_record_is_not_compared_with_itself(spark, row):
    assert pairs(spark, row) == []
