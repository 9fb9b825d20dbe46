"""A second oracle: value added followed along its way, counted at the first or last border that is watched.

It shares neither code nor algebra with the package, nor with :mod:`tests.brute_force`: rows stay in the order of the
table, countries are masks, and every perimeter is the same sentence. *Watched* is a set of flows, row by importer.
What has not crossed it comes from the inverse without these deliveries; a flow counts at its first crossing for the
part of its content that has not crossed before, and at its last for the part that ends without crossing again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tiva.table.icio_table import IcioTable

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Terms = dict[str, Array]


@dataclass
class Labels:
    """Country (block), sector and band of every row, and how many there are of each."""

    country: npt.NDArray[np.int64]
    sector: npt.NDArray[np.int64]
    band: npt.NDArray[np.int64]
    size: tuple[int, int, int]


class World:
    """Flows (R, R), final demand (R, G, C), value added or a satellite and other inputs (R,), labels of the rows."""

    def __init__(self, flows: Array, final: Array, primary: Array, other: Array, labels: Labels) -> None:
        self.categories, self.y, self.labels = final, final.sum(axis=2), labels
        self.rows, self.blocks = self.y.shape
        self.x = flows.sum(axis=1) + self.y.sum(axis=1)
        per_unit = np.where(self.x == 0, 0.0, 1.0 / np.where(self.x == 0, 1.0, self.x))
        self.a, self.v, self.o = flows * per_unit, primary * per_unit, other * per_unit
        self.owner = labels.country
        self.at = np.eye(self.blocks)[self.owner]
        self.same = self.owner[:, None] == self.owner[None, :]
        self.abroad: Mask = self.at == 0
        self.final_exports = np.where(self.abroad, self.y, 0.0)
        self.exports = np.where(self.abroad, flows @ self.at + self.y, 0.0)

    def without(self, watched: Mask) -> Array:
        """The inverse without the deliveries of watched flows."""
        return np.asarray(np.linalg.inv(np.eye(self.rows) - np.where(watched[:, self.owner], 0.0, self.a)))

    @cached_property
    def every(self) -> Array:
        """The whole inverse."""
        return self.without(np.zeros_like(self.abroad))

    @cached_property
    def local(self) -> Array:
        """The inverse without any trade."""
        return self.without(self.abroad)

    @cached_property
    def content(self) -> Array:
        """What a unit of each row holds of the value added of each row, (R, R)."""
        return np.asarray(self.v[:, None] * self.every)

    def ends(self, watched: Mask | None = None) -> Array:
        """Exports (R, G importers) by final absorber, (R, G, G): those that cross no watched border any more."""
        barred = np.zeros_like(self.abroad) if watched is None else watched
        reached = self.without(barred) @ np.where(barred, 0.0, self.y)
        out = np.einsum("jk,kr,kl->jrl", self.a, self.at, reached)
        out += self.final_exports[:, :, None] * np.eye(self.blocks)
        return np.where(self.abroad[:, :, None], out, 0.0)

    @cached_property
    def absorption(self) -> Array:
        """Exports by final absorber, whatever their way, (R, G, G)."""
        return self.ends()

    @cached_property
    def direct(self) -> Array:
        """Exports that cross no border any more: the importer absorbs them, (R, G)."""
        return np.asarray(self.ends(self.abroad).sum(axis=2))

    @cached_property
    def onward(self) -> Array:
        """Exports that the importer sends abroad again, (R, G)."""
        return np.asarray(self.absorption.sum(axis=2) - self.direct)

    def domestic(self, content: Array) -> Array:
        """Sum over rows of the exporter's own country of a content (R, R): (R,)."""
        return np.asarray(np.where(self.same, content, 0.0).sum(axis=0))

    def foreign(self, content: Array) -> Array:
        """Sum over rows of other countries: (R,)."""
        return np.asarray(np.where(self.same, 0.0, content).sum(axis=0))

    def owned(self, content: Array) -> Array:
        """Content (R, R) by country of origin, (R, G)."""
        return np.asarray(content.T @ self.at)

    def once(self, perimeters: Iterable[Mask]) -> tuple[Array, Array]:
        """Domestic and foreign content per unit of each watched flow that has not crossed before, (R, G) each."""
        home, away = np.zeros_like(self.exports), np.zeros_like(self.exports)
        for watched in perimeters:
            first = self.v[:, None] * self.without(watched)
            home = np.where(watched, self.domestic(first)[:, None], home)
            away = np.where(watched, self.foreign(first)[:, None], away)
        return home, away

    def where(self, country: int | None = None, sector: int | None = None, band: int | None = None) -> Mask:
        """Rows of a country, sector and band."""
        wanted = ((self.owner, country), (self.labels.sector, sector), (self.labels.band, band))
        return np.logical_and.reduce([np.ones(self.rows, bool), *(k == n for k, n in wanted if n is not None)])

    def cells(self) -> Iterator[Mask]:
        """Rows of every exporter, sector and band."""
        for country, sector, band in np.ndindex(*self.labels.size):
            found = self.where(country, sector, band)
            if found.any():
                yield found


