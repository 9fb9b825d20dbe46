from __future__ import annotations

import numpy as np
import pytest

from tiva.errors import LabelError, UnknownLabelError, UsageError
from tiva.readers.pymrio_bridge import VALUE_ADDED, from_pymrio, to_pymrio
from tiva.table.icio_table import IcioTable, OtherInput

pymrio = pytest.importorskip("pymrio")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


def test_there_and_back_bit_for_bit(example: IcioTable) -> None:
    tax = OtherInput(example.value_added * 0.1, np.arange(example.final_demand[0].size, dtype=float))
    table = example.replace(
        other_inputs={"tax": tax}, value_added=example.value_added * 0.9, value_added_kind="published"
    )
    system = to_pymrio(table)
    again = from_pymrio(system, value_added="published", other_rows=["tax"], year=table.year)
    assert again.checksum == table.checksum
    assert list(system.factor_inputs.F.index) == [VALUE_ADDED, "tax"]


def test_pymrio_computes_the_same_multipliers(example: IcioTable) -> None:
    system = to_pymrio(example).calc_all()
    coefficients = example.intermediate / example.output
    inverse = np.linalg.inv(np.eye(example.n) - coefficients)
    np.testing.assert_allclose(system.L.to_numpy(), inverse, rtol=1e-7, atol=1e-10)


def test_the_test_system_of_pymrio_is_read() -> None:
    system = pymrio.load_test()
    with pytest.raises(UsageError, match="no Z"):
        from_pymrio(pymrio.IOSystem())
    with np.errstate(all="ignore"):
        table = from_pymrio(system)
    assert table.countries == ("reg1", "reg2", "reg3", "reg4", "reg5", "reg6")
    assert table.sectors[:2] == ("food", "mining")
    assert table.unit == "Mill USD"
    np.testing.assert_array_equal(table.intermediate, system.Z.to_numpy())
    with pytest.raises(UnknownLabelError, match="did you mean 'factor_inputs'"):
        from_pymrio(system, value_added="published", extension="factor_input")
    with pytest.raises(UnknownLabelError, match="row of factor_inputs"):
        from_pymrio(system, value_added="published", value_added_rows=["Value"])


def test_labels_that_do_not_match_are_refused() -> None:
    system = pymrio.load_test()
    system.Y = system.Y.rename(index={"food": "feed"})
    with pytest.raises(LabelError, match="rows of Y do not match"):
        from_pymrio(system)


def test_split_countries_are_refused() -> None:
    split = {"CN1": "CHN", "CN2": "CHN"}
    table = IcioTable.from_arrays(
        np.ones((2, 2)), np.ones((2, 1)), countries=list(split), sectors=["s"], split_countries=split
    )
    with pytest.raises(UsageError, match="split countries"):
        to_pymrio(table)
