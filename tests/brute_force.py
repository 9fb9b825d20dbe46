"""Slow textbook formulas with explicit modified inverses: what every fast method is held against.

An inverse of a whole matrix with some deliveries left out for every exporter, pair, sector or importer, and loops where
the papers have sums. Nothing here is shared with the package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tiva.table.icio_table import IcioTable

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Terms = dict[str, Array]

TWELVE = ("vax1", "vax2", "vax3", "vax4", "ref1", "ref2", "ddc", "fva1", "fva2", "fva3", "fva4", "fdc")
NINE = ("dva_fin", "dva_int", "dva_intrex", "rdv_fin", "rdv_int", "ddc", "fva_fin", "fva_int", "fdc")
SIXTEEN = (
    "dva_fin", "dva_int", "dva_intrexi1", "dva_intrexf", "dva_intrexi2", "rdv_int", "rdv_fin", "rdv_fin2",
    "ova_fin", "mva_fin", "ova_int", "mva_int", "ddc_fin", "ddc_int", "odc", "mdc",
)  # fmt: skip


@dataclass
class Economy:
    """Z (n, n), Y (n, G), value added or a satellite (n,), rows of each block and of each sector's own perimeter."""

    flows: Array
    final: Array
    primary: Array
    blocks: list[Rows]
    cells: list[Rows] | None = None

    def __post_init__(self) -> None:
        self.n, self.g = self.final.shape
        self.x = self.flows.sum(axis=1) + self.final.sum(axis=1)
        scale = np.array([1.0 / x if abs(x) > 0 else 0.0 for x in self.x])
        self.a = self.flows * scale
        self.v = self.primary * scale
        self.b = self.inverse(self.a)
        self.by = self.b @ self.final
        domestic = np.zeros_like(self.a)
        for rows in self.blocks:
            domestic[np.ix_(rows, rows)] = self.a[np.ix_(rows, rows)]
        self.local = self.inverse(domestic)
        self.foreign = self.a - domestic

    def inverse(self, a: Array) -> Array:
        return np.asarray(np.linalg.inv(np.eye(self.n) - a))

    def without(self, rows: Rows, columns: Rows) -> Array:
        """A with the deliveries of some rows to some columns left out."""
        a = self.a.copy()
        a[np.ix_(rows, columns)] = 0.0
        return a

    def outside(self, *blocks: int) -> Rows:
        return np.concatenate([self.blocks[t] for t in range(self.g) if t not in blocks] or [np.arange(0)])

    @cached_property
    def zeroed(self) -> list[Array]:
        """B without the foreign intermediate deliveries of s, for each s."""
        return [self.inverse(self.without(self.blocks[s], self.outside(s))) for s in range(self.g)]

    def pairs(self) -> Iterator[tuple[int, int]]:
        return ((s, r) for s in range(self.g) for r in range(self.g) if s != r)

    def others(self, *blocks: int) -> list[int]:
        return [t for t in range(self.g) if t not in blocks]

    def block(self, matrix: Array, s: int, r: int) -> Array:
        return np.asarray(matrix[np.ix_(self.blocks[s], self.blocks[r])])

    def aa(self, s: int, r: int) -> Array:
        return self.block(self.a, s, r)

    def bb(self, s: int, r: int) -> Array:
        return self.block(self.b, s, r)

    def ll(self, s: int) -> Array:
        return self.block(self.local, s, s)

    def vv(self, s: int) -> Array:
        return np.asarray(self.v[self.blocks[s]])

    def yy(self, s: int, r: int) -> Array:
        return np.asarray(self.final[self.blocks[s], r])

    def export(self, s: int, r: int) -> Array:
        return np.asarray(self.yy(s, r) + self.aa(s, r) @ self.x[self.blocks[r]])

    def exports(self, s: int) -> Array:
        return sum((self.export(s, r) for r in self.others(s)), np.zeros(len(self.blocks[s])))

    def content(self, origins: Sequence[int], s: int, inverse: Array) -> Array:
        """Value added of some blocks per unit of each row of s."""
        return sum((self.vv(t) @ self.block(inverse, t, s) for t in origins), np.zeros(len(self.blocks[s])))

    def empty(self, *names: str) -> Terms:
        return {name: np.zeros((self.n, self.g)) for name in names}


