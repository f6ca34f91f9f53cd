import pkgutil
from collections import Counter, defaultdict
from importlib import import_module

import pytest

import customerlake
from customerlake.catalogue import CATALOGUE, table_named
from customerlake.contracts.table import Table
from customerlake.errors import ConfigError

LAYERS = ("bronze", "quarantine", "silver", "gold", "features", "scores", "publish", "ops")
OF_A_DATE = [table for table in CATALOGUE if "as_of" in table.column_names and table.layer != "ops"]  # ops is a ledger


def declared_tables():
    """Every Table that any module under lib/customerlake holds, each object once."""
    modules = [import_module(found.name) for found in pkgutil.walk_packages(customerlake.__path__, "customerlake.")]
    held = [value for module in modules for value in vars(module).values() if isinstance(value, Table)]
    held = [table for table in held if table.layer != "truth"]  # of the demo lake: beside the lake, read by no job
    return list({id(table): table for table in held}.values())


def test_every_declared_table_is_in_the_catalogue_exactly_once():
    declared = Counter(table.name for table in declared_tables())

    assert declared == Counter(table.name for table in CATALOGUE)
    assert set(declared.values()) == {1}


def test_the_catalogue_is_in_path_order():
    layers = [table.layer for table in CATALOGUE]

    assert set(layers) <= set(LAYERS)
    first_of_each = list(dict.fromkeys(layer for layer in layers if layer != "quarantine"))
    assert first_of_each == [layer for layer in LAYERS if layer in first_of_each]


@pytest.mark.parametrize("table", CATALOGUE, ids=lambda table: table.name)
def test_a_table_tells_its_grain_and_what_each_column_is(table):
    assert table.grain.startswith("one row per ")
    assert [column.name for column in table.columns if not column.doc.strip()] == []


@pytest.mark.parametrize("table", CATALOGUE, ids=lambda table: table.name)
def test_a_table_has_a_key(table):
    assert table.key
    assert len(set(table.key)) == len(table.key)


@pytest.mark.parametrize("table", CATALOGUE, ids=lambda table: table.name)
def test_a_customers_number_is_declared_personal(table):
    numbers = [column for column in table.columns if "customer_id" in column.name]

    assert [column.name for column in numbers if column.personal is None] == []


@pytest.mark.parametrize("table", OF_A_DATE, ids=lambda table: table.name)
def test_a_table_with_as_of_is_keyed_and_partitioned_by_it(table):
    assert "as_of" in table.key
    assert table.partitioned_by == ("as_of",)


@pytest.mark.parametrize("layer", ["gold", "features", "scores", "publish"])
def test_every_table_past_silver_has_one_set_of_rows_per_as_of(layer):
    tables = [table for table in CATALOGUE if table.layer == layer]

    assert tables
    # a session is over once and for all, and pairs are counted on from one date to the next
    undated = ["gold.product_pairs", "gold.web_sessions"] if layer == "gold" else []
    assert [table.name for table in tables if "as_of" not in table.key] == undated


def test_a_column_of_one_name_has_one_type_and_unit_in_every_table_past_bronze():
    kinds = defaultdict(lambda: defaultdict(list))
    for table in CATALOGUE:
        if table.layer in ("silver", "gold", "scores", "publish"):
            for column in table.columns:
                kinds[column.name][(column.type.simpleString(), column.unit)].append(table.name)

    differing = {name: dict(found) for name, found in kinds.items() if len(found) > 1}
    assert differing == {}


def test_a_column_of_one_name_is_personal_in_every_table_or_in_none():
    purposes = defaultdict(lambda: defaultdict(list))
    for table in CATALOGUE:
        if "customer_id" in table.column_names:
            for column in table.columns:
                purposes[column.name][column.personal].append(table.name)

    differing = {name: dict(found) for name, found in purposes.items() if len(found) > 1}
    assert differing == {}


def test_a_table_is_found_by_its_name():
    assert table_named("gold.rfm").name == "gold.rfm"


def test_an_unknown_table_is_refused_with_the_names_there_are():
    with pytest.raises(ConfigError, match=r"no table 'gold\.rmf'.*gold\.rfm") as refused:
        table_named("gold.rmf")

    assert all(table.name in str(refused.value) for table in CATALOGUE)
