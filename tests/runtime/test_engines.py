"""What sail lacks or does differently, shown on sail itself: a test that fails here says that a work-around can go."""

from datetime import date, datetime

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.errors import PySparkException
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.errors import ConfigError, EngineError
from customerlake.runtime import job
from customerlake.runtime.engines import LACKS, engine_for, require
from customerlake.runtime.pipeline import PIPELINE, step_named
from customerlake.runtime.session import preferred
from customerlake.runtime.tables import Lake

TRAININGS = {
    "train_segments", "train_churn", "train_purchase_intent", "train_session_intent", "train_lifetime_value",
    "train_outcome",
}  # fmt: skip
READERS = {"land_databases", "land_streams"}  # of sources that sail does not have


@pytest.fixture
def table(tmp_path, spark):
    """A Delta table of the numbers 0 to 4."""
    path = str(tmp_path / "table")
    spark.range(5).write.format("delta").save(path)
    return path


@pytest.fixture
def on_sail(engine):
    if engine != "sail":
        pytest.skip("shows what sail does")


def ids(spark, where):
    return sorted(row["id"] for row in spark.sql(f"SELECT id FROM {where}").collect())


def test_trainings_and_two_readers_run_on_jvm_spark_and_all_other_steps_on_the_engine_asked_for():
    on_jvm = {step.name for step in PIPELINE if engine_for(step.needs, "sail") == "spark"}

    assert on_jvm == TRAININGS | READERS
    assert {engine_for(step.needs, "spark") for step in PIPELINE} == {"spark"}


def test_a_step_that_needs_what_an_engine_lacks_is_refused_with_the_engine_to_use():
    with pytest.raises(EngineError) as refusal:
        require("sail", step_named("train_churn").needs, "train_churn")

    assert str(refusal.value) == "train_churn needs MLlib: sail fits no models. Choose --engine spark."


def test_jvm_spark_lacks_nothing():
    assert require("spark", tuple(LACKS["sail"]), "anything") is None  # and raises nothing


@pytest.mark.usefixtures("on_sail")
def test_a_training_over_a_sail_session_says_so_and_fails(run, spark):
    run.outcome = job.Outcome(step_named("train_segments"))

    with pytest.raises(EngineError, match="train_segments needs MLlib"):
        _ = run.spark


@pytest.mark.usefixtures("on_sail")
@pytest.mark.parametrize(
    ("feature", "statement"),
    [
        ("table upkeep", "OPTIMIZE delta.`{0}`"),
        ("table upkeep", "VACUUM delta.`{0}` RETAIN 200 HOURS"),
        ("table upkeep", "RESTORE TABLE delta.`{0}` TO VERSION AS OF 0"),
        ("table history", "DESCRIBE HISTORY delta.`{0}`"),
        ("SQL PIVOT", "SELECT * FROM delta.`{0}` PIVOT (count(id) FOR id IN (1, 2))"),
        (
            "session windows",
            "SELECT count(*) FROM delta.`{0}` GROUP BY session_window(timestamp_seconds(id), '5 minutes')",
        ),
    ],
)
def test_sail_does_not_run_a_statement_of_what_it_lacks(spark, table, feature, statement):
    assert feature in LACKS["sail"]
    with pytest.raises(PySparkException):
        spark.sql(statement.format(table)).collect()


@pytest.mark.usefixtures("on_sail")
def test_sail_has_no_jdbc_source(spark):
    assert "JDBC" in LACKS["sail"]
    with pytest.raises(PySparkException, match="jdbc"):
        spark.read.format("jdbc").option("url", "jdbc:postgresql://localhost/x").option("dbtable", "t").load().collect()


@pytest.mark.usefixtures("on_sail")
def test_sail_streams_into_no_table_in_memory(spark, table):
    assert "streaming" in LACKS["sail"]
    rows = spark.readStream.format("delta").load(table)
    with pytest.raises(PySparkException):
        rows.writeStream.format("memory").queryName("rows").trigger(availableNow=True).start()


@pytest.mark.usefixtures("on_sail")
def test_sail_has_no_mllib(spark):
    from pyspark.ml.feature import VectorAssembler

    assert "MLlib" in LACKS["sail"]
    with pytest.raises(PySparkException):
        VectorAssembler(inputCols=["id"], outputCol="vector").transform(spark.range(3)).collect()


@pytest.mark.usefixtures("on_sail")
def test_sail_reads_a_table_as_if_its_change_feed_had_not_been_asked_for(spark, table):
    assert "change data feed" in LACKS["sail"]
    feed = spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", 0).load(table)

    assert feed.columns == ["id"]


