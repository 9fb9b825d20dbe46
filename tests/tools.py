"""What other tools compute under their names, from explicit modified inverses: the oracle of the dictionary.

Every number comes from :mod:`tests.brute_force` by the definition of the tool, never from a term of ours.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from tests import brute_force
from tests.brute_force import Array
from tests.decompositions.test_oecd import explicit_shares
from tiva.table.icio_table import IcioTable
from tiva.terms import Method

Named = dict[str, Array]

ICIO = ("GEXP", "DC", "DVA", "VAX", "DAVAX", "REF", "DDC", "FC", "FVA", "FDC", "GVC", "GVCB", "GVCF")
_GONE = {"country": (1, 2), "sector": (2,), "bilateral": (1,), "sector-bilateral": ()}


class Tools:
    """A table through the eyes of other tools; arrays in the shape of a level of ours."""

    def __init__(self, table: IcioTable) -> None:
        self.e = brute_force.economy(table)
        self.g, self.n = self.e.g, len(table.sectors)

    def named(self, tool: str, output: str, row: Method, level: str) -> Named:
        """Return name -> numbers of one output of a tool, for the flows that a row of the catalogue is about."""
        if tool in {"stata", "icio", "decompr", "gvcjl"} and output == "exports":
            terms = self.icio(row, level)
            return {name.lower(): values for name, values in terms.items()} if tool == "gvcjl" else terms
        if output == "imports":
            terms = self.imports(row, level)
            return {name.lower(): values for name, values in terms.items()} if tool == "gvcjl" else terms
        make = {
            ("stata", "origins"): self.value_added_by_absorber,
            ("kww", "paper"): self.kww, ("kww", "sums"): self.kww_sums, ("decompr", "kww"): self.kww,
            ("wwz", "paper"): self.wwz, ("wwz", "sums"): self.wwz_sums, ("decompr", "wwz"): self.wwz,
            ("exvatools", "bm_src"): self.exvatools, ("exvatools", "bm_snk"): self.exvatools,
            ("exvatools", "kww"): self.exvatools_kww, ("exvatools", "wwz"): self.exvatools_wwz,
            ("exvatools", "my"): self.exvatools_my, ("exvatools", "oecd"): self.exvatools_oecd,
            ("oecd", "levels"): self.oecd, ("oecd", "shares"): self.oecd_shares,
        }.get((tool, output))  # fmt: skip
        others = {"gvcanalyzer": self.gvcanalyzer, "gvc": self.gvc, "ksreyes": self.ksreyes}
        return (make or others[tool])(row, level)

    def at(self, flows: Array, level: str) -> Array:
        """Sum rows by importer, (n, G), or cells (G, N, G), to a level."""
        return np.asarray(flows.reshape(self.g, self.n, -1).sum(axis=_GONE[level]))

    def _all(self, flows: Named, level: str) -> Named:
        return {name: self.at(values, level) for name, values in flows.items()}

    @cached_property
    def source(self) -> Named:
        t = brute_force.bm_source(self.e)
        return _icio(t) | {"DAVAX": t["davax"], "GVC": t["gexp"] - t["davax"], "GVCB": t["fc"] + t["ddc"],
                           "GVCF": t["dva"] - t["davax"]} | {k.upper(): t[k] for k in brute_force.TWELVE}  # fmt: skip

    @cached_property
    def sink(self) -> Named:
        t, contents = brute_force.bm_sink(self.e), brute_force.bm_source(self.e)
        t["dva"] = sum(t[k] for k in ("vax1", "vax2", "vax3", "vax4", "ref1", "ref2"))
        t["fva"] = sum(t[k] for k in ("fva1", "fva2", "fva3", "fva4"))
        t |= {"dc": contents["dc"], "fc": contents["fc"]}
        return _icio(t) | {"VAXIM": t["vaxim"]} | {k.upper(): t[k] for k in brute_force.TWELVE}

    def world(self, approach: str) -> Named:
        terms = self._all({k: self.source[k] for k in ("GEXP", "DC", "DVA", "VAX", "REF", "DDC", "FC")}, "country")
        fva = brute_force.world(self.e)[approach]
        return terms | {"FVA": fva, "FDC": terms["FC"] - fva}

    def own(self, perimeter: str, level: str) -> Named:
        if perimeter == "group":
            return self._all(self.source, level)
        terms = {"sectexp": brute_force.sectexp, "bilateral": brute_force.bilateral, "sectbil": brute_force.sectbil}
        found = terms[perimeter](self.e)
        if perimeter == "sectexp":
            return {name.upper(): values.reshape(self.g, self.n) for name, values in found.items()}
        return {name.upper(): self.at(values, level) for name, values in found.items()}

    def icio(self, row: Method, level: str) -> Named:
        """Borin-Mancini terms of the flows and the border that a row is about."""
        if row.method == "kww":
            corrected = self.world("sink")
            return self._all(self.source, level) | {name: corrected[name] for name in ("FVA", "FDC")}
        if row.perimeter == "world":
            return self.world(row.approach or "source")
        if row.perspective == "self" or row.perimeter in {"sectexp", "bilateral", "sectbil", "group"}:
            return self.own(row.perimeter, level)
        return self._all(self.sink if row.approach == "sink" else self.source, level)

    def imports(self, row: Method, level: str) -> Named:
        """Importer perspective: importers (by sector); with origins first at the bilateral levels."""
        bought = {"importer": [None], "sectimp": range(self.n)}[row.perimeter]
        value, twice = np.zeros((self.g, self.n, self.g)), np.zeros((self.g, self.n, self.g))
        gross = np.zeros((self.n, self.g))
        for r in range(self.g):
            for i in bought:
                rows = np.array([k for k in self.e.outside(r) if i is None or k % self.n == i])
                modified = self.e.inverse(self.e.without(rows, self.e.blocks[r]))
                demand = np.zeros(self.e.n)
                demand[rows] = brute_force.gross_exports(self.e)[rows, r]
                made, content = self.e.v * (modified @ demand), self.e.v * (self.e.b @ demand)
                value[:, i or 0, r] = made.reshape(self.g, self.n).sum(axis=1)
                twice[:, i or 0, r] = (content - made).reshape(self.g, self.n).sum(axis=1)
                gross[i or 0, r] = demand.sum()
        by_origin, of_sector = "bilateral" in level, "sector" in level
        gone = tuple(k for k, keep in ((0, by_origin), (1, of_sector)) if not keep)
        found = {"VA": value.sum(axis=gone), "DC": twice.sum(axis=gone)}
        return found | {"GIMP": gross if of_sector else gross.sum(axis=0)}

    def value_added_by_absorber(self, row: Method, level: str) -> Named:
        by = brute_force.johnson_noguera(self.e).copy()
        for s in range(self.g):
            by[self.e.blocks[s], s] = 0.0
        return {"vby": self.at(by, level)}

    def kww(self, row: Method, level: str) -> Named:
        terms = brute_force.kww(self.e)
        names = ("DVA_FIN", "DVA_INT", "DVA_INTrex", "RDV_FIN", "RDV_INT", "DDC", "FVA_FIN", "FVA_INT", "FDC")
        found = {name: terms[name.lower()] for name in names} | {"E": self.at(self.source["GEXP"], "country")}
        found["FDC of decompr"] = found["E"] - sum(found[name] for name in names[:-1])
        for pair in (("DVA_INT", "DVA_INTrex"), ("RDV_FIN", "RDV_INT"), ("FVA_FIN", "FVA_INT")):
            found[" + ".join(pair)] = found[pair[0]] + found[pair[1]]
        return found

    def kww_sums(self, row: Method, level: str) -> Named:
        if row.method == "vs":
            terms = brute_force.vertical_specialisation(self.e)
            return self._all({"VS": terms["vs_foreign"], "VS1": terms["vs1"], "VS1*": terms["vs1_star"]}, level)
        whole = self._all(self.source, "country")
        star = self.at(brute_force.vertical_specialisation(self.e)["vs1_star"], "country")
        return {"VAX": whole["VAX"], "RDV": whole["REF"], "VS": whole["FC"], "VS1*": star}

    @cached_property
    def sixteen(self) -> Named:
        return brute_force.wwz(self.e)

    def wwz(self, row: Method, level: str) -> Named:
        names = ("DVA_FIN", "DVA_INT", "DVA_INTrexI1", "DVA_INTrexF", "DVA_INTrexI2", "RDV_INT", "RDV_FIN", "RDV_FIN2",
                 "OVA_FIN", "MVA_FIN", "OVA_INT", "MVA_INT", "DDC_FIN", "DDC_INT", "ODC", "MDC")  # fmt: skip
        found = self._all({name: self.sixteen[name.lower()] for name in names}, level)
        gross = self.at(self.source["GEXP"], level)
        final = np.zeros((self.e.n, self.g))
        for s, r in self.e.pairs():
            final[self.e.blocks[s], r] = self.e.yy(s, r)
        gap = sum(found[name] for name in names) - gross
        percent = np.divide(100 * gap, gross, out=np.full_like(gap, np.nan), where=gross != 0)
        return found | {"E": gross, "texp": gross, "texpfd": self.at(final, level), "texpdiffpercent": percent,
                        "texpint": gross - self.at(final, level), "texpdiff": gap}  # fmt: skip

    def wwz_sums(self, row: Method, level: str) -> Named:
        if row.method == "vax":
            return {"VAX_F": self.value_added_by_absorber(row, level)["vby"]}
        t = self._all(self.sixteen, level)
        sums = {
            "VAX_B": "dva_fin dva_int dva_intrexi1 dva_intrexf dva_intrexi2", "RDV_B": "rdv_fin rdv_fin2 rdv_int",
            "DDC": "ddc_fin ddc_int", "MVA": "mva_fin mva_int", "OVA": "ova_fin ova_int", "FDC": "mdc odc",
        }  # fmt: skip
        f = {name: np.asarray(sum(t[code] for code in codes.split())) for name, codes in sums.items()}
        f["DVA_B"], f["FVA"] = f["VAX_B"] + f["RDV_B"], f["MVA"] + f["OVA"]
        return f | {"PDC": f["DDC"] + f["FDC"], "VS": f["FVA"] + f["FDC"]}

    def exvatools(self, row: Method, level: str) -> Named:
        terms = self.icio(row, level)
        found = terms | {"EXGR": terms["GEXP"]}
        for whole, parts in (("VAX", 4), ("REF", 2), ("FVA", 4)):
            if whole in terms:
                found[" + ".join(f"{whole}{k}" for k in range(1, parts + 1))] = terms[whole]
        return found

    def exvatools_kww(self, row: Method, level: str) -> Named:
        t = brute_force.kww(self.e)
        codes = dict(zip(("VAX1", "VAX2", "VAX3", "REF1", "REF2", "DDC", "FVA1", "FVA2", "FDC"), brute_force.NINE,
                         strict=True))  # fmt: skip
        f = {name: t[code] for name, code in codes.items()}
        f["VAX"], f["REF"], f["FVA"] = f["VAX1"] + f["VAX2"] + f["VAX3"], f["REF1"] + f["REF2"], f["FVA1"] + f["FVA2"]
        f["DVA"], f["FC"] = f["VAX"] + f["REF"], f["FVA"] + f["FDC"]
        return f | {"DC": f["DVA"] + f["DDC"], "EXGR": self.at(self.source["GEXP"], level)}

    def exvatools_wwz(self, row: Method, level: str) -> Named:
        w, s = self.wwz(row, level), self.wwz_sums(row, level)
        same = {"DVA_FIN": "DVA_FIN", "DVA_INT": "DVA_INT", "DVA_INTrex1": "DVA_INTrexI1", "DVA_INTrex2": "DVA_INTrexF",
                "DVA_INTrex3": "DVA_INTrexI2", "RDV_FIN1": "RDV_FIN", "RDV_FIN2": "RDV_FIN2", "RDV_INT": "RDV_INT",
                "DDC_FIN": "DDC_FIN", "DDC_INT": "DDC_INT", "FVA_FIN1": "MVA_FIN", "FVA_FIN2": "OVA_FIN",
                "FVA_INT1": "MVA_INT", "FVA_INT2": "OVA_INT", "MDC": "MDC", "ODC": "ODC", "EXGR": "E",
                "MVA_FIN": "MVA_FIN", "MVA_INT": "MVA_INT"}  # fmt: skip
        f = {name: w[code] for name, code in same.items()}
        f |= {"VAX": s["VAX_B"], "REF": s["RDV_B"], "DVA": s["DVA_B"], "DDC": s["DDC"], "FVA": s["FVA"]}
        return f | {"FDC": s["FDC"], "DC": s["DVA_B"] + s["DDC"], "FC": s["FVA"] + s["FDC"]}

    def exvatools_my(self, row: Method, level: str) -> Named:
        if row.perimeter == "world":
            terms, first = self.world("source"), brute_force.world(self.e)["source"]
            return terms | {"EXGR": terms["GEXP"], "FDC1": first, "FDC2": terms["FC"] - first, "FDC": terms["FC"]}
        if row.perimeter in {"country", "group"}:
            t = brute_force.miroudot_ye(self.e) | {"gexp": brute_force.gross_exports(self.e)}
            t = self._all(t, level)
        else:
            t = self._own_miroudot_ye(row.perimeter, level)
        found = {"EXGR": t["gexp"], "DC": t["dva"] + t["ddc"], "FC": t["fva"] + t["fdc"]}
        return found | {name.upper(): t[name] for name in ("dva", "ddc", "fva", "fdc")}

    def _own_miroudot_ye(self, perimeter: str, level: str) -> Named:
        e, names = self.e, ("gexp", "dva", "ddc", "fva", "fdc")
        out = e.empty(*names)
        for s in range(self.g):
            partners = [e.others(s)] if perimeter == "sectexp" else [[r] for r in e.others(s)]
            rows = [e.blocks[s]] if perimeter == "bilateral" else [np.array([row]) for row in e.blocks[s]]
            for some in rows:
                for to in partners:
                    for name, value in brute_force.miroudot_ye_own(e, some, to).items():
                        out[name][some, to[0]] = value
        return self._all(out, level)

    @cached_property
    def cells(self) -> Named:
        """Reporter × industry × partner: the indicators of the OECD by the words of its guide."""
        e = self.e
        names = (
            "EXGR EXGR_FNL EXGR_DVA EXGR_FVA EXGR_DDC EXGR_IDC EXGR_RIM EXGR_INT_DVA IMGR IMGR_FNL IMGR_DVA REII "
            "FFD_DVA DFD_FVA DEXFVAP FEXDVAP FD_VA DXD_DVA DOM_FNL DOM_INT REF"
        )
        f = {name: np.zeros((self.g, self.n, self.g)) for name in names.split()}
        for c in range(self.g):
            dc, local = e.content([c], c, e.b), e.vv(c) @ e.ll(c)
            direct = e.vv(c) * np.diag(e.ll(c))
            f["DOM_FNL"][c, :, c], f["DOM_INT"][c, :, c] = e.yy(c, c), e.aa(c, c) @ e.x[e.blocks[c]]
            for p in range(self.g):
                made = e.vv(c) * e.by[e.blocks[c], p]
                f["FD_VA"][c, :, p] = made
                if p == c:
                    f["DXD_DVA"][c, :, p] = made
                    continue
                x = e.export(c, p)
                values = {
                    "EXGR": x, "EXGR_FNL": e.yy(c, p), "EXGR_DVA": dc * x, "EXGR_DDC": direct * x,
                    "EXGR_FVA": e.content(e.others(c), c, e.b) * x, "EXGR_IDC": (local - direct) * x,
                    "EXGR_RIM": (dc - local) * x, "EXGR_INT_DVA": dc * (x - e.yy(c, p)), "IMGR": e.export(p, c),
                    "IMGR_FNL": e.yy(p, c), "IMGR_DVA": e.content([c], p, e.b) * e.export(p, c),
                    "REII": e.aa(p, c) @ e.bb(c, c) @ e.exports(c), "FFD_DVA": made, "REF": local * x - made,
                    "DFD_FVA": e.vv(p) * e.by[e.blocks[p], c], "DEXFVAP": e.content([p], c, e.b) * e.exports(c),
                    "FEXDVAP": e.content([c], p, e.b) * e.exports(p),
                }  # fmt: skip
                for name, value in values.items():
                    f[name][c, :, p] = value
        f["EXGR_INT"], f["IMGR_INT"] = f["EXGR"] - f["EXGR_FNL"], f["IMGR"] - f["IMGR_FNL"]
        f["BALGR"], f["BALVAFD"] = f["EXGR"] - f["IMGR"], f["FFD_DVA"] - f["DFD_FVA"]
        f["DOM"], f["FEXGR_DVA"] = f["DOM_FNL"] + f["DOM_INT"], f["FEXDVAP"]
        return f

    def oecd(self, row: Method, level: str) -> Named:
        found = self._all(self.cells, level)
        found["EXGR_DDC + EXGR_IDC"] = found["EXGR_DDC"] + found["EXGR_IDC"]
        made = {"PROD": self.e.x, "VALU": self.e.v * self.e.x}
        return found | {name: self.at(values[:, None], level) for name, values in made.items()}

    def oecd_shares(self, row: Method, level: str) -> Named:
        with np.errstate(divide="ignore", invalid="ignore"):
            found = {name: 100 * values for name, values in explicit_shares(self.e, self.n, level).items()}
        found |= {f"EXGR_{new}": found[f"EXGR{old}"] for new, old in (("PSH", "PSH"), ("DVA_PSH", "_DVAPSH"))
                  if f"EXGR{old}" in found}  # fmt: skip
        return {name: np.where(np.isfinite(values), values, np.nan) for name, values in found.items()}

    def exvatools_oecd(self, row: Method, level: str) -> Named:
        f = self.oecd(row, level)
        standard = {"DC": "EXGR_DVA", "VAX": "FFD_DVA", "DDC": "EXGR_RIM", "FC": "EXGR_FVA", "GVCB": "DEXFVAP",
                    "GVCF": "FEXDVAP", "VA": "VALU"}  # fmt: skip
        f |= {name: f[code] for name, code in standard.items()}
        return f | {"DVA": f["EXGR_DDC + EXGR_IDC"], "GVC": f["GVCB"] + f["GVCF"]}

    def gvcanalyzer(self, row: Method, level: str) -> Named:
        if row.method == "output_based":
            return self.gvcanalyzer_output(level)
        if row.method == "tripartite":
            t = brute_force.tripartite(self.e) | {"gexp": brute_force.gross_exports(self.e)}
            t = self._all(t, level)
            gvc = t["gexp"] - t["davax"]
            names = {"GVC_PF": t["gvc_pf"], "GVC_TS": t["gvc_ts"], "GVC_PB": t["gvc_pb"]}
            found = {"E_sr": t["gexp"], "DAVAX_sr": t["davax"], "GVC_sr": gvc, **names, "E_s": t["gexp"], "GVC_s": gvc}
            if level == "country":
                found |= {f"share_{name[4:]}_trade": values / gvc for name, values in names.items()}
                found |= {"share_GVC_trade": gvc / t["gexp"], "forward_trade": (t["gvc_pf"] - t["gvc_pb"]) / gvc}
            return found | {f"{name}_s": values for name, values in names.items()}
        terms = self.icio(row, level)
        found = {"EX_s": terms["GEXP"], "EX_sr": terms["GEXP"]}
        for name in ("DVA", "DDC", "FVA", "FDC"):
            found |= {f"{name}{suffix}": terms[name] for suffix in ("_s", "source_sr", "sink_sr", "_star_sr")}
        return found

    def gvcanalyzer_output(self, level: str) -> Named:
        """Components of output by the words of Borin, Mancini and Taglioni as the tool has them, by country."""
        e = self.e
        out = {name: np.zeros(self.g) for name in ("GVC_PF_X", "GVC_PB_X", "GVC_TSDom", "GVC_TSImp", "DomX")}
        for s in range(self.g):
            rows = e.blocks[s]
            onward = sum(e.aa(s, r) @ e.ll(r) @ e.exports(r) for r in e.others(s))
            reexported = e.ll(s) @ onward
            imported = e.content(range(self.g), s, e.b) - e.vv(s) @ e.ll(s)
            once = sum(e.vv(j) @ e.ll(j) @ e.aa(j, s) @ e.ll(s) for j in e.others(s))
            final, home = e.final[rows].sum(axis=1), e.yy(s, s)
            out["GVC_PF_X"][s] = e.vv(s) @ reexported
            out["GVC_PB_X"][s] = imported @ final - once @ home
            out["GVC_TSDom"][s] = e.vv(s) @ e.ll(s) @ e.aa(s, s) @ reexported
            made = once @ e.aa(s, s) @ e.ll(s) @ home
            out["GVC_TSImp"][s] = imported @ e.x[rows] - made - out["GVC_PB_X"][s]
            out["DomX"][s] = e.vv(s) @ e.ll(s) @ home
        return out | {"X_total": self.at(e.x[:, None], "country"), "X_i": self.at(e.x[:, None], "sector")}

    def gvc(self, row: Method, level: str) -> Named:
        f = self.oecd(row, level)
        vs1 = self.at(brute_force.vertical_specialisation(self.e)["vs1"], level)
        return {"i2e": f["EXGR_FVA"], "e2r": vs1, "ffddva": f["FFD_DVA"], "dfddva": f["DXD_DVA"],
                "dfdfva": f["DFD_FVA"]}  # fmt: skip

    def ksreyes(self, row: Method, level: str) -> Named:
        t = self._all(self.source, level)
        f = {"exports": t["GEXP"], "davax1": t["VAX1"], "davax2": t["VAX2"], "rex1": t["VAX3"],
             "rex2 + rex3": t["VAX4"], "ref1": t["REF1"], "ref2": t["REF2"], "fva": t["FVA"], "pdc1": t["DDC"],
             "pdc2": t["FDC"]}  # fmt: skip
        f["gvc_trade_f"] = f["rex1"] + f["rex2 + rex3"] + f["ref1"] + f["ref2"]
        f["gvc_trade_b"] = f["fva"] + f["pdc1"] + f["pdc2"]
        f["gvc_trade"], f["gvc_prod"] = f["gvc_trade_f"] + f["gvc_trade_b"], f["davax2"] + f["gvc_trade_f"]
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = {name.replace("gvc_", "gvcp_"): f[name] / f["exports"] for name in list(f) if "gvc_trade" in name}
        return f | {name: np.where(np.isfinite(values), values, np.nan) for name, values in shares.items()}


def _icio(t: Named) -> Named:
    """The nine terms from twelve and their contents."""
    found = {name.upper(): t[name] for name in ("gexp", "dc", "dva", "ddc", "fc", "fva", "fdc")}
    vax = t["vax1"] + t["vax2"] + t["vax3"] + t["vax4"]
    return found | {"VAX": vax, "REF": t["ref1"] + t["ref2"]}
