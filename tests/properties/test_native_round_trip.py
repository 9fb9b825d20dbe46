"""Random tables survive the native format to the last bit, compressed or not."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tiva
from tiva.table.icio_table import IcioTable, OtherInput
from tiva.table.native import save
from tiva.table.provenance import Provenance, SourceFile

labels = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(
    lambda s: s.strip() == s
)


@st.composite
def tables(draw: st.DrawFn) -> IcioTable:
    areas = draw(st.lists(labels, min_size=1, max_size=4, unique=True))
    sectors = draw(st.lists(labels, min_size=1, max_size=3, unique=True))
    categories = draw(st.lists(labels, min_size=1, max_size=2, unique=True))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    split = {areas[-1]: areas[0], areas[-2]: areas[0]} if len(areas) > 2 and draw(st.booleans()) else {}
    countries = list(dict.fromkeys(split.get(a, a) for a in areas))
    n, g, c = len(areas) * len(sectors), len(countries), len(categories)
    scale = 10.0 ** draw(st.integers(-12, 12))
    others = {}
    if draw(st.booleans()):
        final = rng.normal(size=(g, c)) if draw(st.booleans()) else None
        others = {draw(labels.filter(lambda s: "/" not in s)): OtherInput(rng.normal(size=n), final)}
    return IcioTable.from_arrays(
        rng.random((n, n)) * scale,
        rng.normal(size=(n, g * c)) * scale,
        countries=areas,
        sectors=sectors,
        final_demand_categories=categories,
        split_countries=split,
        other_inputs=others,
        value_added=rng.normal(size=n) if draw(st.booleans()) else None,
        output=rng.random(n) * scale if draw(st.booleans()) else None,
        year=draw(st.none() | st.integers(1900, 2100)),
        unit=draw(labels),
        provenance=Provenance("s", draw(labels), (SourceFile("f", "00", 1),), notes=(draw(labels),)),
    )


@settings(deadline=None, max_examples=30)
@pytest.mark.filterwarnings("ignore::tiva.errors.BalanceWarning")
@given(table=tables(), compressed=st.booleans())
def test_round_trip(table: IcioTable, compressed: bool) -> None:
    with TemporaryDirectory() as folder:
        path = save(table, Path(folder) / "t.nc", compressed=compressed)
        again = tiva.read(path)
    assert again.checksum == table.checksum
    assert again.provenance == table.provenance
    np.testing.assert_array_equal(again.output, table.output)
