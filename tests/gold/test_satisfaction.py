import random
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from customerlake.gold.satisfaction import satisfaction

ANSWERS = (
    "invitation_id string, survey string, customer_id string, touchpoint string, score int, invited_at timestamp, "
    "answered_at timestamp, updated_at timestamp, is_deleted boolean"
)
SEGMENTS = "customer_id string, segment string"
AS_OF = date(2011, 3, 31)
TOP = {"nps": 10, "csat": 5, "ces": 7}


def at(month, day, hour=12):
    return datetime(2011, month, day, hour, tzinfo=UTC)


MARCH_1, MARCH_2 = at(3, 1), at(3, 2)


def invitation(
    survey, score=None, *, invited=MARCH_1, answered=MARCH_2, customer="a", touchpoint="order", deleted=False
):
    answered = None if score is None else answered
    return ("i", survey, customer, touchpoint, score, invited, answered, answered or invited, deleted)


def scores(spark, *rows, segments=None, as_of=AS_OF):
    frame = None if segments is None else spark.createDataFrame(segments, SEGMENTS)
    found = satisfaction(spark.createDataFrame(rows, ANSWERS), frame, as_of=as_of).collect()
    return {(row.survey, row.period, row.dimension, row.value): row for row in found}


def test_nps_is_percent_promoters_less_percent_detractors_with_its_interval(spark):
    """50 promoters, 30 passives, 20 detractors. Adjusted: 50.75 and 20.75 of 103, difference 0.291262, variance
    0.694175 - 0.084834 = 0.609341, standard error 0.076915, so 29.1262 +- 15.0751."""
    answers = [9, 10] * 25 + [7, 8] * 15 + [0, 6] * 10

    row = scores(spark, *[invitation("nps", score) for score in answers])["nps", "all", "all", "all"]

    assert (row.count_promoters, row.count_passives, row.count_detractors) == (50, 30, 20)
    assert row.survey_score == pytest.approx(30.0)
    assert (row.survey_score_low, row.survey_score_high) == pytest.approx((14.0511, 44.2013), abs=1e-3)
    assert row.count_satisfied is None


def test_csat_is_the_share_of_the_two_best_answers_with_wilsons_interval(spark):
    row = scores(spark, *[invitation("csat", score) for score in [5, 4, 5, 3, 1, 4, 5, 2, 5, 4]])[
        "csat", "all", "all", "all"
    ]

    assert (row.count_satisfied, row.survey_score) == (7, 0.7)
    assert (row.survey_score_low, row.survey_score_high) == pytest.approx((0.396778, 0.892209), abs=1e-6)
    assert (row.mean_answer, row.median_answer, row.count_promoters) == (3.8, 4.0, None)


def test_ces_is_the_mean_with_students_interval(spark):
    """Mean 5, sample variance 10/4, standard error 0.707107, t(4) 2.776445."""
    row = scores(spark, *[invitation("ces", score) for score in [3, 4, 5, 6, 7]])["ces", "all", "all", "all"]

    assert (row.survey_score, row.median_answer) == (5.0, 5.0)
    assert (row.survey_score_low, row.survey_score_high) == pytest.approx((3.036757, 6.963243), abs=1e-3)


@pytest.mark.parametrize(("answers", "has_interval"), [([4, 5], False), ([4, 5, 6], True)])
def test_the_interval_of_ces_needs_three_answers(spark, answers, has_interval):
    row = scores(spark, *[invitation("ces", score) for score in answers])["ces", "all", "all", "all"]

    assert (row.survey_score_low is not None) == has_interval


def test_answers_that_are_all_alike_are_still_not_certain(spark):
    row = scores(spark, invitation("nps", 10), invitation("nps", 9))["nps", "all", "all", "all"]

    assert row.survey_score == 100.0
    assert row.survey_score_low < 100.0
    assert row.survey_score_high == 100.0


@pytest.mark.parametrize(("answers", "median"), [([1, 5], 3.0), ([1, 1, 5], 1.0), ([1, 2, 2, 5], 2.0), ([2, 3], 2.5)])
def test_the_median_lies_between_the_middle_answers(spark, answers, median):
    row = scores(spark, *[invitation("csat", score) for score in answers])["csat", "all", "all", "all"]

    assert row.median_answer == median


def test_invitations_without_an_answer_lower_the_response_share_alone(spark):
    row = scores(spark, invitation("nps", 9), invitation("nps"), invitation("nps"), invitation("nps"))[
        "nps", "all", "all", "all"
    ]

    assert (row.count_invitations, row.count_answers, row.response_share, row.survey_score) == (4, 1, 0.25, 100.0)


