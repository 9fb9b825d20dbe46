"""What a batch does without the batch engine: ``python -m benchmarks.plain levels folder table...``.

Reads each table, decomposes it by every method and writes each result: the yardstick of the engine's own cost.
"""

from __future__ import annotations

import sys
from pathlib import Path

import tiva
from benchmarks.plans import options
from tiva.batch import writers
from tiva.batch.scenarios import StableModel


def main() -> None:
    """Do what the command line says."""
    levels, folder, *tables = sys.argv[1:]
    for table in map(Path, tables):
        model = StableModel(tiva.read(table))
        for number, given in enumerate(options(every_level=levels == "every")):
            result = tiva.decompose(model, **given)
            labels = {"table": table.stem, "scenario": "", "margins": "", "spec": str(number), "level": given["level"]}
            path = Path(folder) / f"{table.stem}-{number}.parquet"
            writers.write(result, path, "parquet", labels)
            writers.sync(path)


if __name__ == "__main__":
    main()
