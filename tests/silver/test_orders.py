from datetime import date, datetime
from decimal import Decimal

from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.silver.identities import IDENTITIES
from customerlake.silver.orders import ORDERS, orders, with_customers

LINES = (
    "order_line_id string, order_id string, customer_id string, ordered_at timestamp, ordered_on date, channel string, "
    "is_return boolean, is_sale boolean, is_product boolean, product_id string, quantity int, amount decimal(18,4), "
    "amount_charged decimal(18,4), currency string, country string, _batch long"
)
USUAL = {
    "order_line_id": "a",
    "order_id": "1",
    "customer_id": "17850",
    "ordered_at": datetime(2011, 1, 3, 10),
    "ordered_on": date(2011, 1, 3),
    "channel": "online",
    "is_return": False,
    "is_sale": True,
    "is_product": True,
    "product_id": "P",
    "quantity": 2,
    "amount": Decimal("5.0000"),
    "amount_charged": Decimal("6.0000"),
    "currency": "GBP",
    "country": "France",
    "_batch": 1,
}


def lines_of(spark, *lines):
    """Lines of orders; each dict says only what is unlike USUAL."""
    return spark.createDataFrame([tuple((USUAL | line).values()) for line in lines], LINES)


def only(df, *names):
    (row,) = df.select(*names).collect()
    return tuple(row)


def test_an_order_sums_its_lines(spark):
    lines = lines_of(
        spark,
        {},
        {"order_line_id": "b", "product_id": "Q", "quantity": 1, "amount": Decimal("0.3333"), "_batch": 4},
        {"order_line_id": "c", "product_id": "POST", "is_product": False, "quantity": 1, "amount": Decimal("18.0000")},
    )

    summed = orders(lines)

    row = {
        "order_id": "1",
        "customer_id": "17850",
        "shop_customer_id": "17850",
        "ordered_at": datetime(2011, 1, 3, 10),
        "ordered_on": date(2011, 1, 3),
        "channel": "online",
        "is_return": False,
        "amount": Decimal("23.3333"),
        "product_amount": Decimal("5.3333"),
        "amount_charged": Decimal("18.0000"),
        "currency": "GBP",
        "count_lines": 3,
        "count_products": 2,
        "count_units": 3,
        "country": "France",
        "_batch": 4,
    }
    expected = spark.createDataFrame([tuple(row[name] for name in ORDERS.column_names)], ORDERS.schema)
    assert_df_equality(summed, expected, ignore_nullable=True)


def test_orders_are_kept_apart(spark):
    lines = lines_of(spark, {}, {"order_id": "2", "amount": Decimal(7)})

    amounts = {row.order_id: row.amount for row in orders(lines).collect()}

    assert amounts == {"1": Decimal(5), "2": Decimal(7)}


def test_an_order_charged_in_two_currencies_has_no_sum_of_what_was_charged(spark):
    lines = lines_of(spark, {}, {"order_line_id": "b", "currency": "EUR"})

    assert only(orders(lines), "amount", "amount_charged", "currency") == (Decimal(10), None, "EUR")


def test_a_gift_is_a_line_without_an_amount_or_units(spark):
    gift = {"order_line_id": "b", "is_sale": False, "product_id": "Q", "quantity": 100, "amount": Decimal(0)}

    summed = orders(lines_of(spark, {}, gift))

    assert only(summed, "amount", "count_lines", "count_products", "count_units") == (Decimal(5), 2, 2, 2)


def test_a_stock_correction_takes_nothing_from_the_amount(spark):
    correction = {"order_line_id": "b", "is_sale": False, "is_product": False, "quantity": -9, "amount": Decimal(-9)}

    summed = orders(lines_of(spark, {}, correction))

    assert only(summed, "amount", "product_amount", "count_units", "count_lines") == (Decimal(5), Decimal(5), 2, 2)


def test_a_return_has_what_it_gives_back_below_zero(spark):
    taken_back = {"is_return": True, "is_sale": False, "quantity": -2, "amount": Decimal(-5)}

    summed = orders(
        lines_of(spark, taken_back, taken_back | {"order_line_id": "b", "quantity": -1, "amount": Decimal("-2.5")})
    )

    assert only(summed, "is_return", "amount", "product_amount", "count_units") == (
        True,
        Decimal("-7.5"),
        Decimal("-7.5"),
        -3,
    )


