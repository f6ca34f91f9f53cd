import csv
import logging
from collections import Counter
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyspark.sql import functions as F

from customerlake.errors import ModelError
from customerlake.silver.identity import match_weight as module
from customerlake.silver.identity.comparison import UNKNOWN, by_edits, exactly
from customerlake.silver.identity.match_weight import (
    FEWEST_RECORDS,
    LevelWeight,
    MatchWeights,
    learn,
    weighed,
)
from customerlake.silver.identity.persons import (
    ADDRESS,
    BIRTH,
    CERTAIN,
    COMPARISONS,
    FAMILY,
    GIVEN,
    NATIVE,
    RECALL_OF_CERTAIN,
    TRAINED_WITHIN,
)
from customerlake.silver.term_frequencies import term_frequencies, with_frequencies

FEBRL = Path(__file__).parents[4] / "shared" / "data" / "febrl" / "dataset1.csv"

SURNAME = by_edits("surname", "name", 1, of_frequency=True)
MAILBOX = exactly("mailbox", "mailbox")


def level(name, m, u):
    return LevelWeight(level=name, m=m, u=u)


WEIGHTS = MatchWeights(
    prior=0.2,  # log2(0.2 / 0.8) = -2
    levels={
        # log2(m / u): 3, 1, -4
        "surname": (level("equal", 0.8, 0.1), level("1 edit", 0.1, 0.05), level("different", 0.05, 0.8)),
        # 5, -1
        "mailbox": (level("equal", 0.5, 0.015625), level("different", 0.25, 0.5)),
    },
    count_records=100,
)
PAIRS = (
    "pair string, name_l string, name_r string, mailbox_l string, mailbox_r string, "
    "name_frequency_l double, name_frequency_r double"
)
TOLD = ("weight_surname", "weight_mailbox", "match_weight", "match_probability")


def told(spark, *pairs):
    """What is told of each pair, by its name."""
    found = weighed(spark.createDataFrame(pairs, PAIRS), [SURNAME, MAILBOX], WEIGHTS)
    return {row["pair"]: pytest.approx(tuple(row[name] for name in TOLD)) for row in found.collect()}


def test_a_pair_weighs_what_its_levels_and_the_prior_add_up_to(spark):
    found = told(
        spark,
        ("agree", "marten", "marten", "a@x", "a@x", None, None),
        ("near", "marten", "martin", "a@x", "a@x", None, None),
        ("disagree", "marten", "peters", "a@x", "b@x", None, None),
    )

    # odds of 2 ** weight: 64 to 1, 16 to 1, 1 to 128
    assert found == {
        "agree": (3, 5, -2 + 3 + 5, 64 / 65),
        "near": (1, 5, -2 + 1 + 5, 16 / 17),
        "disagree": (-4, -1, -2 - 4 - 1, 1 / 129),
    }


def test_what_cannot_be_compared_tells_nothing(spark):
    found = told(
        spark,
        ("no mailbox", "marten", "marten", None, "a@x", None, None),
        ("no surname", None, "marten", "a@x", "a@x", None, 0.05),
        ("neither", "marten", None, "a@x", None, 0.05, None),
    )

    assert found == {"no mailbox": (3, 0, 1, 2 / 3), "no surname": (0, 5, 3, 8 / 9), "neither": (0, 0, -2, 0.2)}


def test_an_equal_value_tells_more_the_rarer_it_is(spark):
    found = told(
        spark,
        ("rare", "quirke", "quirke", None, None, 0.0125, 0.0125),  # 0.8 / 0.0125 = 2 ** 6
        ("usual", "marten", "marten", None, None, 0.1, 0.1),
        ("common", "smith", "smith", None, None, 0.4, 0.4),  # 0.8 / 0.4 = 2
        ("frequency unknown", "marten", "marten", None, None, None, None),
    )

    assert found == {
        "rare": (6, 0, 4, 16 / 17),
        "usual": (3, 0, 1, 2 / 3),
        "common": (1, 0, -1, 1 / 3),
        "frequency unknown": (3, 0, 1, 2 / 3),
    }


