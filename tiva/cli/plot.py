"""``tiva plot``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from tiva.cli.common import LABELS, Common, Reading, progress, read_table, say
from tiva.errors import MissingExtraError, UnknownLabelError, UsageError, explain

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

KINDS = ("bars", "amounts", "participation", "origins", "lines")
SUFFIXES = (".png", ".svg", ".pdf")


def register(app: App) -> None:
    """Add the command."""
    app.command(plot)


def plot(
    *tables: Path,
    kind: str = "bars",
    out: Annotated[Path, Parameter(alias="-o")],
    term: str = "gvc",
    exporter: Annotated[list[str] | None, LABELS] = None,
    layout: str | None = None,
    common: Common | None = None,
) -> None:
    """Draw a figure of the Borin-Mancini decomposition of one table, or of several years.

    Parameters
    ----------
    tables
        A table; several tables of different years for --kind lines; the embedded example when left out.
    kind
        bars: composition of exports in %; amounts: the same in money; participation: backward against forward;
        origins: foreign value added in exports by country of origin; lines: a term in % of gross exports over years.
    out
        File to write: .png, .svg or .pdf.
    term
        Term of --kind lines.
    exporter
        Label or group (MEX, EU27, WLD-USA), separated by commas, or the option several times.
    layout
        Name of the layout of the tables; recognised from the content when left out.
    common
        Options of every command.
    """
    common = common or Common()
    _check(kind, out, len(tables))
    results = []
    for path in tables or (None,):
        with progress(f"decomposing {path or 'the example'} ...", common):
            results.append(_computed(kind, path, layout, exporter))
    with progress("drawing ...", common):
        figure = _draw(kind, results, term)
        from tiva.files import replacing

        with replacing(out) as temporary:
            figure.savefig(temporary, bbox_inches="tight")
    say(f"wrote {out}", common)


def _check(kind: str, out: Path, tables: int) -> None:
    """Refuse what cannot be drawn or written before anything is read."""
    import importlib.util

    from tiva.files import ensure_writable

    if kind not in KINDS:
        raise UnknownLabelError("kind", kind, KINDS)
    if out.suffix.lower() not in SUFFIXES:
        raise UsageError(
            explain("unknown suffix of the figure", got=out.suffix or "none", expected=f"one of {', '.join(SUFFIXES)}")
        )
    if kind == "lines" and tables < 2:
        raise UsageError(explain("lines need tables of at least two years", got=str(tables), do="name more tables"))
    if kind != "lines" and tables > 1:
        raise UsageError(explain(f"kind {kind!r} draws one table", got=str(tables), do="use --kind lines"))
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("matplotlib", "plot", "drawing figures")
    ensure_writable(out)


def _computed(kind: str, path: Path | None, layout: str | None, exporter: list[str] | None) -> xr.Dataset:
    from tiva.cli.decompose import separated

    table = read_table(path, Reading(layout=layout))
    exporters = separated(exporter, table.countries) if exporter else None
    if kind == "origins":
        from tiva.selection import origins

        return origins(table, "fva", exporter=exporters).to_xarray().to_dataset(name="fva")
    from tiva.router import decompose

    return decompose(table, exporter=exporters)


def _draw(kind: str, results: list[xr.Dataset], term: str) -> Figure:
    from tiva.results import plot as figures

    if kind == "lines":
        from tiva.results.series import join_years

        return figures.lines(join_years(results), term)
    if kind == "origins":
        return figures.heat(results[0]["fva"])
    if kind == "participation":
        return figures.participation(results[0])
    return figures.bars(results[0], unit="percent" if kind == "bars" else "amount")
