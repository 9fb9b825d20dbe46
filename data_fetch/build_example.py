"""Make the embedded example table from the full WIOD 2011 table.

Run ``python -m data_fetch.build_example wiot2011.npz tiva/data/example_wiod2011.nc``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tiva.table.icio_table import IcioTable
from tiva.table.provenance import Provenance, SourceFile

REST_OF_EU = (
    "AUT", "BEL", "BGR", "CYP", "CZE", "DNK", "EST", "FIN", "GRC", "HUN", "IRL", "LTU", "LUX", "LVA", "MLT", "NLD",
    "POL", "PRT", "ROU", "SVK", "SVN", "SWE",
)  # fmt: skip
"""Members of the European Union in 2011 that are in the table and not shown alone."""

COUNTRIES: dict[str, tuple[str, ...]] = {"REU": REST_OF_EU, "ROW": ("AUS", "RUS", "TUR", "ROW")}

SECTORS: dict[str, tuple[str, ...]] = {
    "Agriculture": ("c1",),
    "Mining": ("c2",),
    "Food": ("c3",),
    "Textiles": ("c4", "c5"),
    "Wood-paper-other": ("c6", "c7", "c16"),
    "Chemicals": ("c8", "c9", "c10"),
    "Metals-minerals": ("c11", "c12"),
    "Machinery": ("c13",),
    "Electronics": ("c14",),
    "Vehicles": ("c15",),
    "Utilities-construction": ("c17", "c18"),
    "Trade": ("c19", "c20", "c21"),
    "Transport-telecom": ("c23", "c24", "c25", "c26", "c27"),
    "Business-services": ("c28", "c29", "c30"),
    "Other-services": ("c22", "c31", "c32", "c33", "c34", "c35"),
}

ORDER = ("MEX", "BRA", "USA", "CAN", "CHN", "JPN", "KOR", "TWN", "IND", "IDN", "DEU", "FRA", "GBR", "ITA", "ESP")

CITATION = (
    "Timmer, M. P., Dietzenbacher, E., Los, B., Stehrer, R. and de Vries, G. J. (2015), An Illustrated User Guide to "
    "the World Input-Output Database: the Case of Global Automotive Production, Review of International Economics, "
    "23: 575-605"
)


def build(source: Path, target: Path) -> IcioTable:
    """Aggregate the full table, write it in the native format and return it."""
    with np.load(source, allow_pickle=False) as data:
        published = data["output"]
        table = IcioTable.from_arrays(
            data["intermediate"],
            data["final_demand"],
            countries=data["countries"].tolist(),
            sectors=data["sectors"].tolist(),
            final_demand_categories=data["final_demand_categories"].tolist(),
            year=int(data["year"]),
        )
    gap = float(np.abs(published - table.output).max())
    provenance = Provenance(
        source="WIOD",
        edition="2013 release",
        files=(SourceFile.of(source),),
        reader="npz",
        licence="CC BY 4.0",
        citation=CITATION,
        url="https://www.rug.nl/ggdc/valuechain/wiod/wiod-2013-release",
        notes=(
            f"cells are in whole million USD; output is row sums, at most {gap:,.0f} million below the published",
            "value added is output less intermediate use: it includes taxes less subsidies and transport margins",
            f"REU is {', '.join(REST_OF_EU)}; ROW holds Australia, Russia and Turkey too",
        ),
    )
    table = table.replace(provenance=provenance)
    shown = {**COUNTRIES, **{name: (name,) for name in ORDER}}
    small = table.aggregate(countries=shown, sectors=SECTORS)
    small.save(target)
    return small


if __name__ == "__main__":
    print(build(Path(sys.argv[1]), Path(sys.argv[2])).check())  # noqa: T201