def test_values_that_are_not_equal_tell_what_their_level_does_however_rare_they_are(spark):
    found = told(
        spark,
        ("near", "quirke", "quirk", None, None, 0.0125, 0.0125),
        ("different", "quirke", "oakes", None, None, 0.0125, 0.0125),
    )

    assert found == {"near": (1, 0, -1, 1 / 3), "different": (-4, 0, -6, 1 / 65)}


def test_where_frequencies_differ_the_commoner_value_counts(spark):
    assert told(spark, ("one is common", "smith", "smith", None, None, 0.0125, 0.4)) == {
        "one is common": (1, 0, -1, 1 / 3)
    }


def test_of_persons_every_comparison_that_cannot_be_made_tells_0(spark):
    levels = {
        one.name: tuple(level(name, 0.5, 0.125 * (place + 2)) for place, name in enumerate(one.level_names()))
        for one in COMPARISONS
    }
    columns = [f"{name}_{side}" for one in COMPARISONS for name in one.columns for side in "lr"]
    columns += [f"{one.of_frequency}_frequency_{side}" for one in COMPARISONS if one.of_frequency for side in "lr"]
    kinds = ", ".join(f"{name} {'double' if '_frequency_' in name else 'string'}" for name in columns)
    pairs = spark.createDataFrame([(None,) * len(columns)], kinds)

    (row,) = weighed(pairs, COMPARISONS, MatchWeights(prior=0.5, levels=levels, count_records=1)).collect()

    assert {row[one.level_column] for one in COMPARISONS} == {UNKNOWN}
    assert {row[f"weight_{one.name}"] for one in COMPARISONS} == {0.0}
    assert (row["match_weight"], row["match_probability"]) == (0.0, 0.5)


@pytest.mark.parametrize(("weight", "probability"), [(-3000, 0.0), (3000, 1.0)])
def test_weights_beyond_what_a_double_raises_2_to_are_sure(spark, weight, probability):
    equal = level("equal", 1.0, 2.0**-1000) if weight > 0 else level("equal", 2.0**-1000, 1.0)
    comparisons = [exactly(name, "name") for name in ("one", "two", "three")]
    levels = {one.name: (equal, level("different", 0.5, 0.5)) for one in comparisons}
    pairs = spark.createDataFrame([("a", "a")], "name_l string, name_r string")

    (row,) = weighed(pairs, comparisons, MatchWeights(prior=0.5, levels=levels, count_records=1)).collect()

    assert (row["match_weight"], row["match_probability"]) == (weight, probability)


def test_an_attribute_that_no_record_has_tells_nothing_of_any_pair(spark):
    records = spark.createDataFrame(
        [("a", None, "a@x"), ("b", None, "a@x")], "record_id string, name string, mailbox string"
    )
    known = with_frequencies(records, term_frequencies(records, ["name"], identifiers=()), ["name"])
    left, right = (known.select(*[F.col(name).alias(f"{name}_{side}") for name in known.columns]) for side in "lr")
    pairs = left.join(right, how="inner", on=F.expr("record_id_l < record_id_r"))

    (row,) = weighed(pairs, [SURNAME, MAILBOX], WEIGHTS).collect()

    assert tuple(row[name] for name in TOLD) == pytest.approx((0, 5, 3, 8 / 9))


@pytest.mark.before_an_engine
def test_a_weight_is_the_logarithm_of_m_over_u():
    assert LevelWeight(level="equal", m=0.9, u=0.009).weight == pytest.approx(6.643856)  # log2(100)
    assert LevelWeight(level="different", m=0.02, u=0.8).weight == pytest.approx(-5.321928)  # log2(1 / 40)
    assert MatchWeights(prior=0.5, levels={}, count_records=1).prior_weight == 0
    assert MatchWeights(prior=1 / 1025, levels={}, count_records=1).prior_weight == pytest.approx(-10)


COMPARED = (GIVEN, FAMILY, NATIVE, BIRTH, ADDRESS)
OF_FREQUENCY = ("given_key", "family_key", "native_name")


