from datetime import date, datetime
from decimal import Decimal

import pytest

from customerlake.features.group_history import group_history, largest_groups, of_groups
from customerlake.features.snapshot import SNAPSHOT
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.product_list import PRODUCT_LIST

MAY_1, MAY_31, JUN_30 = date(2011, 5, 1), date(2011, 5, 31), date(2011, 6, 30)


@pytest.fixture
def listed(frame_of):
    return frame_of(
        PRODUCT_LIST,
        *[
            {"product_id": product, "category": group, "updated_at": datetime(2011, 1, 1)}
            for product, group in (("lamp", "light"), ("candle", "light"), ("CUP", "kitchen"))
        ],
    )


@pytest.fixture
def history(frame_of, listed):
    """Of purchases (customer, day, product, amount), on the two dates."""

    def made(*purchases):
        lines = [
            {
                "line_id": f"l{number}",
                "order_id": f"o{number}",
                "customer_id": customer,
                "ordered_on": day,
                "ordered_at": datetime(day.year, day.month, day.day, 9),
                "product_id": product,
                "quantity": 1,
                "amount": Decimal(amount),
                "is_sale": True,
                "is_product": True,
            }
            for number, (customer, day, product, amount) in enumerate(purchases)
        ]
        known = set(ORDER_LINES.column_names)
        rows = [{name: value for name, value in line.items() if name in known} for line in lines]
        return frame_of(ORDER_LINES, *rows).transform(group_history(listed, [MAY_31, JUN_30]))

    return made


def test_purchases_of_a_group_are_counted_by_day_up_to_each_date(history):
    found = history(
        ("a", MAY_1, "LAMP", 5), ("a", MAY_1, "CANDLE", 1), ("a", MAY_31, "LAMP", 5), ("a", date(2011, 6, 1), "CUP", 9)
    )

    rows = sorted((row["as_of"], row["product_group"], row["group_purchase_days"]) for row in found.collect())
    assert rows == [(MAY_31, "light", 2), (JUN_30, "kitchen", 1), (JUN_30, "light", 2)]


def test_the_largest_groups_are_those_that_most_customers_have_bought(history):
    found = history(("a", MAY_1, "LAMP", 5), ("a", MAY_1, "CUP", 1), ("b", MAY_1, "CUP", 900))

    assert largest_groups(found, 1) == ["kitchen"]
    assert largest_groups(found, 5) == ["kitchen", "light"]


def test_each_customer_has_a_row_of_each_group_with_what_is_known_of_both(history, frame_of):
    found = history(("a", MAY_1, "LAMP", 30), ("a", MAY_31, "CUP", 10), ("b", MAY_1, "CUP", 1))
    known = frame_of(SNAPSHOT, *[{"customer_id": name, "as_of": MAY_31} for name in ("a", "b", "new")])

    rows = of_groups(known, found, ["kitchen", "light"]).collect()

    asked = ("group_purchase_days", "group_spend_share", "days_since_group", "group_popularity")
    told = {(row["customer_id"], row["product_group"]): tuple(row[name] for name in asked) for row in rows}
    assert told == {
        ("a", "light"): (1.0, 0.75, 30.0, 0.5),
        ("a", "kitchen"): (1.0, 0.25, 0.0, 1.0),
        ("b", "light"): (0.0, 0.0, None, 0.5),
        ("b", "kitchen"): (1.0, 1.0, 30.0, 1.0),
        ("new", "light"): (0.0, 0.0, None, 0.5),
        ("new", "kitchen"): (0.0, 0.0, None, 1.0),
    }