def economy(
    table: IcioTable, groups: Mapping[str, Sequence[str]] | None = None, satellite: Array | None = None
) -> Economy:
    """Return the economy of a table, rows in the order of blocks: countries or groups, by first member."""
    label = {c: c for c in table.countries}
    for name, members in (groups or {}).items():
        label.update(dict.fromkeys(members, name))
    names = list(dict.fromkeys(label.values()))
    of_row = np.array([names.index(label[c]) for c in table.area_countries for _ in table.sectors])
    order = np.argsort(of_row, kind="stable")
    final = np.zeros((table.n, len(names)))
    for column, country in enumerate(table.countries):
        final[:, names.index(label[country])] += table.final_demand_by_absorber[:, column]
    primary = table.value_added if satellite is None else satellite
    blocks = [np.flatnonzero(of_row[order] == g) for g in range(len(names))]
    sector = np.tile(np.arange(len(table.sectors)), len(table.areas))[order]
    cells = [rows[sector[rows] == i] for rows in blocks for i in range(len(table.sectors))]
    return Economy(table.intermediate[np.ix_(order, order)], final[order], primary[order], blocks, cells)


def gross_exports(e: Economy) -> Array:
    out = np.zeros((e.n, e.g))
    for s, r in e.pairs():
        out[e.blocks[s], r] = e.export(s, r)
    return out


def bm_source(e: Economy) -> Terms:
    """Borin-Mancini, exporter perspective, source-based: eq. 19, with DAVAX."""
    out = e.empty("gexp", *TWELVE, "dc", "fc", "dva", "fva", "davax")
    for s, r in e.pairs():
        rows, modified = e.blocks[s], e.zeroed[s]
        dva, fva = e.content([s], s, modified), e.content(e.others(s), s, modified)
        dc, fc = e.content([s], s, e.b), e.content(e.others(s), s, e.b)
        k = e.aa(s, r) @ e.ll(r)
        onward = sum(e.aa(r, j) @ e.by[e.blocks[j]] for j in e.others(r))
        final = e.final[e.blocks[r]]
        abroad = e.others(s)
        flow = e.export(s, r)
        values = {
            "gexp": flow,
            "vax1": dva * e.yy(s, r),
            "vax2": dva * (k @ final[:, r]),
            "vax3": dva * (k @ final[:, e.others(r, s)].sum(axis=1)),
            "vax4": dva * (k @ onward[:, abroad].sum(axis=1)),
            "ref1": dva * (k @ final[:, s]),
            "ref2": dva * (k @ onward[:, s]),
            "ddc": (dc - dva) * flow,
            "fva1": fva * e.yy(s, r),
            "fva2": fva * (k @ final[:, r]),
            "fva3": fva * (k @ final[:, e.others(r)].sum(axis=1)),
            "fva4": fva * (k @ onward.sum(axis=1)),
            "fdc": (fc - fva) * flow,
            "dc": dc * flow,
            "fc": fc * flow,
            "dva": dva * flow,
            "fva": fva * flow,
            "davax": dva * (e.yy(s, r) + k @ final[:, r]),
        }
        for name, value in values.items():
            out[name][rows, r] = value
    return out