def learnt(records, comparisons=COMPARED):
    return learn(
        records,
        comparisons,
        key="record_id",
        certain=CERTAIN[2:],  # by names and birth; FEBRL has neither mailboxes nor telephones
        recall_of_certain=RECALL_OF_CERTAIN,
        trained_within=TRAINED_WITHIN[1:],
    )


@pytest.mark.before_an_engine
def test_too_few_records_to_learn_from_are_refused():
    numbers = [f"{place}" for place in range(FEWEST_RECORDS - 1)]

    with pytest.raises(ModelError, match="49 records are too few"):
        learnt(pa.table({"record_id": numbers, "name": numbers}), [exactly("surname", "name")])


@pytest.mark.before_an_engine
def test_records_of_a_name_that_more_have_than_a_block_may_hold_teach_nothing(monkeypatch):
    monkeypatch.setattr(module, "MOST_OF_BLOCK", 60)
    numbers = [f"{place}" for place in range(100)]
    of_all = {"record_id": numbers, "family_key": ["marten"] * 100, "birth_text": numbers}

    with pytest.raises(ModelError, match="39 records are too few"):
        learnt(pa.table(of_all | {"given_key": ["anna"] * 61 + numbers[:39]}))


@pytest.fixture(scope="module")
def febrl():
    """Data set 1 of FEBRL as records of persons: 500 people, each with one record and a second one with errors."""
    if not FEBRL.exists():
        pytest.skip("reads ../shared/data/febrl, which is not here")
    with FEBRL.open() as lines:
        rows = list(csv.DictReader(lines, skipinitialspace=True))

    def texts(*names):
        return [" ".join(row[name].strip() for name in names if row[name].strip()) or None for row in rows]

    return pa.table(
        {
            "record_id": texts("rec_id"),
            "given_key": texts("given_name"),
            "said_key": texts("given_name"),
            "sex": pa.nulls(len(rows), pa.string()),
            "family_key": texts("surname"),
            "native_name": pa.nulls(len(rows), pa.string()),
            "birth_text": texts("date_of_birth"),
            "postcode": texts("postcode"),
            "street_key": texts("street_number", "address_1"),
            "city": texts("suburb"),
        }
    )


@pytest.fixture(scope="module")
def weights(febrl):
    return learnt(febrl)


def shares(febrl, comparison, *, where="true"):
    """Of all pairs that can be compared, the share at each level, counted by DuckDB.

    `where` may ask for are_one, the truth of FEBRL: rec-N-org and rec-N-dup-M are one person's.
    """
    cases = " ".join(f"WHEN {one.condition} THEN {place}" for place, one in enumerate(comparison.levels))
    sides = ", ".join(f"{side}.{name} AS {name}_{side}" for name in comparison.columns for side in "lr")
    with duckdb.connect() as connection:
        connection.register("records", febrl)
        counted = connection.sql(f"""
            WITH pairs AS (
                SELECT split_part(l.record_id, '-', 2) = split_part(r.record_id, '-', 2) AS are_one, {sides}
                FROM records l JOIN records r ON l.record_id < r.record_id
            )
            SELECT CASE {cases} ELSE {len(comparison.levels)} END AS level, count(*)
            FROM pairs WHERE {where} AND ({comparison.known}) GROUP BY level
        """).fetchall()
    of_level = dict(counted)
    return [of_level.get(place, 0) / sum(of_level.values()) for place in range(len(comparison.levels) + 1)]


SEEN = [GIVEN, FAMILY, BIRTH, ADDRESS]


@pytest.mark.before_an_engine
@pytest.mark.parametrize("comparison", SEEN, ids=lambda one: one.name)
def test_u_is_how_often_records_at_random_agree(febrl, weights, comparison):
    counted = shares(febrl, comparison)

    # Splink ends when it has seen each level a hundred times: one standard deviation is a tenth then
    seen = [(one.u, share) for one, share in zip(weights.levels[comparison.name], counted, strict=True) if share]
    assert len(seen) >= 4
    assert [u for u, _ in seen] == pytest.approx([share for _, share in seen], rel=0.2)


