"""What the commands share: options, reading a table, output."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from tiva.errors import UsageError, explain

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from tiva.bands.margins import Margins as PublishedMargins
    from tiva.table.icio_table import IcioTable


SWITCH = Parameter(negative=(), show_default=False)
"""An option without a value, off when left out."""

LABELS = Parameter(negative=())
"""An option that may be given several times."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Common:
    """Options of every command.

    Parameters
    ----------
    quiet
        No progress, notes or warnings on stderr.
    traceback
        Show where in the code an error arose.
    """

    quiet: Annotated[bool, SWITCH] = False
    traceback: Annotated[bool, SWITCH] = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a table is read.

    Parameters
    ----------
    layout
        Name of the layout of the table; recognised from the content when left out.
    year
        Year to take where the source holds several; checked where it holds one.
    value_added
        Value added as published, or what output leaves over inputs (residual); as the reader has it when left out.
    gaps
        Refuse or keep rows and columns that miss the totals of the file; refuse when left out.
    """

    layout: str | None = None
    year: int | None = None
    value_added: Literal["published", "residual"] | None = None
    gaps: Literal["refuse", "keep"] | None = None

    def options(self) -> dict[str, str]:
        """Return what was asked of the family's reader."""
        given = {"value_added": self.value_added, "gaps": self.gaps}
        return {name: value for name, value in given.items() if value is not None}


def read_table(path: Path | None, reading: Reading) -> IcioTable:
    """Return the table at a path, or the embedded one for none or the word ``example``.

    Raises
    ------
    UsageError
        A layout, or another year than its own, asked of the example.
    """
    import tiva

    if path is not None and (str(path) != EXAMPLE or path.exists()):
        return tiva.read(path, layout=reading.layout, year=reading.year, **reading.options())
    table = tiva.example()
    if reading.layout is not None or reading.year not in {None, table.year} or reading.options():
        raise UsageError(
            explain(
                "the embedded example has one layout and one year",
                got=" ".join(f"--{k.replace('_', '-')} {v}" for k, v in vars(reading).items() if v is not None),
                expected=f"year {table.year}",
                do="name a table",
            )
        )
    return table


EXAMPLE = "example"
"""Word for the embedded table or margins where a path is expected."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Margins:
    """How margins by firm size are read.

    Parameters
    ----------
    schemes
        Band schemes to add to the built-in ones, in the form of band_schemes.csv.
    sector_map
        Concordance from the sectors of the margins to those of the table (from_scheme, from_code, to_scheme, to_code,
        weight).
    """

    schemes: Path | None = None
    sector_map: Path | None = None


def read_size_margins(path: Path | None, options: Margins) -> PublishedMargins:
    """Return the margins at a path, or the embedded ones for none or the word ``example``.

    Raises
    ------
    UsageError
        Schemes or a sector map for the embedded margins.
    """
    import tiva

    if path is not None and (str(path) != EXAMPLE or path.exists()):
        return tiva.read_margins(path, schemes=options.schemes, sector_map=options.sector_map)
    if options.schemes is not None or options.sector_map is not None:
        raise UsageError(explain("the embedded margins have their own schemes and sector map", do="name margins"))
    return tiva.example_margins()


def stderr() -> Console:
    """Return the console for messages."""
    from rich.console import Console

    return Console(stderr=True)


def say(text: str, common: Common) -> None:
    """Print a message on stderr unless quiet."""
    if not common.quiet:
        stderr().print(text, markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def progress(text: str, common: Common) -> Iterator[None]:
    """Show that work is going on, on stderr, only on a terminal and unless quiet."""
    console = stderr()
    if common.quiet or not console.is_terminal:
        yield
        return
    with console.status(text):
        yield


def emit(text: str) -> None:
    """Write data to stdout as they are."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def emit_json(value: Any) -> None:
    """Write plain values to stdout as JSON."""
    emit(json.dumps(value, ensure_ascii=False, indent=1))


def show(renderable: RenderableType) -> None:
    """Print a rich table on a terminal, or its plain text where stdout is none."""
    if not sys.stdout.isatty():
        emit(str(renderable))
        return
    from rich.console import Console

    Console().print(renderable)


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], *, indent: str = "") -> str:
    """Return rows as left-aligned columns of text."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in [header, *rows]]
    rule = "-" * min(max(map(len, lines)), 110)
    return "\n".join(f"{indent}{line.rstrip()}" for line in [lines[0], rule, *lines[1:]])
