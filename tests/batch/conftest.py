from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tiva.batch.writers import COLUMNS_FILE
from tiva.table.icio_table import IcioTable

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


@pytest.fixture(scope="session", autouse=True)
def _bytecode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the bytecode of what the many short processes import: most of their time is compiling it where none is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("bytecode")))
        yield


def small_table(year: int, countries: int = 3, sectors: int = 2, seed: int = 1) -> IcioTable:
    """A random balanced table: value added is positive, final demand fills the rows."""
    rng = np.random.default_rng(seed + year)
    n = countries * sectors
    flows = rng.uniform(0.5, 2.0, (n, n))
    final = rng.uniform(1.0, 5.0, (n, countries))
    output = flows.sum(axis=1) + final.sum(axis=1)
    flows *= (0.6 * output / flows.sum(axis=0)).min()
    return IcioTable.from_arrays(
        flows,
        final,
        countries=[f"C{i}" for i in range(countries)],
        sectors=[f"s{i}" for i in range(sectors)],
        year=year,
    )


PLAN = """\
version = 1
[output]
folder = "out"
format = "{form}"
[[tables]]
name = "small"
paths = ["data/*.nc"]
[[methods]]
method = "headline"
[[methods]]
method = "kww"
"""

WritePlan = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with three small tables and a plan of six jobs."""
    (tmp_path / "data").mkdir()
    for year in (2000, 2001, 2002):
        small_table(year).save(tmp_path / "data" / f"t{year}.nc")
    (tmp_path / "plan.toml").write_text(PLAN.format(form="parquet"), encoding="utf-8")
    return tmp_path


def contents(folder: Path) -> dict[str, str]:
    """Digests of all result files below an output folder; the file that only names columns is no result."""
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for part in ("data", "cubes")
        for p in sorted((folder / part).rglob("*"))
        if p.is_file() and p != folder / "data" / COLUMNS_FILE
    }
