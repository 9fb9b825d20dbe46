"""What holds for every family of tables with value-added rows."""

from __future__ import annotations

import numpy as np
import pytest

import tiva
from tests.readers.support import fixture
from tiva.errors import UnknownLabelError
from tiva.readers.grids import RESIDUAL_NOTE

FAMILIES = [
    "ADB-MRIO62-2022_synthetic.xlsx",
    "eora26",
    "matrix_eu-ic-io_ind-by-ind_24ed_2022.csv",
    "IOT_2022_ixi.zip",
]


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
