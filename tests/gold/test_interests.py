import pytest

from customerlake.gold.interests import interest_shares

MET = "customer_id string, page string, way string, category string"


def views(**times):
    return [("a", "P", "viewed", category) for category, count in times.items() for _ in range(count)]


@pytest.mark.parametrize(
    ("count", "of", "share", "rest"),
    [
        (1, 2, 0.5, 0.5),
        (1, 3, 0.333333, 0.666667),
        (1, 128, 0.007813, 0.992188),  # 0.0078125 and 0.9921875
        (41, 640, 0.064063, 0.935938),  # 0.0640625, which a double times a million misses by a hair
        (323, 640, 0.504688, 0.495313),
    ],
)
def test_a_share_in_the_middle_of_two_is_rounded_up(spark, count, of, share, rest):
    met = spark.createDataFrame(views(bags=count, toys=of - count), MET)

    shares = {row.category: row.share for row in interest_shares(met).collect()}

    assert shares == {"bags": share, "toys": rest}
