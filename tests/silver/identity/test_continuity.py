import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customerlake.silver.identity.continuity import (
    Change,
    changes,
    known_customers,
    with_former_names,
    with_new_names,
)

pytestmark = pytest.mark.before_an_engine

NOBODY = pd.DataFrame({"record_id": [], "customer_id": [], "place": []}).astype(
    {"record_id": "int64", "place": "int64"}
)


def records(*rows):
    """Rows of record_id, cluster, was; each record founds a customer called c<record_id>, of the first source."""
    frame = pd.DataFrame(rows, columns=["record_id", "cluster", "was"]).astype({"was": object})
    return frame.assign(name=[f"c{number}" for number in frame["record_id"]], place=0)


def merged_away(*rows):
    """Rows of record_id, customer_id, place."""
    return pd.DataFrame(rows, columns=["record_id", "customer_id", "place"])


def customers(frame):
    """Customer of each record; None without one."""
    return {
        record: None if pd.isna(customer) else customer
        for record, customer in zip(frame["record_id"], frame["customer_id"], strict=True)
    }


def test_a_customer_keeps_its_id_whatever_its_cluster_is_called_now():
    found = known_customers(records((1, 7, "a"), (2, 7, "a"), (3, 9, "b")))

    assert customers(found) == {1: "a", 2: "a", 3: "b"}
    assert changes(found) == []


def test_a_record_that_is_new_is_of_the_customer_of_its_cluster():
    found = known_customers(records((1, 1, "a"), (2, 1, None), (3, 3, None)))

    assert customers(found) == {1: "a", 2: "a", 3: None}


def test_of_customers_that_become_one_the_one_with_most_records_stays():
    found = known_customers(records((1, 1, "a"), (2, 1, "b"), (3, 1, "b"), (4, 1, None)))

    assert set(customers(found).values()) == {"b"}
    assert changes(found) == [Change("merged", "a", "b", (1,))]


def test_of_customers_of_as_many_records_that_become_one_the_first_stays():
    found = known_customers(records((1, 1, "b"), (2, 1, "a")))

    assert set(customers(found).values()) == {"a"}
    assert changes(found) == [Change("merged", "b", "a", (1,))]


def test_a_customer_that_falls_apart_stays_with_most_of_its_records():
    found = with_new_names(known_customers(records((1, 1, "a"), (2, 2, "a"), (3, 2, "a"))), taken={"a"})

    assert customers(found) == {1: "c1", 2: "a", 3: "a"}
    assert changes(found) == [Change("split", "a", "c1", (1,))]


def test_of_equal_halves_the_customer_stays_with_the_record_that_founded_it():
    found = known_customers(records((1, 1, "c2"), (2, 2, "c2")))

    assert customers(found) == {1: None, 2: "c2"}


def test_of_equal_halves_without_the_founding_record_the_first_cluster_keeps_the_customer():
    found = known_customers(records((1, 5, "a"), (2, 4, "a")))

    assert customers(found) == {1: None, 2: "a"}


def test_records_that_go_over_to_another_customer_are_a_split_of_the_first():
    found = known_customers(records((1, 1, "a"), (2, 1, "a"), (5, 3, "a"), (4, 3, "b"), (3, 3, "b"), (6, 3, "a")))

    assert customers(found) == {1: "a", 2: "a", 3: "b", 4: "b", 5: "b", 6: "b"}
    assert changes(found) == [Change("split", "a", "b", (5, 6))]


def test_a_cluster_without_a_customer_gets_the_one_that_was_merged_away_with_its_records():
    now = known_customers(records((1, 1, "a"), (2, 1, "a"), (3, 3, "a")))

    found = with_former_names(now, merged_away((3, "b", 0)), taken={"a"})

    assert customers(found) == {1: "a", 2: "a", 3: "b"}
    assert changes(found) == [Change("split", "a", "b", (3,))]


def test_a_cluster_that_has_a_customer_keeps_it_though_records_were_merged_away():
    now = known_customers(records((1, 1, "a"), (2, 1, "a")))

    assert customers(with_former_names(now, merged_away((2, "b", 0)), taken={"a"})) == {1: "a", 2: "a"}


def test_of_several_that_were_merged_away_the_newest_comes_back():
    now = known_customers(records((1, 1, "a"), (2, 1, "a"), (3, 3, "a"), (4, 3, "a"), (5, 1, "a")))

    found = with_former_names(now, merged_away((3, "before", 1), (4, "last", 0)), taken={"a"})

    assert customers(found) == {1: "a", 2: "a", 5: "a", 3: "last", 4: "last"}


def test_a_customer_that_comes_back_does_so_once():
    now = known_customers(records((1, 1, "a"), (2, 1, "a"), (3, 1, "a"), (4, 4, "a"), (5, 5, "a")))

    found = with_former_names(now, merged_away((5, "b", 0), (4, "b", 0)), taken={"a"})

    assert customers(found) == {1: "a", 2: "a", 3: "a", 4: "b", 5: None}


