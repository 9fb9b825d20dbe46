"""The seven worked cases of the two-country world, computed independently in exact rational arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tests.bands.worlds import MARGINS, toy_shares, two_countries
from tiva.bands.split import BandedTable, split_by_size

PRINTED = 6e-7
"""The exact values are printed with six decimals."""

S = 1  # position of country S


@dataclass(frozen=True)
class Case:
    """Expected results for the exports of S."""

    exports_sme: float
    dva_direct: tuple[float, float]
    theta: tuple[float, float, float, float]  # sme<-sme, sme<-lar, lar<-sme, lar<-lar
    dva_domestic: tuple[float, float]
    dva_full: tuple[float, float]
    fva: float
    dependence: tuple[float, float]
    import_intensity: tuple[float, float]


CASES: dict[str, Case] = {
    "proportional": Case(
        17.5, (7.0, 9.0), (2.776226, 3.601132, 2.638868, 3.474340), (13.377358, 15.113208), (13.965879, 15.741431),
        10.292691, (0.389273, 0.442260), (0.300629, 0.290566),
    ),
    "two-market": Case(
        5.5, (2.55, 11.7), (1.201172, 7.757198, 0.548566, 3.583994), (11.508370, 15.832560), (12.084115, 16.599410),
        11.316475, (0.295429, 0.533217), (0.226562, 0.341448),
    ),
    "b2b": Case(
        5.5, (2.55, 11.7), (1.303702, 8.406411, 0.474828, 3.117228), (12.260112, 15.292057), (12.861550, 16.019817),
        11.118633, (0.314525, 0.514601), (0.221257, 0.336405),
    ),
    "theta+": Case(
        5.5, (2.55, 11.7), (1.410969, 6.966790, 0.398053, 4.151030), (10.927759, 16.249083), (11.483705, 17.046156),
        11.470138, (0.280615, 0.547632), (0.216771, 0.347902),
    ),
    "theta-": Case(
        5.5, (2.55, 11.7), (1.035768, 8.379971, 0.667230, 3.137226), (11.965739, 15.504457), (12.556593, 16.247859),
        11.195547, (0.307085, 0.521876), (0.234288, 0.336350),
    ),
    "only S": Case(
        5.5, (2.55, 11.7), (1.201172, 7.757198, 0.548566, 3.583994), (11.508370, 15.832560), (12.060963, 16.569155),
        11.369882, (0.297136, 0.536173), (0.226562, 0.341448),
    ),
}  # fmt: skip


def banded(name: str) -> BandedTable:
    table = two_countries()
    countries = ("S",) if name == "only S" else ("N", "S")
    shares = toy_shares(table, *countries, producers=name == "b2b")
    options: dict[str, Any] = {"theta+": {"theta": {"S": 0.5}}, "theta-": {"theta": {"S": -0.5}}}.get(name, {})
    if name == "proportional":
        options = {"method": "proportional"}
    return split_by_size(table, shares, **options)


@pytest.mark.parametrize("name", CASES)
def test_worked_case(name: str) -> None:
    case, table = CASES[name], banded(name)
    model = table.model()
    own = model.row_country == S
    band = [own & (model.row_band == model.bands.index(b)) for b in ("sme", "lar")]
    v, exports = model.value_added, model.exports.sum(axis=1)
    by_band = np.stack([np.where(rows, exports, 0.0) for rows in band], axis=1)
    direct = v[:, None] * by_band
    chain = v[:, None] * (model.local_inverse(by_band) - by_band)
    assert by_band.sum(axis=0)[0] == pytest.approx(case.exports_sme, abs=PRINTED)
    assert [direct[rows].sum() for rows in band] == pytest.approx(case.dva_direct, abs=PRINTED)
    assert [chain[rows, b].sum() for rows in band for b in (0, 1)] == pytest.approx(case.theta, abs=PRINTED)
    domestic = v * model.local_inverse(by_band.sum(axis=1))
    assert [domestic[rows].sum() for rows in band] == pytest.approx(case.dva_domestic, abs=PRINTED)
    full = v * model.apply_inverse(by_band.sum(axis=1))
    assert [full[rows].sum() for rows in band] == pytest.approx(case.dva_full, abs=PRINTED)
    assert full[~own].sum() == pytest.approx(case.fva, abs=PRINTED)
    abroad = np.where(own, v * model.absorption[:, 0], 0.0)
    value_added = v * model.output
    assert [abroad[r].sum() / value_added[r].sum() for r in band] == pytest.approx(case.dependence, abs=PRINTED)
    needs = _imports_per_output(table)
    total = model.local_inverse_transpose(needs) * model.output
    assert [total[r].sum() / model.output[r].sum() for r in band] == pytest.approx(case.import_intensity, abs=PRINTED)


def _imports_per_output(table: BandedTable) -> np.ndarray[Any, Any]:
    expanded = table.to_table()
    foreign = expanded.row_country[:, None] != expanded.row_country
    return np.asarray(np.where(foreign, expanded.intermediate, 0.0).sum(axis=0) / expanded.output)


def test_without_bands() -> None:
    model = two_countries_model()
    exports = np.where(model.row_country == S, model.exports.sum(axis=1), 0.0)
    v = model.value_added
    assert (v * exports).sum() == pytest.approx(16.0)
    assert (v * model.local_inverse(exports)).sum() == pytest.approx(28.490566, abs=PRINTED)
    full = v * model.apply_inverse(exports)
    assert full[model.row_country == S].sum() == pytest.approx(29.707309, abs=PRINTED)
    assert full[model.row_country != S].sum() == pytest.approx(10.292691, abs=PRINTED)


def two_countries_model() -> Any:
    from tiva.bands.shares import BandShares

    table = two_countries()
    return split_by_size(table, BandShares.unsplit(table)).model()


def test_exports_of_the_other_country() -> None:
    model = banded("two-market").model()
    exports = np.where(model.row_country == 0, model.exports.sum(axis=1), 0.0)
    domestic = model.value_added * model.local_inverse(exports)
    bands = [(model.row_country == 0) & (model.row_band == b) for b in (0, 1)]
    assert [domestic[r].sum() for r in bands] == pytest.approx([13.720821, 24.598836], abs=PRINTED)
    full = model.value_added * model.apply_inverse(exports)
    assert full[model.row_country == S].sum() == pytest.approx(4.775278, abs=PRINTED)


def test_residual_shares_by_hand() -> None:
    split = banded("two-market").split
    # S1: d_sme = (40 - 20 - 3) / 45, h_sme = (40 - 3.5) / 65; S2: d = (35 - 14 - 5) / 20, h = (35 - 2) / 45.
    assert split.domestic_inputs[[4, 6]] == pytest.approx([17 / 45, 16 / 20])
    assert split.home_sales[[4, 6]] == pytest.approx([36.5 / 65, 33 / 45])


def test_shock() -> None:
    """Final demand of N for S1 falls by 10: value added lost by country, sector and band adds up to 10."""
    model = banded("two-market").model()
    change = np.where((model.row_country == S) & (model.row_sector == 0), model.export_share * 10, 0.0)
    loss = model.value_added * model.apply_inverse(change)
    expected = [0.473126, 1.203885, 0.534583, 0.571748, 2.04888, 3.912757, 0.907458, 0.347563]
    assert loss == pytest.approx(expected, abs=PRINTED)
    assert loss.sum() == pytest.approx(10.0)


def test_margins_of_the_cases_are_kept_to_the_last_digit() -> None:
    split = banded("two-market").split
    rows = [(c, s) for c in ("N", "S") for s in ("1", "2")]
    for name, values in (("value_added", split.value_added), ("imports", split.imports), ("exports", split.exports)):
        expected = [x for c, s in rows for x in MARGINS[c][s][name]]
        assert values.tolist() == expected
