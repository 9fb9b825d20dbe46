"""``tiva origins``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from tiva.cli.common import LABELS, SWITCH, Common, Margins, Reading, progress, read_table
from tiva.cli.decompose import (
    Afterwards,
    Countries,
    all_origins,
    by_size,
    groups_of,
    output_format,
    satellite_of,
    separated,
    write_origins,
    write_result,
)


def register(app: App) -> None:
    """Add the command."""
    app.command(origins)


def origins(
    table: Path | None = None,
    *,
    term: str = "content",
    by: Annotated[list[str] | None, LABELS] = None,
    flow: str = "exports",
    approach: str = "source",
    perimeter: str = "country",
    origin: Annotated[list[str] | None, LABELS] = None,
    origin_sector: Annotated[list[str] | None, LABELS] = None,
    origin_size: Annotated[list[str] | None, LABELS] = None,
    exporter: Annotated[list[str] | None, LABELS] = None,
    sector: Annotated[list[str] | None, LABELS] = None,
    importer: Annotated[list[str] | None, LABELS] = None,
    absorber: Annotated[list[str] | None, LABELS] = None,
    absorber_sector: Annotated[list[str] | None, LABELS] = None,
    size: Path | None = None,
    sum: Annotated[list[str] | None, LABELS] = None,  # noqa: A002 - the word users type
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    format: str | None = None,  # noqa: A002 - the word users type
    json: Annotated[bool, SWITCH] = False,
    rows: int = 40,
    countries: Countries | None = None,
    reading: Reading | None = None,
    margins: Margins | None = None,
    common: Common | None = None,
) -> None:
    """Tell where value added in exports, imports or final demand is made, and where it is finally absorbed.

    Parameters
    ----------
    table
        File, folder or archive of a multi-country input-output table; the embedded example when left out.
    term
        content (all), dc, fc, va, dva, fva, ddc, fdc, vax or ref, and where the perimeter has them davax, vaxim, gvc,
        gvcb, gvcf; for perimeters of imports content, va or dcimp.
    by
        Dimensions to keep, separated by commas: origin, origin_sector, exporter, sector, importer, absorber,
        absorber_sector, and with --size origin_size and size, the exporting band; the others are added up. Origin and
        exporter when left out.
    flow
        exports, or final_demand: value added in final goods by the country and sector that complete them.
    approach
        source: value added where it first crosses the exporter's border; sink: where it last does.
    perimeter
        Whose border counts: country, or world; sectexp, bilateral, sectbil (the flow's own) or group (the exports of
        --sector to --importer together); importer, or sectimp (the importer's, for each product).
    origin
        Label or group (MEX, EU27, WLD-USA), separated by commas, or the option several times.
    origin_sector
        Sector or group of sectors where value added is made.
    origin_size
        Band of firm size where value added is made, with --size.
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
    size
        Margins by firm size (csv), or the word example for the embedded ones: splits the table.
    sum
        Rows to add up afterwards, with their dimension: origin:NAFTA, absorber:ANDES=PER|COL; of exporters without.
    out
        File to write: .nc .parquet .csv .xlsx .dta .json; .parquet is written in blocks and may be of any size.
    format
        Format instead of that of the suffix; without --out csv or json to stdout.
    json
        The same as --format json.
    rows
        Rows of the printed table.
    countries
        What acts as a country, and what is traced.
    reading
        How the table is read.
    margins
        How the margins of --size are read.
    common
        Options of every command.
    """
    common, reading, countries = common or Common(), reading or Reading(), countries or Countries()
    chosen = output_format(format, out, json=json)
    if out is not None:
        from tiva.results.export import check_target

        check_target(out, chosen)
    with progress("reading the table ...", common):
        plain = read_table(table, reading)
        primary = satellite_of(countries, plain)
    source: Any = by_size(plain, size, margins, common)
    groups = groups_of(countries.groups or ())
    given = {
        "origin": origin, "origin_sector": origin_sector, "origin_size": origin_size,
        "exporter": exporter, "sector": sector, "importer": importer,
        "absorber": absorber, "absorber_sector": absorber_sector,
    }  # fmt: skip
    from tiva.selection import origins as select

    known = (*source.countries, *groups, *source.sectors)
    labels: dict[str, Any] = {name: separated(words, known) for name, words in given.items() if words}
    kept = tuple(word.strip() for words in by or ["origin,exporter"] for word in words.split(","))
    with progress(f"tracing value added in {source.title} ...", common):
        result = select(
            source, term, by=kept, flow=flow, approach=approach, perimeter=perimeter, satellite=primary,
            groups=groups or None, **all_origins(labels),
        )  # fmt: skip
    if sum is None:
        write_origins(result, out, chosen, rows, common)
    else:
        write_result(Afterwards(sum=sum).apply(result.to_dataset()), out, chosen, rows, common)