@pytest.mark.usefixtures("on_sail")
def test_sail_replaces_all_rows_of_a_named_table_where_a_part_is_to_be_replaced(spark):
    assert "tables by name" in LACKS["sail"]
    spark.sql("CREATE SCHEMA IF NOT EXISTS parts")
    spark.range(5).write.format("delta").mode("overwrite").saveAsTable("parts.numbers")

    part = spark.range(1).write.format("delta").mode("overwrite").option("replaceWhere", "id = 0")
    part.saveAsTable("parts.numbers")

    assert ids(spark, "parts.numbers") == [0]  # 1 to 4 are lost


def test_both_engines_replace_a_part_of_a_table_by_path(spark, table):
    part = spark.sql("SELECT id FROM VALUES (0L), (0L) AS rows(id)")

    part.write.format("delta").mode("overwrite").option("replaceWhere", "id < 2").save(table)

    assert ids(spark, f"delta.`{table}`") == [0, 0, 2, 3, 4]


LISTED = Table(
    name="scores.listed",
    grain="one row per id and as_of",
    key=("id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("id", T.StringType(), "which"),
        Field("as_of", T.DateType(), "the day"),
        Field("reasons", T.ArrayType(T.StringType()), "why"),
    ),
)


def as_jvm_spark_writes(path):
    """Two days of LISTED, whose lists have the element's name that JVM Spark gives them."""
    reasons = pa.list_(pa.field("element", pa.string()))
    rows = {"id": ["a", "a"], "as_of": [date(2011, 1, 1), date(2011, 2, 1)], "reasons": [["late"], ["few", "late"]]}
    schema = pa.schema([("id", pa.string()), ("as_of", pa.date32()), ("reasons", reasons)])
    write_deltalake(path, pa.table(rows, schema=schema), partition_by=["as_of"])


def test_a_day_of_a_table_with_lists_that_jvm_spark_wrote_is_replaced_on_both_engines(tmp_path, spark):
    lake = Lake(str(tmp_path), lambda: spark)
    as_jvm_spark_writes(lake.path(LISTED))
    rows = spark.createDataFrame([("b", date(2011, 2, 1), ["new"]), ("c", date(2011, 2, 1), None)], LISTED.schema)

    written = lake.replace(LISTED, rows, where="as_of IN (DATE'2011-02-01')")

    assert (written.table, written.rows) == ("scores.listed", 2)
    found = sorted((row["id"], str(row["as_of"]), row["reasons"]) for row in lake.records(LISTED))
    assert found == [("a", "2011-01-01", ["late"]), ("b", "2011-02-01", ["new"]), ("c", "2011-02-01", None)]


def test_results_have_other_types_on_sail_until_they_are_cast(spark, engine):
    frame = spark.createDataFrame([(date(2011, 1, 1), datetime(2011, 1, 1))], "day date, at timestamp")

    (field,) = frame.select(F.datediff("day", "day").alias("days")).schema

    assert field.dataType.simpleString() == {"sail": "bigint", "spark": "int"}[engine]
    (conformed,) = frame.select(F.datediff("day", "day").cast("int").alias("days")).schema
    assert conformed.dataType.simpleString() == "int"


@pytest.mark.parametrize(
    ("root", "engine_of_root"),
    [("/data/lake", "sail"), ("/data/my lake", "spark"), ("/data/Kundé", "spark"), ("s3://bucket/lake", "spark")],
)
def test_sail_is_preferred_for_plain_local_paths_alone(root, engine_of_root):
    assert preferred(root) == engine_of_root


def test_jvm_spark_is_preferred_for_tables_by_name():
    assert preferred("/data/lake", "main") == "spark"


@pytest.mark.usefixtures("on_sail")
def test_sail_writes_into_another_folder_where_a_path_holds_a_space(spark, tmp_path):
    spark.range(1).write.format("delta").save(str(tmp_path / "my lake"))

    assert "my lake" not in [folder.name for folder in tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("asked", "in_lake_file", "taken"), [(None, "spark", "spark"), (None, None, "sail"), ("sail", "spark", "sail")]
)
def test_the_engine_is_the_one_asked_for_then_the_lake_files_then_the_faster(
    tmp_path, lake_file, asked, in_lake_file, taken
):
    if in_lake_file:
        lake_file.write_text(f"{lake_file.read_text()}engine: {in_lake_file}\n")

    run = job.Run(root=str(tmp_path / "lake"), lake_file=str(lake_file), engine=asked)

    assert run.engine == taken


def test_an_unknown_engine_in_a_lake_file_is_refused_with_the_choices(lake_file, tmp_path):
    lake_file.write_text(f"{lake_file.read_text()}engine: flink\n")

    with pytest.raises(ConfigError, match=r"engine.*'spark' or 'sail'"):
        job.Run(root=str(tmp_path), lake_file=str(lake_file))