def of_table(
    table: IcioTable, groups: Mapping[str, Sequence[str]] | None = None, satellite: Array | None = None
) -> World:
    """The world of a table, blocks by first member."""
    block, blocks = _blocks(table.countries, groups)
    country = np.repeat(block[table.area_country_index], len(table.sectors))
    sector = np.tile(np.arange(len(table.sectors)), len(table.areas))
    other = np.zeros(table.n)
    if satellite is None:
        other = other + sum(o.intermediate for o in table.other_inputs.values())
    labels = Labels(country, sector, np.zeros_like(country), (blocks, len(table.sectors), 1))
    primary = table.value_added if satellite is None else satellite
    return World(table.intermediate, _absorbed(table.final_demand, block, blocks), primary, other, labels)


def of_banded(banded: Any, groups: Mapping[str, Sequence[str]] | None = None, satellite: Array | None = None) -> World:
    """The world of a table split by firm size, all flows between its rows written out."""
    whole = banded.to_table()
    block, blocks = _blocks(banded.countries, groups)
    labels = Labels(
        block[whole.row_country], whole.row_sector, whole.row_band, (blocks, len(banded.sectors), len(banded.bands))
    )
    other = np.zeros(len(whole.output))
    for row in banded.source.other_inputs.values() if satellite is None else ():
        of_output = row.intermediate / np.where(banded.source.output == 0, 1.0, banded.source.output)
        other += of_output[banded.split.segment] * whole.output
    primary = whole.value_added if satellite is None else satellite
    return World(whole.intermediate, _absorbed(whole.final_demand, block, blocks), primary, other, labels)


def _blocks(countries: Sequence[str], groups: Mapping[str, Sequence[str]] | None) -> tuple[Any, int]:
    label = {c: c for c in countries}
    for name, members in (groups or {}).items():
        label |= dict.fromkeys(members, name)
    names = list(dict.fromkeys(label[c] for c in countries))
    return np.array([names.index(label[c]) for c in countries]), len(names)


def _absorbed(final: Array, block: Any, blocks: int) -> Array:
    out = np.zeros((final.shape[0], blocks, final.shape[2]))
    for country, target in enumerate(block):
        out[:, target] += final[:, country]
    return out


def _shared(w: World) -> tuple[Array, Array]:
    """Domestic and foreign content of a unit of each row, (R, 1)."""
    return w.domestic(w.content)[:, None], w.foreign(w.content)[:, None]


def _sums(w: World, dva: Array, fva: Array) -> Terms:
    """Terms that every decomposition into dva, ddc, fva, fdc has, from the first and the third."""
    dc, fc = (unit * w.exports for unit in _shared(w))
    return {"gexp": w.exports, "dc": dc, "dva": dva, "ddc": dc - dva, "fc": fc, "fva": fva, "fdc": fc - fva}


def _at_home(w: World, by_absorber: Array) -> Array:
    """Of flows by absorber (R, G, G) those that end with the exporter, (R, G)."""
    return np.asarray(by_absorber[np.arange(w.rows), :, w.owner])


def _finally(w: World) -> Array:
    """Exports that the importer processes and sells abroad as final goods, by absorber (R, G, G)."""
    sold = np.einsum("jk,kr,kl->jrl", w.a, w.at, w.local @ w.final_exports)
    return np.where(w.abroad[:, :, None], sold, 0.0)


def exporters(w: World) -> list[Mask]:
    """All exports of each country."""
    return [w.where(s)[:, None] & w.abroad for s in range(w.blocks)]


