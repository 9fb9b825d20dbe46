"""``tiva check``, ``tiva info`` and ``tiva convert``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App

from tiva.cli.common import SWITCH, Common, Reading, emit, emit_json, progress, read_table, say
from tiva.errors import EXIT_DATA, ReaderError, UsageError, explain

if TYPE_CHECKING:
    from tiva.table.icio_table import IcioTable


def register(app: App) -> None:
    """Add the commands."""
    for command in (check, info, convert):
        app.command(command)


def check(
    table: Path | None = None,
    *,
    json: Annotated[bool, SWITCH] = False,
    reading: Reading | None = None,
    common: Common | None = None,
) -> int:
    """Report whether a table balances, and its negative, zero and odd entries; nothing is changed.

    Exit code 3 where rows or columns do not balance.

    Parameters
    ----------
    table
        File, folder or archive; the embedded example when left out.
    json
        JSON instead of text.
    reading
        How the table is read.
    common
        Options of every command.
    """
    with progress("checking ...", common or Common()):
        report = read_table(table, reading or Reading()).check()
    if json:
        from dataclasses import asdict

        emit_json({"ok": report.ok, **asdict(report)})
    else:
        emit(str(report))
    return 0 if report.ok else EXIT_DATA


def info(
    table: Path | None = None,
    *,
    json: Annotated[bool, SWITCH] = False,
    reading: Reading | None = None,
    common: Common | None = None,
) -> None:
    """Say what a table is: source, year, unit, countries, sectors, licence, checksum.

    Parameters
    ----------
    table
        File, folder or archive; the embedded example when left out.
    json
        JSON instead of text.
    reading
        How the table is read.
    common
        Options of every command.
    """
    with progress("reading the table ...", common or Common()):
        facts = _facts(read_table(table, reading or Reading()))
    if json:
        emit_json(facts)
        return
    import textwrap

    width = max(map(len, facts)) + 2
    for key, value in facts.items():
        if isinstance(value, list) and key != "notes":
            value = ", ".join(map(str, value))
        for entry in value if isinstance(value, list) else [value]:
            text = textwrap.wrap(str(entry), 100 - width, break_long_words=False) or [""]
            emit(f"{key:<{width}}{text[0]}")
            for line in text[1:]:
                emit(" " * width + line)
            key = ""


def _facts(table: IcioTable) -> dict[str, Any]:
    origin = table.provenance
    return {
        "title": table.title,
        "year": table.year,
        "unit": table.unit,
        "size": f"{len(table.countries)} countries x {len(table.sectors)} sectors",
        "countries": list(table.countries),
        "split countries": [f"{part} of {whole}" for part, whole in table.split_countries.items()],
        "sectors": list(table.sectors),
        "final demand": list(table.final_demand_categories),
        "other inputs": list(table.other_inputs),
        "value added": table.value_added_kind,
        "files": [f.name for f in origin.files],
        "layout": origin.reader,
        "licence": origin.licence,
        "citation": origin.citation,
        "url": origin.url,
        "checksum": table.checksum,
        "notes": list(origin.notes),
    }


def convert(
    source: Path,
    target: Path,
    *,
    layout: str | None = None,
    year: int | None = None,
    common: Common | None = None,
) -> None:
    """Convert a table to the native format (.nc), or a result in .nc to parquet, csv, Excel, Stata or JSON.

    Parameters
    ----------
    source
        A table in any known layout, or a result of `tiva decompose --out result.nc`.
    target
        table.nc for a table; result.parquet, .csv, .xlsx, .dta, .json or .nc for a result.
    layout
        Name of the layout of the table; recognised from the content when left out.
    year
        Year to take where the source holds several.
    common
        Options of every command.
    """
    from tiva.results.export import check_target, read_dataset, write_dataset

    common = common or Common()
    check_target(target)
    is_result = layout is None and source.suffix == ".nc" and _is_result(source)
    if not is_result and target.suffix.lower() != ".nc":
        raise UsageError(
            explain(
                "a table is converted to the native format only",
                got=target.name,
                expected="a file that ends in .nc",
                do="decompose it first: tiva decompose TABLE --out result.csv",
            )
        )
    with progress("converting ...", common):
        if is_result:
            write_dataset(read_dataset(source), target)
        else:
            read_table(source, Reading(layout=layout, year=year)).save(target)
    say(f"wrote {target}", common)


def _is_result(path: Path) -> bool:
    """Whether a netCDF file is a result; a file that is none, or cannot be read, is left to the table readers."""
    from tiva.results.export import read_dataset

    try:
        read_dataset(path)
    except ReaderError:
        return False
    return True
