"""From facts to shares of every sector: hidden bands, country-level margins, traders, donors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tiva.bands.margins import EMPTY_STATUSES, EXACT_SUM, Fact
from tiva.bands.schemes import BandScheme
from tiva.bands.shares import LogRecord, Status
from tiva.errors import MarginError, explain
from tiva.kernels.arrays import FloatArray, IntArray

TraderAllocation = Literal["producer", "trader_band", "drop"]

STATUS_CODE = {"observed": Status.OBSERVED, "derived": Status.DERIVED, "imputed": Status.IMPUTED,
               "assumed": Status.ASSUMED}  # fmt: skip

FITTED = 1e-13
"""Iterative proportional fitting stops when no band total is off by more, relative to the group's total."""

MAX_SWEEPS = 20_000
"""Sweeps before fitting gives up; a feasible fit takes tens."""


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """Shares of all bands of a scheme in one total; ``level`` is the total where values are levels, else NaN."""

    share: FloatArray
    status: IntArray
    error: FloatArray
    level: float
    where: tuple[str, ...]
    source: str


def distribution(
    group: Sequence[Fact], scheme: BandScheme, log: list[LogRecord], prior: FloatArray | None = None
) -> Distribution | None:
    """Return the shares that one group of facts gives, or ``None`` if it gives none.

    One hidden band is the total less the others (``derived``). Several hidden bands share what is left in proportion
    to ``prior`` (``imputed``), or in equal parts without one (``assumed``). A band ``UNKNOWN`` is spread over the
    bands in proportion to them. A band without a row has no part in the total where the others sum to it.

    Parameters
    ----------
    group
        Facts of one country, sector, variable and partner.
    scheme
        Their band scheme, K bands.
    log
        Receives what was done.
    prior
        (K,) output or employment shares, for several hidden bands.
    """
    first = group[0]
    by_band = {f.band: f for f in group}
    known = {b: f for b, f in by_band.items() if f.status not in EMPTY_STATUSES}
    total = known["TOTAL"].value if "TOTAL" in known else (1.0 if first.unit == "share" else math.nan)
    if not any(b in known for b in (*scheme.labels, "UNKNOWN")):
        return None
    share = np.array([known[b].value if b in known else 0.0 for b in scheme.labels])
    error = np.array([known[b].se if b in known else math.nan for b in scheme.labels])
    status = np.array([STATUS_CODE[known[b].status] if b in known else Status.DERIVED for b in scheme.labels])
    hidden = [k for k, b in enumerate(scheme.labels) if b in by_band and b not in known]
    unknown = known["UNKNOWN"].value if "UNKNOWN" in known else 0.0
    note = _Note(first, log)
    if hidden:
        if math.isnan(total):
            note("confidential", "hidden bands and no total: the distribution is not used")
            return None
        rest = max(total - math.fsum(share) - unknown, 0.0)  # within the tolerance of the published sum
        how = _fill(share, status, hidden, rest, prior)
        note("confidential", f"hidden bands {', '.join(scheme.labels[k] for k in hidden)}: {how}")
    summed = math.fsum(share)
    if summed <= 0.0 or (share < 0.0).any():
        note("totals", "all bands are zero or one is negative: the distribution is not used")
        return None
    if unknown > 0.0:
        status = np.maximum(status, Status.DERIVED)
        note("totals", f"unknown size class ({unknown / (summed + unknown):.1%}) spread over the bands in proportion")
    if abs(summed - 1.0) > EXACT_SUM:
        if first.unit == "share" and not unknown:
            note("read", f"shares summed to {summed:.9g} and were scaled to one")
        share, error = share / summed, error / summed
    level = math.nan if first.unit == "share" else summed + unknown
    where = tuple(f.where for f in group)
    return Distribution(share, status.astype(np.int64), error, level, where, first.source)


