"""Margins meet a table: concordance, spreading, imputation, edge rules, reconciliation."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from tiva.bands.finish import finish
from tiva.bands.margins import ALL_SECTORS, WORLD, Fact, Margins, grouped, refuse
from tiva.bands.reconcile import SLACK
from tiva.bands.shares import MARGINS, BandShares, LogRecord, Status
from tiva.bands.spread import (
    Distribution,
    DonorFit,
    TraderAllocation,
    allocate_traders,
    distribution,
    fit_donors,
    fit_groups,
)
from tiva.bands.totals import FlowTotals
from tiva.bands.work import SOURCES_OF, CountryWork
from tiva.errors import MarginConflictWarning, MarginError, UnknownLabelError, explain, listing, suggest
from tiva.kernels.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from tiva.table.icio_table import IcioTable

Conflicts = Literal["reconcile", "raise"]

SPREAD_MESSAGE = "country or group margin spread over sectors by proportional fitting"


def prepare_margins(
    table: IcioTable,
    margins: Margins,
    *,
    year: int | None = None,
    traders: Sequence[str] = (),
    trader_allocation: TraderAllocation = "producer",
    donors: Mapping[str, Sequence[str]] | Literal["all"] | None = None,
    on_conflict: Conflicts = "reconcile",
) -> BandShares:
    """Turn published margins into possible shares of every country-sector of a table.

    In this order: facts of the nearest year; hidden bands from totals; concordance of sectors; output shares; country-
    and group-level margins spread over sectors; traders' exports to producers; donors; what is still missing follows
    output (``assumed``); edge rules; reconciliation. Every step that is not a fact is in the ``log`` of the result.
    Sectors without output or value added shares stay whole (``unsplit``), and so do countries without margins.

    Parameters
    ----------
    table
        The table.
    margins
        From :func:`tiva.read_margins`.
    year
        Year wanted; by default the table's.
    traders
        Sectors whose exports in trade-by-enterprise statistics are goods of other sectors (wholesale). Facts on exports
        must then be levels.
    trader_allocation
        ``producer``: traders buy what they export from the bands as domestic users do; ``trader_band``: the band of the
        trader; ``drop``: producers' own exports only.
    donors
        Country -> donor countries, or ``"all"``: margins that a country lacks are taken from countries with the same
        scheme, as relative intensities, with their spread kept as standard error.
    on_conflict
        ``reconcile``: move margins that contradict each other as little as possible; ``raise``: refuse them.

    Returns
    -------
    BandShares

    Raises
    ------
    MarginError
        Facts that do not fit the table, each with file and line; with ``on_conflict="raise"`` also contradictions.

    Warns
    -----
    MarginConflictWarning
        Observed or derived margins had to move.
    """
    totals = FlowTotals.of(table)
    log: list[LogRecord] = list(margins.log)
    _refuse_unknown(table, margins, totals)
    work = [
        _country(table, margins, country, totals, table.year if year is None else year, tuple(traders), log)
        for country in table.countries
        if country in set(margins.countries)
    ]
    for w in work:
        if w.traded is not None:
            _give_to_producers(w, _country_totals(table, totals, w.country), trader_allocation, log)
    _impute_from_donors(work, donors, log)
    for w in work:
        _derive_imports(w, _country_totals(table, totals, w.country), log)
        _assume_rest(w, log)
    shares, conflicts = finish(table, totals, work, log)
    shares = shares.replace(sources=tuple(s for s in margins.sources if s))
    if conflicts and on_conflict == "raise":
        refuse([c.text for c in conflicts], "margins contradict each other")
    serious = [c for c in conflicts if c.of_fact]
    if serious:
        warnings.warn(
            explain(
                f"margins contradict each other or the table in {len(serious)} country-sectors and were moved",
                got=listing(c.text for c in serious),
                do="see the records of step 'reconcile' in log_frame()",
            ),
            MarginConflictWarning,
            stacklevel=2,
        )
    return shares


def _country_totals(table: IcioTable, totals: FlowTotals, country: str) -> dict[str, FloatArray]:
    """Return totals (N,) of one country by margin, summed over its areas."""
    n_sectors = len(table.sectors)
    mine = [u for u, c in enumerate(table.area_countries) if c == country]

    def summed(values: FloatArray) -> FloatArray:
        result: FloatArray = values.reshape(-1, n_sectors)[mine].sum(axis=0)
        return result

    return {
        "output": summed(totals.output),
        "value_added": summed(totals.value_added),
        "imports": summed(totals.imports),
        "exports": summed(totals.exports),
        "domestic_intermediate": summed(totals.domestic_intermediate),
        "purchases": summed(totals.domestic_inputs),
        "other_inputs": summed(totals.other_inputs),
        "employment": summed(totals.output),
    }


def _targets(fact: Fact, table: IcioTable, margins: Margins) -> tuple[str, ...] | None:
    """Return the table sectors that a fact is about, or ``None`` where its sector is not known."""
    if fact.sector == ALL_SECTORS:
        return table.sectors
    links = [k for k in margins.links if (k.from_scheme, k.from_code) == (fact.sector_scheme, fact.sector)]
    if links:
        return tuple(dict.fromkeys(k.to_code for k in links))
    return (fact.sector,) if fact.sector in table.sectors else None


def _refuse_unknown(table: IcioTable, margins: Margins, totals: FlowTotals) -> None:
    odd = [k for k in margins.links if k.to_code not in table.sectors]
    problems = [f"{k.where}: {_unknown('sector', k.to_code, table.sectors)}" for k in odd]
    refuse(problems, "the sector map does not fit the table")
    x = totals.output.reshape(-1, len(table.sectors))
    for fact in margins.facts:
        if fact.country not in table.countries:
            problems.append(f"{fact.where}: {_unknown('country', fact.country, table.countries)}")
            continue
        targets = _targets(fact, table, margins)
        if targets is None:
            codes = [k.from_code for k in margins.links if k.from_scheme == fact.sector_scheme]
            problems.append(f"{fact.where}: {_unknown('sector', fact.sector, (*table.sectors, *codes))}")
        elif len(targets) == 1 and not math.isnan(fact.value):
            mine = [u for u, c in enumerate(table.area_countries) if c == fact.country]
            if (x[mine, table.sectors.index(targets[0])] <= 0.0).all():
                problems.append(f"{fact.where}: {fact.country}.{targets[0]} has no output in the table")
    refuse(problems, "margins do not fit the table")


def _unknown(kind: str, label: str, known: Sequence[str]) -> str:
    near = suggest(label, known)
    hint = f"did you mean {near[0]!r}?" if near else f"one of {listing(known)}"
    return f"unknown {kind} {label!r}; {hint}"


def _country(
    table: IcioTable,
    margins: Margins,
    country: str,
    flows: FlowTotals,
    year: int | None,
    traders: tuple[str, ...],
    log: list[LogRecord],
) -> CountryWork:
    for trader in traders:
        if trader not in table.sectors:
            raise UnknownLabelError("sector", trader, table.sectors)
    facts = [f for f in margins.facts if f.country == country]
    schemes = tuple(dict.fromkeys(f.scheme for f in facts))
    if len(schemes) > 1:
        lines = [next(f.where for f in facts if f.scheme == s) for s in schemes]
        raise MarginError(
            explain(
                f"margins of {country} are in several band schemes",
                got=listing(f"{s} ({w})" for s, w in zip(schemes, lines, strict=True)),
                do="keep one scheme a country",
            )
        )
    work = CountryWork(country, margins.schemes[schemes[0]], table.sectors)
    facts = _nearest_year(_world_only(facts, log), year, log)
    totals = _country_totals(table, flows, country)
    for margin, choices in SOURCES_OF.items():
        for variable, assumed in choices:
            of = [f for f in facts if f.variable == variable]
            _enter(work, margin, of, assumed, totals, table, margins, traders, log)
        _spread(work, margin, totals, log)
        if margin == "value_added":
            _value_added_for_output(work, log)
    return work


def _world_only(facts: list[Fact], log: list[LogRecord]) -> list[Fact]:
    partners = sorted({f.partner for f in facts if f.partner != WORLD})
    if partners:
        message = f"margins by partner ({listing(partners)}) are not used: export shares are the same for all partners"
        log.append(LogRecord("read", facts[0].country, "", message))
    return [f for f in facts if f.partner == WORLD]


def _nearest_year(facts: list[Fact], year: int | None, log: list[LogRecord]) -> list[Fact]:
    """Keep, for each distribution, the year nearest to the one wanted (the earlier of two as near)."""
    best: dict[tuple[object, ...], int | None] = {}
    for f in facts:
        key = (f.sector_scheme, f.sector, f.variable)
        if key not in best or _distance(f.year, year) < _distance(best[key], year):
            best[key] = f.year
    for (_, sector, variable), found in best.items():
        if year is not None and found is not None and found != year:
            message = f"facts of {found} stand for {year}"
            log.append(LogRecord("read", facts[0].country, str(sector), message, variable=str(variable)))
    return [f for f in facts if f.year == best[f.sector_scheme, f.sector, f.variable]]


def _distance(found: int | None, year: int | None) -> tuple[int, int]:
    if found is None or year is None:
        return (0 if found == year else 10_000, 0)
    return (abs(found - year), found)


def _enter(
    work: CountryWork,
    margin: str,
    facts: list[Fact],
    assumed: str | None,
    totals: Mapping[str, FloatArray],
    table: IcioTable,
    margins: Margins,
    traders: tuple[str, ...],
    log: list[LogRecord],
) -> None:
    """Enter the distributions of one variable, unless a better variable gave them."""
    worst = Status.OBSERVED if assumed is None else Status.DERIVED
    for sector, some in _by_sector(work, margin, facts, assumed, totals, table, margins, log).items():
        if work.known[margin][sector]:
            continue
        joined = some[0][1] if len(some) == 1 else _join(work, sector, margin, some, log)
        work.put(margin, sector, joined, worst=worst)
        if assumed is not None:
            log.append(LogRecord("assumed", work.country, work.sectors[sector], assumed, variable=margin))
        if margin == "employment" and not math.isnan(joined.level):
            if work.persons is None:
                work.persons = np.full(work.share["output"].shape, np.nan)
            work.persons[sector] = joined.share * joined.level
        if margin == "exports" and not math.isnan(joined.level):
            _note_traders(work, sector, joined, traders)
    for _, found in work.groups[margin] if margin == "exports" else ():
        work.direct_level += 0.0 if math.isnan(found.level) else found.level


def _by_sector(
    work: CountryWork,
    margin: str,
    facts: list[Fact],
    assumed: str | None,
    totals: Mapping[str, FloatArray],
    table: IcioTable,
    margins: Margins,
    log: list[LogRecord],
) -> dict[int, list[tuple[float, Distribution]]]:
    """Return weights and distributions of single sectors; those of groups of sectors are kept with the work."""
    parts: dict[int, list[tuple[float, Distribution]]] = {}
    for group in grouped(facts).values():
        first = group[0]
        targets = _targets(first, table, margins) or ()
        positions = np.array([work.sectors.index(t) for t in targets], dtype=np.int64)
        found = distribution(group, work.scheme, log, _output_of(work, positions, totals))
        if found is None:
            continue
        if len(positions) == 1:
            code = (first.sector_scheme, first.sector, targets[0])
            weights = [k.weight for k in margins.links if (k.from_scheme, k.from_code, k.to_code) == code]
            parts.setdefault(int(positions[0]), []).append((weights[0] if weights else 1.0, found))
        elif not work.groups[margin] or assumed is None:
            work.groups[margin].append((positions, found))
    return parts


def _output_of(work: CountryWork, members: IntArray, totals: Mapping[str, FloatArray]) -> FloatArray | None:
    """Return the output shares of a group of sectors, or ``None`` where some are not known."""
    weight = np.maximum(totals["output"][members], 0.0)
    share = work.share["output"][members]
    if np.isnan(share[weight > 0.0]).any() or weight.sum() <= 0.0:
        return None
    result: FloatArray = weight @ np.nan_to_num(share) / weight.sum()
    return result


def _note_traders(work: CountryWork, sector: int, found: Distribution, traders: tuple[str, ...]) -> None:
    if work.sectors[sector] in traders:
        level = found.level + (0.0 if work.traded is None else work.traded.level)
        work.traded = Distribution(found.share, found.status, found.error, level, found.where, found.source)
    else:
        work.direct_level += found.level


def _join(
    work: CountryWork, sector: int, margin: str, parts: list[tuple[float, Distribution]], log: list[LogRecord]
) -> Distribution:
    """Sum the distributions of several source sectors into one sector of the table."""
    levels = np.array([d.level for _, d in parts])
    by_level = not np.isnan(levels).any()
    weight = levels if by_level else np.array([w for w, _ in parts])
    if weight.sum() <= 0.0:
        raise MarginError(explain(f"source sectors of {work.country}.{work.sectors[sector]} have no weight"))
    weight = weight / weight.sum()
    how = "their levels" if by_level else "the weights of the sector map"
    message = f"{len(parts)} source sectors summed with {how}"
    log.append(LogRecord("concordance", work.country, work.sectors[sector], message, variable=margin))
    return Distribution(
        share=np.einsum("p,pk->k", weight, np.array([d.share for _, d in parts])),
        status=np.maximum(
            np.max([d.status for _, d in parts], axis=0), int(Status.OBSERVED if by_level else Status.DERIVED)
        ),
        error=np.sqrt(np.einsum("p,pk->k", weight**2, np.array([d.error for _, d in parts]) ** 2)),
        level=float(levels.sum()) if by_level else math.nan,
        where=tuple(w for _, d in parts for w in d.where),
        source=parts[0][1].source,
    )


def _value_added_for_output(work: CountryWork, log: list[LogRecord]) -> None:
    """Let shares in value added stand for output where no fact on output does."""
    lacking = ~work.known["output"] & work.known["value_added"]
    if not lacking.any():
        return
    work.share["output"][lacking] = work.share["value_added"][lacking]
    work.status["output"][lacking] = np.maximum(work.status["value_added"][lacking], int(Status.IMPUTED))
    work.known["output"] |= lacking
    message = f"no output by band, shares in value added stand for it: {work.names(lacking)}"
    log.append(LogRecord("assumed", work.country, "", message, variable="output"))


def _spread(work: CountryWork, margin: str, totals: Mapping[str, FloatArray], log: list[LogRecord]) -> None:
    """Spread margins of groups of sectors over the sectors without a fact of their own."""
    usable = _usable_groups(work, margin, totals)
    if not usable:
        return
    reached = np.unique(np.concatenate([m for m, _ in usable]))
    prior = (work.share["output"] if margin != "output" else work.share["value_added"]).copy()
    prior[np.isnan(prior).any(axis=1)] = 1.0 / len(work.scheme.bands)
    prior[work.known[margin]] = work.share[margin][work.known[margin]]
    held = _held(work, margin, prior, totals, usable)
    try:
        fitted = _fit(work, margin, prior, totals, usable, held, log)
    except MarginError as error:
        where = listing(w for _, d in usable for w in d.where)
        raise MarginError(
            explain(
                f"{margin} of {work.country}: margins of the country contradict those of its sectors ({where})",
                got=str(error).splitlines()[0],
                do="leave out the one that is trusted less",
            )
        ) from error
    for sector in reached[~held[reached]]:
        mine = [d for m, d in usable if sector in m]
        alone = len(mine) == 1 and len(next(m for m, d in usable if sector in m)) == 1
        floor = Status.OBSERVED if alone else Status.IMPUTED
        work.share[margin][sector] = fitted[sector]
        work.status[margin][sector] = np.maximum(np.max([d.status for d in mine], axis=0), int(floor))
        work.known[margin][sector] = True
        work.where[margin, int(sector)] = listing(w for d in mine for w in d.where)
    followed = held & ~work.known[margin]
    if followed.any():
        names = work.names(followed)
        message = f"where output is known its shares stand for it, the other sectors make up the total: {names}"
        work.share[margin][followed] = prior[followed]
        work.status[margin][followed] = int(Status.ASSUMED)
        work.known[margin] |= followed
        log.append(LogRecord("assumed", work.country, "", message, variable=margin))
    for members, found in usable:
        names = listing((work.sectors[i] for i in members), limit=len(work.sectors))
        message = f"{SPREAD_MESSAGE}: {names}"
        log.append(LogRecord("totals", work.country, "", message, variable=margin, source=listing(found.where)))


def _usable_groups(
    work: CountryWork, margin: str, totals: Mapping[str, FloatArray]
) -> list[tuple[IntArray, Distribution]]:
    """Return the groups with a sector that is left to fill, without the sectors that have no flow or no output."""
    weight = np.maximum(totals[margin], 0.0)
    splittable = work.known["output"] if margin not in ("output", "value_added", "employment") else None
    usable: list[tuple[IntArray, Distribution]] = []
    for members, found in work.groups[margin]:
        inside = members if splittable is None else members[splittable[members]]
        inside = inside[(weight[inside] > 0.0) | work.known[margin][inside]]
        if len(inside[~work.known[margin][inside]]):
            usable.append((inside, found))
    return usable


def _held(
    work: CountryWork,
    margin: str,
    prior: FloatArray,
    totals: Mapping[str, FloatArray],
    groups: list[tuple[IntArray, Distribution]],
) -> NDArray[np.bool_]:
    """Return the sectors that keep their prior: those with a fact, and for value added those with output by band.

    The latter only where other sectors are left to make up the total of the group.
    """
    known = work.known[margin]
    if margin != "value_added":
        return known.copy()
    held: NDArray[np.bool_] = known | work.known["output"]
    if not any((~held[m]).any() for m, _ in groups):
        return known.copy()
    try:
        fit_groups(prior, np.maximum(totals[margin], 0.0), held, [(m, d.share) for m, d in groups])
    except MarginError:
        return known.copy()
    return held


def _fit(
    work: CountryWork,
    margin: str,
    prior: FloatArray,
    totals: Mapping[str, FloatArray],
    groups: list[tuple[IntArray, Distribution]],
    held: NDArray[np.bool_],
    log: list[LogRecord],
) -> FloatArray:
    """Fit group margins; exports stay within the output of every band as far as the groups allow."""
    weight = np.maximum(totals[margin], 0.0)
    pairs = [(m, d.share) for m, d in groups]
    if margin == "exports":
        sold = work.share["output"] * totals["output"][:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            caps = np.where(weight[:, None] > 0.0, sold / weight[:, None], np.inf)
        caps[np.isnan(caps)] = np.inf
        try:
            return fit_groups(prior, weight, held, pairs, caps * (1.0 - SLACK))
        except MarginError:
            message = "export shares of the group cannot be reached within the output of the bands"
            where = listing(w for _, d in groups for w in d.where)
            log.append(LogRecord("totals", work.country, "", message, variable=margin, source=where))
    return fit_groups(prior, weight, held, pairs)


def _give_to_producers(
    work: CountryWork, totals: Mapping[str, FloatArray], allocation: TraderAllocation, log: list[LogRecord]
) -> None:
    trader = work.traded
    if trader is None or work.direct_level <= 0.0:
        return
    part = trader.level / (trader.level + work.direct_level)
    selling = [
        i for i in np.flatnonzero(work.known["exports"]) if work.where["exports", int(i)] != listing(trader.where)
    ]
    for i in selling:
        if not work.known["output"][i]:
            continue
        before = work.share["exports"][i].copy()
        work.share["exports"][i] = allocate_traders(
            before, work.share["output"][i], part, trader.share, totals["exports"][i], totals["output"][i], allocation
        )
        work.status["exports"][i] = np.maximum(work.status["exports"][i], int(Status.DERIVED))
        moved = float(np.abs(work.share["exports"][i] - before).sum() * totals["exports"][i] / totals["output"][i])
        message = f"traders export {part:.1%} of goods; given to {allocation}"
        log.append(LogRecord("trader", work.country, work.sectors[i], message, variable="exports", moved=moved))


def _impute_from_donors(
    work: list[CountryWork], donors: Mapping[str, Sequence[str]] | Literal["all"] | None, log: list[LogRecord]
) -> None:
    if donors is None:
        return
    by_name = {w.country: w for w in work}
    names = tuple(by_name)
    wanted = dict.fromkeys(names, names) if donors == "all" else dict(donors)
    original = {w.country: {m: w.known[m].copy() for m in MARGINS} for w in work}
    for country, some in wanted.items():
        for name in (country, *some):
            if name not in by_name:
                raise UnknownLabelError("country with margins", name, names)
        target = by_name[country]
        for margin in ("value_added", "imports", "exports", "domestic_intermediate"):
            given = [by_name[d] for d in some if d != country and by_name[d].scheme == target.scheme]
            fit = fit_donors(
                {
                    d.country: (
                        np.where(original[d.country]["output"][:, None], d.share["output"], np.nan),
                        np.where(original[d.country][margin][:, None], d.share[margin], np.nan),
                    )
                    for d in given
                }
            )
            if fit is not None:
                _take(target, margin, fit, log)


def _take(work: CountryWork, margin: str, fit: DonorFit, log: list[LogRecord]) -> None:
    lacking = work.known["output"] & ~work.known[margin]
    if not lacking.any():
        return
    raw = work.share["output"][lacking] * np.exp(fit.mean[lacking])
    share = raw / raw.sum(axis=1, keepdims=True)
    work.share[margin][lacking] = share
    work.status[margin][lacking] = int(Status.IMPUTED)
    work.error[margin][lacking] = share * fit.spread
    work.known[margin] |= lacking
    spread = listing(f"{b} {v:.2f}" for b, v in zip(work.scheme.labels, fit.spread, strict=True))
    message = f"relative intensities of {listing(fit.donors)}; standard deviation of logs {spread}"
    for i in np.flatnonzero(lacking):
        work.where[margin, int(i)] = f"donors {listing(fit.donors)}"
        log.append(LogRecord("donor", work.country, work.sectors[i], message, variable=margin))


def _derive_imports(work: CountryWork, totals: Mapping[str, FloatArray], log: list[LogRecord]) -> None:
    """Derive imported inputs from domestic purchases: m M = s (x - other) - alpha va - d D."""
    ready = work.known["purchases"] & work.known["output"] & work.known["value_added"] & ~work.known["imports"]
    for i in np.flatnonzero(ready & (totals["imports"] > 0.0)):
        left = (
            work.share["output"][i] * (totals["output"][i] - totals["other_inputs"][i])
            - work.share["value_added"][i] * totals["value_added"][i]
            - work.share["purchases"][i] * totals["purchases"][i]
        )
        if (left < 0.0).any():
            message = "domestic purchases, value added and output leave a negative import: purchases are not used"
        else:
            message = "imported inputs are output less value added and domestic purchases"
            work.share["imports"][i] = left / left.sum()
            work.status["imports"][i] = np.maximum(work.status["purchases"][i], int(Status.DERIVED))
            work.known["imports"][i] = True
        log.append(LogRecord("totals", work.country, work.sectors[i], message, variable="imports"))


def _assume_rest(work: CountryWork, log: list[LogRecord]) -> None:
    """Let margins without any fact follow output."""
    split = work.known["output"]
    for margin in ("value_added", "imports", "exports"):
        lacking = split & ~work.known[margin]
        if lacking.any():
            work.share[margin][lacking] = work.share["output"][lacking]
            work.status[margin][lacking] = int(Status.ASSUMED)
            message = f"no {margin} by band, shares in output stand for it: {work.names(lacking)}"
            log.append(LogRecord("assumed", work.country, "", message, variable=margin))
    whole = [work.sectors[i] for i in np.flatnonzero(~split)]
    if whole:
        message = f"not split, no shares in output or value added: {listing(whole, limit=len(whole))}"
        log.append(LogRecord("unsplit", work.country, "", message))
