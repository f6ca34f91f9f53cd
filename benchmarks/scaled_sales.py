"""The real sales k times over: k shops of the same size, so that customers, orders, duplicates and bad rows grow alike.

Copy 0 is the data itself; copy c adds c times 100,000 to the digits of each order and customer, which the real ones
(536365 to 581587, and 12346 to 18287) leave room for.
"""

import os
from collections.abc import Iterable
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import polars as pl

LINES = 541_909
STEP = 100_000


def real_days() -> list[Traversable]:
    """The files of the 305 trading days that ship with the package, in order."""
    folder = resources.files("customerlake") / "demo" / "online_retail"
    return sorted((file for file in folder.iterdir() if file.name.endswith(".csv.gz")), key=lambda file: file.name)


def land(days: Iterable[Traversable], folder: Path, *, copies: int) -> int:
    """Write each day as a plain CSV file with `copies` copies of its lines, unless it is there; the lines written.

    A folder that is complete says so in a file of its own, so that data of a scale are made once.
    """
    complete = folder / ".complete"
    if complete.exists():
        return int(complete.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    lines = sum(land_day(day, folder, copies=copies) for day in days)
    complete.write_text(str(lines))
    return lines


def land_day(day: Traversable, folder: Path, *, copies: int) -> int:
    with resources.as_file(day) as file:
        lines = pl.read_csv(file, infer_schema=False)
    file = folder / day.name.removesuffix(".gz")
    part = folder / f".{file.name}.part"
    pl.concat(copy_of(lines, number) for number in range(copies)).write_csv(part)
    os.replace(part, file)
    return lines.height * copies


def copy_of(lines: pl.DataFrame, number: int) -> pl.DataFrame:
    """The lines of another shop: other orders and customers, all else the same."""
    return lines.with_columns(shifted(name, number * STEP) for name in ("InvoiceNo", "CustomerID"))


def shifted(name: str, by: int) -> pl.Expr:
    """A text with `by` added to its first digits; what stands before and after them stays, and null is null."""
    parts = pl.col(name).str.extract_groups(r"^(\D*)(\d+)(.*)$").struct
    digits = (parts[1].cast(pl.Int64) + by).cast(pl.String)
    return pl.concat_str(parts[0], digits, parts[2]).alias(name)
