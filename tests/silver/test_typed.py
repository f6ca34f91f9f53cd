"""What the contracts say in words, beyond types: records that break it, typed and judged as a feed's are."""

import pytest

from customerlake.bronze.sources import SOURCES
from customerlake.contracts.quarantine import quarantine
from customerlake.contracts.source import bronze_table
from customerlake.monitor.measures import measured
from customerlake.runtime.config import LakeFile
from customerlake.runtime.feeds import Feed
from customerlake.silver.feeds import OF_FEED, typed_for
from customerlake.silver.typed import accepted_records, typed_by

NOON, ONE, TWO = (f"2011-03-01 {hour}:00:00" for hour in (12, 13, 14))
SOUND = {
    "survey_answers": {"invitation_id": "i", "survey": "nps", "invited_at": NOON, "updated_at": NOON},
    "social_posts": {"post_id": "p", "network": "x", "text": "hello", "posted_at": NOON, "updated_at": NOON},
    "campaigns": {"campaign_id": "c", "name": "spring", "started_on": "2011-03-01", "updated_at": NOON},
    "products": {"product_id": "p", "name": "cup", "updated_at": NOON},
    "exchange_rates": {"currency": "USD", "base_currency": "GBP", "rated_on": "2011-03-01", "rate": "0.6"},
    "crm_profiles": {"profile_id": "p", "updated_at": NOON},
    "loyalty_events": {"event_id": "e", "card_id": "c", "event_type": "earned", "happened_at": NOON},
    "tickets": {"ticket_id": "t", "status": "open", "opened_at": NOON, "updated_at": NOON},
    "email_events": {"event_id": "e", "message_id": "m", "email": "a@b.de", "event_type": "sent", "happened_at": NOON},
}


@pytest.fixture
def received(spark):
    """One record of a feed, sound but for the values given, as bronze holds it."""

    def of(feed, values):
        bronze = bronze_table(SOURCES[feed])
        origin = {"_source_file": "a.csv", "_line_number": 2, "_batch": 1}
        record = SOUND[feed] | origin | values
        assert set(record) <= set(bronze.column_names)
        row = tuple(record.get(name) for name in bronze.column_names)
        return spark.createDataFrame([row], bronze.schema)

    return of


LAKE = LakeFile.model_validate({"name": "test", "currency": "GBP", "feeds": {"tickets": {"path": "landing"}}})


def typed(feed):
    return typed_for(SOURCES[feed], Feed(path="landing"), LAKE)


@pytest.mark.parametrize("feed", SOUND)
def test_a_sound_record_is_accepted_and_breaks_no_measured_rule(received, feed):
    table = OF_FEED[feed]

    accepted = accepted_records(received(feed, {}), SOURCES[feed], table, typed(feed))

    found = measured(table, accepted, {}, event=None)
    assert (found.count_rows, found.count_inconsistent) == (1, 0)


@pytest.mark.parametrize(
    ("feed", "values", "reason"),
    [
        ("survey_answers", {"score": "11"}, "the score is not on the survey's scale: survey nps, score 11"),
        ("survey_answers", {"score": "-1"}, "the score is not on the survey's scale: survey nps, score -1"),
        (
            "survey_answers",
            {"survey": "csat", "score": "0"},
            "the score is not on the survey's scale: survey csat, score 0",
        ),
        (
            "survey_answers",
            {"survey": "csat", "score": "6"},
            "the score is not on the survey's scale: survey csat, score 6",
        ),
        (
            "survey_answers",
            {"survey": "ces", "score": "8"},
            "the score is not on the survey's scale: survey ces, score 8",
        ),
        ("social_posts", {"rating": "0"}, "rating 0.0 is not between 1 and 5"),
        ("social_posts", {"rating": "5.5"}, "rating 5.5 is not between 1 and 5"),
        ("campaigns", {"discount_share": "20"}, "discount_share 20.0 is not between 0 and 1"),
        ("campaigns", {"fixed_cost": "-1"}, "fixed_cost -1.0000 is negative"),
        ("campaigns", {"contact_cost": "-0.01"}, "contact_cost -0.0100 is negative"),
        ("products", {"list_price": "-2"}, "list_price -2.0000 is negative"),
        ("products", {"unit_cost": "-2"}, "unit_cost -2.0000 is negative"),
        ("products", {"weight": "-0.5"}, "weight -0.5 is negative"),
        ("exchange_rates", {"rate": "0"}, "rate is zero"),
        ("exchange_rates", {"rate": "-0.6"}, "rate -0.6 is negative"),
    ],
)
def test_a_value_beyond_what_its_contract_says_in_words_is_rejected(received, feed, values, reason):
    accepted, rejected = quarantine(received(feed, values).transform(typed(feed)), OF_FEED[feed])

    assert accepted.isEmpty()
    assert [row["reasons"] for row in rejected.collect()] == [[reason]]