def bm_sink(e: Economy) -> Terms:
    """Borin-Mancini, exporter perspective, sink-based: eqs 20 and 28-39, with VAXIM."""
    out = e.empty("gexp", *TWELVE, "vaxim")
    for s, r in e.pairs():
        rows, modified = e.blocks[s], e.zeroed[s]
        kept = e.final.copy()
        for absorber in e.others(s):
            kept[rows, absorber] = 0.0
        w = modified @ kept
        dc, fc = e.content([s], s, e.b), e.content(e.others(s), s, e.b)
        k = e.aa(s, r) @ e.ll(r)
        final = e.final[e.blocks[r]]
        onward = sum(e.aa(r, j) @ w[e.blocks[j]] for j in e.others(r))
        again = k @ sum(e.aa(r, j) @ e.block(modified, j, s) @ e.exports(s) for j in e.others(r))
        values = {
            "gexp": e.export(s, r),
            "vax1": dc * e.yy(s, r),
            "vax2": dc * (k @ final[:, r]),
            "vax3": dc * (k @ final[:, e.others(r, s)].sum(axis=1)),
            "vax4": dc * (k @ onward[:, e.others(s)].sum(axis=1)),
            "ref1": dc * (k @ final[:, s]),
            "ref2": dc * (k @ onward[:, s]),
            "ddc": dc * again,
            "fva1": fc * e.yy(s, r),
            "fva2": fc * (k @ final[:, r]),
            "fva3": fc * (k @ final[:, e.others(r)].sum(axis=1)),
            "fva4": fc * (k @ onward.sum(axis=1)),
            "fdc": fc * again,
            "vaxim": dc * (e.yy(s, r) + k @ final[:, r] + k @ onward[:, r]),
        }
        for name, value in values.items():
            out[name][rows, r] = value
    return out


def world(e: Economy) -> dict[str, Array]:
    """Foreign value added of each exporter, world perspective: (G,) by source (eq. 52) and by sink (eq. 54)."""
    source, sink = np.zeros(e.g), np.zeros(e.g)
    once = e.local @ e.foreign @ e.local
    for s in range(e.g):
        source[s] = e.content(e.others(s), s, once) @ e.exports(s)
        for r in e.others(s):
            k = e.aa(s, r) @ e.ll(r)
            absorbed = e.yy(s, r) + k @ e.yy(r, r)
            leaving = sum(e.yy(r, j) + e.aa(r, j) @ e.ll(j) @ e.yy(j, j) for j in e.others(r))
            sink[s] += e.content(e.others(s), s, e.b) @ absorbed + e.content([r], s, e.b) @ (k @ leaving)
    return {"source": source, "sink": sink}


def perimeter(e: Economy, rows: Rows, partners: Sequence[int]) -> Terms:
    """Self perspective of the exports of some rows of one block to some partners together: (len(rows),) each.

    The coefficients come from the inverse without these deliveries; the value added that is absorbed abroad or comes
    home is the content of what the partners' purchases end in.
    """
    s = next(t for t in range(e.g) if rows[0] in e.blocks[t])
    columns = np.concatenate([e.blocks[r] for r in partners])
    modified = e.inverse(e.without(rows, columns))
    home, away = e.blocks[s], e.outside(s)
    dva, fva = e.v[home] @ modified[np.ix_(home, rows)], e.v[away] @ modified[np.ix_(away, rows)]
    dc, fc = e.v[home] @ e.b[np.ix_(home, rows)], e.v[away] @ e.b[np.ix_(away, rows)]
    a = e.a[np.ix_(rows, columns)]
    flow = e.final[np.ix_(rows, np.array(partners))].sum(axis=1) + a @ e.x[columns]
    back = a @ e.by[columns, s]
    return {
        "gexp": flow, "dc": dc * flow, "dva": dva * flow, "vax": dva * (flow - back), "ref": dva * back,
        "ddc": (dc - dva) * flow, "fc": fc * flow, "fva": fva * flow, "fdc": (fc - fva) * flow,
    }  # fmt: skip


SELF = ("gexp", "dc", "dva", "vax", "ref", "ddc", "fc", "fva", "fdc")


def sectors_of(e: Economy) -> Iterator[tuple[int, Rows]]:
    """Blocks, and the rows that one sector of theirs consists of: every row by itself if nothing else is known."""
    for s in range(e.g):
        for rows in e.cells if e.cells is not None else [np.array([row]) for row in range(e.n)]:
            if len(rows) and rows[0] in e.blocks[s]:
                yield s, rows