def _fill(share: FloatArray, status: IntArray, hidden: list[int], rest: float, prior: FloatArray | None) -> str:
    """Give hidden bands what is left, in place; return how it was shared."""
    use = prior is not None and float(prior[hidden].sum()) > 0.0
    weight = prior[hidden] / prior[hidden].sum() if use and prior is not None else 1.0 / len(hidden)
    share[hidden] = rest * weight
    if len(hidden) == 1:
        return "recovered as total less the others"
    status[hidden] = Status.IMPUTED if use else Status.ASSUMED
    return "what is left shared " + ("like output or employment" if use else "in equal parts")


@dataclass(frozen=True, slots=True)
class _Note:
    """Writes log records about one group of facts."""

    fact: Fact
    log: list[LogRecord]

    def __call__(self, step: str, message: str) -> None:
        f = self.fact
        self.log.append(LogRecord(step, f.country, f.sector, message, variable=f.variable, source=f.where))


def fit_groups(
    prior: FloatArray,
    totals: FloatArray,
    fixed: NDArray[np.bool_],
    groups: Sequence[tuple[IntArray, FloatArray]],
    caps: FloatArray | None = None,
) -> FloatArray:
    r"""Spread band shares of groups of sectors over the sectors by iterative proportional fitting.

    Scales the shares of free sectors until :math:`\sum_{i \in g} T_i p_{ia} = q_{ga} \sum_{i \in g} T_i` for every
    group g and :math:`\sum_a p_{ia} = 1`; odds ratios between sectors stay those of the prior.

    Parameters
    ----------
    prior
        Shape (N, K), rows sum to one.
    totals
        Shape (N,), T, what the shares are shares of.
    fixed
        Shape (N,), sectors that keep their shares.
    groups
        Pairs of sector positions and (K,) shares of the group.
    caps
        Shape (N, K), largest possible shares (exports within output), or infinity. A row is then brought to sum one by
        min(cap, factor times share); where no cap binds this is plain proportional fitting.

    Returns
    -------
    FloatArray
        Shape (N, K).

    Raises
    ------
    MarginError
        Fixed sectors leave less than nothing for a band, or groups contradict each other.
    """
    p = prior.copy()
    for _ in range(MAX_SWEEPS):
        worst = 0.0
        for members, share in groups:
            free = members[~fixed[members]]
            held = members[fixed[members]]
            whole = totals[members].sum()
            target = share * whole - totals[held] @ p[held]
            if (target < -FITTED * whole).any():
                raise MarginError(explain("fixed sectors hold more than the whole", got=f"{target.min() / whole:.4g}"))
            now = totals[free] @ p[free]
            worst = max(worst, float(np.abs(now - target).max() / whole))
            factor = np.divide(np.maximum(target, 0.0), now, out=np.zeros_like(now), where=now > 0.0)
            p[free] *= factor
            if (p[free].sum(axis=1) <= 0.0).any():
                raise MarginError(explain("a group leaves a sector without any band"))
            p[free] = _to_one(p[free], None if caps is None else caps[free])
        if worst <= FITTED:
            return p
    raise MarginError(explain("groups of sectors contradict each other", got=f"band totals off by {worst:.3g}"))


def _to_one(share: FloatArray, caps: FloatArray | None) -> FloatArray:
    """Scale rows to sum one, none above its cap; rows whose caps sum to less than one are scaled freely."""
    scaled: FloatArray = share / share.sum(axis=1, keepdims=True)
    if caps is None or (scaled <= caps).all():
        return scaled
    binding = np.zeros(share.shape, dtype=bool)
    able = caps.sum(axis=1) >= 1.0
    for _ in range(share.shape[1]):
        binding |= (scaled > caps) & able[:, None]
        rest = 1.0 - np.where(binding, caps, 0.0).sum(axis=1, keepdims=True)
        weight = np.where(binding, 0.0, share)
        whole = weight.sum(axis=1, keepdims=True)
        factor = np.divide(rest, whole, out=np.zeros_like(whole), where=whole > 0.0)
        scaled = np.where(binding, caps, weight * factor)
    return scaled


