"""Every exception and warning of the package, and the one form of their messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

MAX_LISTED = 5
"""Labels listed in a message before the rest is counted only."""

EXIT_USAGE = 2
"""Exit code of the command line for a call that cannot be carried out as written."""

EXIT_DATA = 3
"""Exit code of the command line for data that are refused."""


def explain(what: str, *, got: object = None, expected: object = None, do: str | None = None) -> str:
    """Compose a message: what is wrong, what was got, what was expected, what to do.

    Parameters
    ----------
    what
        The subject and what is wrong with it, one sentence without a full stop.
    got, expected
        What was found and what would have been right; left out when ``None``.
    do
        The way out, one imperative sentence.

    Returns
    -------
    str
        One line an item, the items after the first indented by two spaces.
    """
    lines = [what]
    if got is not None:
        lines.append(f"  got: {got}")
    if expected is not None:
        lines.append(f"  expected: {expected}")
    if do is not None:
        lines.append(f"  do: {do}" if not do.startswith("\n") else f"  do:{do}")
    return "\n".join(lines)


def listing(labels: Iterable[object], limit: int = MAX_LISTED) -> str:
    """Join labels for a message, cut after ``limit`` with the total."""
    items = [str(label) for label in labels]
    if len(items) <= limit:
        return ", ".join(items)
    return f"{', '.join(items[:limit])}, ... ({len(items)} in all)"


def suggest(label: str, known: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Return the known labels that are spelled most like ``label``, best first."""
    by_folded: dict[str, str] = {}
    for name in known:
        by_folded.setdefault(str(name).casefold(), str(name))
    close = difflib.get_close_matches(str(label).casefold(), by_folded, n=limit, cutoff=0.6)
    return tuple(by_folded[name] for name in close)


class TivaError(Exception):
    """Base of every error raised on purpose by the package."""

    exit_code: ClassVar[int] = EXIT_DATA


class UsageError(TivaError, ValueError):
    """A call that cannot be carried out as written."""

    exit_code = EXIT_USAGE


class UnknownLabelError(TivaError, LookupError):
    """A country, sector, term or option that does not exist here."""

    exit_code = EXIT_USAGE

    def __init__(self, kind: str, label: str, known: Sequence[str]) -> None:
        self.kind = kind
        self.label = label
        self.known = tuple(known)
        self.suggestions = suggest(label, known)
        if self.suggestions:
            do = f"did you mean {' or '.join(repr(s) for s in self.suggestions)}?"
        else:
            do = f"choose one of the {len(self.known)} known labels"
        super().__init__(explain(f"unknown {kind} {label!r}", expected=f"one of {listing(self.known)}", do=do))


class UnsupportedCombinationError(TivaError, ValueError):
    """Options that are each valid but do not go together; ``supported`` lists what does."""

    exit_code = EXIT_USAGE

    def __init__(self, what: str, *, got: str, supported: Sequence[str]) -> None:
        self.supported = tuple(supported)
        rows = "".join(f"\n    {row}" for row in supported)
        super().__init__(explain(what, got=got, expected=f"one of the supported combinations:{rows}"))


class GroupError(TivaError, ValueError):
    """A country or sector group that is empty, overlaps another or repeats a label."""

    exit_code = EXIT_USAGE


class ConcordanceError(TivaError, ValueError):
    """Sectors or countries that cannot be mapped exactly from one scheme to another."""


class MissingExtraError(TivaError, ImportError):
    """An optional library is not installed."""

    exit_code = EXIT_USAGE

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        self.library = library
        self.extra = extra
        super().__init__(
            explain(
                f"{purpose} needs the library {library!r}, which is not installed",
                do=f'install it with: python -m pip install "tiva-icio[{extra}]"',
            )
        )


class TableError(TivaError, ValueError):
    """A table that cannot be used as it is."""


class ShapeError(TableError):
    """Arrays whose shapes do not fit the labels or each other."""


class LabelError(TableError):
    """Labels that are duplicated, missing, or in another order than the data."""


class CellError(TableError):
    """Cells that are not finite numbers."""


class BandShareError(TivaError, ValueError):
    """Band shares that do not fit the table, the scheme or each other."""


class InfeasibleMarginsError(BandShareError):
    """Band shares that would make flows of the split table negative."""


class ConvergenceError(TivaError, ArithmeticError):
    """An iteration that does not reach its goal."""


class MarginError(BandShareError):
    """Margins by band that are refused; ``problems`` has one line a bad row, with file and line."""

    def __init__(self, message: str, *, problems: Sequence[str] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(message)


class SingularTableError(TivaError, ArithmeticError):
    """I - A cannot be inverted."""


class ReaderError(TivaError, ValueError):
    """A file that cannot be read as a table; ``path`` and, where known, ``line``."""

    def __init__(self, message: str, *, path: str | Path | None = None, line: int | None = None) -> None:
        self.path = None if path is None else str(path)
        self.line = line
        super().__init__(message)


class MissingFileError(ReaderError, FileNotFoundError):
    """A file that does not exist."""

    def __str__(self) -> str:
        return str(self.args[0])


class OutputError(TivaError, OSError):
    """A result that cannot be written where it was asked for."""


class OutputLockedError(OutputError):
    """Another run works on the same output folder."""


class PlanError(UsageError):
    """A batch plan that is refused; ``problems`` has one ``line:column: message`` each, ``path`` is the plan."""

    def __init__(self, message: str, *, path: str | Path | None = None, problems: Sequence[str] = ()) -> None:
        self.path = None if path is None else str(path)
        self.problems = tuple(problems)
        super().__init__(message)


class ChecksumError(TivaError, OSError):
    """A file whose content is not what the catalogue says."""


class FetchError(TivaError, OSError):
    """A file that cannot be fetched; the message says from where, why and what to do."""


class OfflineError(FetchError):
    """A file that is not here, while the network may not be used."""


class ManualDownloadError(FetchError):
    """A file that only a person can download: page, file name and folder are in the message.

    Attributes
    ----------
    page, file, folder
        Where to find it, its name (or names), and where it belongs.
    refused
        What the addresses answered that were tried.
    """

    def __init__(self, message: str, *, page: str, file: str, folder: str, refused: Sequence[FetchError] = ()) -> None:
        self.page = page
        self.file = file
        self.folder = folder
        self.refused = tuple(refused)
        super().__init__(message)


class TivaWarning(UserWarning):
    """Base of every warning of the package."""


class BalanceWarning(TivaWarning):
    """Given output, value added and flows contradict each other."""


class MarginConflictWarning(TivaWarning):
    """Published margins by band contradict each other or the table and were moved."""


class PartialGroupWarning(TivaWarning):
    """A country group has members that the table does not show on their own."""


class ReissuedFileWarning(TivaWarning):
    """A publisher replaced a file under the same name; both checksums are on record."""


class NegativeValueAddedWarning(TivaWarning):
    """Value added is negative in some country-sectors."""


class PartialResultsWarning(TivaWarning):
    """A result folder holds fewer results than its plan asks for."""


class PlanWarning(TivaWarning):
    """A batch plan asks for the same result in more than one entry."""


class BackendFallbackWarning(TivaWarning):
    """An array library or device that was asked for cannot be used; NumPy computes instead."""