def sectexp(e: Economy) -> Terms:
    """Every sector's exports, of all its rows together, as a perimeter of their own: (n,)."""
    out = {name: np.zeros(e.n) for name in SELF}
    for s, rows in sectors_of(e):
        for name, value in perimeter(e, rows, e.others(s)).items():
            out[name][rows] = value
    return out


def bilateral(e: Economy) -> Terms:
    """The exports of a block to a partner as a perimeter of their own: (n, G)."""
    out = e.empty(*SELF)
    for s, r in e.pairs():
        for name, value in perimeter(e, e.blocks[s], [r]).items():
            out[name][e.blocks[s], r] = value
    return out


def sectbil(e: Economy) -> Terms:
    """Every flow of a sector, of all its rows together, to a partner as a perimeter of its own: (n, G)."""
    out = e.empty(*SELF)
    for s, rows in sectors_of(e):
        for r in e.others(s):
            for name, value in perimeter(e, rows, [r]).items():
                out[name][rows, r] = value
    return out


def _imports(e: Economy, r: int, bought: Rows) -> tuple[Array, float]:
    """Value added by origin block, and double counting, of what r buys from some foreign rows."""
    modified = e.inverse(e.without(bought, e.blocks[r]))
    demand = np.zeros(e.n)
    demand[bought] = e.final[bought, r] + e.a[np.ix_(bought, e.blocks[r])] @ e.x[e.blocks[r]]
    value, content = e.v * (modified @ demand), e.v * (e.b @ demand)
    return np.array([value[rows].sum() for rows in e.blocks]), float((content - value).sum())


def importer(e: Economy) -> Terms:
    """Importer perspective, all imports together: ``va`` (G origins, G importers), ``gimp`` and ``dc`` (G,)."""
    out = {"va": np.zeros((e.g, e.g)), "dc": np.zeros(e.g), "gimp": np.zeros(e.g)}
    for r in range(e.g):
        out["va"][:, r], out["dc"][r] = _imports(e, r, e.outside(r))
        out["gimp"][r] = sum(e.export(s, r).sum() for s in e.others(r))
    return out


def importer_by_product(e: Economy, sectors: int) -> Terms:
    """All imports as the perimeter, by product: ``va`` (G importers, N, G origins), ``dc`` and ``gimp`` (G, N)."""
    out = {"va": np.zeros((e.g, sectors, e.g)), "dc": np.zeros((e.g, sectors)), "gimp": np.zeros((e.g, sectors))}
    flows = gross_exports(e)
    for r in range(e.g):
        modified = e.inverse(e.without(e.outside(r), e.blocks[r]))
        for i in range(sectors):
            demand = np.array([flows[row, r] if row % sectors == i else 0.0 for row in range(e.n)])
            value, content = e.v * (modified @ demand), e.v * (e.b @ demand)
            out["va"][r, i] = [value[rows].sum() for rows in e.blocks]
            out["dc"][r, i] = (content - value).sum()
            out["gimp"][r, i] = demand.sum()
    return out


def sectimp(e: Economy, sectors: int) -> Terms:
    """Importer perspective, imports of one product: ``va`` (G origins, N, G), ``gimp`` and ``dc`` (N, G)."""
    out = {"va": np.zeros((e.g, sectors, e.g)), "dc": np.zeros((sectors, e.g)), "gimp": np.zeros((sectors, e.g))}
    for r in range(e.g):
        for i in range(sectors):
            bought = np.array([row for row in e.outside(r) if row % sectors == i])
            out["va"][:, i, r], out["dc"][i, r] = _imports(e, r, bought)
            rows = [row for row in e.outside(r) if row % sectors == i]
            out["gimp"][i, r] = sum(gross_exports(e)[rows, r])
    return out


