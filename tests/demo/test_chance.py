"""Draws are hashes: the same on every engine and in whatever pieces the rows come."""

import pytest
from pyspark.sql import SparkSession

from customerlake.demo.chance import Chance


def test_a_draw_is_the_same_on_both_engines_and_every_machine(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a", 1), ("né 山", 2), (None, 3)], "name string, number int")
    chance = Chance(20)

    drawn = rows.select("number", chance.bits("name", "name", "number"), chance.identifier("id", "number")).collect()

    assert sorted(map(tuple, drawn)) == [
        (1, 309474560727916048, "a8887f2c0ac85254"),
        (2, -2362326734399418143, "8b701e2edef2645b"),
        (3, -404417357217267510, "cb1e9e5790e7dc20"),
    ]


@pytest.mark.before_an_engine
def test_another_seed_name_or_key_gives_another_draw(spark: SparkSession) -> None:
    row = spark.createDataFrame([("a", "b")], "one string, other string")

    drawn = row.select(
        Chance(1).bits("x", "one"),
        Chance(2).bits("x", "one"),
        Chance(1).bits("y", "one"),
        Chance(1).bits("x", "other"),
    ).first()

    assert drawn is not None
    assert len(set(drawn)) == 4


@pytest.mark.before_an_engine
def test_draws_do_not_depend_on_partitions(spark: SparkSession) -> None:
    rows = spark.range(2000)
    chance = Chance(3)

    in_one = {tuple(row) for row in rows.coalesce(1).select("id", chance.normal("n", "id")).collect()}
    in_many = {tuple(row) for row in rows.repartition(7).select("id", chance.normal("n", "id")).collect()}

    assert in_one == in_many


@pytest.mark.before_an_engine
def test_draws_have_the_distribution_that_they_name(spark: SparkSession) -> None:
    chance = Chance(4)
    drawn = (
        spark.range(20_000)
        .select(
            chance.uniform("u", "id").alias("uniform"),
            chance.normal("n", "id").alias("normal"),
            chance.exponential(5.0, "e", "id").alias("exponential"),
            chance.whole(3, 5, "w", "id").alias("whole"),
            chance.weighted({"a": 0.2, "b": 0.8}, "c", "id").alias("weighted"),
        )
        .toPandas()
    )

    # tolerances: about four standard errors of 20,000 draws
    assert drawn["uniform"].between(0, 1, inclusive="left").all()
    assert drawn["uniform"].mean() == pytest.approx(0.5, abs=0.009)
    assert drawn["normal"].mean() == pytest.approx(0, abs=0.03)
    assert drawn["normal"].std() == pytest.approx(1, abs=0.02)
    assert drawn["exponential"].mean() == pytest.approx(5, abs=0.15)
    assert set(drawn["whole"]) == {3, 4, 5}
    assert (drawn["weighted"] == "a").mean() == pytest.approx(0.2, abs=0.012)
