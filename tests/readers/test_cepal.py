from __future__ import annotations

from pathlib import Path

import pytest

import tiva
from tiva.errors import ReaderError


@pytest.mark.parametrize(("name", "kind"), [("BRA_MIP_2015.xlsx", "national table"), ("x.xlsx", "CEPAL workbook")])
def test_undocumented_layouts_are_refused_with_the_way_out(tmp_path: Path, name: str, kind: str) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["CEPAL: Matriz de insumo-producto sudamericana, 2005"])
    book.save(tmp_path / name)
    book.close()
    with pytest.raises(
        ReaderError, match=f"{kind}.*\n  got: sheets Sheet; first cells CEPAL.*\n  expected: .*\n  do: "
    ):
        tiva.read(tmp_path / name)
