"""World Input-Output Tables, 2016 release (2000-2014, 43 countries and rest of world, 56 sectors).

Four containers of the same table: xlsb (or xlsx), RData, Stata dta, and the csv that goes into R.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zlib
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from tiva.errors import MissingExtraError, ReaderError, explain, listing
from tiva.kernels.arrays import FloatArray
from tiva.readers._assemble import assemble
from tiva.readers._members import checked_year, choose_member, parsing, year_in_name
from tiva.readers._text import header
from tiva.readers._wiod import (
    ABROAD,
    ADJUSTMENT,
    CATEGORIES,
    CITATION,
    LICENCE,
    MARGINS,
    NON_RESIDENTS,
    TAXES,
    Found,
    Layout,
    blocks_of,
    matched,
    sheet_parts,
)
from tiva.readers.registry import Reader
from tiva.readers.sheets import glimpse, read_grid, workbooks
from tiva.readers.source import Source
from tiva.readers.totals import PUBLISHED_ROUNDING, Gaps
from tiva.table.icio_table import IcioTable
from tiva.table.provenance import Provenance

if TYPE_CHECKING:
    import pandas as pd

LAYOUT = Layout(
    final=dict(zip(("c57", "c58", "c59", "c60", "c61"), CATEGORIES, strict=True)),
    others={"r66": TAXES, "r67": ADJUSTMENT, "r68": ABROAD, "r69": NON_RESIDENTS, "r71": MARGINS},
    value_added="r70",
    output="r73",
    intermediate="r65",
)

_TITLE = "Intercountry Input-Output Table"
_COLUMNS = ["IndustryCode", "IndustryDescription", "Country", "RNr", "Year"]
_FLOW = re.compile(r"v?([A-Z]{3})(\d+)\Z")
_FIRST_FINAL = 57
MAX_UNPACKED_BYTES = 2 << 30
"""Largest workspace of R; that of a whole world table has 53 MB."""


def recognise(source: Source) -> bool:
    """Whether a member has the title, the variable names or the object name of the 2016 release."""
    return bool(_candidates(source))


def _candidates(source: Source) -> list[str]:
    found = [n for n in workbooks(source) if _TITLE in glimpse(source, n)]
    return found + [n for n in source.names() if n not in found and _kind(source, n) is not None]


def _kind(source: Source, name: str) -> str | None:
    head = source.head(name, 1 << 16)
    if _is_rdata(head):
        return "RData"
    if b"vAUS1\0" in head and (head.startswith(b"<stata_dta>") or head[:1] in b"qrs"):
        return "dta"
    return "csv" if header(source, name)[:5] == _COLUMNS else None


def _is_rdata(head: bytes) -> bool:
    """Whether the beginning of a file is that of a (mostly compressed) R workspace."""
    try:
        start = _unpacked(io.BytesIO(head)).read(5)
    except (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError):
        return False
    return start in (b"RDX2\n", b"RDX3\n", b"RDA2\n", b"RDA3\n")


def _unpacked(packed: io.BytesIO) -> IO[bytes]:
    """Open what R wrote, whatever it was packed with."""
    for mark, opened in ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ", lzma.open)):
        if packed.getvalue().startswith(mark):
            return cast("IO[bytes]", opened(packed))
    return packed


def _check_unpacked(source: Source, name: str, content: bytes) -> None:
    """Refuse what unpacks to an implausible size before it is held in memory."""
    size = 0
    with parsing(source, name, "an RData file"), _unpacked(io.BytesIO(content)) as handle:
        while size <= MAX_UNPACKED_BYTES and (piece := handle.read(1 << 22)):
            size += len(piece)
    if size > MAX_UNPACKED_BYTES:
        raise ReaderError(
            explain(
                f"{name} unpacks to an implausible size",
                got=f"over {MAX_UNPACKED_BYTES:,} bytes from {len(content):,}",
                do="save the table alone from R",
            ),
            path=source.path,
        )


def read(
    source: Source,
    *,
    year: int | None = None,
    member: str | None = None,
    value_added: str = "residual",
    output: str = "published",
    gaps: Gaps = "refuse",
) -> IcioTable:
    """Read a world table of the 2016 release.

    Parameters
    ----------
    source
        xlsb, xlsx, RData, dta or csv, or an archive of them.
    year, member
        Which table of several; ``year`` is also compared with the year in the file.
    value_added
        ``"residual"`` or ``"published"`` (row r70; taxes, adjustments and margins kept as other inputs).
    output
        ``"published"`` (last column) or ``"rows"``.
    gaps
        ``"refuse"``: rows and columns that are shifted, or miss the totals of the file by more than 5 %, are refused by
        their places; ``"keep"``: they are kept as they are, with a warning.

    Returns
    -------
    IcioTable
        In million USD at basic prices.

    Raises
    ------
    ReaderError
        The file is not a world table of this release, or is damaged.
    MissingExtraError
        RData without the library ``rdata``.

    References
    ----------
    Timmer, Los, Stehrer and de Vries (2016), GGDC research memorandum 162; data doi:10.34894/PJ2M1C.
    """
    name = choose_member(source, _candidates(source), year=year, member=member)
    if name in workbooks(source):
        sheet, grid = read_grid(source, name)
        found = int(sheet) if re.fullmatch(r"(19|20)\d\d", sheet.strip()) else None
        parts = sheet_parts(source, name, grid, LAYOUT)
    else:
        frame = _frame(source, name)
        found = _frame_year(source, name, frame)
        parts = _frame_parts(source, name, frame)
    blocks = blocks_of(source, name, parts, LAYOUT)
    checked_year(source, name, found, year or year_in_name(name), "its content")
    year = checked_year(source, name, found if found is not None else year_in_name(name), year, "its content")
    provenance = Provenance(
        source="WIOD",
        edition="2016 release",
        files=(source.describe_file(name),),
        reader="wiod2016",
        licence=LICENCE,
        citation=CITATION,
        url="https://doi.org/10.34894/PJ2M1C",
        rounding=PUBLISHED_ROUNDING,
    )
    return assemble(source, name, blocks, provenance, value_added=value_added, output=output, year=year, gaps=gaps)


def _frame(source: Source, name: str) -> pd.DataFrame:
    import pandas as pd

    kind = _kind(source, name)
    content = source.read_bytes(name)
    if kind == "RData":
        return _rdata(source, name, content)
    with parsing(source, name, f"a table of the 2016 release ({kind or 'unknown'})"):
        if kind == "dta":
            return pd.read_stata(io.BytesIO(content), convert_categoricals=False)
        return pd.read_csv(io.BytesIO(content), keep_default_na=False, na_values=[""], low_memory=False)


def _rdata(source: Source, name: str, content: bytes) -> pd.DataFrame:
    import warnings

    import pandas as pd

    try:
        import rdata
    except ImportError as error:
        raise MissingExtraError("rdata", "formats", "reading RData files") from error
    _check_unpacked(source, name, content)
    with parsing(source, name, "an RData file"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        objects = rdata.read_rda(io.BytesIO(content))
    frames = {k: v for k, v in objects.items() if isinstance(v, pd.DataFrame) and _COLUMNS[0] in v.columns}
    if len(frames) != 1:
        raise ReaderError(
            explain(
                f"{name}: not one world table among the objects",
                got=listing(f"{k} ({type(v).__name__})" for k, v in objects.items()),
                expected="one data frame (wiot) with the columns " + ", ".join(_COLUMNS),
                do="save the table alone from R",
            ),
            path=source.path,
        )
    return frames.popitem()[1].reset_index(drop=True)


def _frame_year(source: Source, name: str, frame: pd.DataFrame) -> int | None:
    missing = [c for c in _COLUMNS if c not in frame.columns]
    if missing:
        raise ReaderError(
            explain(f"{name}: columns are missing", got=listing(missing), expected=listing(_COLUMNS)), path=source.path
        )
    lost = np.flatnonzero(frame["Year"].isna())
    if len(lost):
        message = explain(
            f"{name}, row {lost[0] + 1} of the data: no year",
            got=listing(str(x) for x in frame.iloc[lost[0]].dropna().tolist()[:3]) or "an empty row",
            expected="a year in each row",
            do="the file is cut short or edited; get it from its publisher again",
        )
        raise ReaderError(message, path=source.path)
    years = list(dict.fromkeys(frame["Year"].tolist()))
    if len(years) != 1:
        what = "more than one year" if years else "no rows"
        raise ReaderError(
            explain(f"{name}: {what}", got=listing(years) or "a header only", expected="a table of one year"),
            path=source.path,
        )
    with parsing(source, name, "a table with a year"):
        return int(years[0])


def _frame_parts(source: Source, name: str, frame: pd.DataFrame) -> Found:
    flows = {c: (m.group(1), m.group(2)) for c in frame.columns if (m := _FLOW.match(str(c)))}
    final = [c for c, (_, k) in flows.items() if f"c{k}" in LAYOUT.final]
    industries = [c for c, (_, k) in flows.items() if int(k) < _FIRST_FINAL]
    owners = [str(c).strip() for c in frame["Country"]]
    with parsing(source, name, "a table with row numbers"):
        row_numbers = [str(int(k)) for k in frame["RNr"]]
    inside = [i for i, c in enumerate(owners) if c != "TOT"]
    keys = [(owners[i], row_numbers[i]) for i in inside]
    rows = [inside[i] for i in matched(source, name, keys, [flows[c] for c in industries], final, LAYOUT)]
    values = _numbers(source, name, frame, [*industries, *final, *(["TOT"] if "TOT" in frame.columns else [])])
    n, k = len(industries), len(final)
    codes = frame["IndustryCode"].tolist()
    return Found(
        labels=[(flows[c][0], str(codes[r]).strip()) for c, r in zip(industries, rows, strict=True)],
        final_labels=[(flows[c][0], f"c{flows[c][1]}") for c in final],
        flows=values[np.ix_(rows, range(n))],
        final=values[np.ix_(rows, range(n, n + k))],
        output=values[rows, n + k] if values.shape[1] > n + k else None,
        below={f"r{row_numbers[i]}": values[i, : n + k] for i, c in enumerate(owners) if c == "TOT"},
        rows_at=[f"row {i + 1}" for i in rows],
        columns_at=[f"column {c}" for c in industries],
    )


def _numbers(source: Source, name: str, frame: pd.DataFrame, columns: list[Any]) -> FloatArray:
    import pandas as pd

    values = np.empty((len(frame), len(columns)))
    for k, column in enumerate(columns):
        cells = frame[column]
        numbers = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        if not np.isfinite(numbers).all():
            i = int(np.flatnonzero(~np.isfinite(numbers))[0])
            raise ReaderError(
                explain(
                    f"{name}, row {i + 1}, column {column!r}: not a finite number",
                    got=repr(cells.iloc[i])[:60],
                    do="get the file from its publisher again",
                ),
                path=source.path,
                line=i + 1,
            )
        values[:, k] = numbers
    return values


READERS = (Reader("wiod2016", "WIOD 2016 release: xlsb, xlsx, RData, dta, csv", recognise, read),)
