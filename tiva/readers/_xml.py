"""Elements of large XML parts of workbooks, one after the other, without a tree in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO
from xml.parsers import expat

_PIECE = 1 << 20


def elements(
    handle: IO[bytes], start: Callable[[str, dict[str, str]], object], end: Callable[[str], object] | None = None
) -> None:
    """Call back at the start and the end of each element.

    Parameters
    ----------
    handle
        The part.
    start
        Called with the name, without its prefix, and the attributes, with theirs.
    end
        Called with the name, without its prefix.

    Raises
    ------
    xml.parsers.expat.ExpatError
        The XML is not well-formed, or declares a document type (as no program that writes workbooks does).
    """
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, attributes: start(name.rpartition(":")[2], attributes)
    if end is not None:
        parser.EndElementHandler = lambda name: end(name.rpartition(":")[2])
    parser.StartDoctypeDeclHandler = _refuse
    while piece := handle.read(_PIECE):
        parser.Parse(piece, False)
    parser.Parse(b"", True)


def _refuse(*_: object) -> None:
    raise expat.ExpatError("a declaration of a document type")
