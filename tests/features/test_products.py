import pytest

from customerlake.features.product_groups import group_features
from customerlake.features.products import product_features
from tests.features.events import AS_OF, LINES, PRODUCT_LIST, day, line, of_customer

MIX = ["count_distinct_products", "repeated_products_share", "discounted_lines_share"]


@pytest.fixture
def products(spark):
    def found(names, *lines, as_of=AS_OF):
        made = spark.createDataFrame(list(lines), LINES).transform(product_features([as_of, AS_OF]))
        return of_customer(made.where(f"as_of = DATE'{as_of}'"), names)

    return found


IN_APRIL = line("b1", 61, "CUP", "20", quantity=2, customer="b")  # 10 each, on 30 April
BOUGHT = [
    line("1", 40, "CUP", "9.5"),  # May: 5% below April's price
    line("2", 20, "CUP", "9.5"),  # June: as in May
    line("3", 20, "LAMP", "3"),  # sold for the first time
    line("4", 20, "LAMP", "2"),
]


def test_products_are_told_by_how_many_again_and_at_which_price(products):
    assert products(MIX, IN_APRIL, *BOUGHT) == (2, 0.5, 0.5)


def test_on_an_earlier_date_later_lines_are_not_known(products):
    assert products(MIX, IN_APRIL, *BOUGHT, as_of=day(21)) == (1, 0, 1)


@pytest.mark.parametrize(("price", "share"), [("9.5", 1), ("9.5001", 0), ("2", 1), ("11", 0)])
def test_a_line_is_discounted_from_5_per_cent_below_the_usual_price_on(products, price, share):
    assert products(["discounted_lines_share"], IN_APRIL, line("1", 40, "CUP", price)) == (share,)


def test_the_usual_price_is_the_median_of_all_customers_in_the_last_month_of_a_sale(products):
    """8, 12 and 10 in April, to customers who need not be known: 10. The 100 of March does not count."""
    april = [
        line("x", 70, "CUP", "8", customer=None), line("y", 69, "CUP", "12", customer="c"),
        line("z", 68, "CUP", "10", customer=None), line("old", 100, "CUP", "100", customer="c"),
    ]  # fmt: skip

    assert products(["discounted_lines_share"], *april, line("1", 10, "CUP", "9.6")) == (0,)
    assert products(["discounted_lines_share"], *april, line("1", 10, "CUP", "9.4")) == (1,)


def test_what_is_bought_twice_on_one_day_is_not_bought_again(products):
    assert products(MIX, line("1", 5, "CUP"), line("2", 5, "CUP")) == (1, 0, None)


def test_what_is_bought_a_third_time_is_one_product(products):
    lines = [line(str(days), days, "CUP") for days in (25, 15, 5)]

    assert products(["count_distinct_products", "repeated_products_share"], *lines) == (1, 1)


@pytest.mark.parametrize(
    "other",
    [
        line("9", 5, "POST", is_product=False),
        line("9", 5, "ROPE", "-3", is_sale=False),
        line("9", 5, "ROPE", customer="b"),
        line("9", 5, "ROPE", customer=None),
        line("9", -1, "ROPE"),
    ],
    ids=["no product", "taken back", "somebody else's", "anonymous", "later"],
)
def test_only_products_sold_to_the_customer_count(products, other):
    assert products(MIX, IN_APRIL, *BOUGHT, other) == (2, 0.5, 0.5)


LISTED = [("CUP", "kitchen"), ("pan", "kitchen"), ("LAMP", "light"), ("ROPE", None)]


@pytest.fixture
def groups(spark):
    def found(*lines, as_of=AS_OF):
        listed = spark.createDataFrame(LISTED, PRODUCT_LIST)
        made = spark.createDataFrame(list(lines), LINES).transform(group_features(listed, [as_of, AS_OF]))
        return [tuple(row) for row in made.where(f"customer_id = 'a' AND as_of = DATE'{as_of}'").collect()]

    return found


IN_GROUPS = [
    line("1", 40, "LAMP", "10"),
    line("2", 20, "CUP", "20"),
    line("3", 5, "PAN", "10"),
    line("4", 5, "ROPE", "500"),  # of no group
    line("5", 5, "NEW", "500"),  # not listed
]


def test_the_top_group_is_that_of_the_highest_spend(groups):
    assert groups(*IN_GROUPS) == [("a", AS_OF, 2, 0.75)]


def test_groups_of_an_earlier_date_are_those_bought_from_by_then(groups):
    assert groups(*IN_GROUPS, as_of=day(10)) == [("a", day(10), 2, pytest.approx(2 / 3))]
    assert groups(*IN_GROUPS, as_of=day(30)) == [("a", day(30), 1, 1)]


def test_who_bought_of_no_known_group_has_none_to_speak_of(groups):
    assert groups(line("4", 5, "ROPE", "500")) == []
