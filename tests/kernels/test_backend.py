from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

import tiva
from tiva.errors import BackendFallbackWarning, SingularTableError, UnknownLabelError
from tiva.kernels import backend as backends
from tiva.kernels.backend import ArrayFactor, Backend, select
from tiva.kernels.factorization import DenseFactor
from tiva.model.device import DeviceModel
from tiva.model.leontief import LeontiefModel
from tiva.table.icio_table import IcioTable

AGREEMENT = 1e-9
"""What any device has to reach in float64."""


def namespaces() -> list[object]:
    found: list[object] = [np]
    if importlib.util.find_spec("array_api_strict"):
        found.append(importlib.import_module("array_api_strict"))
    if importlib.util.find_spec("torch") and importlib.util.find_spec("array_api_compat"):
        found.append(importlib.import_module("array_api_compat.torch"))
    return found


@pytest.fixture(params=namespaces(), ids=lambda xp: str(getattr(xp, "__name__", xp)))
def backend(request: pytest.FixtureRequest) -> Backend:
    return select(request.param)


def matrix(n: int = 30) -> np.ndarray:
    rng = np.random.default_rng(4)
    return np.eye(n) - rng.uniform(0, 0.9 / n, (n, n))


def test_factor_against_lapack(backend: Backend) -> None:
    k = matrix()
    ours, reference = ArrayFactor(k, backend), DenseFactor(k.copy())
    rng = np.random.default_rng(5)
    for right in (rng.normal(size=30), rng.normal(size=(30, 4))):
        np.testing.assert_allclose(ours.solve(right), reference.solve(right), rtol=AGREEMENT)
        np.testing.assert_allclose(ours.solve_transpose(right.T), reference.solve_transpose(right.T), rtol=AGREEMENT)
    np.testing.assert_allclose(ours.inverse(), reference.inverse(), rtol=AGREEMENT)
    offsets = np.array([0, 7, 19, 30])
    for a, b in zip(ours.diagonal_blocks(offsets), reference.diagonal_blocks(offsets), strict=True):
        np.testing.assert_allclose(a, b, rtol=AGREEMENT)
    norms = np.abs(k).sum(axis=0).max() * np.abs(np.linalg.inv(k)).sum(axis=0).max()
    assert ours.reciprocal_condition == pytest.approx(1 / norms, rel=AGREEMENT)


@pytest.mark.parametrize("method", ["bm", "kww", "wwz", "oecd", "headline"])
def test_decompositions_on_a_backend(backend: Backend, method: str, example: IcioTable) -> None:
    plain = tiva.decompose(LeontiefModel(example), method=method)
    device = tiva.decompose(DeviceModel(example, backend=backend), method=method)
    scale = max(float(abs(plain[name]).max()) for name in plain.data_vars)
    for name in plain.data_vars:
        np.testing.assert_allclose(device[name], plain[name], rtol=AGREEMENT, atol=AGREEMENT * scale)


def test_trade_of_vectors_and_matrices(backend: Backend, example: IcioTable) -> None:
    plain, device = LeontiefModel(example), DeviceModel(example, backend=backend)
    for right in (plain.output, plain.final_demand):
        np.testing.assert_allclose(device.trade(right), plain.trade(right), rtol=AGREEMENT, atol=AGREEMENT * 1e6)


def test_singular_matrices_are_refused(backend: Backend) -> None:
    with pytest.raises(SingularTableError, match="no unique solution"):
        ArrayFactor(np.ones((3, 3)), backend)
    with pytest.raises(SingularTableError):
        ArrayFactor(np.diag([1.0, 1.0, 1e-18]), backend)


@pytest.mark.parametrize("name", ["torch", "cupy"])
def test_what_is_missing_is_replaced_with_a_message(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    backends._load.cache_clear()
    with pytest.warns(BackendFallbackWarning, match=f"'{name}' cannot be used.*not installed"):
        found = select(name)
    backends._load.cache_clear()
    assert found.name == "numpy"


def test_unknown_backend() -> None:
    with pytest.raises(UnknownLabelError, match="did you mean 'cupy'"):
        select("cuppy")