def kww(e: Economy) -> Terms:
    """Koopman-Wang-Wei, nine terms: (G,) each."""
    out = {name: np.zeros(e.g) for name in NINE}
    for s in range(e.g):
        fc = e.content(e.others(s), s, e.b)
        for r in e.others(s):
            via = e.vv(s) @ e.bb(s, r)
            out["dva_fin"][s] += e.vv(s) @ e.bb(s, s) @ e.yy(s, r)
            out["dva_int"][s] += via @ e.yy(r, r)
            out["dva_intrex"][s] += sum(via @ e.yy(r, t) for t in e.others(s, r))
            out["rdv_fin"][s] += via @ e.yy(r, s)
            out["rdv_int"][s] += via @ e.aa(r, s) @ e.ll(s) @ e.yy(s, s)
            out["ddc"][s] += via @ e.aa(r, s) @ e.ll(s) @ e.exports(s)
            out["fva_fin"][s] += fc @ e.yy(s, r)
            out["fva_int"][s] += fc @ e.aa(s, r) @ e.ll(r) @ e.yy(r, r)
            out["fdc"][s] += fc @ e.aa(s, r) @ e.ll(r) @ e.exports(r)
    return out


def wwz(e: Economy) -> Terms:
    """Wang-Wei-Zhu, sixteen terms: (n, G) each; DVA_INTrex also by third country, (n, G, G)."""
    out = e.empty(*SIXTEEN)
    for name in ("dva_intrexi1", "dva_intrexf", "dva_intrexi2"):
        out[f"{name}_by_third"] = np.zeros((e.n, e.g, e.g))
    for s, r in e.pairs():
        rows, a = e.blocks[s], e.aa(s, r)
        vl, vb = e.vv(s) @ e.ll(s), e.vv(s) @ e.bb(s, s)
        importers, rest = e.content([r], s, e.b), e.content(e.others(s, r), s, e.b)
        direct = a @ e.ll(r) @ e.yy(r, r)
        onward = a @ e.ll(r) @ e.exports(r)
        out["dva_fin"][rows, r] = vb * e.yy(s, r)
        out["dva_int"][rows, r] = vl * (a @ e.bb(r, r) @ e.yy(r, r))
        for t in e.others(s, r):
            first = vl * (a @ e.bb(r, t) @ e.yy(t, t))
            final = vl * (a @ e.bb(r, r) @ e.yy(r, t))
            out["dva_intrexi1"][rows, r] += first
            out["dva_intrexf"][rows, r] += final
            out["dva_intrexi1_by_third"][rows, r, t] += first
            out["dva_intrexf_by_third"][rows, r, t] += final
            out["rdv_fin2"][rows, r] += vl * (a @ e.bb(r, t) @ e.yy(t, s))
            for u in e.others(s, t):
                second = vl * (a @ e.bb(r, t) @ e.yy(t, u))
                out["dva_intrexi2"][rows, r] += second
                out["dva_intrexi2_by_third"][rows, r, t] += second
        out["rdv_fin"][rows, r] = vl * (a @ e.bb(r, r) @ e.yy(r, s))
        out["rdv_int"][rows, r] = vl * (a @ e.bb(r, s) @ e.yy(s, s))
        out["ddc_fin"][rows, r] = vl * (a @ e.bb(r, s) @ sum(e.yy(s, t) for t in e.others(s)))
        out["ddc_int"][rows, r] = (vb - vl) * (a @ e.x[e.blocks[r]])
        for prefix, coefficient in (("m", importers), ("o", rest)):
            out[f"{prefix}va_fin"][rows, r] = coefficient * e.yy(s, r)
            out[f"{prefix}va_int"][rows, r] = coefficient * direct
            out[f"{prefix}dc"][rows, r] = coefficient * onward
    return out


