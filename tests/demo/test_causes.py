"""Nothing in the demo comes before what it follows from, and the truth names everyone."""

import duckdb
import pytest

pytestmark = pytest.mark.before_an_engine
Demo = duckdb.DuckDBPyConnection

LONDON = "timezone('UTC', timezone('Europe/London', {}::timestamp))"  # what the desk wrote, as UTC
SOUND_TICKETS = f"""(SELECT ticket_id, order_id, status, {LONDON.format("try_cast(opened_at AS timestamp)")} AS opened,
    {LONDON.format("first_response_at")} AS answered, {LONDON.format("solved_at")} AS solved,
    {LONDON.format("updated_at")} AS updated FROM tickets WHERE status <> 'escalated' AND opened_at LIKE '2%')"""

NEVER = {
    "a ticket before its order": f"""
        SELECT * FROM {SOUND_TICKETS} JOIN ordered USING (order_id) WHERE opened <= ordered_at""",
    "an answer of the desk before the ticket, or a solution before the answer": f"""
        SELECT * FROM {SOUND_TICKETS} WHERE answered < opened OR solved < answered OR updated < opened""",
    "a state of a ticket that knows a later one": f"""
        SELECT * FROM {SOUND_TICKETS} WHERE (status = 'open' AND answered IS NOT NULL)
            OR (status <> 'solved' AND solved IS NOT NULL)""",
    "an event of a message before it was sent": """
        SELECT * FROM email_events e JOIN email_events s USING (message_id)
        WHERE s.event_type = 'sent' AND e.happened_at < s.happened_at""",
    "a click without an opening before it": """
        SELECT * FROM email_events c LEFT JOIN email_events o
            ON o.message_id = c.message_id AND o.event_type = 'opened' AND o.happened_at <= c.happened_at
        WHERE c.event_type IN ('clicked', 'unsubscribed') AND o.message_id IS NULL""",
    "a message to someone held back": """
        SELECT * FROM email_events e JOIN campaign_members m
            ON m.campaign_id = e.campaign_id AND m.customer_id = e.customer_id WHERE m.test_group = 'control'""",
    "a member who had not consented by then": """
        WITH decided AS (SELECT m.campaign_id, m.customer_id, arg_max(is_granted, changed_at) AS is_granted
            FROM campaign_members m JOIN consents c ON c.customer_id = m.customer_id AND c.changed_at < m.assigned_at
            WHERE c.purpose = 'marketing' AND c.channel = 'email' AND c.is_granted <> 'maybe' GROUP BY ALL)
        SELECT * FROM campaign_members m LEFT JOIN decided d USING (campaign_id, customer_id)
        WHERE m.customer_id IS NOT NULL AND coalesce(d.is_granted, 'false') <> 'true'""",
    "a web order without its session, or a session without its order": """
        WITH clicked AS (SELECT DISTINCT order_id, happened_at::timestamp AS moment FROM web_events
            WHERE event_type = 'order' AND happened_at NOT LIKE '2011-13%')
        SELECT * FROM clicked FULL JOIN (FROM ordered WHERE is_web AND order_id NOT LIKE 'C%') o USING (order_id)
        WHERE moment IS DISTINCT FROM ordered_at""",
    "an order without a cart before it": """
        SELECT * FROM web_events o
        WHERE event_type = 'order' AND happened_at NOT LIKE '2011-13%' AND visitor_id IS NOT NULL
            AND NOT EXISTS (FROM web_events c WHERE c.visitor_id = o.visitor_id AND c.event_type = 'checkout'
                AND c.happened_at < o.happened_at)""",
    "a customer known to the web shop before joining": """
        SELECT * FROM web_events JOIN truth_people USING (customer_id)
        WHERE happened_at NOT LIKE '2011-13%' AND happened_at::timestamp < joined_at::timestamp""",
    "an invitation before its order, or an answer before its invitation": """
        SELECT * FROM survey_answers s LEFT JOIN ordered USING (order_id)
        WHERE invited_at::timestamp <= ordered_at OR answered_at < invited_at""",
    "a score without an answer": """
        SELECT * FROM survey_answers WHERE (answered_at IS NULL) <> (score IS NULL) AND score IS DISTINCT FROM 'ten'""",
    "a review before its author had the product": """
        SELECT * FROM social_posts JOIN truth_sentiments t USING (post_id) JOIN truth_experiences x USING (order_id)
        WHERE posted_at::timestamp <= x.delivered_at::timestamp""",
    "a review of what was not bought": """
        SELECT * FROM truth_sentiments t WHERE NOT EXISTS
            (FROM sold WHERE InvoiceNo = t.order_id AND StockCode = t.product_id)""",
    "points before the card": """
        SELECT * FROM loyalty_events e JOIN loyalty_events c USING (card_id)
        WHERE c.event_type = 'enrolled' AND e.happened_at < c.happened_at""",
    "a profile changed before it was made": """
        SELECT * FROM crm_profiles WHERE updated_at <> 'yesterday' AND
            strptime(updated_at, '%d/%m/%Y %H:%M:%S') < strptime(created_at, '%d/%m/%Y %H:%M:%S')""",
    "the new mailbox before there was one": """
        SELECT * FROM web_orders JOIN truth_people p ON p.customer_id = replace(CustomerID, '.0', '')
        WHERE web_orders.email IS NOT NULL AND new_email_at > InvoiceDate::timestamptz
            AND left(lower(trim(web_orders.email)), 3) <> left(p.email, 3)""",
    "a lapse before the last order": """
        SELECT customer_id FROM truth_lapse JOIN ordered USING (customer_id)
        WHERE order_id NOT LIKE 'C%' GROUP BY ALL HAVING max(ordered_at) >= any_value(lapsed_on)""",
}


