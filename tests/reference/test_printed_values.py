"""Values that papers and other tools print, row by row of the catalogue, to the last digit printed.

Leather: three countries, three sectors, from the R package decompr; its own results, and those of exvatools, icio and
gvcAnalyzer where decompr has none. WIOD 2013 release: results of decompr and exvatools, and formulas of the papers on
the explicit inverse, in million USD.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest
import xarray as xr

import tiva
from tests.decompositions.test_borin_mancini import model
from tests.reference.test_small_tables import leather
from tiva.terms import Method, find_method, methods

HALF = 0.51
"""Of a unit of the last digit printed, and a little for the rounding of the printed digit itself."""

Cells = Mapping[str, str]


@dataclass(frozen=True)
class Printed:
    """Values of one decomposition at one level.

    Attributes
    ----------
    table, method, options, level
        What is decomposed, and how.
    decimals
        Digits after the point.
    values
        Rows of cell labels -> values, in the order of ``terms``; dimensions that a row leaves out are added up.
    terms
        Codes.
    dims
        Dimensions that the labels of a row belong to.
    """

    table: str
    method: str
    terms: str
    values: Mapping[str, Sequence[float]]
    decimals: int
    dims: str = "exporter"
    level: str = "country"
    options: Cells = field(default_factory=dict)

    def row(self) -> Method:
        perimeter = {k: v for k, v in self.options.items() if k in {"perspective", "approach", "perimeter"}}
        return find_method(self.method, level=self.level, **perimeter)

    def __str__(self) -> str:
        return f"{self.table} {self.row().describe()} {self.terms}"


@cache
def result(table: str, method: str, level: str, options: tuple[tuple[str, Any], ...]) -> xr.Dataset:
    source = leather() if table == "leather" else model(int(table))
    return tiva.decompose(source, method, level=level, **dict(options))


ARG, TUR, DEU = "ARG", "TUR", "DEU"
AGRICULTURE, TEXTILES, VEHICLES = "Agriculture", "Textile_and_Leather", "Transport_Equipment"
NINE = [f"{c} {s}" for c in (ARG, TUR, DEU) for s in (AGRICULTURE, TEXTILES, VEHICLES)]
PAIRS = [f"{s} {r}" for s in (ARG, TUR, DEU) for r in (ARG, TUR, DEU) if s != r]
SELF = {"perspective": "self"}
WORLD = {"perspective": "world"}
IMPORTER = {"perspective": "importer"}

THIRTEEN = "gexp dc dva vax davax ref ddc fc fva fdc gvc gvcb gvcf"
SIXTEEN = (
    "dva_fin dva_int dva_intrexi1 dva_intrexf dva_intrexi2 rdv_int rdv_fin rdv_fin2 ova_fin mva_fin ova_int mva_int "
    "ddc_fin ddc_int odc mdc"
)

OWN_PAIRS = (
    (18.374047, 3.221595), (34.838423, 7.289553), (19.811705, 4.473358),
    (70.821316, 16.259965), (41.950140, 14.058959), (66.946877, 21.576451),
)  # fmt: skip
"""DVA* and FVA* of every pair in its own perimeter, in the order of PAIRS."""

OWN_SECTORS = (
    (29.643974, 3.387422), (21.852879, 6.383674), (1.835628, 0.761155), (37.993593, 7.382730), (47.379006, 10.964964),
    (5.942324, 2.538830), (32.829342, 5.591508), (25.519757, 5.239025), (51.517211, 24.920401),
)  # fmt: skip
"""DVA* and FVA* of every sector's exports in their own perimeter, in the order of NINE."""

OWN_FLOW = {f"ARG {AGRICULTURE} DEU": (17.17543813, 1.96264005)}
"""DVA* and FVA* of one sector's exports to one partner."""

