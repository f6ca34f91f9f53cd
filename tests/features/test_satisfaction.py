import pytest

from customerlake.features.satisfaction import satisfaction_features
from tests.features.events import AS_OF, SURVEY_ANSWERS, answer, day


@pytest.fixture
def answers(spark):
    """last_nps_answer, last_csat_answer and mean_csat_answer of a customer; None: it gave no answer."""

    def found(*rows, as_of=AS_OF):
        made = spark.createDataFrame(list(rows), SURVEY_ANSWERS).transform(satisfaction_features([as_of, AS_OF]))
        known = made.where(f"customer_id = 'a' AND as_of = DATE'{as_of}'").drop("customer_id", "as_of").collect()
        return tuple(known[0]) if known else None

    return found


HISTORY = [
    answer("1", 90, "csat", 2, answered=88),
    answer("2", 50, "csat", 5, answered=40),
    answer("3", 45, "csat", 3, answered=44),
    answer("4", 30, "nps", 9, answered=20),
    answer("5", 10, "ces", 7, answered=9),
    answer("6", 8, "nps", None),
]


def test_the_last_answer_is_the_one_given_last_whenever_invited(answers):
    assert answers(*HISTORY) == (9, 5, pytest.approx(10 / 3))


def test_on_an_earlier_date_later_answers_are_not_known(answers):
    assert answers(*HISTORY, as_of=day(42)) == (None, 3, 2.5)
    assert answers(*HISTORY, as_of=day(89)) is None


def test_an_answer_without_its_instant_counts_from_the_last_change_of_its_record(answers):
    rows = [answer("1", 50, "nps", 3, changed=20)]

    assert answers(*rows, as_of=day(20)) == (3, None, None)
    assert answers(*rows, as_of=day(21)) is None


@pytest.mark.parametrize("other", [answer("9", 5, "csat", 1, answered=4, customer=None),
                                   answer("9", 5, "csat", 1, answered=4, is_deleted=True),
                                   answer("9", 5, "csat", None)])  # fmt: skip
def test_answers_of_nobody_those_taken_back_and_silence_do_not_count(answers, other):
    assert answers(*HISTORY, other) == (9, 5, pytest.approx(10 / 3))