def _parts(w: World, home: Array, away: Array, ends: Array) -> Terms:
    """Terms by where exports end, given contents per unit and the exports (R, G, G) that count by final absorber."""
    whole, back, final = ends.sum(axis=2), _at_home(w, ends), _finally(w)
    sold, returning = final.sum(axis=2), _at_home(w, final)
    processed = w.direct - w.final_exports
    out = _sums(w, home * whole, away * whole) | {"ref": home * back, "vax": home * (whole - back)}
    out |= {"vax1": home * w.final_exports, "vax2": home * processed, "vax3": home * (sold - returning)}
    out |= {"ref1": home * returning, "ref2": home * (back - returning)}
    out["vax4"] = out["vax"] - out["vax1"] - out["vax2"] - out["vax3"]
    out |= {"fva1": away * w.final_exports, "fva2": away * processed, "fva3": away * sold}
    return out | {"fva4": away * (whole - w.direct - sold)}


def bm_source(w: World) -> Terms:
    dva, fva = w.once(exporters(w))
    out = _parts(w, dva, fva, w.absorption)
    out |= {"davax": dva * w.direct, "gvcf": dva * w.onward, "gvcb": out["fc"] + out["ddc"]}
    return out | {"gvc": out["gvcf"] + out["gvcb"]}


def bm_sink(w: World) -> Terms:
    dc, fc = _shared(w)
    last = np.zeros_like(w.absorption)
    for watched in exporters(w):
        last = np.where(watched[:, :, None], w.ends(watched), last)
    absorber = np.arange(w.blocks)
    return _parts(w, dc, fc, last) | {"vaxim": dc * last[:, absorber, absorber]}


def of_others(w: World, t: int) -> Mask:
    """Exports of all countries but t: where value added of t is foreign."""
    return ~w.where(t)[:, None] & w.abroad


def world_source(w: World) -> Terms:
    """Foreign value added at the first export where it is foreign."""
    unit = np.zeros(w.rows)
    for t in range(w.blocks):
        first = w.v[:, None] * w.without(of_others(w, t))
        unit += np.where(w.where(t), 0.0, first[w.where(t)].sum(axis=0))
    return _world(w, unit[:, None] * w.exports)


def world_sink(w: World) -> Terms:
    """Foreign value added at the last export where it is foreign."""
    fva = np.zeros_like(w.exports)
    for t in range(w.blocks):
        held = np.where(w.where(t), 0.0, w.content[w.where(t)].sum(axis=0))
        fva += held[:, None] * w.ends(of_others(w, t)).sum(axis=2)
    return _world(w, fva)


def _world(w: World, fva: Array) -> Terms:
    source = bm_source(w)
    out = _sums(w, source["dva"], fva) | {name: source[name] for name in ("vax", "ref")}
    return {name: values.sum(axis=1) for name, values in out.items()}


def headline(w: World) -> Terms:
    return bm_source(w)


def kww(w: World) -> Terms:
    """By exporter, (G,), from blocks cut out of the inverse."""
    names = "dva_fin dva_int dva_intrex rdv_fin rdv_int ddc fva_fin fva_int fdc"
    out = {name: np.zeros(w.blocks) for name in names.split()}
    fc, total = w.foreign(w.content), w.exports.sum(axis=1)
    for s, r in np.ndindex(w.blocks, w.blocks):
        if s == r:
            continue
        mine, theirs = w.at[:, s], w.at[:, r]
        through = w.content.T @ mine * theirs
        back = (through @ w.a * mine) @ w.local * mine
        to = w.a * mine[:, None] * theirs
        out["dva_fin"][s] += (w.content.T @ mine * mine) @ w.y[:, r]
        out["dva_int"][s] += through @ w.y[:, r]
        out["dva_intrex"][s] += through @ (w.y.sum(axis=1) - w.y[:, r] - w.y[:, s])
        out["rdv_fin"][s] += through @ w.y[:, s]
        out["rdv_int"][s] += back @ w.y[:, s]
        out["ddc"][s] += back @ total
        out["fva_fin"][s] += (fc * mine) @ w.y[:, r]
        out["fva_int"][s] += (fc * mine) @ to @ w.local @ (w.y[:, r] * theirs)
        out["fdc"][s] += (fc * mine) @ to @ w.local @ (total * theirs)
    corrected = w.at.T @ world_sink(w)["fva"]
    whole = {"gexp": w.at.T @ total, "fva_corrected": corrected, "fdc_corrected": w.at.T @ (fc * total) - corrected}
    return out | whole


