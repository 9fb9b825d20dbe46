"""``tiva origins``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tiva.cli.common import Common, Reading, progress, read_table
from tiva.cli.decompose import output_format, separated, write_origins

_SWITCH = Parameter(negative=())
_LABELS = Parameter(negative=())


def register(app: App) -> None:
    """Add the command."""
    app.command(origins)


def origins(
    table: Path | None = None,
    *,
    term: str = "content",
    by: Annotated[list[str] | None, _LABELS] = None,
    flow: str = "exports",
    approach: str = "source",
    perimeter: str = "country",
    origin: Annotated[list[str] | None, _LABELS] = None,
    origin_sector: Annotated[list[str] | None, _LABELS] = None,
    exporter: Annotated[list[str] | None, _LABELS] = None,
    sector: Annotated[list[str] | None, _LABELS] = None,
    importer: Annotated[list[str] | None, _LABELS] = None,
    absorber: Annotated[list[str] | None, _LABELS] = None,
    absorber_sector: Annotated[list[str] | None, _LABELS] = None,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    format: str | None = None,  # noqa: A002 - the word users type
    json: Annotated[bool, _SWITCH] = False,
    rows: int = 40,
    reading: Reading | None = None,
    common: Common | None = None,
) -> None:
    """Tell where value added in exports, imports or final demand is made, and where it is finally absorbed.

    Parameters
    ----------
    table
        File, folder or archive of a multi-country input-output table; the embedded example when left out.
    term
        content (all), dc, fc, va, dva, fva, ddc, fdc, vax or ref.
    by
        Dimensions to keep, separated by commas: origin, origin_sector, exporter, sector, importer, absorber,
        absorber_sector; the others are added up. Origin and exporter when left out.
    flow
        exports, or final_demand: value added in final goods by the country and sector that complete them.
    approach
        source: value added where it first crosses the exporter's border; sink: where it last does.
    perimeter
        Whose border counts: country, sectexp or sectbil (the flow's own), or world.
    origin
        Label or group (MEX, EU27, WLD-USA), separated by commas, or the option several times.
    origin_sector
        Sector or group of sectors where value added is made.
    exporter
        As origin: who exports it, or completes the final good.
    sector
        Exporting sector or group of sectors.
    importer
        As origin: who buys the exports.
    absorber
        As origin: whose final demand absorbs it.
    absorber_sector
        Sector of the final good.
    out
        File to write: .nc .parquet .csv .xlsx .dta .json; .parquet is written in blocks and may be of any size.
    format
        Format instead of that of the suffix; without --out csv or json to stdout.
    json
        The same as --format json.
    rows
        Rows of the printed table.
    reading
        How the table is read.
    common
        Options of every command.
    """
    common, reading = common or Common(), reading or Reading()
    chosen = output_format(format, out, json=json)
    if out is not None:
        from tiva.results.export import check_target

        check_target(out, chosen)
    with progress("reading the table ...", common):
        source = read_table(table, reading)
    given = {
        "origin": origin, "origin_sector": origin_sector, "exporter": exporter, "sector": sector,
        "importer": importer, "absorber": absorber, "absorber_sector": absorber_sector,
    }  # fmt: skip
    from tiva.selection import origins as select

    known = (*source.countries, *source.sectors)
    labels = {name: separated(words, known) for name, words in given.items() if words}
    kept = tuple(word.strip() for words in by or ["origin,exporter"] for word in words.split(","))
    with progress(f"tracing value added in {source.title} ...", common):
        result = select(source, term, by=kept, flow=flow, approach=approach, perimeter=perimeter, **labels)
    write_origins(result, out, chosen, rows, common)