LEATHER = [
    Printed("leather", "bm", THIRTEEN, {
        ARG: (64.3, 53.689956, 52.817562, 46.732088, 34.798770, 6.085473, 0.872395, 10.610044, 10.434837, 0.175206,
              29.501230, 11.482438, 18.018791),
        TUR: (113.6, 92.461753, 89.824817, 77.341444, 65.503601, 12.483373, 2.636936, 21.138247, 20.555642, 0.582605,
              48.096399, 23.775183, 24.321216),
        DEU: (147.6, 111.290583, 106.842403, 96.719142, 89.316889, 10.123261, 4.448180, 36.309417, 35.064888, 1.244529,
              58.283111, 40.757597, 17.525514),
    }, 6),
    Printed("leather", "headline", "gexp dc dva vax davax ref ddc fc gvc gvcb gvcf", {
        ARG: (64.3, 53.689956, 52.817562, 46.732088, 34.798770, 6.085473, 0.872395, 10.610044, 29.501230, 11.482438,
              18.018791),
    }, 6),
    Printed("leather", "bm", "dva vax davax ref ddc fva fdc", dict(zip(NINE, (
        (29.493900, 26.540382, 20.385155, 2.953518, 0.301388, 3.342323, 0.062389),
        (21.569374, 18.582499, 13.084653, 2.986875, 0.487393, 6.348672, 0.094561),
        (1.754288, 1.609208, 1.328962, 0.145080, 0.083614, 0.743843, 0.018255),
        (37.469257, 32.468054, 27.673077, 5.001204, 0.962810, 7.255672, 0.212260),
        (46.789941, 39.702280, 33.025635, 7.087661, 1.284216, 10.842622, 0.283222),
        (5.565619, 5.171110, 4.804889, 0.394508, 0.389909, 2.457349, 0.087123),
        (32.402844, 29.139637, 26.657741, 3.263207, 0.665023, 5.444547, 0.187586),
        (25.082406, 21.487520, 18.915931, 3.594886, 0.637483, 5.102148, 0.177963),
        (49.357153, 46.091985, 43.743217, 3.265169, 3.145674, 24.518193, 0.878979),
    ), strict=True)), 6, "exporter sector", "sector"),
    Printed("leather", "bm", "dva fva", {f"ARG {AGRICULTURE}": (29.3342317, 3.3520273)}, 7, "exporter sector", "sector",
            {"approach": "sink"}),
    Printed("leather", "bm", "dva fva vaxim", {f"ARG {AGRICULTURE} DEU": (16.97678049, 1.93993941, 12.80172830)}, 8,
            "exporter sector importer", "sector-bilateral", {"approach": "sink"}),
    Printed("leather", "bm", "fva fdc", {ARG: (8.8520769, 1.7579666), TUR: (18.493923, 2.6443238),
                                         DEU: (32.519522, 3.7898951)}, 6, options=WORLD | {"approach": "source"}),
    Printed("leather", "bm", "fva fdc", {ARG: (8.4718265, 2.1382170), TUR: (18.265189, 2.8730575),
                                         DEU: (33.128506, 3.1809110)}, 6, options=WORLD | {"approach": "sink"}),
    Printed("leather", "my", "fdc1 fdc2", {ARG: (8.8520769, 1.7579666), TUR: (18.493923, 2.6443238),
                                           DEU: (32.519522, 3.7898951)}, 6, options={"perimeter": "world"}),
    Printed("leather", "my", "dva ddc fva fdc", {ARG: (52.817562, 0.872395, 10.434837, 0.175206)}, 6),
    Printed("leather", "kww", "dva_fin dva_int dva_intrex rdv_fin rdv_int ddc fva_fin fva_int fdc", {
        ARG: (19.349405, 18.971193, 8.411491, 5.259501, 0.825972, 0.872395, 3.450595, 3.388617, 3.770832),
        TUR: (43.394614, 26.206777, 7.740053, 10.475795, 2.007578, 2.636936, 10.205386, 5.359698, 5.573163),
        DEU: (78.731008, 15.239670, 2.748464, 5.689669, 4.433592, 4.448180, 26.668992, 4.455024, 5.185401),
    }, 6),
    Printed("leather", "bm", "dva fva", dict(zip(NINE, OWN_SECTORS, strict=True)), 6, "exporter sector", "sector",
            SELF | {"perimeter": "sectexp"}),
    Printed("leather", "my", "dva fva", dict(zip(NINE, OWN_SECTORS, strict=True)), 6, "exporter sector", "sector",
            {"perimeter": "sectexp"}),
    Printed("leather", "extraction", "gdp_home gdp_abroad", dict(zip(NINE, OWN_SECTORS, strict=True)), 6,
            "exporter sector", "sector", {"perimeter": "sectexp"}),
    Printed("leather", "bm", "dva fva", dict(zip(PAIRS, OWN_PAIRS, strict=True)), 6, "exporter importer", "bilateral",
            SELF | {"perimeter": "bilateral"}),
    Printed("leather", "my", "dva fva", dict(zip(PAIRS, OWN_PAIRS, strict=True)), 6, "exporter importer", "bilateral",
            {"perimeter": "bilateral"}),
    Printed("leather", "extraction", "gdp_home gdp_abroad", dict(zip(PAIRS, OWN_PAIRS, strict=True)), 6,
            "exporter importer", "bilateral", {"perimeter": "bilateral"}),
    Printed("leather", "extraction", "gdp_home gdp_abroad", {ARG: (52.817562, 10.434837), DEU: (106.842403, 35.064888)},
            6),
    Printed("leather", "bm", "dva fva", OWN_FLOW, 8, "exporter sector importer", "sector-bilateral",
            SELF | {"perimeter": "sectbil"}),
    Printed("leather", "my", "dva fva", OWN_FLOW, 8, "exporter sector importer", "sector-bilateral",
            {"perimeter": "sectbil"}),
    Printed("leather", "extraction", "gdp_home gdp_abroad", OWN_FLOW, 8, "exporter sector importer", "sector-bilateral",
            {"perimeter": "sectbil"}),
    # A group of flows that is one pair, or one sector: the values of these.
    Printed("leather", "bm", "dva fva", {ARG: OWN_PAIRS[1], TUR: OWN_PAIRS[3]}, 6,
            options=SELF | {"perimeter": "group", "importer": DEU}),
    Printed("leather", "my", "dva fva", {ARG: OWN_SECTORS[1], DEU: OWN_SECTORS[7]}, 6,
            options={"perimeter": "group", "sector": TEXTILES}),
    Printed("leather", "extraction", "gdp_home gdp_abroad", {ARG: OWN_PAIRS[1], TUR: OWN_PAIRS[3]}, 6,
            options={"perimeter": "group", "importer": DEU}),
    Printed("leather", "bm", "gimp va dcimp", {ARG: (81.2, 79.632328, 1.567672), TUR: (112.5, 108.719674, 3.780326),
                                               DEU: (131.8, 127.148340, 4.651660)}, 6, "importer", options=IMPORTER),
    Printed("leather", "bm", "va", {
        "ARG ARG": (6.840767,), "ARG TUR": (28.309983,), "ARG DEU": (44.481578,), "TUR ARG": (25.350868,),
        "TUR TUR": (14.707645,), "TUR DEU": (68.661161,), "DEU ARG": (40.101446,), "DEU TUR": (72.981048,),
        "DEU DEU": (14.065845,),
    }, 6, "importer origin", "bilateral", IMPORTER),
    Printed("leather", "bm", "gimp va dcimp", dict(zip(NINE, (
        (25.6, 25.4968383, 0.1031617), (22.4, 22.2782163, 0.1217837), (33.2, 32.9942397, 0.2057603),
        (37.8, 37.5246287, 0.2753713), (27.5, 27.2763115, 0.2236885), (47.2, 46.5708936, 0.6291064),
        (54.4, 53.6902952, 0.7097048), (68.8, 67.5405052, 1.2594948), (8.6, 8.5745106, 0.0254894),
    ), strict=True)), 7, "importer sector", "sector", IMPORTER | {"perimeter": "sectimp"}),
    Printed("leather", "vs", "vs vs_foreign vs1 vs1_star vs1_star_final", {
        ARG: (11.482438, 10.610044, 21.634747, 6.957868, 5.259501),
        TUR: (23.775183, 21.138247, 27.100378, 15.120309, 10.475795),
        DEU: (40.757597, 36.309417, 19.322582, 14.571441, 5.689669),
    }, 6),
    Printed("leather", "vax", "vax_ratio", {ARG: (0.726782,), TUR: (0.680823,), DEU: (0.655279,)}, 6),
    Printed("leather", "vax", "vax", {"ARG TUR": (18.493099,), "ARG DEU": (28.238989,), "TUR ARG": (24.661291,),
                                      "DEU TUR": (57.748345,)}, 6, "exporter importer", "bilateral"),
    Printed("leather", "vby", "vby", {"ARG ARG": (44.867912,), "ARG TUR": (18.493099,), "TUR TUR": (68.358556,),
                                      "TUR DEU": (52.680153,), "DEU ARG": (38.970798,), "DEU DEU": (127.480858,)}, 6,
            "exporter importer", "bilateral"),
    Printed("leather", "tripartite", "davax gvc_pf gvc_pb gvc_ts", {
        ARG: (34.798770, 18.018791, 7.406530, 4.075908), TUR: (65.503601, 24.321216, 17.519222, 6.255961),
        DEU: (89.316889, 17.525514, 34.939769, 5.817828),
    }, 6),
    Printed("leather", "output_based", "output gvc_pf", {ARG: (155.0, 18.018791)}, 6),
    Printed("leather", "oecd", "EXGR_INT EXGR_INT_DVA EXGR_DVA EXGR_DDC EXGR_IDC EXGR_RIM EXGR_FVA REII IMGR_DVA "
            "FFD_DVA DFD_FVA FEXDVAP", {
        ARG: (41.5, 34.340552, 53.689956, 48.355064, 4.462498, 0.872395, 10.610044, 11.674967, 6.957868, 46.732088,
              63.632088, 21.634747),
        TUR: (60.0, 49.067139, 92.461753, 77.147049, 12.677768, 2.636936, 21.138247, 24.447479, 15.120309, 77.341444,
              76.241444, 27.100378),
        DEU: (42.2, 32.559575, 111.290583, 82.337459, 24.504944, 4.448180, 36.309417, 42.203081, 14.571441, 96.719142,
              80.919142, 19.322582),
    }, 6),
    Printed("leather", "oecd", "FD_VA DXD_DVA BALGR BALVAFD VALU", {ARG: (91.6, 44.867912, -16.9, -16.9, 91.6)}, 6),
    Printed("leather", "oecd_shares", "EXGR_DVASH EXGR_FVASH EXGR_INTDVASH EXGR_DVAFXSH IMGR_DVASH VALU_FFDDVA", {
        ARG: (53.689956 / 64.3, 10.610044 / 64.3, 34.340552 / 41.5, 21.634747 / 64.3, 6.957868 / 81.2,
              46.732088 / 91.6),
        DEU: (111.290583 / 147.6, 36.309417 / 147.6, 32.559575 / 42.2, 19.322582 / 147.6, 14.571441 / 131.8,
              96.719142 / 224.2),
    }, 6),
    Printed("leather", "oecd_shares", "DEXFVAPSH FEXDVAPSH", {"ARG TUR": (4.238859 / 64.3, 8.186849 / 64.3),
                                                              "DEU ARG": (13.447898 / 147.6, 6.371185 / 147.6)}, 6,
            "exporter importer", "bilateral"),
    Printed("leather", "oecd", "DEXFVAP FEXDVAP", {
        "ARG TUR": (4.238859, 8.186849), "ARG DEU": (6.371185, 13.447898), "TUR ARG": (8.186849, 4.238859),
        "TUR DEU": (12.951397, 22.861519), "DEU TUR": (22.861519, 12.951397),
    }, 6, "exporter importer", "bilateral"),
]  # fmt: skip