def miroudot_ye(e: Economy) -> Terms:
    """Miroudot-Ye with the exports of each block as perimeter: (n, G)."""
    out = e.empty("dva", "ddc", "fva", "fdc")
    for s, r in e.pairs():
        inside = e.a - e.without(e.blocks[s], e.outside(s))
        again = e.zeroed[s] @ inside @ e.b
        flow, rows = e.export(s, r), e.blocks[s]
        out["dva"][rows, r] = e.content([s], s, e.zeroed[s]) * flow
        out["ddc"][rows, r] = e.content([s], s, again) * flow
        out["fva"][rows, r] = e.content(e.others(s), s, e.zeroed[s]) * flow
        out["fdc"][rows, r] = e.content(e.others(s), s, again) * flow
    return out


def miroudot_ye_own(e: Economy, rows: Rows, partners: Sequence[int]) -> Terms:
    """Miroudot-Ye with the deliveries of some rows of one block to some partners as perimeter: (len(rows),) each."""
    s = next(t for t in range(e.g) if rows[0] in e.blocks[t])
    columns = np.concatenate([e.blocks[r] for r in partners])
    outside = e.without(rows, columns)
    once = e.inverse(outside)
    again = once @ (e.a - outside) @ e.b
    flow = e.final[np.ix_(rows, np.array(partners))].sum(axis=1) + e.a[np.ix_(rows, columns)] @ e.x[columns]
    home, away = e.blocks[s], e.outside(s)
    return {
        "gexp": flow,
        "dva": e.v[home] @ once[np.ix_(home, rows)] * flow,
        "ddc": e.v[home] @ again[np.ix_(home, rows)] * flow,
        "fva": e.v[away] @ once[np.ix_(away, rows)] * flow,
        "fdc": e.v[away] @ again[np.ix_(away, rows)] * flow,
    }


def extraction(e: Economy, rows: Rows, partners: Sequence[int]) -> Array:
    """Value added lost in every block when some rows stop delivering to some partners: (G,)."""
    columns = np.concatenate([e.blocks[r] for r in partners])
    final = e.final.copy()
    final[np.ix_(rows, np.array(partners))] = 0.0
    lost = e.v * (e.x - e.inverse(e.without(rows, columns)) @ final.sum(axis=1))
    return np.array([lost[block].sum() for block in e.blocks])


def vertical_specialisation(e: Economy) -> Terms:
    """Hummels-Ishii-Yi by row and partner, (n, G): VS of a flow; VS1 of a row in the partner's exports, and home."""
    out = e.empty("vs", "vs_foreign", "vs1", "vs1_star", "vs1_star_final")
    for s, r in e.pairs():
        rows = e.blocks[s]
        imported = sum(e.content(range(e.g), t, e.b) @ e.aa(t, s) for t in e.others(s))
        out["vs"][rows, r] = (imported @ e.ll(s)) * e.export(s, r)
        out["vs_foreign"][rows, r] = e.content(e.others(s), s, e.b) * e.export(s, r)
        out["vs1"][rows, r] = e.vv(s) * (e.bb(s, r) @ e.exports(r))
        out["vs1_star"][rows, r] = e.vv(s) * (e.bb(s, r) @ e.export(r, s))
        out["vs1_star_final"][rows, r] = e.vv(s) * (e.bb(s, r) @ e.yy(r, s))
    return out


def johnson_noguera(e: Economy) -> Array:
    """Value added of each row absorbed by each block: (n, G)."""
    return np.asarray(e.v[:, None] * e.by)


