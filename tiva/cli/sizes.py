"""``tiva sizes check|split|report|plot``: direct and indirect exports by firm size."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from tiva.cli.common import (
    EXAMPLE,
    LABELS,
    SWITCH,
    Common,
    Margins,
    Reading,
    aligned,
    emit,
    emit_json,
    progress,
    read_size_margins,
    read_table,
    say,
)
from tiva.errors import EXIT_DATA, MarginError, OutputError, UnknownLabelError, UsageError, explain

if TYPE_CHECKING:
    from tiva.bands.margins import Margins as PublishedMargins
    from tiva.bands.split import BandedTable
    from tiva.results.size_report import SizeReport

HELP = """Direct and indirect exports by firm size: check margins, split a table, report, draw.

Without a table or margins: the embedded ones. The word example stands for either.
"""

REPORT_SUFFIXES = (".txt", ".html", ".json", ".nc")
FIGURE_SUFFIXES = (".png", ".svg", ".pdf")
KINDS = ("direct-indirect", "matrix")

SHARES, LOG, RESULT = "shares.csv", "log.csv", "result"
"""Files that ``tiva sizes split`` writes."""


def register(app: App) -> None:
    """Add the commands."""
    sizes = App(name="sizes", help=HELP, help_format="plaintext")
    for command in (check, split, report, plot):
        sizes.command(command)
    app.command(sizes)


def check(
    margins: Path | None = None,
    *,
    table: Path | None = None,
    json: Annotated[bool, SWITCH] = False,
    reading: Reading | None = None,
    options: Margins | None = None,
    common: Common | None = None,
) -> int:
    """Check margins row by row, and show what would be assumed, recovered or moved; nothing is computed.

    Exit code 3 where rows are refused. A file without --table is checked for itself only.

    Parameters
    ----------
    margins
        Margins by firm size (csv); the embedded ones when left out.
    table
        Table that they are for: its sectors, countries and totals; the embedded one for the embedded margins.
    json
        JSON instead of text.
    reading
        How the table is read.
    options
        How the margins are read.
    common
        Options of every command.
    """
    common = common or Common()
    found: dict[str, Any] = {"ok": False, "problems": [], "facts": 0, "conflicts": [], "log": []}
    try:
        with progress("checking ...", common):
            published = read_size_margins(margins, options or Margins())
            found |= _facts(published)
            if table is not None or margins is None or str(margins) == EXAMPLE:
                found |= _prepared(published, table, reading or Reading())
    except MarginError as error:
        found["problems"] = list(error.problems) or str(error).splitlines()
    found["ok"] = not found["problems"]
    if json:
        from tiva.results.size_report import plain

        emit_json(plain(found))
    else:
        emit(_check_text(found))
    return 0 if found["ok"] else EXIT_DATA


def _facts(published: PublishedMargins) -> dict[str, Any]:
    status: dict[str, int] = {}
    for fact in published.facts:
        status[fact.status] = status.get(fact.status, 0) + 1
    return {
        "facts": len(published),
        "countries": list(published.countries),
        "schemes": list(dict.fromkeys(f.scheme for f in published.facts)),
        "variables": list(dict.fromkeys(f.variable for f in published.facts)),
        "status": status,
    }


def _prepared(published: PublishedMargins, table: Path | None, reading: Reading) -> dict[str, Any]:
    """Reconcile with the table, the warnings taken into the report."""
    from tiva.bands.prepare import prepare_margins
    from tiva.errors import MarginConflictWarning

    source = read_table(table, reading)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MarginConflictWarning)
        shares = prepare_margins(source, published)
    conflicts = [str(w.message) for w in caught if issubclass(w.category, MarginConflictWarning)]
    for other in caught:
        if not issubclass(other.category, MarginConflictWarning):
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    return {
        "table": source.title,
        "conflicts": conflicts,
        "log": [asdict(r) for r in shares.log],
        "shares": repr(shares),
    }


def _check_text(found: Mapping[str, Any]) -> str:
    if found["problems"]:
        rows = "\n".join(f"  {problem}" for problem in found["problems"])
        return f"REFUSED: {len(found['problems'])} problems\n{rows}"
    status = ", ".join(f"{count} {name}" for name, count in found["status"].items())
    lines = [
        f"{found['facts']} facts ({status})",
        f"countries: {', '.join(found['countries'])}",
        f"band schemes: {', '.join(found['schemes'])}",
        f"variables: {', '.join(found['variables'])}",
    ]
    if "shares" not in found:
        return "\n".join([*lines, "no problems in the file; name --table to see how it meets a table"])
    steps: dict[str, int] = {}
    for record in found["log"]:
        steps[record["step"]] = steps.get(record["step"], 0) + 1
    from tiva.bands.shares import LogRecord
    from tiva.results.size_report import describe_record

    lines += [f"table: {found['table']}", found["shares"], ""]
    lines += [*found["conflicts"], ""] if found["conflicts"] else []
    lines += [aligned(["step", "records"], [[k, str(v)] for k, v in steps.items()]), ""]
    lines += [describe_record(LogRecord(**record)) for record in found["log"]]
    return "\n".join(lines)


def split(
    table: Path | None = None,
    margins: Path | None = None,
    *,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    format: str = "nc",  # noqa: A002 - the word users type
    json: Annotated[bool, SWITCH] = False,
    reading: Reading | None = None,
    options: Margins | None = None,
    common: Common | None = None,
) -> None:
    """Split a table by firm size, and write the shares used, the log of how they came about, and the result.

    Parameters
    ----------
    table
        File, folder or archive of a table; the embedded example when left out.
    margins
        Margins by firm size (csv); the embedded ones when left out.
    out
        Folder, made where there is none: shares.csv, log.csv, and result with direct and indirect exports by country,
        sector and band. Without it, a summary is printed.
    format
        Format of the result: nc, parquet, csv, xlsx, dta or json.
    json
        Shares and log as JSON on stdout.
    reading
        How the table is read.
    options
        How the margins are read.
    common
        Options of every command.
    """
    common = common or Common()
    if out is not None:
        if json:
            raise UsageError(explain("--json and --out contradict each other", do="leave one out"))
        _folder(out, format)
    banded = _banded(table, margins, reading, options, common)
    if out is not None:
        with progress(f"writing {out} ...", common):
            _write_split(banded, out, format)
        say(f"wrote {SHARES}, {LOG} and {RESULT}.{format} in {out}", common)
        return
    if json:
        from tiva.results.size_report import plain

        rows = banded.shares.to_frame().to_dict("records")
        emit_json(plain({"shares": rows, "log": [asdict(r) for r in banded.shares.log]}))
        return
    emit(f"{banded!r}\n{banded.shares!r}\nfeasibility: {banded.feasibility}")
    emit("name a folder with --out to have shares, log and result")


def _folder(out: Path, format: str) -> None:  # noqa: A002
    """Refuse what cannot be written before anything is read."""
    from tiva.results.export import FORMATS, check_target

    if format not in FORMATS:
        raise UsageError(explain(f"unknown output format {format!r}", expected=f"one of {', '.join(FORMATS)}"))
    if out.exists() and not out.is_dir():
        raise OutputError(explain(f"{out} is a file", expected="a folder", do="choose another"))
    try:
        out.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(explain(f"cannot make the folder {out}", got=error.strerror, do="make it first")) from error
    for name in (SHARES, LOG, f"{RESULT}.{format}"):
        check_target(out / name)


def _write_split(banded: BandedTable, out: Path, format: str) -> None:  # noqa: A002
    from tiva.files import replacing
    from tiva.indicators.size import exports_by_size
    from tiva.results.export import write_dataset

    result = exports_by_size(banded.model(), level="sector")
    for name, frame in ((SHARES, banded.shares.to_frame()), (LOG, banded.shares.log_frame())):
        with replacing(out / name) as temporary:
            frame.to_csv(temporary, index=False)
    write_dataset(result, out / f"{RESULT}.{format}")


def _banded(
    table: Path | None, margins: Path | None, reading: Reading | None, options: Margins | None, common: Common
) -> BandedTable:
    from tiva.bands.split import split_by_size

    with progress("reading the table ...", common):
        source = read_table(table, reading or Reading())
    with progress("splitting by firm size ...", common):
        return split_by_size(source, read_size_margins(margins, options or Margins()))


def report(
    table: Path | None = None,
    margins: Path | None = None,
    *,
    country: Annotated[list[str] | None, LABELS] = None,
    intervals: bool | None = None,
    draws: int | None = None,
    seed: int = 0,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    json: Annotated[bool, SWITCH] = False,
    reading: Reading | None = None,
    options: Margins | None = None,
    common: Common | None = None,
) -> None:
    """Report who exports, directly and indirectly, by firm size: with status, coverage, assumptions and intervals.

    Parameters
    ----------
    table
        File, folder or archive of a table; the embedded example when left out.
    margins
        Margins by firm size (csv); the embedded ones when left out.
    country
        Labels or groups, separated by commas, or the option several times; all that are split when left out.
    intervals
        Compute the intervals, or not; left out: where at most three countries are reported.
    draws
        Draws of an interval, 200 when left out.
    seed
        Seed of the draws.
    out
        File to write: .txt, .html, .json or .nc.
    json
        JSON instead of text.
    reading
        How the table is read.
    options
        How the margins are read.
    common
        Options of every command.
    """
    common = common or Common()
    if out is not None:
        _check_file(out, REPORT_SUFFIXES, "report")
        if json and out.suffix.lower() != ".json":
            raise UsageError(explain("--json and the suffix of --out contradict each other", got=out.name))
    made = _report(_banded(table, margins, reading, options, common), country, intervals, draws, seed, common)
    if out is not None:
        _write_report(made, out)
        say(f"wrote {out}", common)
    elif json:
        emit_json(made.to_dict())
    else:
        emit(str(made))


def _report(
    banded: BandedTable,
    country: list[str] | None,
    intervals: bool | None,
    draws: int | None,
    seed: int,
    common: Common,
) -> SizeReport:
    from tiva.choosing import select_together
    from tiva.cli.decompose import separated
    from tiva.groups import select_countries
    from tiva.results.size_report import DRAWS, size_report

    def resolve(word: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return select_countries(word, banded.countries, year=banded.year).members, ()

    words = separated(country or (), banded.countries)
    labels = list(select_together("country", words, resolve)[0]) or None
    with progress("computing ...", common):
        return size_report(banded, labels, intervals=intervals, draws=DRAWS if draws is None else draws, seed=seed)


def _check_file(out: Path, suffixes: tuple[str, ...], what: str) -> None:
    from tiva.files import ensure_writable

    if out.suffix.lower() not in suffixes:
        raise UsageError(
            explain(f"unknown suffix of the {what}", got=out.suffix or "none", expected=f"one of {', '.join(suffixes)}")
        )
    ensure_writable(out)


def _write_report(made: SizeReport, out: Path) -> None:
    import json

    from tiva.files import replacing
    from tiva.results.export import write_dataset

    suffix = out.suffix.lower()
    if suffix == ".nc":
        write_dataset(made.to_dataset(), out)
        return
    if suffix == ".json":
        text = json.dumps(made.to_dict(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    else:
        text = made.to_html() if suffix == ".html" else f"{made}\n"
    with replacing(out) as temporary:
        temporary.write_text(text, encoding="utf-8")


def plot(
    table: Path | None = None,
    margins: Path | None = None,
    *,
    kind: str = "direct-indirect",
    out: Annotated[Path, Parameter(alias="-o")],
    country: Annotated[list[str] | None, LABELS] = None,
    intervals: bool | None = None,
    draws: int | None = None,
    seed: int = 0,
    reading: Reading | None = None,
    options: Margins | None = None,
    common: Common | None = None,
) -> None:
    """Draw direct against indirect exports by firm size, or who exports for whom.

    Parameters
    ----------
    table
        File, folder or archive of a table; the embedded example when left out.
    margins
        Margins by firm size (csv); the embedded ones when left out.
    kind
        direct-indirect: bars by country and band, with the model interval; matrix: heat map of one country.
    out
        File to write: .png, .svg or .pdf.
    country
        Labels or groups, separated by commas, or the option several times; all that are split when left out.
    intervals
        Draw the model intervals, or not; left out: where at most three countries are drawn.
    draws
        Draws of an interval, 200 when left out.
    seed
        Seed of the draws.
    reading
        How the table is read.
    options
        How the margins are read.
    common
        Options of every command.
    """
    import importlib.util

    from tiva.errors import MissingExtraError

    common = common or Common()
    if kind not in KINDS:
        raise UnknownLabelError("kind", kind, KINDS)
    _check_file(out, FIGURE_SUFFIXES, "figure")
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("matplotlib", "plot", "drawing figures")
    banded = _banded(table, margins, reading, options, common)
    wanted = False if kind == "matrix" else intervals
    made = _report(banded, country, wanted, draws, seed, common)
    if kind == "matrix" and len(made.countries) != 1:
        raise UsageError(
            explain("the matrix is that of one country", got=", ".join(made.countries), do="name it with --country")
        )
    from tiva.files import replacing
    from tiva.results import plot_size

    with progress("drawing ...", common):
        figure = plot_size.band_matrix(made) if kind == "matrix" else plot_size.direct_indirect(made)
        with replacing(out) as temporary:
            figure.savefig(temporary, bbox_inches="tight")
    say(f"wrote {out}", common)
