from customerlake.gold.dimensions import in_dimensions, with_segment


def test_a_row_counts_in_all_and_once_by_each_dimension(spark):
    rows = spark.createDataFrame([("web", None, 1)], "channel string, country string, n int")

    found = rows.transform(in_dimensions("channel", "country"))

    cuts = sorted((row.dimension, row.value, row.n) for row in found.collect())
    assert cuts == [("all", "all", 1), ("channel", "web", 1), ("country", "unknown", 1)]


def test_a_customer_without_a_segment_has_none(spark):
    rows = spark.createDataFrame([("a",), ("b",), (None,)], "customer_id string")
    segments = spark.createDataFrame([("a", "gold")], "customer_id string, segment string")

    found = {row.customer_id: row.segment for row in rows.transform(with_segment(segments)).collect()}

    assert found == {"a": "gold", "b": None, None: None}


def test_without_segments_nobody_has_one(spark):
    rows = spark.createDataFrame([("a",)], "customer_id string")

    assert [row.segment for row in rows.transform(with_segment(None)).collect()] == [None]
