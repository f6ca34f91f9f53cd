"""Rows of silver for the tests of features: what happened so many days before AS_OF; after it, below zero."""

from datetime import date, datetime, timedelta
from decimal import Decimal

AS_OF = date(2011, 6, 30)  # a Thursday

ORDERS = (
    "order_id string, customer_id string, ordered_at timestamp, ordered_on date, is_return boolean, "
    "amount decimal(18,4), count_lines long, count_units long, country string, channel string"
)
LINES = (
    "order_line_id string, customer_id string, ordered_on date, product_id string, quantity int, "
    "amount decimal(18,4), is_sale boolean, is_product boolean"
)
PRODUCT_LIST = "product_id string, category string"
WEB_EVENTS = "event_id string, visitor_id string, customer_id string, event_type string, happened_at timestamp"
EMAIL_EVENTS = (
    "event_id string, message_id string, email string, customer_id string, event_type string, happened_at timestamp"
)
TICKETS = (
    "ticket_id string, customer_id string, status string, opened_at timestamp, solved_at timestamp, "
    "count_reopened int, updated_at timestamp, is_deleted boolean"
)
SURVEY_ANSWERS = (
    "invitation_id string, customer_id string, survey string, score int, invited_at timestamp, answered_at timestamp, "
    "updated_at timestamp, is_deleted boolean"
)
LOYALTY_EVENTS = (
    "event_id string, card_id string, customer_id string, event_type string, points int, tier string, "
    "happened_at timestamp"
)
CONSENTS = "customer_id string, purpose string, channel string, is_granted boolean, changed_at timestamp"


def day(days_before):
    return AS_OF - timedelta(days=days_before)


def moment(days_before, hour=12):
    return datetime.combine(day(days_before), datetime.min.time()) + timedelta(hours=hour)


def order(
    order_id, days_before, amount, *,
    customer="a", is_return=False, lines=1, units=1, country="France", channel="web", hour=12,
):  # fmt: skip
    at = moment(days_before, hour)
    return (order_id, customer, at, at.date(), is_return, Decimal(amount), lines, units, country, channel)


def line(line_id, days_before, product_id, amount="10", *, quantity=1, customer="a", is_sale=True, is_product=True):
    return (line_id, customer, day(days_before), product_id, quantity, Decimal(amount), is_sale, is_product)


def web(event_id, days_before, event_type, *, visitor="v", customer="a", hour=12):
    return (event_id, visitor, customer, event_type, moment(days_before, hour))


def email(event_id, days_before, event_type, message_id="m", *, customer="a", hour=12, address="a@b.example"):
    return (event_id, message_id, address, customer, event_type, moment(days_before, hour))


def ticket(
    ticket_id, opened, *, solved=None, hours=0, status=None, changed=None, reopened=0, customer="a", is_deleted=False
):
    """Opened so many days before AS_OF at noon; solved so many days before it, so many hours after noon."""
    solved_at = None if solved is None else moment(solved, 12 + hours)
    updated_at = solved_at or moment(opened) if changed is None else moment(changed)
    status = status or ("open" if solved is None else "solved")
    return (ticket_id, customer, status, moment(opened), solved_at, reopened, updated_at, is_deleted)


def answer(invitation_id, invited, survey, score, *, answered=None, changed=None, customer="a", is_deleted=False):
    """Answered so many days before AS_OF; None: without an instant."""
    answered_at = None if answered is None else moment(answered)
    updated_at = answered_at or moment(invited) if changed is None else moment(changed)
    return (invitation_id, customer, survey, score, moment(invited), answered_at, updated_at, is_deleted)


def card(event_id, days_before, event_type, points=None, *, tier=None, card_id="k", customer="a", hour=12):
    return (event_id, card_id, customer, event_type, points, tier, moment(days_before, hour))


def consent(days_before, is_granted, *, purpose="marketing", channel="email", customer="a", hour=12):
    return (customer, purpose, channel, is_granted, moment(days_before, hour))


def of_customer(frame, names, customer="a"):
    """The named features of the only row of a customer."""
    (row,) = frame.where(f"customer_id = '{customer}'").select(*names).collect()
    return tuple(row)