def allocate_traders(
    exports: FloatArray,
    output: FloatArray,
    traded: float,
    trader: FloatArray,
    exported: float,
    produced: float,
    how: TraderAllocation,
) -> FloatArray:
    r"""Return export shares of a producing sector when traders export part of its goods.

    With ``producer`` traders buy from the bands in proportion to their domestic sales, so that
    :math:`e = (1 - \tau) e^0 + \tau h` with :math:`h = (s x - e E) / (x - E)`, hence
    :math:`e = [(1 - \tau) H e^0 + \tau x s] / (H + \tau E)`. With ``trader_band`` :math:`e = (1 - \tau) e^0 + \tau t`.

    Parameters
    ----------
    exports, output, trader
        (K,) shares: of own exports e0, of output s, of the traders' exports t.
    traded
        tau, part of goods exports that traders make.
    exported, produced
        E and x of the sector.
    how
        ``producer``, ``trader_band`` or ``drop`` (own exports only).
    """
    if how == "drop" or traded <= 0.0:
        return exports
    if how == "trader_band":
        return (1.0 - traded) * exports + traded * trader
    sold = max(produced - exported, 0.0)
    weighted = (1.0 - traded) * sold * exports + traded * produced * output
    result: FloatArray = weighted / (sold + traded * exported)
    return result


@dataclass(frozen=True, slots=True, eq=False)
class DonorFit:
    """Relative intensities log(share / output share) of donors: mean by sector and band, and spread.

    Attributes
    ----------
    mean
        Shape (N, K).
    spread
        Shape (K,), standard deviation of a new country around the mean: residual and country effect together.
    donors
        Countries that took part.
    """

    mean: FloatArray
    spread: FloatArray
    donors: tuple[str, ...]


def fit_donors(known: Mapping[str, tuple[FloatArray, FloatArray]]) -> DonorFit | None:
    """Pool the relative intensities of donor countries with sector and country effects, band by band.

    Parameters
    ----------
    known
        Country -> (output shares (N, K), shares of the margin (N, K)), NaN rows where not known.

    Returns
    -------
    DonorFit or None
        ``None`` where no donor has a usable cell. A sector that no donor has gets the mean over sectors.
    """
    names = tuple(known)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.array([np.log(margin) - np.log(output) for output, margin in known.values()])
    logs[~np.isfinite(logs)] = np.nan
    if not logs.size or np.isnan(logs).all():
        return None
    countries, n_sectors, bands = logs.shape
    mean, spread = np.zeros((n_sectors, bands)), np.zeros(bands)
    for k in range(bands):
        cells = np.argwhere(~np.isnan(logs[:, :, k]))
        if not len(cells):
            continue
        y = logs[cells[:, 0], cells[:, 1], k]
        design = np.zeros((len(y), 1 + n_sectors + countries))
        design[:, 0] = 1.0
        design[np.arange(len(y)), 1 + cells[:, 1]] = 1.0
        design[np.arange(len(y)), 1 + n_sectors + cells[:, 0]] = 1.0
        effect = np.linalg.lstsq(design, y, rcond=None)[0]  # least norm: effects centre on zero
        country = effect[1 + n_sectors :]
        present = np.unique(cells[:, 0])
        residual = y - design @ effect
        freedom = max(len(y) - np.linalg.matrix_rank(design), 1)
        between = float(country[present].var(ddof=1)) if len(present) > 1 else 0.0
        mean[:, k] = effect[0] + effect[1 : 1 + n_sectors] + country[present].mean()
        absent = ~np.isin(np.arange(n_sectors), cells[:, 1])
        mean[absent, k] = y.mean()
        spread[k] = math.sqrt(float(residual @ residual) / freedom + between)
    return DonorFit(mean, spread, names)