def wwz(w: World) -> Terms:
    """Sixteen terms (R, G), and re-exported value added by third country (R, G, G)."""
    names = "dva_int dva_intrexi1 dva_intrexf dva_intrexi2 rdv_fin rdv_fin2 rdv_int ddc_fin ddc_int mva_fin mva_int mdc"
    out = {name: np.zeros_like(w.exports) for name in names.split()}
    third = {name: np.zeros((w.rows, w.blocks, w.blocks)) for name in ("dva_intrexi1", "dva_intrexf", "dva_intrexi2")}
    within, own = w.domestic(w.v[:, None] * w.local), w.domestic(w.content)
    for s, r in np.ndindex(w.blocks, w.blocks):
        if s == r:
            continue
        mine, theirs = w.at[:, s], w.at[:, r]

        def sent(reached: Array, mine: Array = mine, theirs: Array = theirs) -> Array:
            """What s sends to r, per unit domestic value added, for r's output to reach something."""
            return np.asarray(mine * within * (w.a @ (theirs * reached)))

        def made(t: int, absorber: int) -> Array:
            return np.asarray(w.every @ (w.at[:, t] * w.y[:, absorber]))

        rest = [t for t in range(w.blocks) if t not in (s, r)]
        out["dva_int"][:, r] += sent(made(r, r))
        out["rdv_fin"][:, r] += sent(made(r, s))
        out["rdv_int"][:, r] += sent(made(s, s))
        for t in rest:
            third["dva_intrexi1"][:, r, t] += sent(made(t, t))
            third["dva_intrexf"][:, r, t] += sent(made(r, t))
            out["rdv_fin2"][:, r] += sent(made(t, s))
            for u in range(w.blocks):
                if u not in (s, t):
                    third["dva_intrexi2"][:, r, t] += sent(made(t, u))
        for t in (u for u in range(w.blocks) if u != s):
            out["ddc_fin"][:, r] += sent(made(s, t))
        out["ddc_int"][:, r] += mine * (own - within) * (w.exports - w.final_exports)[:, r]
    for name, values in third.items():
        out[name], out[f"{name} by third"] = values.sum(axis=2), values
    importers = w.owned(w.content)
    others = w.content.sum(axis=0)[:, None] - own[:, None] - importers
    again = np.where(w.abroad, np.einsum("jk,kr,k->jr", w.a, w.at, w.local @ w.exports.sum(axis=1)), 0.0)
    for letter, content in (("m", importers), ("o", others)):
        out[f"{letter}va_fin"] = content * w.final_exports
        out[f"{letter}va_int"] = content * (w.direct - w.final_exports)
        out[f"{letter}dc"] = content * again
    return out | {"gexp": w.exports, "dva_fin": own[:, None] * w.final_exports}


def tripartite(w: World) -> Terms:
    never = w.domestic(w.v[:, None] * w.local)[:, None]
    before = w.content.sum(axis=0)[:, None] - never
    out = {"gexp": w.exports, "davax": never * w.direct, "gvc_pf": never * w.onward}
    out |= {"gvc_pb": before * w.direct, "gvc_ts": before * w.onward}
    return out | {"gvc": out["gvc_pf"] + out["gvc_pb"] + out["gvc_ts"]}


def first_border(w: World) -> Terms:
    never = w.domestic(w.v[:, None] * w.local)[:, None]
    absorber = np.arange(w.blocks)
    importer, back = w.absorption[:, absorber, absorber], _at_home(w, w.absorption)
    out = {"gexp": w.exports, "dva_importer": never * importer, "dva_home": never * back}
    out["dva_third"] = never * (w.absorption.sum(axis=2) - importer - back)
    return out | {"recrossing": (w.content.sum(axis=0)[:, None] - never) * w.exports}


def last_border(w: World) -> Terms:
    own, importers = w.domestic(w.content)[:, None], w.owned(w.content)
    whole = w.content.sum(axis=0)[:, None]
    out = {"gexp": w.exports, "va_exporter": own * w.direct, "va_importer": importers * w.direct}
    return out | {"va_third": (whole - own - importers) * w.direct, "onward": whole * w.onward}


