"""The Python that executors run, packed for `--archives`: what the code needs that runs there, without customerlake.

Bronze's reader, the numbers that models score by and XGBoost run in Python on executors; all else is Spark's own. So
the archive holds pyarrow and what those modules import, in the versions of the Python that packs: not MLflow and the
libraries of figures, which the driver alone needs, and not pyspark, which is the cluster's. It needs, like any packed
virtual environment, the base interpreter at the same place on every machine.
"""

import hashlib
import platform
import sys
import sysconfig
import tarfile
import tempfile
import venv
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

XGBOOST = "xgboost-cpu" if sys.platform == "linux" and platform.machine() == "x86_64" else "xgboost"
NEEDED = (
    *("pyarrow", "numpy", "fastavro", "python-calamine", "pydantic", "pyyaml"),
    *("pandas", "phonenumbers", "pypinyin", "babel"),
    *("scipy", "scikit-learn", "shap", XGBOOST),  # of models' scoring and reasons, and of XGBoost's fits
)
FOLDER = "environment"  # as which Spark unpacks the archive, beside the executor
# a fifth of it, for nothing that is used
LEFT_OUT = ("pyarrow/include/", "pyarrow/tests/", "pyarrow/libarrow_flight.", "pyarrow/_flight.")


def packed(folder: Path) -> Path:
    """The archive, made in `folder` unless one of this Python with the same packages is there."""
    parts = sorted(distributions(NEEDED), key=lambda part: part.name)
    versions = " ".join([sys.version, *(f"{part.name}=={part.version}" for part in parts)])
    archive = folder / f"executor-python-{hashlib.sha256(versions.encode()).hexdigest()[:12]}.tar.gz"
    if not archive.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = archive.with_suffix(".part")
        _pack(parts, part)
        part.replace(archive)  # an archive that is seen is whole
    return archive


def distributions(names: Iterable[str]) -> Iterator[metadata.Distribution]:
    """The installed packages of these names and all that they require here, each once."""
    waiting, seen = list(names), set()
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        found = metadata.distribution(name)
        yield found
        required = [Requirement(text) for text in found.requires or []]
        waiting += [one.name for one in required if one.marker is None or one.marker.evaluate({"extra": ""})]


def _pack(parts: Iterable[metadata.Distribution], target: Path) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="customerlake-python-") as made,
        tarfile.open(target, "w:gz", compresslevel=1) as archive,
    ):
        venv.EnvBuilder(symlinks=True).create(made)
        archive.add(made, arcname=".")
        packages = sysconfig.get_path("purelib", vars={"base": ".", "platbase": "."})
        for part in parts:
            for file in part.files or []:
                if ".." not in file.parts and not str(file).startswith(LEFT_OUT):
                    archive.add(str(part.locate_file(file)), arcname=f"{packages}/{file}")
