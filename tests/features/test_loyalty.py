import pytest

from customerlake.features.loyalty import loyalty_features
from tests.features.events import AS_OF, LOYALTY_EVENTS, card, day


@pytest.fixture
def cards(spark):
    """is_loyalty_member, loyalty_points and loyalty_tier of a customer; None: nothing is known of a card."""

    def found(*events, as_of=AS_OF):
        made = spark.createDataFrame(list(events), LOYALTY_EVENTS).transform(loyalty_features(sorted({as_of, AS_OF})))
        rows = made.where(f"customer_id = 'a' AND as_of = DATE'{as_of}'").drop("customer_id", "as_of").collect()
        return tuple(rows[0]) if rows else None

    return found


HISTORY = [
    card("9", 90, "enrolled", tier="bronze"),
    card("2", 80, "earned", 100),
    card("3", 60, "tier_changed", tier="silver"),
    card("4", 50, "redeemed", -30),
    card("5", 40, "closed"),
    card("6", 20, "enrolled", tier="bronze"),
    card("7", 10, "earned", 5),
]


@pytest.mark.parametrize(
    ("days_before", "known"),
    [
        (0, (1, 75, "bronze")),
        (20, (1, 70, "bronze")),
        (21, (0, 0, None)),
        (40, (0, 0, None)),
        (41, (1, 70, "silver")),
        (60, (1, 100, "silver")),
        (61, (1, 100, "bronze")),
        (90, (1, 0, "bronze")),
        (91, None),
    ],
)
def test_a_card_is_known_as_it_stood_on_the_date(cards, days_before, known):
    assert cards(*HISTORY, as_of=day(days_before)) == known


def test_open_cards_are_taken_together_and_closed_ones_lapse(cards):
    other = [
        card("8", 30, "enrolled", card_id="l", tier="gold"),
        card("19", 29, "earned", 7, card_id="l"),
        card("10", 50, "enrolled", card_id="m", tier="platinum"),
        card("11", 49, "earned", 1000, card_id="m"),
        card("12", 5, "closed", card_id="m"),
    ]

    assert cards(*HISTORY, *other) == (1, 82, "bronze")  # the tier that was named last, 20 days before


def test_of_two_tiers_named_at_one_instant_that_of_the_higher_number_holds(cards):
    events = [card("2", 9, "tier_changed", tier="silver"), card("1", 9, "tier_changed", tier="gold")]

    assert cards(*events) == (1, 0, "silver")


def test_events_of_cards_of_nobody_do_not_count(cards):
    assert cards(*HISTORY, card("13", 5, "earned", 9, customer=None)) == (1, 75, "bronze")