FLOW = ("USA c14 CHN", "CHN c14 USA")

WIOD_2008 = [
    Printed("2008", "bm", "vax1 vax2 vax3 vax4 ref1 ref2 ddc fdc", {
        "USA": (406359.88, 596411.72, 97497.79, 179387.49, 44611.00, 56113.85, 12467.72, 2452.13),
        "CHN": (561269.23, 396296.02, 95213.81, 132263.21, 5519.32, 16995.18, 12894.79, 4706.44),
        "DEU": (471170.37, 401110.78, 104729.47, 176673.85, 17053.13, 17222.29, 22525.63, 9544.68),
        "JPN": (240316.70, 272751.20, 66345.42, 109910.80, 3748.87, 7187.55, 3396.25, 837.86),
    }, 2, options={"detail": True}),
    Printed("2008", "bm", "fva", {"USA": (245191.42,), "CHN": (354933.01,), "DEU": (450324.79,), "JPN": (155101.35,)},
            2),
    Printed("2008", "extraction", "gdp_abroad", {"USA": (245191.42,)}, 2),
    Printed("2008", "bm", "gexp vax1 vax2 vax3 vax4 ref1 ref2 ddc fdc", {
        FLOW[0]: (24518, 4013.7385, 8026.0758, 3038.6245, 3215.1092, 1195.5495, 1029.8434, 267.7534, 50.7634),
    }, 4, "exporter sector importer", "sector-bilateral", {"detail": True}),
    Printed("2008", "bm", "fva", {FLOW[0]: (3680.5423,)}, 4, "exporter sector importer", "sector-bilateral"),
    Printed("2008", "bm", "vax1 vax2 vax3 vax4 ref1 ref2 ddc fva1 fva2 fva3 fva4 fdc", {
        FLOW[0]: (4066.1141, 8130.8088, 3078.2758, 3046.3948, 1211.1503, 1023.2047, 230.7458, 729.8859, 1459.5170,
                  769.9714, 730.5115, 41.4199),
    }, 4, "exporter sector importer", "sector-bilateral", {"approach": "sink", "detail": True}),
    Printed("2008", "bm", "vaxim", {FLOW[0]: (12390.8694,)}, 4, "exporter sector importer", "sector-bilateral",
            {"approach": "sink"}),
    Printed("2008", "bm", "fva", {"USA": (191116.587,)}, 3, options=WORLD | {"approach": "source"}),
    Printed("2008", "bm", "fva", {"": (3425617.6,)}, 1, "", options=WORLD | {"approach": "sink"}),
    Printed("2008", "bm", "fva", {"": (3425617.6,)}, 1, "", options=WORLD | {"approach": "source"}),
    Printed("2008", "bm", "dva fva ddc fdc vax", {FLOW[0]: (20775.4269, 3729.2832, 11.2674, 2.0226, 18522.2167)}, 4,
            "exporter sector importer", "sector-bilateral", SELF | {"perimeter": "sectbil"}),
    Printed("2008", "bm", "gexp dva fva", {"USA c14": (211134, 178166.8427, 31981.7547)}, 4, "exporter sector",
            "sector", SELF | {"perimeter": "sectexp"}),
    Printed("2008", "bm", "gexp dva fva", {"USA CHN": (104916, 89063.8750, 15789.6390)}, 4, "exporter importer",
            "bilateral", SELF | {"perimeter": "bilateral"}),
    Printed("2008", "bm", "gimp va dcimp", {"USA": (2336177, 2313163.76, 23013.24)}, 2, "importer", options=IMPORTER),
    Printed("2008", "bm", "va", {"USA CHN": (299835.4,), "USA USA": (112020.5,)}, 1, "importer origin", "bilateral",
            IMPORTER),
    Printed("2008", "bm", "gimp va", {"USA c14": (361965, 360322.88)}, 2, "importer sector", "sector",
            IMPORTER | {"perimeter": "sectimp"}),
    Printed("2008", "bm", "va", {"USA c14 CHN": (108703.17,)}, 2, "importer sector origin", "sector-bilateral",
            IMPORTER | {"perimeter": "sectimp"}),
    Printed("2008", "kww", "dva_fin dva_int dva_intrex rdv_fin rdv_int ddc fva_fin fva_int fdc", {
        "USA": (411069.29, 735950.46, 132637.12, 53142.21, 47582.65, 12467.72, 88133.71, 93923.59, 65586.25),
        "CHN": (567604.92, 494917.22, 122520.13, 6953.90, 15560.60, 12894.79, 166917.08, 112897.64, 79824.72),
        "DEU": (481007.97, 534951.45, 137725.05, 21411.73, 12863.69, 22525.63, 187384.03, 146146.33, 126339.12),
        "JPN": (241522.67, 356903.37, 90898.07, 4817.01, 6119.41, 3396.25, 48777.33, 62497.08, 44664.81),
    }, 2),
    Printed("2008", "kww", "dva_fin dva_int dva_intrex rdv_fin rdv_int ddc fva_fin fva_int fdc", {
        "": (4058937.8, 6700097.4, 1481808.0, 186266.2, 217565.9, 142354.6, 1668074.2, 1654131.1, 1227294.8),
    }, 1, ""),
    Printed("2008", "wwz", SIXTEEN, {
        FLOW[0]: (4066.1141, 8167.5587, 2262.6807, 3087.9247, 672.6091, 799.6916, 1214.7506, 210.9506, 576.5881,
                  153.2978, 1152.9749, 306.5421, 89.0365, 215.3777, 1218.0573, 323.8456),
    }, 4, "exporter sector importer", "sector-bilateral"),
    Printed("2008", "wwz", SIXTEEN, {
        FLOW[1]: (58569.965, 25762.565, 2924.329, 3022.887, 1013.049, 452.702, 178.445, 67.059, 23103.230, 3393.804,
                  10271.222, 1508.816, 204.967, 760.536, 3292.729, 483.693),
    }, 3, "exporter sector importer", "sector-bilateral"),
    Printed("2008", "wwz", SIXTEEN, {
        "": (4058937.8, 5258737.6, 1441359.8, 1103455.4, 378352.6, 217565.9, 151846.2, 34420.0, 1481808.0, 186266.2,
             1436565.2, 217565.9, 51079.4, 91275.2, 1084940.2, 142354.6),
    }, 1, ""),
    Printed("2008", "wwz_third", "dva_intrexi1 dva_intrexf dva_intrexi2", {FLOW[0]: (2262.6807, 3087.9247, 672.6091)},
            4, "exporter sector importer", "sector-bilateral"),
    Printed("2008", "vs", "vs1 vs1_star", {"USA": (491533.043, 113192.577), "CHN": (324708.766, 35409.287),
                                           "DEU": (412737.823, 56801.053)}, 3),
    Printed("2008", "vs", "vs1_star_final", {"USA": (53142.21,), "CHN": (6953.90,), "DEU": (21411.73,)}, 2),
    Printed("2008", "vax", "vax_ratio", {"USA": (0.7800,), "CHN": (0.7500,), "DEU": (0.6907,), "JPN": (0.8019,)}, 4),
    Printed("2008", "vax", "vax_ratio", {"MEX": (0.703,), "TWN": (0.509,), "KOR": (0.576,), "LUX": (0.381,)}, 3),
    Printed("2008", "vax", "gexp vax", {"USA CHN": (104916, 87553.07), "CHN USA": (328791, 275654.61)}, 2,
            "exporter importer", "bilateral"),
    Printed("2008", "oecd", "EXGR EXGR_INT IMGR", {
        "USA": (1640493, 1141290, 2336177), "CHN": (1580091, 845569, 1163689), "DEU": (1670355, 1001963, 1321226),
    }, 0),
    Printed("2008", "oecd", "EXGR_DVA EXGR_DDC EXGR_IDC EXGR_RIM EXGR_FVA FEXDVAP IMGR_DVA REII FFD_DVA DFD_FVA", {
        "USA": (1392849.447, 809968.899, 570412.827, 12467.721, 247643.553, 491533.043, 113192.577, 262718.816,
                1279656.870, 1975340.870),
        "CHN": (1220451.554, 508045.041, 699511.727, 12894.787, 359639.446, 324708.766, 35409.287, 377502.718,
                1185042.267, 768640.267),
        "DEU": (1210485.522, 690178.982, 497780.907, 22525.634, 459869.478, 412737.823, 56801.053, 492609.697,
                1153684.470, 804555.470),
    }, 3),
]  # fmt: skip