@pytest.mark.parametrize(
    ("feed", "values"),
    [
        ("survey_answers", {"score": "0"}),
        ("survey_answers", {"score": "10"}),
        ("survey_answers", {"survey": "csat", "score": "1"}),
        ("survey_answers", {"survey": "csat", "score": "5"}),
        ("survey_answers", {"survey": "ces", "score": "7"}),
        ("social_posts", {"rating": "1"}),
        ("social_posts", {"rating": "5"}),
        ("campaigns", {"discount_share": "0", "fixed_cost": "0"}),
        ("campaigns", {"discount_share": "1"}),
        ("products", {"list_price": "0", "weight": "0"}),
    ],
)
def test_the_ends_of_a_scale_are_accepted(received, feed, values):
    accepted, rejected = quarantine(received(feed, values).transform(typed(feed)), OF_FEED[feed])

    assert rejected.isEmpty()
    assert accepted.count() == 1


@pytest.mark.parametrize(
    ("feed", "values", "rule"),
    [
        (
            "tickets",
            {"first_response_at": TWO, "solved_at": ONE},
            "opened_at, first_response_at and solved_at are not in this order",
        ),
        ("tickets", {"count_reopened": "-1"}, "count_reopened is below 0"),
        ("survey_answers", {"score": "3", "answered_at": "2011-02-28 12:00:00"}, "invited_at and answered_at are not"),
        ("survey_answers", {"score": "3"}, "there is a score without the instant of the answer"),
        ("survey_answers", {"answered_at": ONE}, "there is a score without the instant of the answer"),
        ("social_posts", {"posted_at": ONE}, "posted_at and updated_at are not in this order"),
        ("campaigns", {"ended_on": "2011-02-28"}, "started_on and ended_on are not in this order"),
        ("exchange_rates", {"base_currency": "GBP", "currency": "Shells"}, "currency is not three capital letters"),
        ("crm_profiles", {"birth_on": "1850-01-01"}, "the age is not between 0 and 120 years"),
        ("crm_profiles", {"birth_on": "2011-03-02"}, "the age is not between 0 and 120 years"),
        ("crm_profiles", {"income": "-1"}, "income is below 0"),
        ("crm_profiles", {"created_at": ONE}, "created_at and updated_at are not in this order"),
        ("loyalty_events", {"points": "-5"}, "points are earned below zero or redeemed above it"),
        ("loyalty_events", {"event_type": "redeemed", "points": "5"}, "points are earned below zero or redeemed above"),
        ("loyalty_events", {"birth_on": "2011-03-02"}, "the age is not between 0 and 120 years"),
    ],
)
def test_what_does_not_go_together_is_accepted_and_measured(received, feed, values, rule):
    table = OF_FEED[feed]

    accepted = accepted_records(received(feed, values), SOURCES[feed], table, typed(feed))

    found = measured(table, accepted, {}, event=None)
    (broken,) = [words for words, count in found.broken.items() if count]
    assert broken.startswith(rule)
    assert (found.count_rows, found.count_inconsistent) == (1, 1)


@pytest.mark.parametrize(
    ("feed", "values"),
    [
        ("loyalty_events", {"points": "5", "event_type": "earned"}),
        ("loyalty_events", {"points": "-5", "event_type": "redeemed"}),
        ("loyalty_events", {"points": "-5", "event_type": "tier_changed"}),
        ("tickets", {"first_response_at": NOON, "solved_at": TWO}),
        ("survey_answers", {"score": "3", "answered_at": ONE}),
    ],
)
def test_what_goes_together_breaks_no_rule(received, feed, values):
    table = OF_FEED[feed]

    accepted = accepted_records(received(feed, values), SOURCES[feed], table, typed(feed))

    assert measured(table, accepted, {}, event=None).count_inconsistent == 0


def test_a_number_that_refers_to_nothing_is_measured_and_one_that_is_not_given_is_not(spark, received):
    events = OF_FEED["email_events"]
    known = {"silver.campaigns": spark.createDataFrame([("spring",)], "campaign_id string")}
    found = []
    for campaign in ("spring", "autumn", None):
        record = received("email_events", {"campaign_id": campaign})
        accepted = accepted_records(record, SOURCES["email_events"], events, typed("email_events"))
        found.append(measured(events, accepted, known, event=None).broken)

    assert found == [{"campaign_id is not in silver.campaigns": count} for count in (0, 1, 0)]


def test_a_feed_may_write_days_in_several_formats(received):
    feed = Feed(path="landing", date_format="dd.MM.yyyy", other_date_formats=("dd/MM/yyyy", "yyyyMMdd"))
    typed_days = typed_by(SOURCES["crm_profiles"], feed, time_zone="UTC", currency="GBP")

    def birth(text):
        (row,) = received("crm_profiles", {"birth_on": text}).transform(typed_days).collect()
        return row["birth_on"]

    texts = ("31.12.1980", "31/12/1980", "19801231", "1980-12-31")
    assert {str(birth(text)) for text in texts} == {"1980-12-31"}
    assert birth("12-31-1980") is None


def test_weights_are_kept_as_sent_and_in_kilograms(received):
    def of(values):
        frame = received("products", values)
        (row,) = accepted_records(frame, SOURCES["products"], OF_FEED["products"], typed("products")).collect()
        return row["weight"], row["weight_unit"], row["weight_kg"]

    assert of({"weight": "250", "weight_unit": "G"}) == (250.0, "g", 0.25)
    assert of({"weight": "2", "weight_unit": "lb"}) == (2.0, "lb", pytest.approx(2 * 0.45359237))  # by NIST SP 811
    assert of({"weight": "2", "weight_unit": None}) == (2.0, None, None)
