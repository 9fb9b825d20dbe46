"""``tiva decompose``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from tiva.cli.common import Common, Margins, Reading, emit, progress, read_size_margins, read_table, say, show
from tiva.errors import UsageError, explain

if TYPE_CHECKING:
    import xarray as xr

    from tiva.bands.split import BandedTable
    from tiva.table.icio_table import IcioTable

_SWITCH = Parameter(negative=())
_LABELS = Parameter(negative=())


def register(app: App) -> None:
    """Add the command."""
    app.command(decompose)


def decompose(
    table: Path | None = None,
    *,
    method: str = "bm",
    perspective: str | None = None,
    approach: str | None = None,
    perimeter: str | None = None,
    level: str = "country",
    detail: Annotated[bool, _SWITCH] = False,
    exporter: Annotated[list[str] | None, _LABELS] = None,
    importer: Annotated[list[str] | None, _LABELS] = None,
    sector: Annotated[list[str] | None, _LABELS] = None,
    size: Path | None = None,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    format: str | None = None,  # noqa: A002 - the word users type
    json: Annotated[bool, _SWITCH] = False,
    rows: int = 40,
    reading: Reading | None = None,
    margins: Margins | None = None,
    common: Common | None = None,
) -> None:
    """Decompose gross exports of all countries into domestic and foreign value added.

    Parameters
    ----------
    table
        File, folder or archive of a multi-country input-output table; the embedded example (WIOD 2011, 17
        economies, 15 sectors) when left out.
    method
        bm (Borin-Mancini) and others: see `tiva terms`.
    perspective
        Whose border counts: exporter, world, self or importer.
    approach
        source: value added where it first crosses the border; sink: where it last does.
    perimeter
        Flows whose border counts, for perspective self.
    level
        country, sector, bilateral or sector-bilateral.
    detail
        The finer terms instead of their sums.
    exporter
        Label or group (MEX, EU27, WLD-USA), separated by commas, or the option several times.
    importer
        As exporter, at levels bilateral and sector-bilateral.
    sector
        Label or group (services), at levels sector and sector-bilateral.
    size
        Margins by firm size (csv), or the word example for the embedded ones: splits the table, and results get a
        dimension size, the exporting band. See `tiva sizes`.
    out
        File to write: .nc .parquet .csv .xlsx .dta .json; carries its provenance.
    format
        Format instead of that of the suffix; without --out csv or json to stdout.
    json
        The same as --format json.
    rows
        Rows of the printed table.
    reading
        How the table is read.
    margins
        How the margins of --size are read.
    common
        Options of every command.
    """
    common, reading = common or Common(), reading or Reading()
    chosen = output_format(format, out, json=json)
    if out is not None:
        from tiva.results.export import check_target

        check_target(out, chosen)
    from tiva.terms import find_method

    find_method(method, perspective=perspective, approach=approach, perimeter=perimeter, level=level, detail=detail)
    with progress("reading the table ...", common):
        source = _by_size(read_table(table, reading), size, margins, common)
    selections = {"exporter": exporter, "importer": importer, "sector": sector}
    labels = {name: selected(name, given, source) for name, given in selections.items() if given}
    with progress(f"decomposing {source.title} ...", common):
        from tiva.router import decompose as run

        result = run(
            source,
            method,
            perspective=perspective,
            approach=approach,
            perimeter=perimeter,
            level=level,
            detail=detail,
            exporter=labels.get("exporter"),
            importer=labels.get("importer"),
            sector=labels.get("sector"),
        )
    write_result(result, out, chosen, rows, common)


def _by_size(table: IcioTable, size: Path | None, margins: Margins | None, common: Common) -> IcioTable | BandedTable:
    """Split the table by firm size where that is asked for."""
    if size is None:
        if margins not in (None, Margins()):
            raise UsageError(explain("--schemes and --sector-map belong to --size", do="give --size too"))
        return table
    from tiva.bands.split import split_by_size

    with progress("splitting by firm size ...", common):
        return split_by_size(table, read_size_margins(size, margins or Margins()))


def write_result(result: xr.Dataset, out: Path | None, format: str | None, rows: int, common: Common) -> None:  # noqa: A002
    """Write a result to its file, as text to stdout, or print its table."""
    from tiva.results.export import render, write_dataset
    from tiva.results.tables import breakdown

    if out is not None:
        with progress(f"writing {out} ...", common):
            written = write_dataset(result, out, format=format)
        say(f"wrote {written}", common)
    elif format is not None:
        emit(render(result, format))
    else:
        show(breakdown(result, rows=rows))


def output_format(format: str | None, out: Path | None, *, json: bool) -> str | None:  # noqa: A002
    """Return the format asked for, or ``None`` where the suffix decides; refuse what cannot go to a terminal."""
    if json and format not in {None, "json"}:
        raise UsageError(explain("--json and --format contradict each other", got=f"--format {format}"))
    chosen = "json" if json else format
    if chosen is not None and out is None:
        from tiva.results.export import FORMATS, TEXT_FORMATS

        if chosen in FORMATS and chosen not in TEXT_FORMATS:
            raise UsageError(
                explain(
                    f"format {chosen!r} cannot go to the terminal",
                    expected=f"one of {', '.join(TEXT_FORMATS)}",
                    do=f"name a file with --out result.{chosen}",
                )
            )
        if chosen not in FORMATS:
            raise UsageError(explain(f"unknown output format {chosen!r}", expected=f"one of {', '.join(FORMATS)}"))
    return chosen


def selected(dim: str, given: Sequence[str], table: IcioTable | BandedTable) -> list[str]:
    """Return the labels meant: as they stand, separated by commas, or by the grammar of groups."""
    from tiva.errors import UnknownLabelError
    from tiva.groups import select_countries, select_sectors

    known = table.sectors if dim == "sector" else table.countries
    found: list[str] = []
    for words in given:
        for word in [words] if words in known else [part.strip() for part in words.split(",")]:
            if word in known:
                found.append(word)
                continue
            try:
                selected = (
                    select_sectors(word, known) if dim == "sector" else select_countries(word, known, year=table.year)
                )
            except UnknownLabelError as error:
                raise UnknownLabelError(dim, error.label, error.known) from None
            found.extend(selected.members)
    return list(dict.fromkeys(found))