@pytest.mark.parametrize("what", NEVER)
def test_there_is_never(what: str, few: Demo) -> None:
    assert few.sql(f"{NEVER[what]} LIMIT 3").fetchall() == []


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("web_events", "happened_at"),
        ("loyalty_events", "happened_at"),
        ("social_posts", "updated_at"),
        ("tickets", "updated_at"),
        ("survey_answers", "updated_at"),
        ("email_events", "happened_at"),
        ("exchange_rates", "rated_on"),
    ],
)
def test_all_that_happens_lies_in_the_days_of_the_data(table: str, column: str, few: Demo) -> None:
    ((first, last),) = few.sql(
        f"""SELECT min(moment)::date::text, max(moment)::date::text
            FROM (SELECT try_cast({column} AS timestamp) AS moment FROM {table})"""
    ).fetchall()

    assert first >= "2010-12-01"
    assert last <= "2011-12-09"


RECORDS = {
    "crm_profiles": "SELECT profile_id FROM crm_profiles",
    "loyalty_events": "SELECT card_id FROM loyalty_events",
    "web_events": "SELECT visitor_id FROM web_events WHERE customer_id IS NOT NULL",
    "email_events": "SELECT email FROM email_events",
    "web_orders": "SELECT email FROM web_orders",
    "tickets": "SELECT ticket_id FROM tickets",
    "survey_answers": "SELECT invitation_id FROM survey_answers",
    "social_posts": "SELECT post_id FROM social_posts",
    "shop": """SELECT customer_id FROM ordered UNION SELECT customer_id FROM consents
               UNION SELECT customer_id FROM campaign_members""",
}


@pytest.mark.parametrize("source", RECORDS)
def test_the_truth_knows_who_is_behind_every_record(source: str, few: Demo) -> None:
    unknown = few.sql(
        f"""SELECT record FROM ({RECORDS[source]}) AS records(record) WHERE record IS NOT NULL
            EXCEPT SELECT source_record_id FROM truth_persons WHERE source = '{source}'"""
    ).fetchall()
    ((records,),) = few.sql(f"SELECT count(*) FROM truth_persons WHERE source = '{source}'").fetchall()

    assert unknown == []
    assert records > 100


def test_some_persons_have_two_numbers_and_some_share_home_and_mailbox(few: Demo) -> None:
    ((persons, twice),) = few.sql(
        """SELECT count(*), count(*) FILTER (numbers = 2)
           FROM (SELECT count(*) AS numbers FROM truth_people GROUP BY person_id)"""
    ).fetchall()
    ((shared,),) = few.sql(
        "SELECT count(*) FROM (SELECT email FROM truth_people GROUP BY email HAVING count(DISTINCT person_id) > 1)"
    ).fetchall()

    assert 0.02 < twice / persons < 0.06
    assert shared > 5


@pytest.mark.full_data
def test_late_and_damaged_orders_lower_scores_and_open_tickets(full: Demo) -> None:
    rows = full.sql(
        """SELECT was_late OR was_damaged AS is_bad, avg(latent_score) FILTER (survey = 'csat'),
                  avg((t.order_id IS NOT NULL)::int)
           FROM truth_experiences x LEFT JOIN truth_surveys s USING (order_id)
           LEFT JOIN (SELECT DISTINCT order_id FROM tickets) t ON t.order_id = x.order_id GROUP BY 1 ORDER BY 1"""
    ).fetchall()
    (_, good_score, good_tickets), (_, bad_score, bad_tickets) = rows

    assert good_score - bad_score > 0.8  # a late order costs 0.3 of 4 points and more
    assert bad_tickets > 5 * good_tickets


@pytest.mark.full_data
def test_the_very_unhappy_and_the_very_happy_answer_more_often(full: Demo) -> None:
    low, middle, high = (
        full.sql(f"SELECT avg(is_answered::int) FROM truth_surveys WHERE felt BETWEEN {a} AND {b}").fetchall()[0][0]
        for a, b in ((0, 0.25), (0.5, 0.7), (0.9, 1))
    )

    assert low > middle + 0.1
    assert high > middle + 0.05


@pytest.mark.full_data
def test_customers_who_lapse_had_a_worse_last_order_and_come_less_before_it(full: Demo) -> None:
    rows = dict(
        full.sql(
            """SELECT lapsed_on IS NOT NULL, avg((was_late OR was_damaged)::int) FROM (
                   SELECT customer_id, arg_max(was_late, delivered_at) AS was_late,
                          arg_max(was_damaged, delivered_at) AS was_damaged FROM truth_experiences GROUP BY 1)
               JOIN truth_lapse USING (customer_id) GROUP BY 1"""
        ).fetchall()
    )
    ((before, after),) = full.sql(
        """SELECT count(*) FILTER (moment::date BETWEEN lapsed_on - 120 AND lapsed_on - 61),
                  count(*) FILTER (moment::date BETWEEN lapsed_on + 1 AND lapsed_on + 60)
           FROM (SELECT DISTINCT customer_id, try_cast(happened_at AS timestamp) AS moment FROM web_events
                 WHERE event_type = 'login') JOIN truth_lapse USING (customer_id) JOIN truth_people USING (customer_id)
           WHERE joined_at < lapsed_on - 120 AND lapsed_on < DATE '2011-10-09'"""
    ).fetchall()

    assert rows[True] > rows[False] + 0.08
    assert after < 0.4 * before
