"""``tiva decompose``."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from tiva.cli.common import (
    LABELS,
    SWITCH,
    Common,
    Margins,
    Reading,
    emit,
    progress,
    read_size_margins,
    read_table,
    say,
    show,
)
from tiva.errors import GroupError, UnsupportedCombinationError, UsageError, explain

if TYPE_CHECKING:
    import xarray as xr

    from tiva.bands.split import BandedTable
    from tiva.readers.satellites import Satellite
    from tiva.selection import Origins
    from tiva.table.icio_table import IcioTable
    from tiva.terms import Method


HELP_WIDTH = 78
"""Columns of the guide in the help."""

_DIMS: Mapping[str, tuple[str, ...]] = {
    "country": ("exporter",),
    "sector": ("exporter", "sector"),
    "bilateral": ("exporter", "importer"),
    "sector-bilateral": ("exporter", "sector", "importer"),
}
"""Dimensions that a level keeps, beside those of origin and absorption."""

_IMPORT_DIMS: Mapping[str, tuple[str, ...]] = {
    "country": ("importer",),
    "sector": ("importer", "sector"),
    "bilateral": ("origin", "importer"),
    "sector-bilateral": ("origin", "importer", "sector"),
}
"""The same from the importer's perspective."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Ends:
    """Where value added is made and where it ends.

    Parameters
    ----------
    origin
        Countries that add the value: label or group, WLD for all, one by one. Makes the result one of --term by
        origin, in the perspective, approach and perimeter chosen for method bm.
    origin_sector
        Sectors that add it: label or group, ALL for all.
    origin_size
        Bands of firm size that add it, with --size: band or ALL.
    absorber
        Countries of final absorption, as origin.
    absorber_sector
        Sectors of the final goods, as origin-sector.
    term
        With one of these: content, dc, fc, va, dva, fva, ddc, fdc, vax or ref, and where the perspective has them
        davax, vaxim, gvc, gvcb, gvcf; from the importer's perspective content, va or dcimp.
    """

    origin: Annotated[list[str] | None, LABELS] = None
    origin_sector: Annotated[list[str] | None, LABELS] = None
    origin_size: Annotated[list[str] | None, LABELS] = None
    absorber: Annotated[list[str] | None, LABELS] = None
    absorber_sector: Annotated[list[str] | None, LABELS] = None
    term: str | None = None

    def given(self) -> dict[str, list[str]]:
        """Return the selections that were made."""
        names = ("origin", "origin_sector", "origin_size", "absorber", "absorber_sector")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Countries:
    """What acts as a country, and what is traced.

    Parameters
    ----------
    groups
        Countries that act as one, trade with each other being domestic: NAFTA, or NAME=EXPRESSION (ANDES=PER|COL).
    satellite
        File of jobs, emissions or another account that takes the place of value added.
    satellite_variable
        Its variable, where the file has several.
    """

    groups: Annotated[list[str] | None, LABELS] = None
    satellite: Path | None = None
    satellite_variable: str | None = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Afterwards:
    """What is done with the result.

    Parameters
    ----------
    sum
        Rows to add up once decomposed: NAFTA, or NAME=EXPRESSION (ANDES=PER|COL), of exporters; of another dimension
        with its name before it (importer:ANDES=PER|COL, sector:goods=Food|Textiles). Trade within stays; for one
        exporter see --groups. Refused where terms may not be added.
    vocabulary
        Print and write under the names of kww, wwz, decompr, exvatools, stata, icio (R), gvcjl (Julia), gvcanalyzer,
        gvc, ksreyes or oecd; notes say which of its names have no value here and why.
    """

    sum: Annotated[list[str] | None, LABELS] = None
    vocabulary: str | None = None

    def apply(self, result: xr.Dataset) -> xr.Dataset:
        """Return the result with rows added up, under the names asked for."""
        from tiva.results.accessor import sum_groups

        for dim, groups in sums_of(self.sum or ()).items():
            result = sum_groups(result, groups, dim)
        if self.vocabulary is not None:
            from tiva.translation import translate

            result = translate(result, self.vocabulary)
        return result


def register(app: App) -> None:
    """Add the command."""
    app.command(decompose, help_epilogue=questions())


