"""The bilateral sweep: one pass over the trade blocks that makes and accumulates all terms of a decomposition.

Every bilateral term of every method is, for exporting row i of country s and importer r,

    coefficient_i * sum_k weight_k * component_k(i, r),

where a component is A_sr x_r (``common``: the same x for all exporters), A_sr x_rs (``paired``: one x for each
exporter s) or a final flow. The sweep reads each trade block once, makes all its small products in registers and adds
them to the terms, so that nothing larger than the terms themselves is ever held.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from tiva.kernels.arrays import FloatArray, IntArray, as_matrix_layout, read_only
from tiva.kernels.compiling import compiled

_ROWS_PER_TASK = 64
"""Rows a thread takes at a time: small enough to balance, large enough that scheduling costs nothing."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Which component goes into which term, with which coefficient.

    Attributes
    ----------
    terms, coefficients, components
        Names, in the order of the arrays handed to the sweep.
    entries
        Rows (term, coefficient, component, weight).
    """

    terms: tuple[str, ...]
    coefficients: tuple[str, ...]
    components: tuple[str, ...]
    entries: tuple[tuple[str, str, str, float], ...]

    def arrays(self) -> tuple[IntArray, FloatArray]:
        """Return positions (entries, 3) and weights (entries,)."""
        positions = np.array(
            [
                (self.terms.index(t), self.coefficients.index(c), self.components.index(k))
                for t, c, k, _ in self.entries
            ],
            dtype=np.int64,
        ).reshape(-1, 3)
        return positions, np.array([w for *_, w in self.entries], dtype=np.float64)


def dot_python(x: Any, y: Any) -> float:
    """Return the inner product of two vectors of equal length (plain-Python twin of ``dot``).

    Parameters
    ----------
    x, y
        Shape (k,).
    """
    total = 0.0
    for j in range(x.shape[0]):
        total += x[j] * y[j]
    return total


dot = compiled(dot_python, fastmath={"reassoc", "contract"}, inline="always")


def sweep_python(
    first: int,
    last: int,
    flows: Any,
    offsets: Any,
    block_of: Any,
    common: Any,
    paired: Any,
    final: Any,
    coefficients: Any,
    band_start: Any,
    band_share: Any,
    positions: Any,
    weights: Any,
    out: Any,
) -> None:
    """Accumulate the terms of rows ``first`` to ``last``; see :func:`sweep` for the arrays (plain-Python twin).

    Parameters
    ----------
    first, last
        Rows of ``flows``; ``last`` is not among them.
    flows, offsets, final, coefficients, band_start, band_share
        As in :func:`sweep`, stacked: (n, n), (G + 1,), (components, R, G), (coefficients, R), (n + 1,), (R,).
    block_of
        Shape (n,): block of each row of ``flows``.
    common
        Shape (components, n): activities of importers over output, the same for all exporters.
    paired
        Shape (components, G, n): those for each exporter.
    positions, weights
        Shape (entries, 3) and (entries,): term, coefficient and component of each entry of the recipe.
    out
        Shape (terms, R, G): added to.
    """
    n_common = common.shape[0]
    n_products = n_common + paired.shape[0]
    blocks = offsets.shape[0] - 1
    products = np.zeros((n_products, blocks))
    for i in range(first, last):
        s = block_of[i]
        for r in range(blocks):
            if r == s:
                products[:, r] = 0.0
                continue
            # Slices, not offsets in the index: only then does the compiler know that no index wraps, and vectorises.
            deliveries = flows[i, offsets[r] : offsets[r + 1]]
            for k in range(n_common):
                products[k, r] = dot(deliveries, common[k, offsets[r] : offsets[r + 1]])
            for k in range(n_products - n_common):
                products[n_common + k, r] = dot(deliveries, paired[k, s, offsets[r] : offsets[r + 1]])
        for row in range(band_start[i], band_start[i + 1]):
            for e in range(weights.shape[0]):
                t = positions[e, 0]
                k = positions[e, 2]
                factor = weights[e] * coefficients[positions[e, 1], row]
                if k < n_products:
                    factor *= band_share[row]
                    for r in range(blocks):
                        out[t, row, r] += factor * products[k, r]
                else:
                    for r in range(blocks):
                        out[t, row, r] += factor * final[k - n_products, row, r]
            for t in range(out.shape[0]):
                out[t, row, s] = 0.0


_sweep = compiled(sweep_python, fastmath={"reassoc", "contract"})


def sweep(
    flows: FloatArray,
    scale: FloatArray,
    offsets: IntArray,
    recipe: Recipe,
    *,
    coefficients: Sequence[FloatArray],
    common: Sequence[FloatArray] = (),
    paired: Sequence[FloatArray] = (),
    final: Sequence[FloatArray] = (),
    band_start: IntArray | None = None,
    band_share: FloatArray | None = None,
) -> dict[str, FloatArray]:
    """Make all bilateral terms of a decomposition in one parallel pass over the trade blocks.

    Parameters
    ----------
    flows
        Shape (n, n), C-contiguous: intermediate flows, row sells to column. Domestic blocks are not read.
    scale
        Shape (n,): what turns column j of ``flows`` into coefficients, 1 / output, 0 where output is 0.
    offsets
        Shape (G + 1,): blocks of countries among the n rows and columns.
    recipe
        Names of terms, coefficients and components (common, then paired, then final) and how they combine.
    coefficients
        One (R,) array per coefficient.
    common
        One (n,) array per component: x_r on block r.
    paired
        One (n, G) array per component: x_rs in column s.
    final
        One (R, G) array per component: flows of row to importer.
    band_start, band_share
        Shapes (n + 1,) and (R,): which rows of the result a row of ``flows`` spreads over and with which share of
        its exports. Left out: R = n, each row itself.

    Returns
    -------
    dict
        Term -> array (R, G), zero where the importer is the exporter.
    """
    n, countries = flows.shape[0], len(offsets) - 1
    start = np.arange(n + 1, dtype=np.int64) if band_start is None else band_start
    share = read_only(np.ones(n) if band_share is None else band_share)
    rows = len(share)
    positions, weights = recipe.arrays()
    block_of = np.repeat(np.arange(countries, dtype=np.int64), np.diff(offsets))
    out = np.zeros((len(recipe.terms), rows, countries))
    arguments = (
        read_only(flows),
        offsets,
        block_of,
        _stacked([x * scale for x in common], (n,)),
        _stacked([(x * scale[:, None]).T for x in paired], (countries, n)),
        _stacked(final, (rows, countries)),
        _stacked(coefficients, (rows,)),
        start,
        share,
        positions,
        weights,
        out,
    )
    run_rows(_sweep, n, arguments)
    return dict(zip(recipe.terms, out, strict=True))


def sweep_numpy(
    flows: FloatArray,
    scale: FloatArray,
    offsets: IntArray,
    recipe: Recipe,
    *,
    coefficients: Sequence[FloatArray],
    common: Sequence[FloatArray] = (),
    paired: Sequence[FloatArray] = (),
    final: Sequence[FloatArray] = (),
) -> dict[str, FloatArray]:
    """Do what :func:`sweep` does in plain NumPy, every product held at once: the reference for tests and benchmarks.

    Parameters
    ----------
    flows, scale, offsets, recipe, coefficients, common, paired, final
        As in :func:`sweep`.
    """
    n, countries = flows.shape[0], len(offsets) - 1
    products = np.zeros((len(common) + len(paired), n, countries))
    activity = np.stack([x * scale for x in common], axis=1) if common else np.zeros((n, 0))
    for r in range(countries):
        a, b = offsets[r], offsets[r + 1]
        products[: len(common), :, r] = (flows[:, a:b] @ activity[a:b]).T
        for s in range(countries):
            rows = slice(offsets[s], offsets[s + 1])
            for k, x in enumerate(paired):
                products[len(common) + k, rows, r] = flows[rows, a:b] @ (x[a:b, s] * scale[a:b])
    block_of = np.repeat(np.arange(countries), np.diff(offsets))
    products[:, np.arange(n), block_of] = 0.0
    components = dict(zip(recipe.components, [*products, *final], strict=True))
    weights = dict(zip(recipe.coefficients, coefficients, strict=True))
    terms = {name: np.zeros((n, countries)) for name in recipe.terms}
    for name, coefficient, component, weight in recipe.entries:
        terms[name] += weight * weights[coefficient][:, None] * components[component]
    for values in terms.values():
        values[np.arange(n), block_of] = 0.0
    return terms


def _stacked(arrays: Sequence[FloatArray], shape: tuple[int, ...]) -> FloatArray:
    return as_matrix_layout(np.stack(arrays)) if arrays else np.zeros((0, *shape))


def run_rows(kernel: Any, rows: int, arguments: tuple[Any, ...]) -> None:
    """Run a compiled row-range kernel over all rows on as many threads as numba is allowed.

    Threads take ranges from a queue; the kernels release the interpreter lock. Unlike numba's own parallel loops this
    needs no threading layer, so it is safe under any other threads and in worker processes.

    Parameters
    ----------
    kernel
        Compiled; takes the first row, the one after the last, and the arguments.
    rows
        Number of rows.
    arguments
        Arrays that all rows share.
    """
    ranges = [(first, min(first + _ROWS_PER_TASK, rows)) for first in range(0, rows, _ROWS_PER_TASK)]
    threads = min(numba.get_num_threads(), len(ranges))
    if threads <= 1:
        kernel(0, rows, *arguments)
        return
    kernel(*ranges[0], *arguments)
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(kernel, first, last, *arguments) for first, last in ranges[1:]]:
            done.result()


def trade_products_python(
    first: int, last: int, flows: Any, offsets: Any, block_of: Any, common: Any, paired: Any, out: Any
) -> None:
    """Products of rows ``first`` to ``last``; see :func:`trade_products` for the arrays (plain-Python twin).

    Parameters
    ----------
    first, last
        Rows of ``flows``; ``last`` is not among them.
    flows, offsets, block_of
        As in :func:`sweep_python`.
    common
        Shape (k, n): activities of importers over output, the same for all exporters.
    paired
        Shape (m, G, n): those for each exporter.
    out
        Shape (n, G, k + m): written.
    """
    n_common = common.shape[0]
    for i in range(first, last):
        s = block_of[i]
        for r in range(offsets.shape[0] - 1):
            if r == s:
                continue
            deliveries = flows[i, offsets[r] : offsets[r + 1]]
            for k in range(n_common):
                out[i, r, k] = dot(deliveries, common[k, offsets[r] : offsets[r + 1]])
            for k in range(paired.shape[0]):
                out[i, r, n_common + k] = dot(deliveries, paired[k, s, offsets[r] : offsets[r + 1]])


_MANY_COLUMNS = 16
"""From here on a product of blocks by BLAS is faster than reading the flows once for all columns."""

_trade_products = compiled(trade_products_python, fastmath={"reassoc", "contract"})


def trade_products(
    flows: FloatArray,
    scale: FloatArray,
    offsets: IntArray,
    *,
    common: FloatArray | None = None,
    paired: Sequence[FloatArray] = (),
) -> FloatArray:
    """Return what each row delivers to each importer for given activities of the importer.

    Parameters
    ----------
    flows, scale, offsets
        As in :func:`sweep`.
    common
        Shape (n, k): activity x_r of every importer, k of them.
    paired
        Arrays (n, G): activity x_rs of importer r for exporter s, in column s.

    Returns
    -------
    array
        Shape (n, G, k + len(paired)): A_sr x_r; zero where the importer is the exporter.
    """
    n, countries = flows.shape[0], len(offsets) - 1
    columns = np.zeros((n, 0)) if common is None else common
    out = np.zeros((n, countries, columns.shape[1] + len(paired)))
    if columns.shape[1] >= _MANY_COLUMNS:
        for r, (a, b) in enumerate(zip(offsets[:-1], offsets[1:], strict=True)):
            out[:, r, : columns.shape[1]] = flows[:, a:b] @ (columns[a:b] * scale[a:b, None])
            out[a:b, r] = 0.0
        if paired:
            out[:, :, columns.shape[1] :] = trade_products(flows, scale, offsets, paired=paired)
        return out
    arguments = (
        read_only(flows),
        offsets,
        np.repeat(np.arange(countries, dtype=np.int64), np.diff(offsets)),
        as_matrix_layout((columns * scale[:, None]).T),
        _stacked([(x * scale[:, None]).T for x in paired], (countries, n)),
        out,
    )
    run_rows(_trade_products, n, arguments)
    return out