OTHER_YEARS = [
    Printed("1995", "vax", "vax_ratio", {"USA": (0.8259,), "CHN": (0.8370,), "DEU": (0.7941,), "JPN": (0.9187,),
                                         "MEX": (0.7356,), "TWN": (0.6678,)}, 4),
]  # fmt: skip

EVERY = (*LEATHER, *WIOD_2008, *OTHER_YEARS)


@pytest.mark.parametrize("printed", EVERY, ids=str)
def test_value(printed: Printed) -> None:
    found = result(printed.table, printed.method, printed.level, tuple(printed.options.items()))
    dims = printed.dims.split()
    for cell, values in printed.values.items():
        chosen = found.sel(dict(zip(dims, cell.split(), strict=True)))
        ours = [float(chosen[term].sum()) for term in printed.terms.split()]
        np.testing.assert_allclose(ours, values, rtol=0, atol=HALF * 10.0**-printed.decimals, err_msg=cell)


NONE_PRINTED = ("nagengast_stehrer",)
"""Methods whose printed values are of other tables; their terms are held against sums of those of two tools."""


def test_every_row_of_the_catalogue_has_a_printed_value() -> None:
    have = {printed.row() for printed in EVERY}
    missing = [row for row in methods() if row not in have and row.method not in NONE_PRINTED]
    assert not missing, [row.describe() for row in missing]
