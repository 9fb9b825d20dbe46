"""Which member of an archive or folder is meant, and which year it is of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tiva.errors import ReaderError, TivaError, UnknownLabelError, explain, listing
from tiva.readers.source import Source

_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_EDITION = re.compile(r"(?i)icio[ _-]?(?:19|20)\d\d")


def year_in_name(name: str) -> int | None:
    """Return the year in a file name (the last part of its path), or ``None`` unless there is exactly one.

    The number after ``ICIO`` is the edition where another year follows: ``ICIO2023_2020.csv`` is of 2020.
    """
    stem = name.replace("!", "/").rsplit("/", 1)[-1]
    years = {int(y) for y in _YEAR.findall(stem)}
    if len(years) != 1:
        years = {int(y) for y in _YEAR.findall(_EDITION.sub("", stem))}
    return years.pop() if len(years) == 1 else None


def choose_member(
    source: Source,
    candidates: Sequence[str],
    *,
    year: int | None,
    member: str | None,
    year_of: Callable[[str], int | None] = year_in_name,
) -> str:
    """Return the one member to read.

    Parameters
    ----------
    source
        What was opened.
    candidates
        Members that hold a table of the family.
    year, member
        The caller's choice.
    year_of
        Year of a member.

    Raises
    ------
    ReaderError
        None or more than one member fits.
    UnknownLabelError
        ``member`` does not exist.
    """
    if member is not None:
        if member not in source.names():
            raise UnknownLabelError("member", member, source.names())
        return member
    if len(candidates) == 1:
        return candidates[0]
    fitting = [c for c in candidates if year is not None and year_of(c) == year]
    if len(fitting) == 1:
        return fitting[0]
    if fitting or (year is None and candidates):
        raise ReaderError(
            explain(
                f"{source.name} holds several tables" + (f" of {year}" if fitting else ""),
                got=listing(fitting or candidates, limit=30),
                do="choose one with member=..." if fitting else "choose one with year=... or member=...",
            ),
            path=source.path,
        )
    raise ReaderError(
        explain(
            f"{source.name} holds no table of {year}" if candidates else f"{source.name} holds no table of this layout",
            got=listing((f"{c} ({year_of(c)})" for c in candidates), limit=30) or source.describe(),
            do="choose another year, or name the member with member=..." if candidates else "check what the file holds",
        ),
        path=source.path,
    )


def checked_year(source: Source, name: str, found: int | None, year: int | None, where: str) -> int | None:
    """Return the year of a table, having compared what was asked for with what was found.

    Raises
    ------
    ReaderError
        They differ.
    """
    if found is not None and year is not None and int(year) != found:
        raise ReaderError(
            explain(
                f"{name} is not of the year asked for",
                got=f"{found}, according to {where}",
                expected=str(year),
                do="leave year out, or open the file of that year",
            ),
            path=source.path,
        )
    return found if year is None else int(year)


@contextmanager
def parsing(source: Source, name: str, kind: str) -> Iterator[None]:
    """Turn whatever a parsing library raises over a damaged file into a :class:`ReaderError`."""
    try:
        yield
    except (TivaError, Warning, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a Rust parser's panic is not an Exception
        raise ReaderError(
            explain(
                f"{name} cannot be read as {kind}",
                got=f"{type(error).__name__}: {str(error)[:200]}",
                do="the file is damaged or of another kind; get it from its publisher again",
            ),
            path=source.path,
        ) from error
