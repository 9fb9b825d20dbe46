"""Labels of delimited text, and lines that end anywhere in the blocks that are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tiva.readers import _text
from tiva.readers.source import Source


def test_quotes_may_follow_a_blank(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('x, "A_1", "B, 2" ,C\n "r 1", 1, 2, 3\n"r, 2",4,5,6\n')
    with Source(tmp_path / "a.csv") as source:
        found = _text.read_matrix(source, "a.csv")
        assert _text.header(source, "a.csv") == ["x", "A_1", "B, 2", "C"]
    assert (found.rows, found.columns) == (("r 1", "r, 2"), ("A_1", "B, 2", "C"))
    assert found.left.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("block", [1, 2, 7, 64])
@pytest.mark.parametrize("compiled_from", [0, 1 << 30])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blocks_may_end_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, compiled_from: int, end: str
) -> None:
    values = np.random.default_rng(block).normal(size=(9, 4))
    lines = ["x,a,b,c,d", "", *(f"r{i}," + ",".join(map(repr, row.tolist())) for i, row in enumerate(values))]
    (tmp_path / "a.csv").write_bytes(end.join(lines).encode())
    monkeypatch.setattr(_text, "BLOCK", block)
    monkeypatch.setattr(_text, "COMPILED_FROM", compiled_from)
    with Source(tmp_path / "a.csv") as source:
        found = _text.read_matrix(source, "a.csv", split=lambda _: 3)
    np.testing.assert_array_equal(np.hstack([found.left, found.right]), values)
    assert found.lines == tuple(range(3, 12))