def nagengast_stehrer(e: Economy) -> dict[str, Terms]:
    """Value added in a flow by final absorber, at its first border; or by origin, at its last border: (n, G)."""
    source = e.empty("dva_importer", "dva_third", "dva_home", "recrossing")
    sink = e.empty("va_exporter", "va_importer", "va_third", "onward")
    for s, r in e.pairs():
        rows, a, vl = e.blocks[s], e.aa(s, r), e.vv(s) @ e.ll(s)
        by = e.by[e.blocks[r]]
        crossed = e.content(range(e.g), s, e.b) - vl
        source["dva_importer"][rows, r] = vl * (e.yy(s, r) + a @ by[:, r])
        source["dva_third"][rows, r] = vl * (a @ by[:, e.others(s, r)].sum(axis=1))
        source["dva_home"][rows, r] = vl * (a @ by[:, s])
        source["recrossing"][rows, r] = crossed * e.export(s, r)
        last = e.yy(s, r) + a @ e.ll(r) @ e.yy(r, r)
        sink["va_exporter"][rows, r] = e.content([s], s, e.b) * last
        sink["va_importer"][rows, r] = e.content([r], s, e.b) * last
        sink["va_third"][rows, r] = e.content(e.others(s, r), s, e.b) * last
        sink["onward"][rows, r] = e.content(range(e.g), s, e.b) * (a @ e.ll(r) @ e.exports(r))
    return {"source": source, "sink": sink}


def tripartite(e: Economy) -> Terms:
    """Borin-Mancini-Taglioni, trade-based: (n, G)."""
    out = e.empty("davax", "gvc_pf", "gvc_pb", "gvc_ts")
    for s, r in e.pairs():
        rows = e.blocks[s]
        vl = e.vv(s) @ e.ll(s)
        imported = e.content(range(e.g), s, e.b) - vl
        absorbed = e.yy(s, r) + e.aa(s, r) @ e.ll(r) @ e.yy(r, r)
        onward = e.aa(s, r) @ e.ll(r) @ e.exports(r)
        out["davax"][rows, r], out["gvc_pf"][rows, r] = vl * absorbed, vl * onward
        out["gvc_pb"][rows, r], out["gvc_ts"][rows, r] = imported * absorbed, imported * onward
    return out


def output_based(e: Economy) -> Terms:
    """Borin-Mancini-Taglioni, output-based: (n,)."""
    home = np.concatenate([e.yy(s, s) for s in range(e.g)])
    absorbed, onward, vl, one = np.zeros(e.n), np.zeros(e.n), np.zeros(e.n), np.zeros(e.n)
    for s in range(e.g):
        rows = e.blocks[s]
        vl[rows] = e.vv(s) @ e.ll(s)
        one[rows] = sum(e.vv(j) @ e.ll(j) @ e.aa(j, s) @ e.ll(s) for j in e.others(s))
        for r in e.others(s):
            absorbed[rows] += e.yy(s, r) + e.aa(s, r) @ e.ll(r) @ e.yy(r, r)
            onward[rows] += e.aa(s, r) @ e.ll(r) @ e.exports(r)
    imported = np.array([e.v @ e.b[:, i] for i in range(e.n)]) - vl
    x_home, x_absorbed, x_onward = e.local @ home, e.local @ absorbed, e.local @ onward
    final = e.final.sum(axis=1)
    return {
        "output": e.x,
        "domestic": vl * x_home,
        "traditional": vl * x_absorbed + one * x_home,
        "gvc_pf": e.v * x_onward,
        "gvc_pb": imported * final - one * home,
        "gvc_ts_imported": imported * (e.x - final) - one * (x_home - home),
        "gvc_ts_domestic": (vl - e.v) * x_onward,
    }


def origin_cube(e: Economy, term: str) -> Array:
    """Value added by origin row × exporter row × importer × absorber, (n, n, G, G), for a term.

    ``va``: all content (with what is counted twice); ``dva`` and ``fva``: exporter perspective, source-based.
    """
    out = np.zeros((e.n, e.n, e.g, e.g))
    for s, r in e.pairs():
        rows = e.blocks[s]
        inverse = e.b if term == "va" else e.zeroed[s]
        weights = e.v[:, None] * inverse[:, rows]
        if term == "dva":
            weights[e.outside(s)] = 0.0
        if term == "fva":
            weights[rows] = 0.0
        for absorber in range(e.g):
            flow = e.aa(s, r) @ e.by[e.blocks[r], absorber] + (e.yy(s, r) if absorber == r else 0.0)
            out[:, rows, r, absorber] = weights * flow
    return out
