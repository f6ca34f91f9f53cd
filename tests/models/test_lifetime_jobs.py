"""The jobs: when they train and score, when they have nothing to do, and what they say then."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from customerlake.errors import ModelError
from customerlake.models.lifetime.supervised import SupervisedSpend
from customerlake.models.lifetime_value import LIFETIME_VALUE, MODEL
from customerlake.models.registry import Registry
from customerlake.runtime import job
from tests.conftest import step_named
from tests.models.lifetime import made_purchases

pytestmark = pytest.mark.before_an_engine  # on JVM Spark tests/end_to_end trains and scores

LAST, DAYS, HOLDOUT_DAYS = date(2011, 6, 30), 180, 30
STEPS = ("land_files", "records", "order_lines", "customer_records", "identities", "orders", "cancellations",
         "customers", "quality", "value", "features")  # fmt: skip
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


@pytest.fixture(scope="module")
def purchases():
    return made_purchases(LAST, days=DAYS, customers=300, seed=6)


@pytest.fixture
def lake(tmp_path, lake_file, sales_folder, spark, engine, purchases):
    """Lands the purchases and takes them to gold and features; gives what makes a run over the lake."""
    lines = [
        f"{number},CUP,CUP,1,{one.ordered_on} 12:00:00,{max(one.amount, 0.01):.2f},{one.customer_id},France"
        for number, one in enumerate(purchases.itertuples())
    ]
    (sales_folder / "sales.csv").write_text("\n".join([HEADER, *lines]))
    settings = lake_file.read_text()

    def of(holdout_days=HOLDOUT_DAYS, as_of=None, retrain=False):
        lake_file.write_text(f"{settings}lifetime_value: {{holdout_days: {holdout_days}, draws: 20}}\n")
        run = job.Run(
            root=str(tmp_path / "lake"), lake_file=str(lake_file), spark=spark, engine=engine, as_of=as_of,
            retrain=retrain,
        )  # fmt: skip
        for name in STEPS:
            outcome = job.execute(step_named(name), run)
            assert outcome.state in ("succeeded", "unchanged", "lacking"), outcome
        return run

    return of


@pytest.fixture(autouse=True)
def without_jvm(monkeypatch):
    """The supervised model alone needs JVM Spark; here it finds nothing to learn from."""

    def nothing(*_):
        raise ModelError("it is left out here.")

    monkeypatch.setattr(SupervisedSpend, "fit", nothing)


def train(run):
    """The training as it is, but for JVM Spark."""
    return job.execute(replace(step_named("train_lifetime_value"), needs=()), run)


def score(run):
    return job.execute(step_named("score_lifetime_value"), run)


def test_a_training_makes_a_champion_that_scores_every_customer(lake, purchases):
    run = lake()

    trained, scored = train(run), score(run)

    (model,) = trained.models
    assert (trained.state, model.name, model.version, model.is_champion) == ("succeeded", MODEL, "1", True)
    assert 0 < model.metrics["spend_mae"] < model.baseline["spend_mae"]
    assert scored.state == "succeeded"
    rows = run.lake.read(LIFETIME_VALUE).toPandas()
    assert set(rows["customer_id"]) == set(purchases["customer_id"])
    assert set(rows["as_of"]) == {LAST}
    assert set(rows["_model_version"]) == {"1"}
    assert (rows["lifetime_value_low"] <= rows["lifetime_value"]).all()
    assert (rows["lifetime_value"] > 0).all()


def test_a_version_that_is_young_enough_is_kept_unless_another_is_asked_for(lake):
    train(lake())

    assert train(lake(as_of=LAST - timedelta(days=3))).models[0].version == "2"  # the first has seen later days
    kept = train(lake(holdout_days=29))
    assert (kept.models, kept.remarks) == ([], ["kept: the last version is young enough"])
    assert train(lake(holdout_days=29, retrain=True)).models[0].version == "3"


def test_a_training_is_repeated_on_the_same_rows_only_when_asked_for(lake):
    train(lake())

    assert train(lake()).state == "unchanged"
    assert train(lake(retrain=True)).models[0].version == "2"


def test_where_nobody_repeats_before_the_held_out_days_nothing_is_trained_and_nothing_scored(lake):
    run = lake(holdout_days=DAYS + 5)

    trained, scored = train(run), score(run)

    by = LAST - timedelta(days=DAYS + 5)
    assert trained.state == "succeeded"
    assert trained.models == []
    assert trained.remarks == [
        f"not trained: by {by}, after which models are judged, nobody had bought on a second day"
    ]
    assert scored.remarks == ["not scored: no version was trained on days up to --as-of"]
    assert not run.lake.exists(LIFETIME_VALUE)
    assert Registry(run.root).versions(MODEL) == []


def test_a_day_before_every_training_is_not_scored(lake):
    train(lake())

    before = lake(as_of=LAST - timedelta(days=40))

    assert score(before).remarks == ["not scored: no version was trained on days up to --as-of"]
