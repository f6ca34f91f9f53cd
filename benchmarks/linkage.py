"""Record linkage beside Splink on DuckDB: FEBRL's data sets 3 and 1, and 100,000 records made of data set 3.

    .venv/bin/python benchmarks/linkage.py

Both learn without looking at the truth and link at a probability of one half; clusters are what links connect. Splink
has Jaro-Winkler and Damerau-Levenshtein levels with six blocking rules; ours has edits alone, which every engine knows,
and eight rules. Ours learns by Splink too, and pairs and scores on sail. Needs ../shared/data/febrl (Christen 2008).
Times are noisy: compare the ratios of one call.
"""

import argparse
import logging
import string
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import pyarrow as pa
import splink.comparison_library as cl
from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from customerlake.runtime import session
from customerlake.silver.identity.blocking import Rule, candidates, keyed, side_by_side, too_large
from customerlake.silver.identity.clustering import components
from customerlake.silver.identity.comparison import by_edits, compared_columns, exactly
from customerlake.silver.identity.match_weight import learn, weighed

FEBRL = Path(__file__).parents[2] / "shared" / "data" / "febrl"
CERTAIN, RECALL_OF_CERTAIN = "l.soc_sec_id = r.soc_sec_id", 0.8
TRAINED_WITHIN = (("date_of_birth",), ("given_name", "surname"))
COMPARISONS = (
    by_edits("given_name", "given_name", 1, 2),
    by_edits("surname", "surname", 1, 2),
    by_edits("birth", "date_of_birth", 1, 2),
    by_edits("social_security", "soc_sec_id", 1, 2),
    by_edits("address", "address_1", 2, 5),
    by_edits("postcode", "postcode", 1, 2),
    by_edits("suburb", "suburb", 2),
    exactly("state", "state"),
    by_edits("street_number", "street_number", 1),
)
RULES = (
    Rule("social security", ("soc_sec_id",)),
    Rule("both names", ("given_name", "surname")),
    Rule("birth", ("date_of_birth",)),
    Rule("address", ("address_1",)),
    Rule("given name and suburb", ("given_name", "suburb")),
    Rule("surname and postcode", ("surname", "postcode")),
    Rule("sound of both names", ("soundex(surname)", "soundex(given_name)")),
    Rule("suburb and street number", ("suburb", "street_number")),
)
Linked = tuple[np.ndarray, np.ndarray, int]  # both ends of the links, and the number of pairs that were compared


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    if not FEBRL.exists():
        raise SystemExit(f"skipped: the FEBRL data sets are not in {FEBRL}")
    logging.getLogger("splink").setLevel(logging.ERROR)
    spark = session.start("sail")
    linkers: dict[str, Callable[[pd.DataFrame], Linked]] = {
        "ours on sail": lambda records: by_customerlake(spark, records),
        "Splink on DuckDB": by_splink,
    }
    shown = Table("data", "linker", "records", "pairs compared", "of all pairs", "precision", "recall", "F1", "seconds")
    third = data_set(3)
    data = {"data set 3": third, "data set 1": data_set(1), "data set 3, 20 times": copies(third, 20)}
    for linker in linkers.values():  # warm
        linker(third)
    for title, records in data.items():
        for name, linker in linkers.items():
            begun = perf_counter()
            left, right, compared = linker(records)
            seconds = perf_counter() - begun
            found = components(np.arange(len(records)), (left, right))
            precision, recall, f1 = pairwise(found, records["person"].to_numpy())
            every = len(records) * (len(records) - 1) // 2
            shown.add_row(
                title, name, f"{len(records):,}", f"{compared:,}", f"{compared / every:.6%}",
                f"{precision:.4f}", f"{recall:.4f}", f"{f1:.4f}", f"{seconds:.1f}",
            )  # fmt: skip
    Console(width=140).print(shown)
    session.stop(spark)


def data_set(number: int) -> pd.DataFrame:
    records = pd.read_csv(FEBRL / f"dataset{number}.csv", skipinitialspace=True, dtype=str)
    records.columns = records.columns.str.strip()
    records["person"] = records["rec_id"].str.extract(r"rec-(\d+)-", expand=False)
    return records.drop(columns="rec_id").assign(record_id=np.arange(len(records)))


