import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from customerlake.models.classifiers.fairness import group_metrics, groups_of_people


def measured(spark, rows, groups, threshold=0.5):
    scored = spark.createDataFrame(rows, "customer_id string, p double, y boolean")
    people = spark.createDataFrame(groups, "customer_id string, sex string, age string")
    found = group_metrics(scored, people, probability="p", label="y", threshold=threshold)
    return found.set_index(["attribute", "group"]) if len(found) else found


def hundred(sex_of, p, y):
    rows = [(f"c{i}", p(i), y(i)) for i in range(100)]
    return rows, [(f"c{i}", sex_of(i), "30-39") for i in range(100)]


def test_each_group_has_its_shares_beside_the_others(spark):
    # 60 women, of whom 30 are told (0.8) and 24 of these did leave, 6 more left untold (0.2); 40 men at 0.2, none left
    def p(i):
        return 0.8 if i < 30 else 0.2

    found = measured(spark, *hundred(lambda i: "f" if i < 60 else "m", p, lambda i: i < 24 or 30 <= i < 36))

    women, men = found.loc["sex", "f"], found.loc["sex", "m"]
    assert women["rows"] == 60
    assert women["happened_share"] == pytest.approx(30 / 60)
    assert women["mean_probability"] == pytest.approx((30 * 0.8 + 30 * 0.2) / 60)
    assert women["flagged_share"] == pytest.approx(30 / 60)
    assert women["recall"] == pytest.approx(24 / 30)
    assert women["precision"] == pytest.approx(24 / 30)
    assert (men["rows"], men["happened_share"], men["flagged_share"]) == (40, 0, 0)
    assert men[["recall", "precision", "roc_auc"]].isna().all()


def test_the_area_within_a_group_is_scikit_learns(spark):
    random = np.random.default_rng(3)
    p = random.random(400).round(3)
    y = random.random(400) < p
    sex = random.choice(["f", "m"], 400)
    rows = [(f"c{i}", float(p[i]), bool(y[i])) for i in range(400)]

    found = measured(spark, rows, [(f"c{i}", sex[i], None) for i in range(400)])

    for group in ("f", "m"):
        expected = roc_auc_score(y[sex == group], p[sex == group])
        assert found.loc[("sex", group), "roc_auc"] == pytest.approx(expected, abs=1e-9)


def test_people_of_whom_nothing_is_known_are_a_group(spark):
    rows, groups = hundred(lambda i: None if i < 40 else "f", lambda i: i / 100, lambda i: i % 2 == 0)

    found = measured(spark, rows, groups[:90])  # ten are not in the table at all

    assert found.loc[("sex", "not known"), "rows"] == 50
    assert ("age", "not known") not in found.index  # ten are too few
    assert found.loc[("age", "30-39"), "rows"] == 90


@pytest.mark.parametrize(("size", "is_told"), [(29, False), (30, True)])
def test_groups_too_small_to_tell_of_are_left_out(spark, size, is_told):
    found = measured(spark, *hundred(lambda i: "x" if i < size else "f", lambda i: i / 100, lambda i: i % 2 == 0))

    assert (("sex", "x") in found.index) is is_told


def test_rows_at_the_threshold_itself_are_flagged_however_many_they_are(spark):
    found = measured(spark, *hundred(lambda i: "f", lambda i: 0.29, lambda i: i % 2 == 0), threshold=0.29)

    assert found.loc[("sex", "f"), "flagged_share"] == 1


def test_rows_whose_outcome_is_not_known_do_not_count(spark):
    rows, groups = hundred(lambda i: "f", lambda i: i / 100, lambda i: None if i < 30 else i % 2 == 0)

    assert measured(spark, rows, groups).loc[("sex", "f"), "rows"] == 70


def test_no_group_large_enough_is_an_empty_table(spark):
    found = measured(spark, [("a", 0.5, True)], [("a", "f", "30-39")])

    assert isinstance(found, pd.DataFrame)
    assert found.empty


def test_the_region_names_its_country_and_is_not_known_without_a_region(spark):
    rules = spark.createDataFrame(
        [("a", "f", "30-39", "France", "Nord"), ("b", None, None, "Spain", None)],
        "customer_id string, sex string, age_band string, country string, region string",
    )

    found = {row["customer_id"]: row.asDict() for row in groups_of_people(rules).collect()}

    assert found["a"] == {"customer_id": "a", "sex": "f", "age": "30-39", "country": "France", "region": "France, Nord"}
    assert found["b"]["region"] is None
