"""Write the demo lake: landing files of every feed around the real sales, a lake file, and the truth beside them.

What causes what: real orders are as they were. Persons, traits and joining stand before them; experiences follow them;
tickets, answers and reviews follow experiences. Sessions precede the orders that they end in, or follow e-mails, or
happen by engagement. Unsubscribing follows an e-mail, and ends membership of later campaigns.

No simulated row depends on anything that its customer does later, with three exceptions, all of which the truth holds:
(1) latent traits hold for the whole time. (2) The lapse: the real orders say who never came back, so its date is set
from them; engagement falls in the 60 days before it, and the last order before it is more often late or damaged, which
is the demo's reason for it. (3) A customer exists from `joined_at` on because an order follows, and of a session that
ends in an order (or that looked at its products some days before) the order is the outcome.
"""

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from customerlake.demo import landing
from customerlake.demo.chance import Chance
from customerlake.demo.dirt import with_broken_rows, with_repeats
from customerlake.demo.feeds import feeds_of
from customerlake.demo.sales import REAL_CUSTOMERS
from customerlake.demo.shapes import SENT, Sent
from customerlake.demo.truths import truths_of
from customerlake.demo.world import world
from customerlake.errors import ConfigError
from customerlake.runtime.config import shipped

VERSION = 1
Progress = Callable[[str], None]


@dataclass(frozen=True)
class _Recipe:
    customers: int
    seed: int
    version: int = VERSION


def make_demo(
    spark: SparkSession,
    root: str,
    *,
    customers: int = REAL_CUSTOMERS,
    seed: int = 20,
    progress: Progress = lambda message: None,
) -> str:
    """Write `<root>/landing/<feed>/`, `<root>/truth/<table>` and the lake file; nothing when they are there.

    With `customers` as many as the real sales have, their every line is in the two feeds of sales; with fewer, the
    lines of some customers and a like share of those without one; with more, copies of all that are told apart.
    An interrupted demo is made again from the start: it is finished when `<root>/landing/.demo.json` is there.
    Returns: the lake file's path: `<root>/demo.yaml`.
    Raises:  ConfigError for a number of customers below 1, or where the root holds a demo of other values.
    """
    if customers < 1:
        raise ConfigError(f"A demo of {customers} customers cannot be made. Give --customers a number from 1.")
    recipe, lake_file = _Recipe(customers, seed), f"{root}/demo.yaml"
    found = landing.marker(root)
    if found == asdict(recipe):
        progress("the demo is there")
        return lake_file
    if found is not None:
        raise ConfigError(
            f"{root} holds a demo of {_in_words(found)}; asked for is one of {_in_words(asdict(recipe))}. "
            "Choose another root, or remove this one first."
        )
    landing.clear(root, [*SENT])
    work = f"{root}/landing/.work"
    with ExitStack() as stack:
        folder = stack.enter_context(resources.as_file(resources.files("customerlake") / "demo" / "online_retail"))
        _write(spark, root, work, folder, recipe, progress)
    landing.remove(work)
    template = shipped("conf") / "lakes" / "demo.yaml"
    landing.write_text(lake_file, template.read_text(encoding="utf-8"))
    landing.write_text(f"{root}/landing/.demo.json", json.dumps(asdict(recipe)))
    progress("the demo is finished")
    return lake_file


def _write(spark: SparkSession, root: str, work: str, folder: Path, recipe: _Recipe, progress: Progress) -> None:
    def keep(name: str, df: DataFrame) -> DataFrame:
        progress(f"{name} ...")
        df.write.mode("overwrite").parquet(f"{work}/{name}")
        return spark.read.schema(df.schema).parquet(f"{work}/{name}")

    chance = Chance(recipe.seed)
    made = world(spark, str(folder), customers=recipe.customers, chance=chance, keep=keep)
    for feed, frame in feeds_of(spark, made).items():
        progress(f"landing/{feed} ...")
        landing.write(_as_sent(frame, SENT[feed], chance), f"{root}/landing/{feed}", SENT[feed].shape)
    for table, frame in truths_of(spark, made).items():
        name = table.name.removeprefix("truth.")
        progress(f"truth/{name} ...")
        frame.write.mode("overwrite").parquet(f"{root}/truth/{name}")


def _as_sent(frame: DataFrame, sent: Sent, chance: Chance) -> DataFrame:
    """The records as files hold them: some twice, some late, some broken, and all as text unless the file has types."""
    dated = frame
    if sent.at and sent.shape.by:
        late = chance.happens(sent.late, f"late {sent.at}", *sent.key) if sent.late else F.lit(False)
        days = F.when(late, chance.whole(1, 3, f"days late {sent.at}", *sent.key)).otherwise(0)
        dated = landing.with_landing_day(frame, F.date_add(F.to_date(sent.at), days), sent.shape)
    if sent.at == "ordered_at":
        dated = dated.drop("ordered_at")  # the sales carry it as InvoiceDate
    records = dated if sent.shape.format == "parquet" else landing.as_text_columns(dated, sent.shape)
    if sent.repeated:
        records = records.transform(with_repeats(sent.repeated, chance=chance, key=sent.key))
    if sent.broken:
        records = records.transform(with_broken_rows(dict(sent.broken), sent.broken_share, chance=chance, key=sent.key))
    return records


def _in_words(recipe: dict[str, int]) -> str:
    return f"{recipe.get('customers')} customers, seed {recipe.get('seed')}, version {recipe.get('version')}"
