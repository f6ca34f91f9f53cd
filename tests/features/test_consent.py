import pytest

from customerlake.features.consent import consent_features
from tests.features.events import AS_OF, CONSENTS, consent, day


@pytest.fixture
def may_be_emailed(spark):
    def found(*decisions, as_of=AS_OF):
        made = spark.createDataFrame(list(decisions), CONSENTS).transform(consent_features(sorted({as_of, AS_OF})))
        return [row.may_be_emailed for row in made.where(f"customer_id = 'a' AND as_of = DATE'{as_of}'").collect()]

    return found


@pytest.mark.parametrize(("days_before", "known"), [(0, [0]), (10, [0]), (11, [1]), (30, [1]), (31, [])])
def test_the_newest_decision_by_the_date_holds(may_be_emailed, days_before, known):
    assert may_be_emailed(consent(30, True), consent(10, False), as_of=day(days_before)) == known


def test_a_decision_for_any_channel_is_one_for_e_mail(may_be_emailed):
    assert may_be_emailed(consent(30, False), consent(10, True, channel="any")) == [1]


@pytest.mark.parametrize("other", [{"channel": "phone"}, {"purpose": "service"}])
def test_other_purposes_and_channels_allow_no_e_mail(may_be_emailed, other):
    assert may_be_emailed(consent(10, True, **other)) == [0]
    assert may_be_emailed(consent(20, False), consent(10, True, **other)) == [0]
    assert may_be_emailed(consent(20, True), consent(10, False, **other)) == [1]


def test_of_two_decisions_at_one_instant_the_refusal_holds(may_be_emailed):
    assert may_be_emailed(consent(10, True), consent(10, False)) == [0]
