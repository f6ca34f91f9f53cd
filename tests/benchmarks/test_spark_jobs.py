"""What Spark's event log says of each step."""

from pathlib import Path

from spark_jobs import Asked, columns_read, count


def task(launched, **metrics):
    of_task = {"Executor Run Time": 1500, "Disk Bytes Spilled": metrics.get("spilled", 0)}
    of_task["Shuffle Write Metrics"] = {"Shuffle Bytes Written": metrics.get("shuffled", 0)}
    of_task["Output Metrics"] = {"Bytes Written": metrics.get("written", 0)}
    return {"Event": "SparkListenerTaskEnd", "Task Info": {"Launch Time": launched}, "Task Metrics": of_task}


def test_what_happened_in_the_time_of_a_step_is_counted_for_it():
    first = Asked("first", began=10.0, ended=20.0, seconds=10.0, files_written=1)
    second = Asked("second", began=20.5, ended=30.0, seconds=9.5, files_written=1)
    events = [
        {"Event": "SparkListenerJobStart", "Submission Time": 9_000},  # before the steps: the session's own
        {"Event": "SparkListenerJobStart", "Submission Time": 11_000},
        {"Event": "SparkListenerStageCompleted", "Stage Info": {"Submission Time": 11_100}},
        task(11_200, shuffled=300, written=20),
        task(11_300, shuffled=200, spilled=7),
        {"Event": "SparkListenerJobStart", "Submission Time": 21_000},
        {"Event": "SparkListenerTaskEnd", "Task Info": {"Launch Time": 22_000}},  # a task that was lost has no metrics
    ]

    count(events, [first, second])

    assert (first.jobs, first.stages, first.tasks, first.task_seconds) == (1, 1, 2, 3.0)
    assert first.bytes_of == {"shuffled": 500, "spilled": 7, "written": 20}
    assert (second.jobs, second.stages, second.tasks) == (1, 0, 0)


def test_columns_are_those_that_plans_read_of_a_table_and_not_of_its_log():
    plan = """
(1) Scan parquet
Output [2]: [order_id#1, amount#2]
Batched: true
Location: PreparedDeltaFileIndex [file:/data/lake/silver/order_lines]
ReadSchema: struct<order_id:string,amount:decimal(18,4)>

(2) Scan parquet
Output [1]: [add#3]
Location: DeltaLogFileIndex [file:/data/lake/silver/orders/_delta_log/00000000000000000000.json]
ReadSchema: struct<add:struct<path:string>>
"""
    event = {
        "Event": "org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart",
        "physicalPlanDescription": plan,
    }

    assert columns_read([event], Path("/data/lake")) == {"silver.order_lines": {"order_id", "amount"}}
