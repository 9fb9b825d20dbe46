"""Every method of the catalogue has a benchmark row, and every row runs."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.measure import peak_matrices
from benchmarks.registry import ROWS, Row
from benchmarks.tables import synthetic
from tiva.terms import Method, methods


@pytest.mark.parametrize("method", methods(), ids=Method.describe)
def test_every_row_of_the_catalogue_is_measured(method: Method) -> None:
    forms = {row.detail for row in ROWS if row.function == method.function}
    assert forms, f"no row of benchmarks/registry.py measures {method.function}"
    assert not method.detail_terms or True in forms, f"the finer terms of {method.function} are not measured"


def test_rows_measure_functions_of_the_catalogue_and_have_limits_with_a_reason() -> None:
    known = {method.function for method in methods()}
    for row in ROWS:
        assert not row.function or row.function in known, row.name
        assert 0 < row.time_limit <= 3
        assert 0 < row.memory_limit <= 8
        assert row.reason
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_runs(row: Row) -> None:
    table = synthetic(4, 3, 1)
    assert row.work(row.prepare(table)) is not None


def test_memory_beside_the_result() -> None:
    n = 200

    def work() -> object:
        scratch = np.ones((n, n))
        return np.stack([scratch, scratch])

    assert peak_matrices(work, n) == pytest.approx(3.0, abs=0.1)
    assert peak_matrices(work, n, beside_result=True) == pytest.approx(1.0, abs=0.1)