def questions() -> str:
    """Return the research questions of the catalogue with the options that answer them."""
    from tiva.terms import guide

    lines = ["Which question, which options:", ""]
    for row in guide():
        for text, indent in ((row.question, 0), (row.call(), 4), (f"see {', '.join(row.terms)}: {row.remark}", 4)):
            spaces = " " * indent, " " * 2 * indent
            lines += textwrap.wrap(
                text, HELP_WIDTH, initial_indent=spaces[0], subsequent_indent=spaces[1], break_on_hyphens=False
            )
        lines.append("")
    return "\n".join(lines)


def decompose(
    table: Path | None = None,
    *,
    method: str = "bm",
    perspective: str | None = None,
    approach: str | None = None,
    perimeter: str | None = None,
    level: str = "country",
    detail: Annotated[bool, SWITCH] = False,
    exporter: Annotated[list[str] | None, LABELS] = None,
    importer: Annotated[list[str] | None, LABELS] = None,
    sector: Annotated[list[str] | None, LABELS] = None,
    size: Path | None = None,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    format: str | None = None,  # noqa: A002 - the word users type
    json: Annotated[bool, SWITCH] = False,
    rows: int = 40,
    backend: str | None = None,
    ends: Ends | None = None,
    countries: Countries | None = None,
    afterwards: Afterwards | None = None,
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
        Flows whose border counts: for perspective self sectexp, bilateral, sectbil, or group (the exports of --sector
        to --importer together); for perspective importer importer or sectimp.
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
    backend
        Array library of the dense algebra: torch or cupy for a GPU, or numpy; without it, or its device, NumPy.
    ends
        Where value added is made and where it ends.
    countries
        What acts as a country, and what is traced.
    afterwards
        What is done with the result.
    reading
        How the table is read.
    margins
        How the margins of --size are read.
    common
        Options of every command.
    """
    ends, countries, afterwards = ends or Ends(), countries or Countries(), afterwards or Afterwards()
    common, reading = common or Common(), reading or Reading()
    form = output_format(format, out, json=json)
    if out is not None:
        from tiva.results.export import check_target

        check_target(out, form)
    from tiva.terms import find_method

    row = find_method(
        method, perspective=perspective, approach=approach, perimeter=perimeter, level=level, detail=detail
    )
    _check_ends(ends, row, detail=detail)
    _check_vocabulary(afterwards.vocabulary, ends)
    with progress("reading the table ...", common):
        plain = read_table(table, reading)
        primary = satellite_of(countries, plain)
    source: Any = by_size(plain, size, margins, common)
    groups = groups_of(countries.groups or ())
    chosen = {"exporter": exporter, "importer": importer, "sector": sector, **ends.given()}
    names = (*source.countries, *groups, *source.sectors)
    labels: dict[str, Any] = {name: separated(given, names) for name, given in chosen.items() if given}
    with progress(f"decomposing {source.title} ...", common):
        if ends.given():
            of_model = {"satellite": primary, "groups": groups or None, "backend": backend}
            cube = _traced(source, ends, row, level, {**of_model, **labels})
            if afterwards.sum is None:
                write_origins(cube, out, form, rows, common)
            else:
                write_result(afterwards.apply(cube.to_dataset()), out, form, rows, common)
            return
        from tiva.router import decompose as run

        result = run(
            source, method, perspective=perspective, approach=approach, perimeter=perimeter, level=level,
            detail=detail, satellite=primary, groups=groups or None, backend=backend, **labels,
        )  # fmt: skip
    write_result(afterwards.apply(result), out, form, rows, common)


def _traced(source: Any, ends: Ends, row: Method, level: str, options: Mapping[str, Any]) -> Origins:
    """Select value added by origin and absorber, in the perspective of a row of the catalogue."""
    from tiva.selection import origins

    of_level = _IMPORT_DIMS[level] if row.perspective == "importer" else _DIMS[level]
    bands = ("size",) if getattr(source, "bands", ()) else ()
    return origins(
        source,
        ends.term or "content",
        by=tuple(dict.fromkeys((*of_level, *bands, *ends.given()))),
        approach=row.approach or "source",
        perimeter=row.perimeter,
        **all_origins(options),
    )


_EVERY = {"origin": ["WLD"], "origin_sector": ["ALL"], "origin_size": ["ALL"]}


def all_origins(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Return selections without those that mean all origins: they then hold taxes and margins too."""
    return {name: words for name, words in labels.items() if words != _EVERY.get(name)}


def _check_ends(ends: Ends, row: Method, *, detail: bool) -> None:
    """Refuse a term without origin or absorber, and origins of a method whose terms are not known by origin."""
    if not ends.given():
        if ends.term is not None:
            raise UsageError(
                explain("--term belongs to --origin and --absorber", got=f"--term {ends.term}", do="add --origin WLD")
            )
    elif detail or not row.traced:
        from tiva.terms import methods

        raise UnsupportedCombinationError(
            "origin and absorber are not known for these options",
            got=row.describe() + (" detail" if detail else ""),
            supported=[other.describe() for other in methods() if other.traced],
        )


def _check_vocabulary(vocabulary: str | None, ends: Ends) -> None:
    """Refuse an unknown vocabulary, and one for results by origin, before anything is computed."""
    if vocabulary is None:
        return
    from tiva.vocabulary import known_tool

    known_tool(vocabulary, ours=True)
    if ends.given():
        raise UsageError(
            explain(
                "results by origin and absorber have no names in other vocabularies",
                got=f"--vocabulary {vocabulary}",
                do="leave it out; `tiva terms --find NAME` says which call gives what another tool has",
            )
        )


def satellite_of(countries: Countries, table: IcioTable) -> Satellite | None:
    """Read the satellite that takes the place of value added, if one is named."""
    if countries.satellite is None:
        if countries.satellite_variable is not None:
            raise UsageError(explain("--satellite-variable needs a file", do="name it with --satellite"))
        return None
    from tiva.readers.satellites import read_satellite

    return read_satellite(countries.satellite, table, variable=countries.satellite_variable)


def groups_of(given: Sequence[str]) -> dict[str, str]:
    """Return name -> expression of the groups that act as one country."""
    found: dict[str, str] = {}
    for word in (part.strip() for words in given for part in words.split(",")):
        name, _, expression = word.partition("=")
        if not name or (not expression and "=" in word):
            raise GroupError(explain("a group needs a name and members", got=word, expected="NAME or NAME=EXPRESSION"))
        if name in found:
            raise GroupError(explain(f"country group {name!r} is given twice", got=", ".join(given)))
        found[name] = expression or name
    return found


def sums_of(given: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return dimension -> name -> expression of the rows that are added up afterwards."""
    found: dict[str, dict[str, str]] = {}
    for word in (part.strip() for words in given for part in words.split(",")):
        name, _, expression = word.partition("=")
        dim, colon, own = name.partition(":")
        dim, name = (dim, own) if colon else ("exporter", name)
        if not name or (not expression and "=" in word):
            raise GroupError(explain("a sum needs a name and members", got=word, expected="NAME=EXPRESSION"))
        if name in found.setdefault(dim, {}):
            raise GroupError(explain(f"sum {name!r} of {dim} is given twice", got=", ".join(given)))
        found[dim][name] = expression or name
    return found


def write_origins(cube: Origins, out: Path | None, format: str | None, rows: int, common: Common) -> None:  # noqa: A002
    """Write value added by origin and absorption; Parquet block by block, whatever its size."""
    if out is not None and (format or out.suffix.lstrip(".")) == "parquet":
        with progress(f"writing {out} ...", common):
            written = cube.to_parquet(out)
        say(f"wrote {written}", common)
        return
    write_result(cube.to_dataset(), out, format, rows, common)


def by_size(table: IcioTable, size: Path | None, margins: Margins | None, common: Common) -> IcioTable | BandedTable:
    """Split the table by firm size where that is asked for."""
    if size is None:
        if margins not in (None, Margins()):
            raise UsageError(explain("--schemes and --sector-map belong to --size", do="give --size too"))
        return table
    from tiva.bands.split import split_by_size

    with progress("splitting by firm size ...", common):
        return split_by_size(table, read_size_margins(size, margins or Margins()))


def write_result(result: xr.Dataset, out: Path | None, format: str | None, rows: int, common: Common) -> None:  # noqa: A002
    """Write a result to its file, as text to stdout, or print its table.

    Its notes are in files, in JSON and below the printed table; beside csv on stdout they go to stderr.
    """
    from tiva.results.export import render, write_dataset
    from tiva.results.tables import breakdown, own_notes

    if out is not None:
        with progress(f"writing {out} ...", common):
            written = write_dataset(result, out, format=format)
        say(f"wrote {written}", common)
    elif format is not None:
        emit(render(result, format))
        for note in own_notes(result) if format == "csv" else ():
            say(f"note: {note}", common)
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


def separated(given: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Return labels and expressions that were given one by one or separated by commas; a label may hold commas."""
    return [
        word
        for words in given
        for word in ([words] if words in labels else [part.strip() for part in words.split(",")])
    ]