def test_where_nobody_answered_there_is_no_score(spark):
    row = scores(spark, invitation("csat"))["csat", "2011-03", "all", "all"]

    assert (row.response_share, row.count_satisfied) == (0.0, 0)
    assert (row.survey_score, row.survey_score_low, row.median_answer, row.mean_answer) == (None, None, None, None)


def test_an_answer_counts_in_the_month_of_its_invitation(spark):
    found = scores(spark, invitation("nps", 9, invited=at(1, 31), answered=at(2, 3)), invitation("nps", 5))

    months = {key[1]: (row.month, row.count_answers) for key, row in found.items() if key[2] == "all"}
    assert months == {"2011-01": (date(2011, 1, 1), 1), "2011-03": (date(2011, 3, 1), 1), "all": (None, 2)}


@pytest.mark.parametrize(
    ("as_of", "counts"),
    [(date(2011, 2, 27), None), (date(2011, 2, 28), (1, 0)), (date(2011, 3, 1), (1, 0)), (date(2011, 3, 2), (1, 1))],
)
def test_invitations_and_answers_count_from_their_day_on(spark, as_of, counts):
    asked = invitation("nps", 9, invited=at(2, 28, 23), answered=at(3, 2, 23))

    row = scores(spark, asked, as_of=as_of).get(("nps", "all", "all", "all"))

    assert (row and (row.count_invitations, row.count_answers)) == counts


def test_an_answer_without_its_instant_counts_from_the_last_change_of_the_record(spark):
    asked = ("i", "nps", "a", "order", 9, at(3, 1), None, at(3, 5), False)

    counts = [
        scores(spark, asked, as_of=date(2011, 3, day))["nps", "all", "all", "all"].count_answers for day in (4, 5)
    ]

    assert counts == [0, 1]


def test_what_the_source_took_back_is_left_out(spark):
    assert scores(spark, invitation("nps", 9, deleted=True)) == {}


def test_touchpoints_and_segments_stand_apart(spark):
    found = scores(
        spark,
        invitation("nps", 9, customer="a"),
        invitation("nps", 0, customer="b", touchpoint=None),
        invitation("nps", 8, customer=None, touchpoint="ticket"),
        segments=[("a", "gold"), ("c", "gold")],
    )

    by_value = {(key[2], key[3]): row.survey_score for key, row in found.items() if key[1] == "all"}
    assert by_value == {
        ("all", "all"): 0.0,
        ("touchpoint", "order"): 100.0,
        ("touchpoint", "unknown"): -100.0,
        ("touchpoint", "ticket"): 0.0,
        ("segment", "gold"): 100.0,
        ("segment", "unknown"): -50.0,
    }


def test_without_segments_there_are_no_rows_of_them(spark):
    assert {key[2] for key in scores(spark, invitation("nps", 9))} == {"all", "touchpoint"}


def test_without_invitations_there_are_no_rows(spark):
    assert scores(spark) == {}


invitations = st.builds(
    lambda survey, share, month, customer, touchpoint, answers: invitation(
        survey,
        round(share * TOP[survey]) or (survey != "nps") if answers else None,
        invited=at(month, 28),
        answered=at(month, 28, 13),
        customer=customer,
        touchpoint=touchpoint,
    ),
    st.sampled_from(list(TOP)), st.floats(0, 1), st.integers(1, 4), st.sampled_from(["a", "b", "c", None]),
    st.sampled_from(["order", "ticket", None]), st.booleans(),
)  # fmt: skip


@given(rows=st.lists(invitations, min_size=1, max_size=80))
def test_values_of_a_dimension_and_months_add_up_and_scores_lie_in_their_interval(spark, rows):
    rows = [(*row[:4], None if row[4] is None else int(row[4]), *row[5:]) for row in rows]
    found = scores(spark, *rows, segments=[("a", "gold"), ("b", "new")])

    def total(survey, period, dimension, name):
        return sum(getattr(row, name) or 0 for key, row in found.items() if key[:3] == (survey, period, dimension))

    for survey in {key[0] for key in found}:
        for name in ("count_invitations", "count_answers", "count_promoters", "count_detractors", "count_satisfied"):
            assert len({total(survey, "all", dimension, name) for dimension in ("all", "touchpoint", "segment")}) == 1
            months = {key[1] for key in found if key[0] == survey} - {"all"}
            assert sum(total(survey, month, "all", name) for month in months) == total(survey, "all", "all", name)
    for key, row in found.items():
        if row.survey_score_low is not None:
            assert row.survey_score_low - 1e-9 <= row.survey_score <= row.survey_score_high + 1e-9
        if key[0] == "nps":
            assert row.count_promoters + row.count_passives + row.count_detractors == row.count_answers


