from __future__ import annotations

import numpy as np
import pytest

from tests.decompositions.test_borin_mancini import AGAINST_PEERS, IDENTITY, model
from tests.paths import shared
from tiva.decompositions.oecd import oecd
from tiva.model.leontief import LeontiefModel
from tiva.table.icio_table import IcioTable

CODES = (
    "EXGR", "EXGR_FNL", "EXGR_INT", "EXGR_DVA", "EXGR_DDC", "EXGR_IDC", "EXGR_RIM", "EXGR_FVA", "IMGR", "IMGR_FNL",
    "IMGR_INT", "BALGR", "FFD_DVA", "DFD_FVA", "BALVAFD", "FD_VA", "DXD_DVA", "DEXFVAP", "FEXDVAP",
)  # fmt: skip

ANCHORS = {"EXGR_DVA": 1392849.447, "EXGR_DDC": 809968.899, "IMGR_DVA": 113192.577, "FFD_DVA": 1279656.870}
"""USA 2008, million USD."""

PRINTED = 1e-3
"""The anchors are printed to three decimals."""


@pytest.mark.parametrize("code", CODES)
def test_equal_to_an_independent_tool(code: str) -> None:
    ours = oecd(model(2008)).arrays[code]
    with np.load(shared("reference/wiod2008_peers.npz"), allow_pickle=False) as peers:
        bilateral = peers[f"oecd_{code}_bilateral"]
        sectors = peers[f"oecd_{code}_sector_selected"]
        chosen = [model(2008).countries.index(c) for c in peers["selected_exporters"]]
    floor = AGAINST_PEERS * max(1.0, float(np.abs(bilateral).max()) * 1e-6)
    np.testing.assert_allclose(ours.sum(axis=1), bilateral, rtol=AGAINST_PEERS, atol=floor)
    np.testing.assert_allclose(ours[chosen], sectors, rtol=AGAINST_PEERS, atol=floor)


@pytest.mark.parametrize("code", list(ANCHORS))
def test_anchors(code: str) -> None:
    usa = model(2008).countries.index("USA")
    assert oecd(model(2008)).arrays[code][usa].sum() == pytest.approx(ANCHORS[code], abs=PRINTED)


def test_value_added_balance_is_the_gross_balance(example: IcioTable) -> None:
    # On a table without zero-output sectors: their netted exports are in the gross balance only.
    arrays = oecd(LeontiefModel(example)).arrays
    gross = arrays["BALGR"].sum(axis=(1, 2))
    np.testing.assert_allclose(arrays["BALVAFD"].sum(axis=(1, 2)), gross, atol=IDENTITY * arrays["EXGR"].sum())