def test_a_former_customer_whose_id_is_taken_does_not_come_back():
    now = known_customers(records((1, 1, "a"), (2, 1, "a"), (3, 3, "a")))

    assert customers(with_former_names(now, merged_away((3, "b", 0)), taken={"a", "b"}))[3] is None


def test_a_new_customer_is_called_after_the_first_of_its_records_by_source_then_number():
    frame = pd.DataFrame(
        {
            "record_id": [1, 2, 3, 4],
            "cluster": 1,
            "was": pd.Series([None] * 4, dtype=object),
            "name": ["crm_profiles:A", "y2", "y1", "tickets:1"],
            "place": [1, 0, 0, 4],
        }
    )

    found = with_new_names(known_customers(frame), taken=set())

    assert set(customers(found).values()) == {"y1"}


def test_a_name_that_is_taken_is_not_used_and_the_next_one_is():
    found = with_new_names(known_customers(records((1, 1, None), (2, 1, None))), taken={"c1"})

    assert customers(found) == {1: "c2", 2: "c2"}


def test_where_all_names_are_taken_the_first_gets_the_number_of_its_record_behind_it():
    found = with_new_names(known_customers(records((1, 1, None), (2, 1, None), (3, 3, None))), taken={"c1", "c2"})

    assert customers(found) == {1: "c1~1", 2: "c1~1", 3: "c3"}


def test_a_name_with_a_number_behind_it_that_is_taken_is_not_used_either():
    found = with_new_names(known_customers(records((1, 1, None))), taken={"c1", "c1~1"})

    assert customers(found)[1] not in {None, "c1", "c1~1"}


def test_no_records_have_no_customers():
    nothing = with_new_names(with_former_names(known_customers(records()), NOBODY, taken=set()), taken=set())

    assert customers(nothing) == {}
    assert changes(nothing) == []


def named(partition, was, former):
    """One run: the customers of clusters, given those before it and the names of merges before it."""
    rows = [(record, min(cluster), was.get(record)) for cluster in partition for record in sorted(cluster)]
    now = known_customers(records(*sorted(rows)))
    gone = merged_away(*former) if former else NOBODY
    back = with_former_names(now, gone, taken=set(now["customer_id"].dropna()))
    return with_new_names(back, taken=set(back["customer_id"].dropna()))


def partitions(count):
    """Clusters of records 1 to `count`."""
    return st.lists(st.integers(1, count), min_size=count, max_size=count).map(
        lambda drawn: [
            {record for record, cluster in enumerate(drawn, start=1) if cluster == one} for one in sorted(set(drawn))
        ]
    )


@settings(max_examples=50, deadline=None)
@given(history=st.lists(partitions(5), min_size=2, max_size=6))
def test_through_any_history_each_cluster_has_one_customer_and_each_customer_one_cluster(history):
    was, former = {}, []
    for partition in history:
        found = named(partition, was, former)
        customer_of = customers(found)

        of_clusters = [{customer_of[record] for record in cluster} for cluster in partition]
        assert all(len(ids) == 1 and None not in ids for ids in of_clusters)
        assert len(set.union(*of_clusters)) == len(partition)
        for cluster in partition:  # as it was before: with the same records, and nothing else
            ids = {was.get(record) for record in cluster}
            before = {record for record, customer in was.items() if customer in ids}
            if len(ids) == 1 and before == cluster:
                assert {customer_of[record] for record in cluster} == ids

        moved = {(change.from_customer_id, change.to_customer_id): change for change in changes(found)}
        for record, customer in was.items():
            if customer == customer_of[record]:
                continue
            change = moved[customer, customer_of[record]]
            assert record in change.record_ids
            assert change.kind == ("split" if customer in customer_of.values() else "merged")
        assert sum(len(change.record_ids) for change in moved.values()) == sum(
            customer != customer_of[record] for record, customer in was.items()
        )

        merged = [change for change in moved.values() if change.kind == "merged"]
        former = [(record, change.from_customer_id, 0) for change in merged for record in change.record_ids] + [
            (record, customer, place + 1) for record, customer, place in former
        ]
        was = customer_of


@settings(max_examples=30, deadline=None)
@given(before=partitions(6), now=partitions(6), shuffle=st.randoms())
def test_customers_do_not_depend_on_the_order_of_records(before, now, shuffle):
    was = customers(named(before, {}, []))
    rows = [(record, min(cluster), was[record]) for cluster in now for record in cluster]
    shuffled = list(rows)
    shuffle.shuffle(shuffled)

    one, other = (
        with_new_names(known_customers(records(*given)), taken=set(was.values())) for given in (rows, shuffled)
    )

    assert customers(one) == customers(other)


@settings(max_examples=30, deadline=None)
@given(before=partitions(6))
def test_a_merge_that_is_taken_back_gives_every_customer_its_id_again(before):
    was = customers(named(before, {}, []))
    together = named([set(was)], was, [])
    former = [(record, change.from_customer_id, 0) for change in changes(together) for record in change.record_ids]

    assert customers(named(before, customers(together), former)) == was
