"""What holds for every family of tables with value-added rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tiva
from tests.readers.support import fixture
from tests.readers.test_emerging import numbers
from tests.readers.test_emerging import written as write_emerging
from tests.readers.test_gloria import supply_and_use
from tests.readers.test_gloria import written as write_gloria
from tiva.errors import ReaderError, UnknownLabelError
from tiva.readers.grids import RESIDUAL_NOTE

FAMILIES = [
    "ADB-MRIO62-2022_synthetic.xlsx",
    "eora26",
    "matrix_eu-ic-io_ind-by-ind_24ed_2022.csv",
    "IOT_2022_ixi.zip",
]
ALL = [
    *FAMILIES, "flatfile_eu-ic-io_ind-by-ind_24ed_2022.csv", "icio2025_2022_SML.csv", "icio2025_2022_EXT.csv",
    "icio2023_2020_SML.csv", "ICIO2021_2018.csv", "ICIO2018_2015.CSV", "ICIO2016_2011.csv", "wiot11_row_sep12.xlsx",
    "WIOT2014_Nov16_ROW.xlsb", "WIOT2014_October16_ROW.RData", "WIOT2014_October16_ROW.dta",
    "lr_wiod_wiot_final_filled.csv", "emerging", "gloria",
]  # fmt: skip
"""Every family that publishes value added; EMERGING and GLORIA are written by their own tests."""

PRINTED = 1e-4
"""Fixtures are written with six digits."""


def path_of(name: str, folder: Path) -> Path:
    if name == "emerging":
        return write_emerging(folder / "EMERGING_V2_2018.mat", numbers())
    if name == "gloria":
        pytest.importorskip("openpyxl")
        return write_gloria(folder, supply_and_use())
    return fixture(name)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_says_which_value_added_it_has(name: str) -> None:
    residual, published = tiva.read(fixture(name)), tiva.read(fixture(name), value_added="published")
    assert (residual.value_added_kind, published.value_added_kind) == ("residual", "published")
    assert not residual.other_inputs
    assert RESIDUAL_NOTE in residual.provenance.notes
    assert RESIDUAL_NOTE not in published.provenance.notes
    inputs = published.intermediate.sum(axis=0) + published.value_added
    inputs = inputs + sum(row.intermediate for row in published.other_inputs.values())
    np.testing.assert_allclose(inputs, published.output, rtol=1e-5)
    with pytest.raises(UnknownLabelError, match="value_added"):
        tiva.read(fixture(name), value_added="row")


@pytest.mark.parametrize("name", ALL)
def test_published_value_added_with_its_taxes_and_margins_sums_to_gross_exports(name: str, tmp_path: Path) -> None:
    path = path_of(name, tmp_path)
    published, residual = tiva.read(path, value_added="published"), tiva.read(path)
    found = tiva.decompose(published, "bm", level="bilateral")
    content = found["dc"] + found["fc"] + found.get("taxes_margins", 0.0)
    np.testing.assert_allclose(content, found["gexp"], rtol=PRINTED, atol=PRINTED)
    whole = tiva.decompose(residual, "bm", level="bilateral")
    np.testing.assert_allclose(whole["dc"] + whole["fc"], whole["gexp"], rtol=PRINTED, atol=PRINTED)
    np.testing.assert_allclose(whole["gexp"], found["gexp"], rtol=1e-12)
    if published.other_inputs:
        total = sum(float(np.abs(row.intermediate).sum()) for row in published.other_inputs.values())
        assert ("taxes_margins" in found) or total < PRINTED * published.output.sum()


def test_a_table_without_labels_has_no_published_value_added() -> None:
    with pytest.raises((ReaderError, UnknownLabelError), match="value_added"):
        tiva.read(fixture("icio_user.csv"), value_added="published")
