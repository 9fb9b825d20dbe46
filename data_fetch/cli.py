"""Commands: ``list info get add check where margins compare``; mounted as ``tiva fetch`` and ``tiva compare``."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from tiva.cli.common import Common
from tiva.errors import TivaError, TivaWarning, UsageError, explain
from tiva.terms import Level

EPILOGUE = """Files go to the folder that the environment variable TIVA_DATA names, else to the platform's cache folder.
TIVA_OFFLINE=1 forbids every use of the network.

Data go to stdout, messages and progress to stderr. Exit codes: 0 done, 2 usage, 3 data refused or not to be had.
"""

app = App(
    name="data_fetch",
    help="Fetch, verify and list the data sets that tiva reads.",
    help_epilogue=EPILOGUE,
    help_format="plaintext",
    version_flags=[],
)
"""The commands, for mounting: ``parent.command(app, name="fetch")``."""


@app.command(name="list")
def list_datasets(*, common: Common | None = None) -> None:  # noqa: ARG001 - accepted everywhere
    """List the data sets: years, how the site gives files out, how many files are here.

    Access: open, fetched by the program; bot wall, tried, but many sites let browsers in only; browser and login, to be
    downloaded by hand and taken in with `tiva fetch add`.

    Parameters
    ----------
    common
        Options of every command.
    """
    from data_fetch.catalogue import catalogue
    from data_fetch.store import Store, default_folder

    store = Store(default_folder())
    table = Table("name", "title", "years", "access", "here", box=None)
    for dataset in catalogue().datasets.values():
        here = f"{len(store.names(dataset.name))} of {len(dataset.files)}"
        table.add_row(dataset.name, dataset.title, dataset.years, dataset.access, here)
    _out().print(table)


@app.command
def info(name: str, *, common: Common | None = None) -> None:  # noqa: ARG001 - accepted everywhere
    """Show one data set: page, licence, citation, what of it is confirmed, files, checksums, what is here.

    Parameters
    ----------
    name
        Name of the data set, as `tiva fetch list` shows it.
    common
        Options of every command.
    """
    from data_fetch.catalogue import catalogue
    from data_fetch.describe import describe
    from data_fetch.store import Store, default_folder

    for line in describe(catalogue()[name], Store(default_folder())):
        _say(line)


@app.command
def get(
    name: str,
    *,
    years: str | None = None,
    refresh: bool = False,
    offline: Annotated[bool | None, Parameter(negative=())] = None,
    common: Common | None = None,
) -> None:
    """Fetch the files of a data set that are not here yet, and print their paths.

    Files that only a person can download are named with page, file name and folder; take them in with
    `tiva fetch add`. An interrupted download goes on where it stopped.

    Parameters
    ----------
    name
        Name of the data set.
    years
        Years, such as 1995-2011 or 2000,2005; all by default.
    refresh
        Fetch again even what is here; a file that was issued again is reported, and both checksums are kept.
    offline
        Do not use the network (also: environment variable TIVA_OFFLINE=1).
    common
        Options of every command.
    """
    from data_fetch.fetch import get as get_files
    from data_fetch.fetch import quiet, terminal_progress

    shown = quiet if common is not None and common.quiet else terminal_progress
    for path in get_files(name, years, refresh=refresh, offline=offline, progress=shown):
        _say(str(path))


@app.command
def add(file: Path, *, dataset: str | None = None, common: Common | None = None) -> None:  # noqa: ARG001 - accepted everywhere
    """Take a hand-downloaded file in: recognised, verified, copied to the folder of fetched files, recorded.

    Parameters
    ----------
    file
        The file, packed as it was downloaded; the original stays where it is.
    dataset
        Name of the data set, where it cannot be told from checksum, name or content.
    common
        Options of every command.
    """
    from data_fetch.local import add as add_file

    added = add_file(file, dataset)
    layout = f"layout {added.layout}" if added.layout else "no reader recognises its content"
    _say(str(added.path))
    _say(f"{added.dataset}, {layout}, {added.record.size:,} bytes, sha256:{added.record.sha256}")


@app.command
def check(name: str, *, common: Common | None = None) -> int:  # noqa: ARG001 - accepted everywhere
    """Compare the files of a data set with the checksums recorded when they came.

    Parameters
    ----------
    name
        Name of the data set.
    common
        Options of every command.
    """
    from data_fetch.fetch import check as check_files

    found = check_files(name)
    if not found:
        sys.stderr.write(f"no file of {name} is here\n")
    for path, state in found.items():
        _say(f"{state:9} {path}")
    return 3 if "changed" in found.values() else 0


@app.command
def where(*, common: Common | None = None) -> None:  # noqa: ARG001 - accepted everywhere
    """Print the folder of fetched files.

    Parameters
    ----------
    common
        Options of every command.
    """
    from data_fetch.store import default_folder

    _say(str(default_folder()))


@app.command
def margins(
    source: str,
    *,
    countries: str,
    years: str,
    out: Path,
    sectors: str = "",
    variables: str = "",
    flow: str | None = None,
    fixed: str = "",
    table: Path | None = None,
    offline: Annotated[bool | None, Parameter(negative=())] = None,
    common: Common | None = None,  # noqa: ARG001 - accepted everywhere
) -> None:
    """Fetch firm-size margins by SDMX and write them as band_margins.csv, for --size of `tiva decompose`.

    Every fact has its status: observed, imputed (estimated by the publisher), derived (summed, or the total less the
    others), confidential or missing. What is not verified of a source is in the note of every fact.

    Parameters
    ----------
    source
        oecd_sdbs, oecd_tec, eurostat_sbs, eurostat_sbs_2005 or eurostat_tec.
    countries
        ISO 3166-1 alpha-3 codes with commas between, such as MEX,CRI.
    years
        Years, such as 2019 or 2015-2020.
    out
        File to write.
    sectors
        Activity codes of the source with commas between; all by default.
    variables
        Variables of the margins file with commas between; all of the source by default.
    flow
        "AGENCY:FLOW(VERSION)" where the flow of the source is called otherwise by now; agency and version may be left
        out.
    fixed
        DIMENSION=CODE with commas between: codes of further dimensions of the flow, or other codes than the source's.
    table
        File of the table that is to be split, with sectors of ISIC Rev. 4: facts that can be carried over to its
        sectors are kept, and their concordance is written beside OUT (NAME_sectors.csv, for --sector-map).
    offline
        Use kept answers only.
    common
        Options of every command.
    """
    from data_fetch.margins import fetch_margins, write_margins
    from data_fetch.sdmx import flows
    from tiva.files import ensure_writable

    ensure_writable(out)
    rows = fetch_margins(
        source,
        _words(countries),
        years,
        sectors=_words(sectors),
        variables=_words(variables),
        identity=flow,
        fixed=_pairs(fixed),
        offline=offline,
    )
    if table is not None:
        rows = _for_table(rows, table, out)
    write_margins(rows, out)
    counts = Counter(row["status"] for row in rows)
    by_status = f" ({', '.join(f'{n} {status}' for status, n in counts.most_common())})" if counts else ""
    _say(f"{out}: {len(rows)} facts{by_status}")
    for doubt in flows()[source].doubts if flow is None else ():
        sys.stderr.write(f"not verified, as the note of every fact says: {doubt}\n")


def _for_table(rows: list[dict[str, str]], table: Path, out: Path) -> list[dict[str, str]]:
    """Keep the facts that fit the sectors of a table, write their concordance beside them, and say what is left out."""
    from data_fetch.activities import for_table, write_sector_map
    from tiva.readers.registry import read

    fitting = for_table(rows, read(table).sectors)
    if not fitting.rows:
        raise UsageError(
            explain(
                f"no fact can be carried over to the sectors of {table.name}",
                got="".join(f"\n    {note}" for note in fitting.notes),
                do="ask for what its sectors hold, such as --sectors C10T12,C20 (OECD) or C10,C11,C12 (Eurostat)",
            )
        )
    sys.stderr.writelines(f"{note}\n" for note in fitting.notes)
    beside = write_sector_map(fitting.sector_map, out.with_name(f"{out.stem}_sectors.csv"))
    _say(f"{beside}: {len(fitting.sector_map)} links of activities to sectors")
    return list(fitting.rows)


def _pairs(text: str) -> dict[str, str]:
    found = {}
    for word in _words(text):
        name, equals, code = word.partition("=")
        if not equals or not name.strip():
            raise UsageError(explain("not a dimension and its code", got=repr(word), expected="DIMENSION=CODE"))
        found[name.strip()] = code.strip()
    return found


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


compare = App(
    name="compare",
    help="Compare computed indicators with published ones.",
    help_epilogue=EPILOGUE,
    help_format="plaintext",
    version_flags=[],
)
"""The comparisons, for mounting: ``parent.command(compare)``."""


@compare.command
def oecd(
    table: Path,
    *,
    year: int | None = None,
    level: Level = "sector",
    measures: str = "EXGR,EXGR_DVA,EXGR_FVA",
    offline: Annotated[bool | None, Parameter(negative=())] = None,
    common: Common | None = None,  # noqa: ARG001 - accepted everywhere
) -> None:
    """Print how indicators computed from a table differ from the OECD's TiVA indicators.

    For each indicator: cells compared, median of the signed relative differences (bias), quantiles of the absolute
    ones, cells within 0.1 %, the cells that differ most, and the areas and activities that only one side has.

    Parameters
    ----------
    table
        File of the table; the extended ICIO is what the OECD computes from.
    year
        Year to take where the file holds several.
    level
        Cells by country, sector (country and industry), bilateral, or sector-bilateral.
    measures
        Indicators with commas between: terms of `tiva decompose --method oecd` and `--method oecd_shares` at this
        level, as far as the OECD publishes them.
    offline
        Use kept answers of the OECD only.
    common
        Options of every command.
    """
    from data_fetch.compare import compare_table
    from tiva.readers.registry import read

    found = compare_table(read(table, year=year), _words(measures), level=level, offline=offline)
    _say(str(found))


app.command(compare)


def _out() -> Console:
    return Console(file=sys.stdout)


def _say(line: str) -> None:
    """Print a line as it is, without colours or breaks."""
    _out().print(line, highlight=False, markup=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; errors made on purpose are one message and an exit code, and a traceback where it is asked for."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if "--quiet" in words else "always", TivaWarning)
        warnings.showwarning = lambda message, *_, **__: sys.stderr.write(f"warning: {message}\n")  # type: ignore[assignment]
        try:
            code = app(words)
        except TivaError as error:
            if "--traceback" in words:
                traceback.print_exc()
            else:
                sys.stderr.write(f"error: {error}\n")
            raise SystemExit(error.exit_code) from None
        except KeyboardInterrupt:
            sys.stderr.write("interrupted; what was fetched so far is kept to go on from\n")
            raise SystemExit(130) from None
    raise SystemExit(code if isinstance(code, int) else 0)