def output_based(w: World) -> Terms:
    foreign = np.where(w.same, 0.0, w.a)
    never = w.v @ w.local
    one = never @ foreign @ w.local
    before = w.content.sum(axis=0) - never
    at_home, final = np.where(w.abroad, 0.0, w.y).sum(axis=1), w.y.sum(axis=1)
    x_home, x_direct, x_onward = (w.local @ y for y in (at_home, w.direct.sum(axis=1), w.onward.sum(axis=1)))
    out = {
        "domestic": never * x_home,
        "traditional": never * x_direct + one * x_home,
        "gvc_pf": w.v * x_onward,
        "gvc_pb": before * final - one * at_home,
        "gvc_ts_imported": before * (w.x - final) - one * (x_home - at_home),
        "gvc_ts_domestic": (never - w.v) * x_onward,
    }
    return out | {"output": w.x, "gvc": sum(v for k, v in out.items() if k.startswith("gvc"))}


def own_perimeters(w: World, perimeters: Iterable[Mask]) -> Terms:
    """Terms of flows in perimeters of their own; flows in none are zero."""
    chosen = list(perimeters)
    inside = np.logical_or.reduce(chosen)
    dva, fva = w.once(chosen)
    back = _at_home(w, w.absorption)
    out = _sums(w, dva * w.exports, fva * w.exports)
    out |= {"vax": dva * (w.exports - back), "ref": dva * back}
    return {name: np.where(inside, values, 0.0) for name, values in out.items()}


def of_sectors(w: World) -> list[Mask]:
    return [cell[:, None] & w.abroad for cell in w.cells()]


def of_pairs(w: World) -> list[Mask]:
    to = np.eye(w.blocks, dtype=bool)
    return [w.where(s)[:, None] & to[r] for s in range(w.blocks) for r in range(w.blocks) if s != r]


def of_flows(w: World) -> list[Mask]:
    to = np.eye(w.blocks, dtype=bool)
    return [cell[:, None] & to[r] & w.abroad for cell in w.cells() for r in range(w.blocks) if w.abroad[cell, r].all()]


def of_group(w: World, sectors: Sequence[int], importers: Sequence[int]) -> list[Mask]:
    sold = np.isin(w.labels.sector, sectors)
    partners = np.isin(np.arange(w.blocks), importers)
    every = [(w.where(s) & sold)[:, None] & partners & w.abroad for s in range(w.blocks)]
    return [watched for watched in every if watched.any()]


def extraction(w: World, perimeters: Iterable[Mask]) -> Terms:
    """Losses of value added at home and abroad, each perimeter taken out of the table, spread over its flows."""
    chosen = list(perimeters)
    inside = np.logical_or.reduce(chosen)
    home, away = (unit * w.exports for unit in w.once(chosen))
    for watched in chosen:
        less = w.without(watched) @ np.where(watched, 0.0, w.y).sum(axis=1)
        lost, own = w.v * (w.x - less), w.owner == w.owner[np.argwhere(watched)[0, 0]]
        for flows, rows in ((home, own), (away, ~own)):
            np.testing.assert_allclose(flows[watched].sum(), lost[rows].sum(), rtol=0, atol=1e-11 * np.abs(w.x).sum())
    return {"gexp": np.where(inside, w.exports, 0.0), "gdp_home": home, "gdp_abroad": away}


def of_importers(w: World) -> list[Mask]:
    return [np.where(np.arange(w.blocks) == r, w.abroad, False) for r in range(w.blocks)]


def of_products(w: World) -> list[Mask]:
    return [w.where(sector=n)[:, None] & all_ for n in range(w.labels.size[1]) for all_ in of_importers(w)]


def importer(w: World) -> Terms:
    """By row that delivers, importer and country of origin, (R, G, G)."""
    return _imports(w, of_importers(w))


def sectimp(w: World) -> Terms:
    return _imports(w, of_products(w))


def _imports(w: World, perimeters: Iterable[Mask]) -> Terms:
    value = np.zeros((w.rows, w.blocks, w.blocks))
    for watched in perimeters:
        first = w.owned(w.v[:, None] * w.without(watched))
        value = np.where(watched[:, :, None], first[:, None, :] * w.exports[:, :, None], value)
    held = w.owned(w.content)[:, None, :] * w.exports[:, :, None]
    paid = w.owned(w.o[:, None] * w.every)[:, None, :] * w.exports[:, :, None]
    return {"gimp": w.exports, "va": value, "dcimp": held - value, "taxes_margins": paid, "gimp_origin": held + paid}