def generated(count):
    chance = random.Random(7)
    for number in range(count):
        survey = chance.choice(list(TOP))
        invited = datetime(2010, 11, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(220_000))
        answers = chance.random() < 0.4
        score = chance.randint(0 if survey == "nps" else 1, TOP[survey]) if answers else None
        answered = invited + timedelta(minutes=chance.randrange(20_000)) if answers else None
        customer = chance.choice([None, *map(str, range(50))])
        touchpoint = chance.choice([None, "order", "ticket"])
        yield (
            str(number),
            survey,
            customer,
            touchpoint,
            score,
            invited,
            answered,
            answered or invited,
            number % 97 == 0,
        )


BY_HAND = """
WITH kept AS (
  SELECT survey, coalesce(touchpoint, 'unknown') AS touchpoint, coalesce(segment, 'unknown') AS segment,
    strftime(invited_at, '%Y-%m') AS month, CASE WHEN answered_at::DATE <= DATE '2011-03-31' THEN score END AS score
  FROM asked LEFT JOIN segments USING (customer_id)
  WHERE NOT is_deleted AND invited_at::DATE <= DATE '2011-03-31'
), cut AS (
  SELECT survey, score, p.period, d.dimension, d.value FROM kept,
    LATERAL (SELECT unnest([month, 'all']) AS period) p,
    LATERAL (SELECT unnest(['all', 'touchpoint', 'segment']) AS dimension,
                    unnest(['all', touchpoint, segment]) AS value) d
)
SELECT survey, period, dimension, value, count(*), count(score), avg(score), median(score),
  count(*) FILTER (score >= 9), count(*) FILTER (score IN (7, 8)), count(*) FILTER (score <= 6),
  count(*) FILTER (score >= 4), stddev_samp(score)
FROM cut GROUP BY ALL
"""


def figures_by_hand(row):
    """survey_score and its interval, from the counts of the query, by scipy where it has them."""
    survey, answers, mean, spread = row[0], row[5], row[6], row[12]
    if not answers:
        return (None, None, None)
    if survey == "csat":
        interval = stats.binomtest(row[11], answers).proportion_ci(method="wilson")
        return (row[11] / answers, interval.low, interval.high)
    if survey == "ces":
        low, high = stats.t.interval(0.95, answers - 1, mean, spread / answers**0.5) if answers > 2 else (None, None)
        return (mean, low, high)
    draws = [1] * row[8] + [0] * row[9] + [-1] * row[10]
    p, d, n = (row[8] + 0.75) / (answers + 3), (row[10] + 0.75) / (answers + 3), answers + 3
    half = stats.norm.ppf(0.975) * (p + d - (p - d) ** 2) ** 0.5 / n**0.5
    score = 100 * sum(draws) / answers
    return (score, min(score, max(-100, 100 * (p - d - half))), max(score, min(100, 100 * (p - d + half))))


def test_figures_are_those_of_the_definition_in_sql_over_4000_invitations(spark):
    rows, segments = list(generated(4000)), [(str(n), "gold" if n < 20 else "new") for n in range(40)]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        ddl = ANSWERS.replace("string", "varchar").replace("timestamp", "timestamptz")
        connection.execute(f"CREATE TABLE asked ({ddl})")
        connection.executemany("INSERT INTO asked VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.execute("CREATE TABLE segments (customer_id varchar, segment varchar)")
        connection.executemany("INSERT INTO segments VALUES (?, ?)", segments)
        expected = connection.sql(BY_HAND).fetchall()

    found = scores(spark, *rows, segments=segments)

    assert set(found) == {row[:4] for row in expected}
    for row in expected:
        one = found[row[:4]]
        counts = (one.count_invitations, one.count_answers, one.mean_answer, one.median_answer)
        assert counts == pytest.approx(row[4:8], abs=1e-9)
        assert one.response_share == pytest.approx(row[5] / row[4])
        groups = (one.count_promoters, one.count_passives, one.count_detractors, one.count_satisfied)
        of_survey = {"nps": (*row[8:11], None), "csat": (None, None, None, row[11]), "ces": (None,) * 4}
        assert groups == of_survey[row[0]]
        score = (one.survey_score, one.survey_score_low, one.survey_score_high)
        assert score == pytest.approx(figures_by_hand(row), abs=1e-2 if row[5] < 6 else 1e-3)
