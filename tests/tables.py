"""Random balanced tables, with the oddities of real ones on request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from tiva.table.icio_table import IcioTable


@dataclass(frozen=True)
class Oddities:
    """What real tables have and textbooks leave out.

    Attributes
    ----------
    empty
        Country-sectors (positions) without any flow: zero padding.
    netted
        Country-sectors without output whose exports nevertheless net to zero over two partners.
    negative_inventories
        Number of final-demand cells below zero.
    negative_value_added
        Number of country-sectors whose inputs exceed their output.
    heavy
        Factor on the final demand for the goods of the first country.
    """

    empty: tuple[int, ...] = ()
    netted: tuple[int, ...] = ()
    negative_inventories: int = 0
    negative_value_added: int = 0
    heavy: float = 1.0


PLAIN = Oddities()


def random_table(seed: int, countries: int = 4, sectors: int = 3, oddities: Oddities = PLAIN) -> IcioTable:
    """Return a random table that balances exactly: output from x = (I - A)^-1 y, value added as the residual."""
    rng = np.random.default_rng(seed)
    n = countries * sectors
    home = np.kron(np.eye(countries), np.ones((sectors, sectors)))
    mix = rng.random((n, n)) ** 2 * (0.3 + 3.0 * home)
    share = rng.uniform(0.3, 0.75, n)
    if oddities.negative_value_added:
        share[rng.choice(n, oddities.negative_value_added, replace=False)] = 1.08
    coefficients = mix / mix.sum(axis=0) * share
    final = rng.random((n, countries, 2)) ** 2 * (0.4 + 4.0 * np.repeat(np.eye(countries), sectors, axis=0)[:, :, None])
    final[:sectors] *= oddities.heavy
    gone = np.array([*oddities.empty, *oddities.netted], dtype=np.int64)
    coefficients[gone], coefficients[:, gone], final[gone] = 0.0, 0.0, 0.0
    present = np.setdiff1d(np.arange(n), gone)
    for row in rng.choice(present, min(oddities.negative_inventories, len(present)), replace=False):
        final[row, rng.integers(countries), 1] = -0.2 * rng.random()
    output = np.linalg.solve(np.eye(n) - coefficients, final.sum(axis=(1, 2)))
    for row in oddities.netted:
        partners = [g for g in range(countries) if g != row // sectors][:2]
        final[row, partners[0], 0], final[row, partners[1], 1] = 0.7, -0.7
    return IcioTable.from_arrays(
        coefficients * output,
        final,
        countries=[f"C{g}" for g in range(countries)],
        sectors=[f"s{i}" for i in range(sectors)],
        final_demand_categories=["consumption", "inventories"],
    )


@st.composite
def odd_tables(draw: st.DrawFn, max_countries: int = 4, max_sectors: int = 3, *, netted: bool = True) -> IcioTable:
    """Strategy: small tables with any mixture of oddities."""
    countries = draw(st.integers(3, max_countries))
    sectors = draw(st.integers(2, max_sectors))
    rows = draw(st.lists(st.integers(0, countries * sectors - 1), max_size=2, unique=True))
    cut = draw(st.integers(0, len(rows))) if netted else len(rows)
    oddities = Oddities(
        empty=tuple(rows[:cut]),
        netted=tuple(rows[cut:]),
        negative_inventories=draw(st.integers(0, 3)),
        negative_value_added=draw(st.integers(0, 1)),
        heavy=draw(st.sampled_from([1.0, 50.0])),
    )
    return random_table(draw(st.integers(0, 2**31 - 1)), countries, sectors, oddities)