@pytest.mark.before_an_engine
@pytest.mark.parametrize("comparison", SEEN, ids=lambda one: one.name)
def test_m_learnt_without_the_truth_is_how_often_records_of_one_person_agree(febrl, weights, comparison):
    counted = shares(febrl, comparison, where="are_one")

    assert [one.m for one in weights.levels[comparison.name]] == pytest.approx(counted, abs=0.05)


@pytest.mark.before_an_engine
def test_the_prior_is_what_the_certain_pairs_say_of_all_pairs(febrl, weights):
    columns = [febrl[name].to_pylist() for name in ("given_key", "family_key", "birth_text")]
    records_of = Counter(row for row in zip(*columns, strict=True) if all(row))
    certain = sum(count * (count - 1) // 2 for count in records_of.values())

    assert certain > 100
    assert weights.prior == pytest.approx(certain / RECALL_OF_CERTAIN / 499_500)
    assert weights.count_records == 1000


@pytest.mark.before_an_engine
def test_a_level_that_no_pair_was_at_is_taken_for_what_is_usual_of_its_place(febrl, weights):
    initial = weights.levels["given_name"][1]  # FEBRL has no initials
    native = weights.levels["native_name"]  # nor other scripts

    assert shares(febrl, GIVEN)[1] == 0
    assert initial == LevelWeight(level="initial", m=0.02, u=1e-3)
    assert native[0] == LevelWeight(level="equal", m=0.5, u=1e-4)
    assert native[-1] == LevelWeight(level="different", m=0.1, u=0.99)


@pytest.mark.before_an_engine
def test_the_same_records_teach_the_same_weights(febrl, weights):
    assert learnt(febrl) == weights


def predicted_by_splink(febrl, weights):
    """Weight and probability of each pair that agrees on city or birth, by Splink itself with the learnt m and u."""
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    def of_splink(comparison):
        null = {
            "sql_condition": f"NOT coalesce({comparison.known}, false)",
            "label_for_charts": "?",
            "is_null_level": True,
        }
        others = [one.condition for one in comparison.levels] + ["ELSE"]
        levels = [
            {"sql_condition": condition, "label_for_charts": one.level, "m_probability": one.m, "u_probability": one.u}
            for condition, one in zip(others, weights.levels[comparison.name], strict=True)
        ]
        for place, one in enumerate(comparison.levels):
            if one.is_of_frequency:
                levels[place] |= {"tf_adjustment_column": comparison.of_frequency, "tf_adjustment_weight": 1.0}
        return {"output_column_name": comparison.name, "comparison_levels": [null, *levels]}

    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="record_id",
        probability_two_random_records_match=weights.prior,
        comparisons=[of_splink(comparison) for comparison in COMPARED],
        blocking_rules_to_generate_predictions=[block_on("city"), block_on("birth_text")],
    )
    logging.getLogger("splink").setLevel(logging.ERROR)
    engine = DuckDBAPI()
    rows = Linker(engine.register(febrl), settings).inference.predict().as_record_list()
    return {(row["record_id_l"], row["record_id_r"]): (row["match_weight"], row["match_probability"]) for row in rows}


def test_pairs_weigh_what_splink_says_of_them(spark, febrl, weights):
    predicted = predicted_by_splink(febrl, weights)
    records = spark.createDataFrame(febrl)
    known = with_frequencies(records, term_frequencies(records, OF_FREQUENCY, identifiers=()), OF_FREQUENCY)
    left, right = (known.select(*[F.col(name).alias(f"{name}_{side}") for name in known.columns]) for side in "lr")
    pairs = left.join(
        right, how="inner", on=F.expr("record_id_l < record_id_r AND (city_l = city_r OR birth_text_l = birth_text_r)")
    )

    found = (
        weighed(pairs, COMPARED, weights)
        .select("record_id_l", "record_id_r", "match_weight", "match_probability")
        .collect()
    )

    assert len(found) > 500
    assert {row[:2] for row in found} == set(predicted)
    for row in found:
        assert row[2:] == pytest.approx(predicted[row[:2]], abs=1e-9), row
