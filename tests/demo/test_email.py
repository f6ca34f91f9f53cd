"""The lot is fair, and what can be measured of the test is what the truth says."""

import math

import duckdb
import pytest

pytestmark = pytest.mark.before_an_engine
Demo = duckdb.DuckDBPyConnection


def test_a_fifth_of_every_campaign_is_held_back(few: Demo) -> None:
    rows = few.sql(
        "SELECT campaign_id, count(*), avg((test_group = 'control')::int) FROM campaign_members "
        "WHERE test_group <> 'pilot' AND customer_id IS NOT NULL GROUP BY 1"
    ).fetchall()

    assert len(rows) == 12
    for campaign, members, control in rows:
        assert abs(control - 0.2) < 4 * math.sqrt(0.2 * 0.8 / members), campaign


@pytest.mark.full_data
def test_both_groups_of_the_test_are_alike_before_it(full: Demo) -> None:
    rows = full.sql(
        """SELECT test_group, count(*), avg(engagement), avg(price_sensitivity), avg(satisfaction), avg(visit_without)
           FROM truth_email_effect JOIN truth_people USING (customer_id) JOIN truth_traits USING (person_id)
           GROUP BY 1 ORDER BY 1"""
    ).fetchall()
    (_, held_back, *control), (_, sent, *treated) = rows

    assert held_back / (held_back + sent) == pytest.approx(0.2, abs=0.03)
    for one, other in zip(control, treated, strict=True):
        assert abs(one - other) < 4 * 0.3 * math.sqrt(1 / held_back + 1 / sent)  # traits deviate by less than 0.3


VISITED = """
    CREATE OR REPLACE TEMP VIEW measured AS
    SELECT e.*, EXISTS (FROM web_events w JOIN truth_persons v ON v.source = 'web_events'
            AND v.source_record_id = w.visitor_id
        WHERE v.person_id = p.person_id
            AND try_cast(w.happened_at AS date) BETWEEN DATE '2011-09-13' AND DATE '2011-09-27')::int AS visited
    FROM truth_email_effect e JOIN truth_people p USING (customer_id)
"""


@pytest.mark.full_data
def test_the_difference_in_visits_recovers_the_mean_true_effect(full: Demo) -> None:
    full.execute(VISITED)
    rows = full.sql("SELECT test_group, count(*), avg(visited) FROM measured GROUP BY 1 ORDER BY 1").fetchall()
    (_, held_back, without), (_, sent, with_it) = rows
    ((true_effect,),) = full.sql("SELECT avg(true_effect) FROM truth_email_effect").fetchall()
    standard_error = math.sqrt(without * (1 - without) / held_back + with_it * (1 - with_it) / sent)

    assert 0.03 < true_effect < 0.2
    assert abs((with_it - without) - true_effect) < 2 * standard_error
    assert with_it - without > 2 * standard_error  # large enough to be found


@pytest.mark.full_data
def test_the_effect_differs_by_customer_and_some_are_better_left_alone(full: Demo) -> None:
    full.execute(VISITED)
    ((lowest, highest),) = full.sql("SELECT min(true_effect), max(true_effect) FROM truth_email_effect").fetchall()
    found = [
        full.sql(
            f"""SELECT avg(visited) FILTER (test_group = 'treated') - avg(visited) FILTER (test_group = 'control')
                FROM measured WHERE true_effect {which}"""
        ).fetchall()[0][0]
        for which in ("< 0.05", "> 0.15")
    ]

    assert lowest < -0.02
    assert highest > 0.2
    assert found[1] > found[0] + 0.05
