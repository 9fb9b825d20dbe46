from __future__ import annotations

import subprocess
import sys

import pytest

import tiva

PUBLIC = {
    "BandShares",
    "BandedModel",
    "BandedTable",
    "IcioTable",
    "LeontiefModel",
    "OtherInput",
    "Satellite",
    "SizeReport",
    "__version__",
    "coupling_sensitivity",
    "decompose",
    "example",
    "example_margins",
    "identified_set",
    "margin_interval",
    "model_interval",
    "open_results",
    "open",
    "origins",
    "from_pymrio",
    "prepare_margins",
    "read",
    "read_margins",
    "read_satellite",
    "size_report",
    "split_by_size",
    "to_pymrio",
    "translate",
    "write",
}
"""A change here is a change for users: it belongs in the changelog."""

HEAVY = ("xarray", "pandas", "numba", "scipy", "matplotlib", "pyarrow", "h5py")


def test_public_names_are_pinned() -> None:
    assert set(tiva.__all__) == PUBLIC
    assert set(dir(tiva)) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(tiva, name)
    assert value is not None
    if name != "__version__":
        assert value.__doc__


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'decompse'"):
        _ = tiva.decompse  # type: ignore[attr-defined]


def test_import_is_light() -> None:
    code = f"import sys, tiva; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_kernels_know_arrays_only() -> None:
    code = (
        "import sys, tiva.kernels.bilateral, tiva.kernels.factorization;"
        "print([m for m in ('xarray', 'pandas', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
