"""Draw the figures of the documentation from the embedded data: ``python docs/make_figures.py``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import tiva
from tiva.files import replacing
from tiva.results import plot_size

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HERE = Path(__file__).resolve().parent / "figures"

DPI = 110
"""Dots per inch: legible on a page, and files below 150 kB."""


def size_direct_indirect() -> Figure:
    """Draw direct against indirect exports by firm size in Brazil and Mexico."""
    banded = tiva.split_by_size(tiva.example(), tiva.example_margins())
    return plot_size.direct_indirect(tiva.size_report(banded, ["BRA", "MEX"]))


FIGURES: dict[str, Callable[[], Figure]] = {"size_direct_indirect": size_direct_indirect}
"""Name of the file, without suffix, and what draws it."""


def main() -> None:
    """Draw all figures into ``docs/figures``."""
    HERE.mkdir(exist_ok=True)
    for name, draw in FIGURES.items():
        with replacing(HERE / f"{name}.png") as temporary:
            draw().savefig(temporary, dpi=DPI, metadata={"Software": None})


if __name__ == "__main__":
    main()
