"""The home network of firms by size band: domestic inverses without any matrix of band rows.

With the separable split, domestic input coefficients of country c between band rows are ``U_c C_c W_c``: U spreads a
sector's sales over its bands (``h``), C holds the aggregate coefficients, W collects a buyer's needs (``delta = d/s``).
Hence ``L_c = (I - U C W)^-1 = I + U T W`` with ``T = (I - C W U)^-1 C``, of the size of the aggregate country only.
A Sarmanov preference adds a second factor; explicit band-to-band blocks replace the formula by their own inverse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tiva.kernels.arrays import FloatArray, IntArray
from tiva.kernels.factorization import block_inverses
from tiva.kernels.segments import (
    collapse,
    collapse_columns,
    segment_of_rows,
    segment_sums,
    spread,
    spread_columns,
)

Factors = Sequence[tuple[FloatArray, FloatArray]]


class HomeNetwork:
    """Domestic coefficients and inverses of all countries between band rows.

    Parameters
    ----------
    coefficients
        One aggregate block A_cc a country, (n_c, n_c).
    offsets
        Shape (countries + 1,): first aggregate row of each country.
    start
        Shape (n + 1,): first band row of each aggregate row.
    factors
        Pairs (seller weights, buyer weights), arrays (R,): ``(h, delta)``, and ``(h phi, delta psi)`` where there is
        a preference between bands.
    strength
        Shape (countries,): theta, the strength of the second factor.
    explicit
        Country position -> coefficients between its band rows, (R_c, R_c), in place of the formula.
    names
        Labels of the countries, for messages.
    """

    def __init__(
        self,
        coefficients: Sequence[FloatArray],
        offsets: IntArray,
        start: IntArray,
        factors: Factors,
        strength: FloatArray,
        explicit: Mapping[int, FloatArray],
        names: tuple[str, ...],
    ) -> None:
        self.offsets = offsets
        self.start = start
        self.segment = segment_of_rows(start)
        self._names = names
        self._strength = strength
        self._explicit = dict(explicit)
        self._sellers, self._buyers = self._weights(factors)
        self._direct = [self._coupled(c, block) for c, block in enumerate(coefficients)]
        links = [[segment_sums(start, buyer * seller) for seller in self._sellers] for buyer in self._buyers]
        self._through = [self._closed(c, links) for c in range(len(coefficients))]
        self._inverses = self._explicit_inverses()

    def _weights(self, factors: Factors) -> tuple[list[FloatArray], list[FloatArray]]:
        covered = np.ones(len(self.segment))
        for country in self._explicit:
            covered[self.rows(country)] = 0.0
        return [seller * covered for seller, _ in factors], [buyer * covered for _, buyer in factors]

    def rows(self, country: int) -> slice:
        """Return the band rows of a country.

        Parameters
        ----------
        country
            Position of the country in the order of the rows.
        """
        return slice(int(self.start[self.offsets[country]]), int(self.start[self.offsets[country + 1]]))

    def _ranks(self, country: int) -> int:
        return 2 if len(self._sellers) > 1 and self._strength[country] != 0 else 1

    def _coupled(self, country: int, block: FloatArray) -> FloatArray:
        """Return C of a country: its aggregate coefficients, and theta times them for the second factor."""
        if self._ranks(country) == 1:
            return np.ascontiguousarray(block)
        size = len(block)
        both = np.zeros((2 * size, 2 * size))
        both[:size, :size] = block
        both[size:, size:] = self._strength[country] * block
        return both

    def _closed(self, country: int, links: list[list[FloatArray]]) -> FloatArray:
        """Return T of a country: (I - C W U)^-1 C, with W U diagonal in each pair of factors."""
        direct = self._direct[country]
        a, b = self.offsets[country], self.offsets[country + 1]
        ranks = self._ranks(country)
        through = np.vstack([np.hstack([np.diag(links[f][g][a:b]) for g in range(ranks)]) for f in range(ranks)])
        system = -(direct @ through)
        system[np.diag_indices_from(system)] += 1.0
        return block_inverses([system], (self._names[country],))[0] @ direct

    def _explicit_inverses(self) -> dict[int, FloatArray]:
        names = tuple(self._names[c] for c in self._explicit)
        systems = [np.eye(len(block)) - block for block in self._explicit.values()]
        return dict(zip(self._explicit, block_inverses(systems, names), strict=True))

    def inverse(self, right: FloatArray) -> FloatArray:
        """Return blockdiag(L_c) right, for right (R,) or (R, k).

        Parameters
        ----------
        right
            Shape (R,), or (R, k) for k right sides at once.
        """
        result = right + self._applied(self._through, right)
        for country, inverse in self._inverses.items():
            result[self.rows(country)] = inverse @ right[self.rows(country)]
        return result

    def inverse_transpose(self, left: FloatArray) -> FloatArray:
        """Return left blockdiag(L_c), for left (R,) or (k, R).

        Parameters
        ----------
        left
            Shape (R,), or (k, R) for k left sides at once.
        """
        result = left + self._applied_transpose(self._through, left)
        for country, inverse in self._inverses.items():
            result[..., self.rows(country)] = left[..., self.rows(country)] @ inverse
        return result

    def deliveries(self, right: FloatArray) -> FloatArray:
        """Return blockdiag(A_cc) right: domestic inputs needed for right (R,) or (R, k).

        Parameters
        ----------
        right
            Shape (R,), or (R, k) for k right sides at once.
        """
        result = self._applied(self._direct, right)
        for country, block in self._explicit.items():
            result[self.rows(country)] = block @ right[self.rows(country)]
        return result

    def deliveries_transpose(self, left: FloatArray) -> FloatArray:
        """Return left blockdiag(A_cc), for left (R,) or (k, R).

        Parameters
        ----------
        left
            Shape (R,), or (k, R) for k left sides at once.
        """
        result = self._applied_transpose(self._direct, left)
        for country, block in self._explicit.items():
            result[..., self.rows(country)] = left[..., self.rows(country)] @ block
        return result

    def _applied(self, cores: list[FloatArray], right: FloatArray) -> FloatArray:
        needs = [collapse(buyer, self.start, right) for buyer in self._buyers]
        sales = [np.zeros_like(need) for need in needs]
        for country, core in enumerate(cores):
            a, b = self.offsets[country], self.offsets[country + 1]
            ranks = self._ranks(country)
            moved = core @ (needs[0][a:b] if ranks == 1 else np.concatenate([need[a:b] for need in needs]))
            for f in range(ranks):
                sales[f][a:b] = moved[f * (b - a) : (f + 1) * (b - a)]
        parts = [spread(seller, self.segment, sale) for seller, sale in zip(self._sellers, sales, strict=True)]
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]

    def _applied_transpose(self, cores: list[FloatArray], left: FloatArray) -> FloatArray:
        sold = [collapse_columns(seller, self.start, left) for seller in self._sellers]
        used = [np.zeros_like(part) for part in sold]
        for country, core in enumerate(cores):
            a, b = self.offsets[country], self.offsets[country + 1]
            ranks = self._ranks(country)
            weight = sold[0][..., a:b] if ranks == 1 else np.concatenate([x[..., a:b] for x in sold], axis=-1)
            moved = weight @ core
            for f in range(ranks):
                used[f][..., a:b] = moved[..., f * (b - a) : (f + 1) * (b - a)]
        parts = [spread_columns(buyer, self.segment, use) for buyer, use in zip(self._buyers, used, strict=True)]
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]

    def propagation(self, imports: FloatArray, exports: FloatArray) -> list[FloatArray]:
        """Return, a country, P_c = M L_c E: needs of imports by sector per unit of a sector's exports.

        Parameters
        ----------
        imports, exports
            Shapes (R,): weights ``mu = m/s`` of the buyer and ``e`` of the seller.
        """
        start = self.start
        own = segment_sums(start, imports * exports)
        sellers = [segment_sums(start, imports * seller) for seller in self._sellers]
        buyers = [segment_sums(start, buyer * exports) for buyer in self._buyers]
        blocks: list[FloatArray] = []
        for country, core in enumerate(self._through):
            a, b = int(self.offsets[country]), int(self.offsets[country + 1])
            if country in self._inverses:
                blocks.append(self._collapsed(country, self._inverses[country], imports, exports))
                continue
            ranks, size = self._ranks(country), b - a
            block = np.diag(own[a:b])
            for f in range(ranks):
                for g in range(ranks):
                    part = core[f * size : (f + 1) * size, g * size : (g + 1) * size]
                    block += sellers[f][a:b, None] * part * buyers[g][a:b]
            blocks.append(block)
        return blocks

    def _collapsed(self, country: int, inverse: FloatArray, imports: FloatArray, exports: FloatArray) -> FloatArray:
        rows = self.rows(country)
        a, b = self.offsets[country], self.offsets[country + 1]
        start = self.start[a : b + 1] - self.start[a]
        return collapse_columns(exports[rows], start, collapse(imports[rows], start, inverse))

    def same_sector(self) -> FloatArray:
        """Return, shape (R, K), the entries of L_c - I between band rows of one sector.

        Entry (row, k) is the requirement from ``row`` per unit of the k-th band row of its own sector; NaN where the
        sector has fewer bands.
        """
        width = int(np.diff(self.start).max())
        partner = self.start[self.segment][:, None] + np.arange(width)
        exists = partner < self.start[self.segment + 1][:, None]
        partner = np.where(exists, partner, 0)
        result = np.zeros((len(self.segment), width))
        for country, core in enumerate(self._through):
            rows = np.arange(len(self.segment))[self.rows(country)]
            if country in self._inverses:
                first = rows[0]
                extra = self._inverses[country] - np.eye(len(rows))
                inside = np.where(exists[rows], partner[rows] - first, 0)
                result[rows] = extra[np.arange(len(rows))[:, None], inside]
                continue
            a, b = self.offsets[country], self.offsets[country + 1]
            ranks, size = self._ranks(country), int(b - a)
            local = self.segment[rows] - a
            for f in range(ranks):
                for g in range(ranks):
                    diagonal = np.diagonal(core[f * size : (f + 1) * size, g * size : (g + 1) * size])
                    factor = self._sellers[f][rows] * diagonal[local]
                    result[rows] += factor[:, None] * self._buyers[g][partner[rows]]
        result[~exists] = np.nan
        return result
