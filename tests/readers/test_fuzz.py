"""Damaged files raise typed errors or give a finite table, in bounded time."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tiva
from tests.readers.support import fixture
from tiva.errors import TivaError

NAMES = (
    "icio2023_2020_SML.csv",
    "icio2025_2022_EXT.csv",
    "ICIO2016_2011.csv",
    "lr_wiod_wiot_final_filled.csv",
    "wiot11_row_sep12.xlsx",
    "WIOT2014_Nov16_ROW.xlsb",
    "WIOT2014_October16_ROW.RData",
    "WIOT2014_October16_ROW.dta",
    "WIOT2014_October16_ROW.for_R.csv",
)
TOKENS = (b",", b"\n", b'"', b"\0", b"-", b"1e999", b"nan", b"\xff", b"_", b"9" * 400, b"PK\x03\x04", b"<html>")

edits = st.lists(
    st.tuples(
        st.sampled_from(["cut", "drop", "flip", "insert", "repeat"]),
        st.floats(0, 1),
        st.integers(1, 64),
        st.sampled_from(TOKENS),
    ),
    min_size=1,
    max_size=4,
)


def damaged(content: bytes, changes: list[tuple[str, float, int, bytes]]) -> bytes:
    for kind, where, size, token in changes:
        at = math.floor(where * len(content))
        if kind == "cut":
            content = content[:at]
        elif kind == "drop":
            content = content[:at] + content[at + size :]
        elif kind == "flip":
            content = content[:at] + bytes(b ^ size for b in content[at : at + 2]) + content[at + 2 :]
        elif kind == "insert":
            content = content[:at] + token + content[at:]
        else:
            content = content[: at + size] + content[at:]
    return content


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=edits)
def test_only_typed_errors(name: str, tmp_path: Path, changes: list[tuple[str, float, int, bytes]]) -> None:
    path = tmp_path / name
    path.write_bytes(damaged(fixture(name).read_bytes(), changes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            table = tiva.read(path)
        except TivaError:
            return
    assert np.isfinite(table.intermediate).all()
    assert np.isfinite(table.final_demand).all()