def copies(records: pd.DataFrame, count: int) -> pd.DataFrame:
    """The records so many times, each copy with other letters and numbers: other people with the same errors."""

    def other(number: int) -> pd.DataFrame:
        chance = np.random.default_rng(number)
        signs = string.ascii_lowercase, string.digits
        turned = {ord(a): b for kind in signs for a, b in zip(kind, chance.permutation(list(kind)), strict=True)}
        copy = records.drop(columns=["record_id", "person"]).apply(lambda column: column.str.translate(turned))
        return copy.assign(person=records["person"] + f"-{number}", state=records["state"])

    return pd.concat([other(number) for number in range(count)], ignore_index=True).assign(
        record_id=np.arange(count * len(records))
    )


def by_customerlake(spark: SparkSession, records: pd.DataFrame) -> Linked:
    known = pa.Table.from_pandas(records.drop(columns="person"), preserve_index=False)
    weights = learn(
        known, COMPARISONS, key="record_id", certain=[CERTAIN], recall_of_certain=RECALL_OF_CERTAIN,
        trained_within=TRAINED_WITHIN,
    )  # fmt: skip
    frame = spark.createDataFrame(known).selectExpr("*", "true AS is_new").cache()
    keys = keyed(frame, RULES)
    pairs = candidates(keys, too_large(keys, most=200))
    scored = weighed(side_by_side(pairs, frame, compared_columns(COMPARISONS)), COMPARISONS, weights)
    found: pa.Table = scored.select("record_id_l", "record_id_r", "match_probability").toArrow()
    is_linked = found["match_probability"].to_numpy() >= 0.5
    return found["record_id_l"].to_numpy()[is_linked], found["record_id_r"].to_numpy()[is_linked], found.num_rows


def by_splink(records: pd.DataFrame) -> Linked:
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="record_id",
        comparisons=[
            cl.JaroWinklerAtThresholds("given_name", [0.9, 0.7]),
            cl.JaroWinklerAtThresholds("surname", [0.9, 0.7]),
            cl.DamerauLevenshteinAtThresholds("date_of_birth", [1, 2]),
            cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
            cl.JaroWinklerAtThresholds("address_1", [0.9, 0.7]),
            cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]),
            cl.JaroWinklerAtThresholds("suburb", [0.9]),
            cl.ExactMatch("state"),
            cl.DamerauLevenshteinAtThresholds("street_number", [1]),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("soc_sec_id"),
            block_on("given_name", "surname"),
            block_on("date_of_birth"),
            block_on("address_1"),
            block_on("given_name", "suburb"),
            block_on("surname", "postcode"),
        ],
    )
    api = DuckDBAPI()
    linker = Linker(api.register(pa.Table.from_pandas(records.drop(columns="person"), preserve_index=False)), settings)
    logging.getLogger("splink").setLevel(logging.ERROR)
    linker.training.estimate_probability_two_random_records_match([CERTAIN], recall=RECALL_OF_CERTAIN)
    linker.training.estimate_u_using_random_sampling(max_pairs=1_000_000, seed=1)
    for columns in TRAINED_WITHIN:
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(*columns))
    found = linker.inference.predict().as_pandas_dataframe()
    linked = found[found["match_probability"] >= 0.5]
    return linked["record_id_l"].to_numpy(), linked["record_id_r"].to_numpy(), len(found)


def pairwise(found: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    """Precision, recall and F1 over the pairs of records that are in one cluster."""

    def pairs(labels: np.ndarray) -> set[tuple[int, int]]:
        of = pd.Series(np.arange(len(labels))).groupby(labels).agg(list)
        return {pair for members in of if len(members) > 1 for pair in combinations(members, 2)}

    ours, true = pairs(found), pairs(truth)
    both = len(ours & true)
    precision, recall = both / len(ours), both / len(true)
    return precision, recall, 2 * precision * recall / (precision + recall)


if __name__ == "__main__":
    main()