def vertical_specialisation(w: World) -> Terms:
    """Rows by partner: of imported inputs, whatever is in them; of rows of origin in the partner's exports."""
    price = (w.v + w.o) @ w.every
    imported = price @ np.where(w.same, 0.0, w.a) @ w.local
    out = {"gexp": w.exports, "vs": imported[:, None] * w.exports, "vs_foreign": _shared(w)[1] * w.exports}
    total = w.exports.sum(axis=1)
    out["vs1"] = np.where(w.abroad, w.content @ (w.at * total[:, None]), 0.0)
    for name, flows in (("vs1_star", w.exports), ("vs1_star_final", w.final_exports)):
        home = np.stack([w.content @ (w.at * flows[:, [s]]) for s in range(w.blocks)], axis=2)
        out[name] = np.where(w.abroad, home[np.arange(w.rows), :, w.owner], 0.0)
    return out


def johnson_noguera(w: World) -> Terms:
    return {"gexp": w.exports, "vax": np.where(w.abroad, w.content @ w.y, 0.0)}


def by_category(w: World) -> Terms:
    return {"vby": np.einsum("ij,jlc->ilc", w.content, w.categories)}


def oecd(w: World, services: Mask, consumption: Sequence[int], capital: Sequence[int]) -> Terms:
    """Rows (R, G) of the reporter by partner, or of the partner by reporter where the name begins with ``partner``.

    Which rows are services, and which categories of final demand are consumption and capital formation, is given.
    """
    own, origins = w.domestic(w.content)[:, None], w.owned(w.content)
    never = w.domestic(w.v[:, None] * w.local)[:, None]
    industry = (w.labels.sector[:, None] == w.labels.sector) & (w.labels.band[:, None] == w.labels.band) & w.same
    direct = np.where(industry, w.v[:, None] * w.local, 0.0).sum(axis=0)[:, None]
    inner = w.exports - w.final_exports
    held = w.content @ w.y
    total = w.exports.sum(axis=1, keepdims=True)
    passed = w.absorption.sum(axis=1) - w.final_exports
    at_home = np.where(w.abroad, 0.0, w.y)
    out = {
        "EXGR": w.exports, "EXGR_FNL": w.final_exports, "EXGR_INT": inner, "EXGR_DVA": own * w.exports,
        "EXGR_FNL_DVA": own * w.final_exports, "EXGR_INT_DVA": own * inner, "EXGR_DDC": direct * w.exports,
        "EXGR_IDC": (never - direct) * w.exports, "EXGR_RIM": (own - never) * w.exports,
        "EXGR_FVA": w.foreign(w.content)[:, None] * w.exports, "EXGRY": w.final_exports + passed,
        "EXGRY_FIN": w.final_exports, "EXGRY_INT": passed,
        "REF": never * w.exports - np.where(w.abroad, held, 0.0), "FD_VA": held,
        "FFD_DVA": np.where(w.abroad, held, 0.0), "DXD_DVA": np.where(w.abroad, 0.0, held),
        "DEXFVAP": np.where(w.abroad, origins * total, 0.0), "DOM_FNL": at_home,
        "DOM_INT": (np.where(w.same, w.a, 0.0) @ w.x)[:, None] * w.at, "PROD": w.x, "VALU": w.v * w.x,
    }  # fmt: skip
    out["DOM"] = out["DOM_FNL"] + out["DOM_INT"]
    of_services = np.where(services[:, None], w.content, 0.0)
    out["EXGR_SERV_DVA"] = w.domestic(of_services)[:, None] * w.exports
    out["EXGR_SERV_FVA"] = w.foreign(of_services)[:, None] * w.exports
    for name, categories in (("CONS_VA", consumption), ("GFCF_VA", capital)):
        out[name] = w.content @ w.categories[:, :, categories].sum(axis=2)
    embodied = np.where(w.abroad, np.einsum("jk,kc->jc", w.a, _own_requirements(w)), 0.0)
    seen = {"IMGR": w.exports, "IMGR_FNL": w.final_exports, "IMGR_INT": inner, "DFD_FVA": out["FFD_DVA"],
            "FEXDVAP": out["DEXFVAP"], "IMGR_DVA": origins * w.exports, "REII": embodied}  # fmt: skip
    return out | {f"partner {name}": values for name, values in seen.items()}


def _own_requirements(w: World) -> Array:
    """Output of each country's own rows for its exports, with all feedback, (R, G)."""
    needed = np.where(w.same, w.every, 0.0) @ w.exports.sum(axis=1)
    return np.asarray(w.at * needed[:, None])
