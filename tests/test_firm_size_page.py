"""The page on firm size shows what the commands print."""

from __future__ import annotations

import re

import pytest

import tiva
from tests.paths import ROOT

PAGE = ROOT / "docs" / "firm_size.md"
FIGURE = ROOT / "docs" / "figures" / "size_direct_indirect.png"
LARGEST = 150_000
"""Bytes of a figure in the documentation."""


@pytest.fixture(scope="module")
def blocks() -> list[str]:
    return re.findall(r"```\n(exporter.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_tables_are_those_of_the_report(blocks: list[str]) -> None:
    banded = tiva.split_by_size(tiva.example(), tiva.example_margins())
    printed = str(tiva.size_report(banded, ["BRA", "MEX"], intervals=False))
    assert len(blocks) == 3
    for block in (blocks[0], blocks[2]):
        assert block.strip() in printed


def test_estimates_of_the_intervals_are_those_of_the_table(blocks: list[str]) -> None:
    share = {tuple(row.split()[:2]): row.split()[4] for row in blocks[0].split("\n\n")[1].splitlines()[3:]}
    rows = re.findall(r"^(BRA|MEX) +(\w+) +model interval +([\d.]+)", blocks[1], flags=re.MULTILINE)
    assert len(rows) == 6
    for country, band, estimate in rows:
        assert share[country, band] == estimate


def test_figure_is_there_and_small() -> None:
    assert "figures/size_direct_indirect.png" in PAGE.read_text(encoding="utf-8")
    assert 10_000 < FIGURE.stat().st_size < LARGEST
