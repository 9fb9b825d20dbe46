"""Random small tables for properties of what is written and read."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tiva.table.icio_table import IcioTable, OtherInput

LABEL = st.text(
    alphabet=st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=6
).filter(lambda text: bool(text.strip()))
"""Any printable label: commas, quotes and blanks too."""

CODE = st.from_regex(r"[A-Z]{3}", fullmatch=True)
NUMBER = st.floats(-1e12, 1e12, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-12)


@st.composite
def tables(draw: st.DrawFn, label: st.SearchStrategy[str] = LABEL, plain: bool = False) -> IcioTable:
    """Draw a table; ``plain``: residual value added and no other rows or split countries."""
    g, n, c = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    countries = draw(st.lists(CODE if plain else label, min_size=g, max_size=g, unique=True))
    sectors = draw(st.lists(label, min_size=n, max_size=n, unique=True))
    categories = draw(st.lists(label.filter(lambda x: x not in sectors), min_size=c, max_size=c, unique=True))
    split = {}
    if not plain and g > 1 and draw(st.booleans()):
        split = {countries[1]: countries[0] + "x" if countries[0] + "x" not in countries else countries[0]}
    groups = len({split.get(x, x) for x in countries})
    size = g * n

    def numbers(*shape: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        count = int(np.prod(shape))
        return np.array(draw(st.lists(NUMBER, min_size=count, max_size=count)), dtype=np.float64).reshape(shape)

    others = {}
    if not plain:
        for name in draw(st.lists(label, max_size=2, unique=True)):
            others[name] = OtherInput(numbers(size), numbers(groups, c) if draw(st.booleans()) else None)
    table = IcioTable.from_arrays(
        numbers(size, size),
        numbers(size, groups * c),
        countries=countries,
        sectors=sectors,
        final_demand_categories=categories,
        split_countries=split,
        other_inputs=others,
        year=draw(st.none() | st.integers(1900, 2100)),
        unit="thousand EUR",
        currency="EUR",
    )
    if not plain and draw(st.booleans()):
        return table.replace(value_added_kind="published")
    return table