def test_the_same_product_on_two_lines_counts_once(spark):
    assert only(orders(lines_of(spark, {}, {"order_line_id": "b"})), "count_lines", "count_products") == (2, 1)


def test_an_order_is_of_the_instant_and_day_of_its_first_line(spark):
    first = {"order_line_id": "b", "ordered_at": datetime(2011, 1, 2, 23, 59), "ordered_on": date(2011, 1, 2)}

    summed = orders(lines_of(spark, {}, first))

    assert only(summed, "ordered_at", "ordered_on") == (datetime(2011, 1, 2, 23, 59), date(2011, 1, 2))


def test_an_order_is_of_the_customer_that_any_of_its_lines_names(spark):
    lines = lines_of(spark, {"customer_id": None}, {"order_line_id": "b", "customer_id": "18287"})

    assert only(orders(lines), "customer_id") == ("18287",)


def test_where_lines_of_an_order_differ_the_least_value_stands_in_any_order_of_lines(spark):
    lines = [{"order_line_id": "b", "country": "Spain"}, {"order_line_id": "a", "country": "France"}]

    assert only(orders(lines_of(spark, *lines)), "country") == ("France",)
    assert only(orders(lines_of(spark, *reversed(lines))), "country") == ("France",)


def identities_of(spark, *known):
    """Rows of source, its number of a record, customer."""
    return spark.createDataFrame([(*row, None, 0, 0, 1) for row in known], IDENTITIES.schema)


def orders_by_number(spark, *numbers):
    """An order of each of the shop's numbers, called after it."""
    lines = [{"order_id": f"of {number}", "customer_id": number} for number in numbers]
    return orders(lines_of(spark, *lines))


def customers_of(df):
    return {row["order_id"]: (row["customer_id"], row["shop_customer_id"]) for row in df.collect()}


def test_an_order_is_of_the_customer_that_its_number_was_resolved_to(spark):
    identities = identities_of(spark, ("shop", "17850", "17000"), ("shop", "17000", "17000"))

    named = with_customers(identities)(orders_by_number(spark, "17850", "17000", "12345", None))

    assert customers_of(named) == {
        "of 17850": ("17000", "17850"),
        "of 17000": ("17000", "17000"),
        "of 12345": ("12345", "12345"),
        "of None": (None, None),
    }
    assert named.transform(ORDERS.conform).count() == 4


def test_numbers_of_other_sources_say_nothing_of_an_order(spark):
    identities = identities_of(spark, ("crm_profiles", "17850", "crm_profiles:17850"), ("tickets", "17850", "1"))

    assert customers_of(with_customers(identities)(orders_by_number(spark, "17850"))) == {
        "of 17850": ("17850", "17850")
    }


def test_an_order_follows_its_number_to_another_customer_and_back(spark):
    merged, parted = (identities_of(spark, ("shop", "17850", customer)) for customer in ("17000", "17850"))

    once = with_customers(merged)(orders_by_number(spark, "17850"))

    assert customers_of(once) == {"of 17850": ("17000", "17850")}
    assert customers_of(with_customers(merged)(once)) == {"of 17850": ("17000", "17850")}
    assert customers_of(with_customers(parted)(once)) == {"of 17850": ("17850", "17850")}
    assert customers_of(with_customers(parted.limit(0))(once)) == {"of 17850": ("17850", "17850")}


drawn_lines = st.lists(
    st.tuples(st.sampled_from("123"), st.integers(0, 3), st.integers(-500, 500), st.booleans()), min_size=1, max_size=30
).map(
    lambda drawn: [
        {
            "order_line_id": f"{number:02}",
            "order_id": order,
            "ordered_at": datetime(2011, 1, 3, hour),
            "country": f"country {number}",
            "amount": Decimal(pence) / 100,
            "is_sale": pence > 0,
            "is_product": is_product,
        }
        for number, (order, hour, pence, is_product) in enumerate(drawn)
    ]
)


@given(lines=drawn_lines, shuffle=st.randoms())
def test_orders_do_not_depend_on_the_order_of_lines_and_lose_no_sale(spark, lines, shuffle):
    shuffled = list(lines)
    shuffle.shuffle(shuffled)

    summed = orders(lines_of(spark, *lines))

    assert_df_equality(orders(lines_of(spark, *shuffled)), summed, ignore_row_order=True)
    assert sum(row.amount for row in summed.collect()) == sum(line["amount"] for line in lines if line["is_sale"])
